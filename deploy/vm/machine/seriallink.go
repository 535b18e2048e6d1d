package machine

import (
	"fmt"
	"os"
	"syscall"
)

// Serial numbers of the two adapters of [Machine.SerialLink], by which the guest distinguishes them.
const (
	SerialNear = "near"
	SerialFar  = "far"
)

// newLink returns the two ends of the connection between the adapters. It is anonymous, and QEMU inherits it at its
// start.
func newLink() ([]*os.File, error) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make the serial link: %w", err)
	}
	return []*os.File{os.NewFile(uintptr(pair[0]), SerialNear), os.NewFile(uintptr(pair[1]), SerialFar)}, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // QEMU had its own copies
	}
}

// linkArgs plugs the adapters in. The ends of the connection are QEMU's files 3 and 4.
func linkArgs() []string {
	args := []string{"-device", "qemu-xhci"}
	for i, serial := range []string{SerialNear, SerialFar} {
		args = append(args, "-chardev", fmt.Sprintf("socket,id=%s,fd=%d", serial, 3+i),
			"-device", fmt.Sprintf("usb-serial,chardev=%s,serial=%[1]s", serial))
	}
	return args
}
