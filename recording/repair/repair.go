// Package repair completes recordings that were left behind by a crash, a power failure or a full disk.
//
// A recording is repaired where it is: what follows the last whole chunk is cut off and the index is appended, so that
// even a large file is repaired at once, and on a full disk: if there is no room for the index, the last chunks make
// it. Interrupted, a repair can be done again. Files that are whole are left alone.
//
// A repair leaves a note in the file, which [Repaired] reads.
//
// Functions may be called concurrently for different files. Nothing needs closing.
package repair

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/foxglove/mcap/go/mcap"
	"golang.org/x/sys/unix"

	"github.com/waldo-robot/waldo/recording/index"
	"github.com/waldo-robot/waldo/recording/internal/files"
	"github.com/waldo-robot/waldo/recording/read"
	"github.com/waldo-robot/waldo/recording/write"
)

// Result is what became of a file.
type Result struct {
	Path     string // where it is now
	Messages uint64 // that it has
	Cut      int64  // bytes that were cut off
	Whole    bool   // nothing was to be done
}

var (
	// ErrEmpty is about a file without a single message.
	ErrEmpty = errors.New("there is no message in it")
	// ErrInUse is about a file that is being written.
	ErrInUse = files.ErrInUse
)

// File completes the file at a path, with or without the suffix .part, and gives it its name without. A file without
// messages fails with [ErrEmpty], one that is being written with [ErrInUse]; both are left as they are.
func File(path string) (Result, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return Result{}, err // it names the file
	}
	var result Result
	if err = files.Lock(f); err == nil {
		result, err = complete(f)
	}
	if result.Path = strings.TrimSuffix(path, write.PartSuffix); err == nil && result.Path != path {
		err = files.Rename(path, result.Path)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", path, err)
	}
	return result, nil
}

func complete(f *os.File) (Result, error) {
	about, err := f.Stat()
	if err != nil {
		return Result{}, err
	}
	x, err := index.Load(f, about.Size())
	if err != nil {
		return Result{}, err
	}
	if x.Whole {
		return Result{Messages: x.Statistics.MessageCount, Whole: true}, nil
	}
	if err := x.CheckLast(f, about.Size()); err != nil {
		return Result{}, err
	}
	if x.Statistics.MessageCount == 0 {
		return Result{}, ErrEmpty
	}
	for dropped := 0; ; dropped++ {
		result := Result{Messages: x.Statistics.MessageCount, Cut: about.Size() - x.End}
		err := appendIndex(f, x, result.Cut)
		full := errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
		if !full || dropped == maxDropped || len(x.Chunks) < 2 {
			return result, err
		}
		// The last chunk makes room for the index.
		if x, err = index.Scan(f, int64(x.Chunks[len(x.Chunks)-1].ChunkStartOffset)); err != nil {
			return Result{}, err
		}
	}
}

// maxDropped bounds how many chunks are given up on a full disk: the index of a day takes fewer.
const maxDropped = 32

// appendIndex cuts off what follows the data, and completes the file.
func appendIndex(f *os.File, x *index.Index, cut int64) error {
	if err := f.Truncate(x.End); err != nil {
		return err
	}
	if _, err := f.Seek(x.End, io.SeekStart); err != nil {
		return err
	}
	if err := x.Append(f, &mcap.Metadata{Name: metadata, Metadata: map[string]string{
		cutKey: strconv.FormatInt(cut, 10), timeKey: time.Now().UTC().Format(time.RFC3339),
	}}); err != nil {
		return err
	}
	return f.Sync()
}

// What a repair notes in the file.
const (
	metadata = "waldo.repair"
	cutKey   = "cut_bytes"
	timeKey  = "time"
)

// Repaired reports whether a file was repaired, and how many bytes were cut off then.
func Repaired(f *read.File) (cut int64, repaired bool) {
	m, err := f.Metadata(metadata)
	if err != nil || m == nil {
		return 0, false
	}
	cut, _ = strconv.ParseInt(m[cutKey], 10, 64) // what another program made of it is not ours
	return max(cut, 0), true
}
