// Package socket makes the system calls of sockets cheaper, and keeps what they carry young.
//
// A goroutine that makes a system call tells the Go scheduler first, because the call could block, and the scheduler
// wakes its monitor thread to look after it. In a process that wakes for a packet, handles it and sleeps again, that
// thread costs a fifth of the CPU (measured with Go 1.26 at 200 packets/s). The sockets of package net never block:
// they are set so, and wait in the poller. So the calls need not be announced.
//
//   - [Stream] wraps a connection of TCP or Unix.
//   - [Packets] wraps a socket of UDP. It can also hand all packets of a picture to the system at once.
//   - [Bursts] wraps a socket of UDP whose packets are forwarded, many with one call.
//
// Both send several packets with one call, as one piece of memory that the system cuts (UDP_SEGMENT). Where that is
// refused, one call takes several packets (sendmmsg), and where that is refused too, each packet takes a call of its
// own; see [Batching].
//
// [Listen] bounds what waits in the system to be sent.
//
// Everything else is as in package net: deadlines, errors, Close from another goroutine. On systems other than Linux
// the wrapped connections are used as they are.
//
// All are safe for concurrent use, start no goroutine, and are closed like what they wrap.
package socket
