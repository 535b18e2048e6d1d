package device

import (
	"encoding/binary"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// trimAfter is how long after its start a device gives back what only the start needed: others have called it by then.
const trimAfter = 20 * time.Second

// trim gives garbage back to the system, and unmaps the pages of the program and its libraries, most of which hold code
// that runs once. They stay in the page cache, where the system can drop them, and a page that is needed is mapped
// again as before its first use. What this does for a program depends on the kernel: Linux 6.18 maps as much at once as
// it has cached in one piece, up to 2 MiB.
func trim() {
	debug.FreeOSMemory()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return // memory is used as before
	}
	pages, err := os.Open("/proc/self/pagemap")
	if err != nil {
		return
	}
	defer func() { _ = pages.Close() }() // only read
	size := uint64(os.Getpagesize())
	for line := range strings.Lines(string(maps)) {
		for _, part := range filePages(pages, fileMapping(strings.Fields(line)), size) {
			// best effort
			_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, uintptr(part.start), uintptr(part.length), syscall.MADV_DONTNEED)
		}
	}
}

// mapping is a part of the memory of a process.
type mapping struct{ start, length uint64 }

// fileMapping reads a line of /proc/<pid>/maps (range, permissions, offset, device, inode, path); see proc_pid_maps(5).
// It returns nothing for what can be written or is not of a file.
func fileMapping(fields []string) mapping {
	if len(fields) < 6 || fields[1] != "r-xp" && fields[1] != "r--p" || fields[4] == "0" {
		return mapping{}
	}
	from, to, _ := strings.Cut(fields[0], "-")
	start, err1 := strconv.ParseUint(from, 16, strconv.IntSize)
	end, err2 := strconv.ParseUint(to, 16, strconv.IntSize)
	if err1 != nil || err2 != nil || end < start {
		return mapping{}
	}
	return mapping{start, end - start}
}

// Bits of an entry of /proc/<pid>/pagemap; see proc_pid_pagemap(5).
const (
	pagePresent = 1 << 63
	pageOfFile  = 1 << 61
)

// filePages returns the parts of a mapping that are in memory and as they are in the file. The loader has changed
// others, before it made them read-only; those must stay.
func filePages(pagemap io.ReaderAt, m mapping, size uint64) (parts []mapping) {
	entries := make([]byte, m.length/size*8)
	if _, err := pagemap.ReadAt(entries, int64(m.start/size*8)); err != nil {
		return nil
	}
	for i := uint64(0); i < m.length/size; i++ {
		if e := binary.NativeEndian.Uint64(entries[8*i:]); e&pagePresent == 0 || e&pageOfFile == 0 {
			continue
		}
		at := m.start + i*size
		if n := len(parts); n > 0 && parts[n-1].start+parts[n-1].length == at {
			parts[n-1].length += size
		} else {
			parts = append(parts, mapping{at, size})
		}
	}
	return parts
}
