package recorder

import (
	"context"

	"github.com/waldo-robot/waldo/recording/folder"
)

// repairLeft completes files that were left behind, at first those of the process before, until ctx ends.
func (r *recorder) repairLeft(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.left:
		}
		if ctx.Err() != nil {
			signal(r.left) // for the next run
			return
		}
		r.repair(ctx)
	}
}

// repair completes what was left behind, while it may be recorded already.
func (r *recorder) repair(ctx context.Context) {
	for _, one := range r.takeMended() {
		r.tellRepaired(one)
	}
	repaired, err := r.owner.Repair()
	if err != nil {
		r.kit.Log.Warn("files that were left behind cannot be repaired", "error", err)
	}
	for _, one := range repaired {
		r.tellRepaired(one)
	}
	r.attestAll(ctx)
}

// tellRepaired logs what became of a file that was left behind.
func (r *recorder) tellRepaired(one folder.Repaired) {
	switch {
	case one.Err != nil:
		r.kit.Log.Warn("a file that was left behind cannot be repaired", "file", one.File, "error", one.Err)
	case one.Removed:
		r.kit.Log.Info("a file without messages was removed", "file", one.File)
	default:
		r.kit.Log.Info("a file that was left behind is repaired", "file", one.File, "messages", one.Messages, "cut", one.Cut)
		r.unattested = append(r.unattested, unattested{file: one.File})
	}
}
