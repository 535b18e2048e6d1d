package access

import (
	"crypto/rand"
	"encoding/binary"
)

// NewID returns a random positive number that nobody can guess and that does not occur twice in practice. It names
// leases, e-stops, holds and the lives of processes.
func NewID() int64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return int64(binary.BigEndian.Uint64(b[:])>>2) + 1
}
