// Package machine runs programs in the lab's virtual machine.
//
// An image is a folder with a kernel (vmlinuz), an initrd (initrd.gz), and a root file system (root.sqfs), as made by
// image/build.sh. A [Machine] boots it afresh for every [Machine.Run]: only files that a program writes into the
// shared folder, which the guest mounts as /host, outlive the run.
//
// The guest runs the script job in a copy of that folder, sends its output over a separate serial port, apart from the
// kernel's messages, leaves the exit status in /host/status, and powers off. A guest that ends without a status (a
// kernel panic, a hang) is an error, never a success.
//
// Several goroutines may use a Machine with different shared folders. Run waits until QEMU has ended; QEMU is killed
// when the context ends, and also when the calling process dies in any way.
package machine
