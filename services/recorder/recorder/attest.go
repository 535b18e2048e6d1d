package recorder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/recording/folder"
)

// continued begins the reason of a recording that goes on after its recorder had ended.
const continued = "continued: "

// foundLater is the reason of an event about a file that was complete when the process started.
const foundLater = "found at a start: it was complete, and its SHA-256 was not in the log"

// unattested is a file whose sum is to be put into the audit log.
type unattested struct{ file, reason string }

// attest puts the sum of a file that is complete into the audit log.
func (r *recorder) attest(kind audit.Kind, file, sum, reason string) {
	path := r.path
	if one, err := filepath.Abs(path); err == nil { // else it has no current folder
		path = one
	}
	r.kit.Audit.Write(audit.Event{Kind: kind, Device: r.kit.Address().Device, What: file, Folder: path, SHA256: sum,
		Reason: reason})
}

// attestAll attests the files that are not attested yet. What is left when ctx ends is for the next run.
func (r *recorder) attestAll(ctx context.Context) {
	r.lookBack()
	for ; len(r.unattested) > 0; r.unattested = r.unattested[1:] {
		one := r.unattested[0]
		sum, err := r.sum(ctx, one.file)
		switch {
		case ctx.Err() != nil:
			signal(r.left)
			return
		case errors.Is(err, folder.ErrNone): // it was deleted
		case err != nil:
			r.kit.Log.Warn("a file of a recording is not attested: it cannot be read", "file", one.file, "error", err)
		default:
			r.attest(audit.RecordingRepaired, one.file, sum, one.reason)
		}
	}
}

// lookBack finds, once, the files that earlier processes have completed and not attested, because they were killed or
// their disk was full.
func (r *recorder) lookBack() {
	there := r.earlier
	r.earlier = nil
	if len(there) == 0 {
		return
	}
	known := history{begun: map[folder.Name]bool{}, told: map[string]bool{}}
	if err := r.kit.Audit.Read(known.note); err != nil {
		r.kit.Log.Warn("it cannot be told which recordings are not attested", "error", err)
		return
	}
	for _, file := range there {
		if known.misses(file) {
			r.kit.Log.Info("a file of an earlier process is attested", "file", file)
			r.unattested = append(r.unattested, unattested{file, foundLater})
		}
	}
}

// history is what the audit log tells of recordings.
type history struct {
	begun map[folder.Name]bool // recordings of whose life nothing was rotated away, and that were not deleted
	told  map[string]bool      // files
}

// note notes an event.
func (h history) note(l audit.Line) error {
	e := l.Event
	switch e.Kind {
	case audit.RecordingStarted:
		if n, ok := folder.Parse(e.What); ok && !strings.HasPrefix(e.Reason, continued) {
			h.begun[n.Recording()] = true
		}
	case audit.RecordingDeleted:
		if n, ok := folder.Parse(e.What); ok {
			delete(h.begun, n.Recording())
		}
	case audit.RecordingFinished, audit.RecordingRepaired:
		h.told[e.What] = true
	}
	return nil
}

// misses reports whether a file was written by this recorder, and no event tells its sum. If the beginning of its
// recording is not in the log any more, there may have been such an event: what a file is now is not attested then.
func (h history) misses(file string) bool {
	n, ok := folder.Parse(file)
	return ok && h.begun[n.Recording()] && !h.told[file]
}

// complete are the names of the files in the folder that are complete; none if it cannot be read.
func (r *recorder) complete() (names []string) {
	entries, err := os.ReadDir(r.path)
	if err != nil {
		r.kit.Log.Warn("it cannot be told which recordings are not attested", "error", err)
	}
	for _, e := range entries {
		if _, ok := folder.Parse(e.Name()); ok && e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names
}

// sum reads a file, a piece at a time so that others get to the disk.
func (r *recorder) sum(ctx context.Context, file string) (string, error) {
	const piece, pause = 1 << 20, 5 * time.Millisecond
	path, err := r.reader.File(file)
	if err != nil {
		return "", err
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // only read
	h := sha256.New()
	for {
		switch n, err := io.CopyN(h, f, piece); {
		case errors.Is(err, io.EOF):
			_, err := r.reader.File(file) // that it was not deleted meanwhile
			return hex.EncodeToString(h.Sum(nil)), err
		case err != nil:
			return "", err
		case n == 0:
			return "", io.ErrNoProgress
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(pause):
		}
	}
}
