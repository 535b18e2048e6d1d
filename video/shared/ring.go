package shared

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
)

const (
	// headSize is the room for a slot's version, a cache line of its own.
	headSize = 64
	// seals make the length final.
	seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL
)

// ring is memory for pictures of one size. Its caller holds a lock.
type ring struct {
	fd     int
	path   string
	memory []byte
	size   int // of a picture
	slots  []slot
	next   int
}

// slot is what the writer knows of one.
type slot struct {
	sequence int64 // of the frame in it
	version  uint64
}

// slotSize is the room for a picture of a size, in whole pages.
func slotSize(size int) int {
	page := os.Getpagesize()
	return (headSize + size + page - 1) / page * page
}

// name is that of the memory of a device with an epoch, as the kernel shows it.
func name(epoch int64) string { return fmt.Sprintf("waldo-%d", epoch) }

// newRing returns a ring. Pages are taken as they are written.
func newRing(epoch int64, size, slots int) (_ *ring, err error) {
	fd, err := unix.MemfdCreate(name(epoch), unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	defer func() {
		if err != nil {
			_ = unix.Close(fd)
		}
	}()
	length := slots * slotSize(size)
	if err := unix.Ftruncate(fd, int64(length)); err != nil {
		return nil, os.NewSyscallError("ftruncate", err)
	}
	if err := unix.Fchmod(fd, 0o400); err != nil { // nobody writes to it by mistake
		return nil, os.NewSyscallError("fchmod", err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	memory, err := unix.Mmap(fd, 0, length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return &ring{fd: fd, path: fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd), memory: memory, size: size,
		slots: make([]slot, slots)}, nil
}

// put returns where the frame with a sequence is, and writes it if it is not there yet.
func (r *ring) put(sequence int64, data []byte) (p *camerav1.SharedPicture, written bool) {
	for i, s := range r.slots {
		if s.version > 0 && s.sequence == sequence {
			return r.picture(i), false
		}
	}
	i := r.next
	r.next = (i + 1) % len(r.slots)
	r.write(i, data)
	r.slots[i].sequence = sequence
	return r.picture(i), true
}

// write writes a picture between two changes of the slot's version.
//
// Readers in other processes must see the odd version before any byte of the new picture. A store orders what comes
// before it, and a load what comes after it; so the load, which cannot overtake the store, keeps the bytes behind both.
func (r *ring) write(i int, data []byte) {
	s := &r.slots[i]
	version := word(r.memory, i*slotSize(r.size))
	atomic.StoreUint64(version, littleEndian(s.version+1))
	atomic.LoadUint64(version)
	copy(r.memory[i*slotSize(r.size)+headSize:], data[:r.size])
	s.version += 2
	atomic.StoreUint64(version, littleEndian(s.version))
}

func (r *ring) picture(i int) *camerav1.SharedPicture {
	at := i * slotSize(r.size)
	return &camerav1.SharedPicture{
		Path: r.path, Length: int64(len(r.memory)), VersionOffset: int64(at), Version: int64(r.slots[i].version),
		DataOffset: int64(at + headSize), DataLength: int64(r.size),
	}
}

// close ends the ring. Whoever still reads finds no picture, and has no memory of ours.
func (r *ring) close() {
	for i := range r.slots {
		atomic.StoreUint64(word(r.memory, i*slotSize(r.size)), littleEndian(r.slots[i].version+1))
	}
	// None of these can fail for what newRing made; if one did, the memory would last until the process ends.
	_ = unix.Fallocate(r.fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, int64(len(r.memory)))
	_ = unix.Munmap(r.memory)
	_ = unix.Close(r.fd)
}

// word is the aligned word at an offset of a mapping.
func word(memory []byte, offset int) *uint64 {
	return (*uint64)(unsafe.Pointer(&memory[offset : offset+8][0]))
}

// littleEndian turns a number into the word that is little-endian in memory, and back.
func littleEndian(v uint64) uint64 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	return binary.NativeEndian.Uint64(b[:])
}
