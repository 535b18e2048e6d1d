//go:build !linux || !(amd64 || arm || arm64 || riscv64)

package socket

import "syscall"

const supported = false

func receive(uintptr, []byte) (int, syscall.Errno)             { return 0, syscall.ENOSYS }
func send(uintptr, []byte) (int, syscall.Errno)                { return 0, syscall.ENOSYS }
func receiveFrom(uintptr, []byte, *place) (int, syscall.Errno) { return 0, syscall.ENOSYS }
func joins(int) bool                                           { return false }
func kernel() (release string, virtio bool)                    { return "", false }
