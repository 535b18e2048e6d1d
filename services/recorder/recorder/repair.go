package recorder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"time"

	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/recording/folder"
)

// repairLeft completes files that were left behind, at first those of the process before, until ctx ends.
func (r *recorder) repairLeft(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.left:
			r.repair(ctx)
		}
	}
}

// repair completes what was left behind, while it may be recorded already.
func (r *recorder) repair(ctx context.Context) {
	for _, one := range r.takeMended() {
		r.tellRepaired(ctx, one)
	}
	repaired, err := r.owner.Repair()
	if err != nil {
		r.kit.Log.Warn("files that were left behind cannot be repaired", "error", err)
	}
	for _, one := range repaired {
		r.tellRepaired(ctx, one)
	}
}

// tellRepaired logs what became of a file that was left behind.
func (r *recorder) tellRepaired(ctx context.Context, one folder.Repaired) {
	switch {
	case one.Err != nil:
		r.kit.Log.Warn("a file that was left behind cannot be repaired", "file", one.File, "error", one.Err)
	case one.Removed:
		r.kit.Log.Info("a file without messages was removed", "file", one.File)
	default:
		r.kit.Log.Info("a file that was left behind is repaired", "file", one.File, "messages", one.Messages, "cut", one.Cut)
		r.repaired(ctx, one.File)
	}
}

// repaired puts the sum of a repaired file into the audit log.
func (r *recorder) repaired(ctx context.Context, file string) {
	sum, err := r.sum(ctx, file)
	if err != nil {
		r.kit.Log.Warn("a repaired file cannot be read", "file", file, "error", err)
		return
	}
	r.kit.Audit.Write(audit.Event{Kind: audit.RecordingRepaired, Device: r.kit.Address().Device, What: file, SHA256: sum})
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
			return hex.EncodeToString(h.Sum(nil)), nil
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
