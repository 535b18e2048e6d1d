// Package machine runs programs in the lab's virtual machine.
//
// An image is a folder with a kernel (vmlinuz), an initrd (initrd.gz) and a root file system (root.sqfs), as
// image/build.sh makes it. A [Machine] boots it, anew for every [Machine.Run]: nothing a program does inside outlives
// the run, except files it writes into the shared folder, which the guest sees as /host.
//
// The guest runs the script job in a copy of that folder, sends its output over a serial port of its own, apart from
// the kernel's messages, leaves the exit status in /host/status and switches itself off. A guest that ends without a
// status (a kernel panic, a hang) is an error, never a success.
//
// A Machine may be used by several goroutines with different shared folders. Run waits until QEMU has ended; QEMU is
// killed when the context ends, and also when the calling process dies in any way.
package machine
