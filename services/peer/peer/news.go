package peer

import (
	"sync"

	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	"github.com/waldo-robot/waldo/pkg/device"
)

// news remembers why there is nothing to show, so that no reason is told twice in a row. The zero value is ready to
// use, from any goroutine.
type news struct {
	mu   sync.Mutex
	last string
}

// is reports whether a reason is news.
func (n *news) is(why string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	is := n.last != why
	n.last = why
	return is
}

// logBegin and logEnd tell operators who sends.
func logBegin(kit *device.Kit, who *peerv1.Publisher) {
	kit.Log.Info("somebody sends", "name", who.GetName(), "program", who.GetProgram(), "via", who.GetVia(),
		"address", who.GetAddress())
}

func logEnd(kit *device.Kit, why string) { kit.Log.Info("nobody sends any more", "reason", why) }
