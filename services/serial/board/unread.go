package board

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/waldo-robot/waldo/services/serial/codec"
)

const (
	// unreadFor is how long a board may send bytes without a message before that is logged.
	unreadFor = 3 * time.Second
	// unreadMany is how many bytes it takes if there was a message before: half a line, such as a
	// prompt, does not matter then.
	unreadMany = 1024
	// unreadSample is how many of these bytes are logged.
	unreadSample = 48
)

// unread holds a board's bytes since its last message. The zero value is empty.
type unread struct {
	mu     sync.Mutex
	since  time.Time // of the first byte; zero for none
	bytes  int
	sample []byte // the first of them
	least  int    // how many it takes for a warning
}

// reset is called when a board was plugged in.
func (u *unread) reset() { u.end(1) }

// message is called for each message.
func (u *unread) message() { u.end(unreadMany) }

func (u *unread) end(least int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.bytes, u.sample, u.least = 0, u.sample[:0], least
}

func (u *unread) add(data []byte, at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.bytes == 0 {
		u.since = at
	}
	u.bytes += len(data)
	u.sample = append(u.sample, data[:min(len(data), unreadSample-len(u.sample))]...)
}

// watch logs, once, that the board sends bytes but no message, until done is closed.
func (u *unread) watch(done <-chan struct{}, log *slog.Logger, hint string) {
	tick := time.NewTicker(unreadFor / 3)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case now := <-tick.C:
			if u.warn(now, log, hint) {
				return
			}
		}
	}
}

func (u *unread) warn(now time.Time, log *slog.Logger, hint string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.bytes < u.least || now.Sub(u.since) < unreadFor {
		return false
	}
	log.Warn("the board sends bytes, but no readable message", "remedy", hint, "bytes", u.bytes, "begin",
		string(u.sample))
	return true
}

// refusals are the problems that have been logged already. The zero value is ready to use.
type refusals struct{ known map[string]bool }

// log logs a warning for the first message with a problem; the others are logged at debug level.
func (r *refusals) log(log *slog.Logger, err error) {
	var refused *codec.RefusedError
	problem := ""
	if errors.As(err, &refused) {
		problem = refused.Problem
	}
	level := slog.LevelDebug
	if !r.known[problem] {
		level = slog.LevelWarn
		if r.known == nil {
			r.known = map[string]bool{}
		}
		r.known[problem] = true
	}
	log.Log(context.Background(), level, "a message from the board cannot be read; more like it are only counted",
		"error", err)
}
