package frames

import (
	"context"
	"fmt"
	"time"

	"github.com/waldo-robot/waldo/recording/read"
)

// Key is a frame with which decoding can begin, and when it arrived.
type Key struct {
	Frame
	Arrived time.Time
}

// KeyBefore returns the newest key frame of some channels that is shown at or before a time; false if there is none.
// Files are those of a recording, by time.
func KeyBefore(ctx context.Context, files []*read.File, is func(*read.Channel) bool,
	at time.Time) (newest Key, found bool, err error) {
	for i := len(files) - 1; i >= 0 && !found; i-- {
		if first, _ := files[i].Span(); first.After(at.Add(MaxDelay)) {
			continue
		}
		for _, c := range files[i].Channels() {
			if !is(c) || c.Count == 0 {
				continue
			}
			k, ok, err := keyIn(ctx, files[i], c, at)
			if err != nil {
				return Key{}, false, err
			}
			if ok && (!found || k.Arrived.After(newest.Arrived)) {
				newest, found = k, true
			}
		}
	}
	return newest, found, nil
}

// maxTries bounds how many key frames are looked at that arrived before a time and are shown after it.
const maxTries = 1000

// keyIn returns the newest key frame of a channel that is shown at or before a time.
func keyIn(ctx context.Context, f *read.File, c *read.Channel, at time.Time) (Key, bool, error) {
	r, err := Of(c)
	if err != nil {
		return Key{}, false, err
	}
	only := func(o *read.Channel) bool { return o == c }
	limit := at.Add(MaxDelay)
	for range maxTries {
		if err := ctx.Err(); err != nil {
			return Key{}, false, err
		}
		t, ok := f.KeyFrame(c, limit, r.Key)
		if !ok {
			return Key{}, false, nil
		}
		m, err := f.Messages(read.Query{From: t, To: t.Add(1), Sparse: true, Channels: only}).Next()
		if err != nil {
			return Key{}, false, fmt.Errorf("read the key frame: %w", err)
		}
		if k, err := r.Frame(m); err == nil && k.Key && !k.Shown.After(at) {
			return Key{k, t}, true, nil
		}
		limit = t.Add(-1)
	}
	return Key{}, false, nil
}
