//go:build !linux || !(amd64 || arm || arm64 || riscv64)

package socket

import (
	"net/netip"
	"syscall"
)

func joinArrivals(int) {}

type part []byte

func newPart(b []byte) part { return b }

func (p part) bytes() []byte { return p }

func (r *Run) send(uintptr, int, int, int) syscall.Errno { return syscall.ENOSYS }

func (r *Run) sendEach(uintptr, int) (int, syscall.Errno) { return 0, syscall.ENOSYS }

type batch struct{ data []byte }

func newBatch() *batch { return &batch{data: make([]byte, maxPacket)} }

func (b *batch) receive(uintptr) syscall.Errno { return syscall.ENOSYS }

func (b *batch) full() bool { return false }

func (b *batch) each(func(data []byte, size int, from netip.AddrPort)) {}
