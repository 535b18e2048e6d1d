//go:build linux && (amd64 || arm || arm64 || riscv64)

package socket

import (
	"path/filepath"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// supported says whether this file is used.
const supported = true

// receive takes what has arrived. Nothing without an error is the end of a stream.
func receive(fd uintptr, b []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))),
			uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0)
		if errno != unix.EINTR {
			return count(n, errno)
		}
	}
}

// send gives the system as much as it has room for.
func send(fd uintptr, b []byte) (int, syscall.Errno) {
	const flags = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))),
			uintptr(len(b)), flags, 0, 0)
		if errno != unix.EINTR {
			return count(n, errno)
		}
	}
}

// receiveFrom takes a packet.
func receiveFrom(fd uintptr, b []byte, from *place) (int, syscall.Errno) {
	for {
		size := uint32(len(from.raw))
		n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))),
			uintptr(len(b)), unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&from.raw)), uintptr(unsafe.Pointer(&size)))
		if errno != unix.EINTR {
			return count(n, errno)
		}
	}
}

// joins reports whether the system can cut what is sent into packets. Linux can since 4.18.
func joins(fd int) bool {
	_, err := unix.GetsockoptInt(fd, unix.SOL_UDP, unix.UDP_SEGMENT)
	return err == nil
}

// kernel returns the release of the kernel, and whether the machine has a network card of virtio.
func kernel() (release string, virtio bool) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "", false
	}
	cards, _ := filepath.Glob("/sys/bus/virtio/drivers/virtio_net/virtio*") // the pattern is valid
	return unix.ByteSliceToString(name.Release[:]), len(cards) > 0
}

// segmentation is the control message that tells the size of packets.
type segmentation struct {
	header unix.Cmsghdr
	size   uint16
	_      [6]byte // the length of control messages is a multiple of 8
}

func (s *segmentation) set(size int) {
	s.header = unix.Cmsghdr{Level: unix.SOL_UDP, Type: unix.UDP_SEGMENT}
	s.header.SetLen(unix.CmsgLen(2))
	s.size = uint16(size)
}

func count(n uintptr, errno syscall.Errno) (int, syscall.Errno) {
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}
