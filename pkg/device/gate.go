package device

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"
)

// flowed is how recently a stream must have been published to count as flowing.
const flowed = 2 * time.Second

// gate decides whether this process publishes a stream. It is shut in a successor until its predecessor has ceased to
// publish, and in a predecessor afterwards.
type gate struct {
	mu   sync.RWMutex // held for reading while a message is published
	shut bool

	last   atomic.Int64 // when the newest message was published, ns since 1970
	heir   *heir        // of a successor, until the gate is opened for the first time
	first  sync.Once
	begun  chan struct{} // closed at the first message that a reader can begin with
	asking atomic.Bool   // the next one is what to take over with
	taken  chan struct{} // closed when the gate is opened
}

// enter reports whether a message is to be published, with which a reader can begin or not. If so, the publication ends
// with leave.
func (o *out) enter(begins bool) bool {
	g := &o.gate
	g.mu.RLock()
	if !g.shut {
		return true
	}
	heir := g.heir
	g.mu.RUnlock()
	if heir == nil || !begins || !heir.takes(o) {
		return false
	}
	g.mu.RLock()
	if g.shut {
		g.mu.RUnlock()
		return false
	}
	return true
}

func (o *out) leave() {
	o.gate.last.Store(time.Now().UnixNano())
	o.gate.mu.RUnlock()
}

// cease returns when nothing is being published any more, nor will be until resume.
func (o *out) cease() {
	o.gate.mu.Lock()
	defer o.gate.mu.Unlock()
	if !o.gate.shut {
		o.gate.shut, o.gate.taken = true, make(chan struct{})
	}
}

// resume opens the gate, and reports whether it was shut.
func (o *out) resume() bool {
	o.gate.mu.Lock()
	defer o.gate.mu.Unlock()
	if !o.gate.shut {
		return false
	}
	o.gate.shut, o.gate.heir = false, nil
	close(o.gate.taken)
	return true
}

// flowing reports whether readers get something now.
func (o *out) flowing() bool {
	return o.Held() && time.Since(time.Unix(0, o.gate.last.Load())) < flowed
}

// asks reports whether a message that a reader can begin with comes when it is asked for.
func (o *out) asks() bool { return o.begin != nil && o.keyFrames.Load() && !o.passed.Load() }

// ask asks for a message that a reader can begin with. If that fails one comes by itself.
func (o *out) ask(ctx context.Context) {
	if o.begin == nil {
		return
	}
	if err := o.begin(ctx); err != nil {
		o.kit.Log.Debug("no key frame was asked for", "stream", o.name, "error", err)
	}
}

// begins reports whether a reader can begin with a message. Those that have key frames depend on one another.
func begins(m proto.Message) bool {
	keyed, ok := m.(interface{ GetKeyFrame() bool })
	return !ok || keyed.GetKeyFrame()
}
