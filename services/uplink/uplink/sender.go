package uplink

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/services/uplink/outbox"
	"github.com/waldo-robot/waldo/services/uplink/pace"
)

const (
	// giveUp is after what time a frame that is on its way is not finished: its readers have forgotten the beginning.
	giveUp = 4 * time.Second
	// dead is after what time without a confirmation the connection is given up, although it is open.
	dead = 3 * time.Second
	// idle is how long the sender sleeps at most.
	idle = 100 * time.Millisecond
)

// errDead is why a connection that passes nothing is given up.
var errDead = errors.New("nothing passes on the connection to the hub")

// sender takes messages from the box, as the link takes them. run is its only goroutine that sends.
type sender struct {
	*session
	confirmed chan time.Time

	mu     sync.Mutex
	window *pace.Window
	oldest time.Duration // the longest time that a picture took until it was sent, since it was asked for
	asking sync.WaitGroup
}

func newSender(s *session) *sender {
	return &sender{session: s, confirmed: make(chan time.Time, 1), window: pace.New()}
}

// run sends until ctx ends.
func (s *sender) run(ctx context.Context) {
	defer s.asking.Wait()
	for ctx.Err() == nil {
		least := outbox.Video
		if !s.fits(pace.SmallestPart) {
			least = outbox.Control
		}
		m, ok := s.box.Next(least, time.Now())
		if !ok {
			s.sleep(ctx)
			continue
		}
		s.send(ctx, m)
	}
}

// fits reports whether so much may be sent now.
func (s *sender) fits(bytes int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.window.Fits(bytes)
}

// sleep returns when there may be something to do.
func (s *sender) sleep(ctx context.Context) {
	timer := time.NewTimer(idle)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-s.box.Wake():
	case <-s.confirmed:
	case <-timer.C:
	}
	s.watchdog()
}

// watchdog gives up a connection that passes nothing.
func (s *sender) watchdog() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.window.Stalled(now)
	if since, is := s.window.Out(); is && now.Sub(since) > dead {
		s.end(errDead)
	}
}

// send sends a message, and between its parts what is more urgent.
func (s *sender) send(ctx context.Context, m outbox.Message) {
	subject := bus.Address{Robot: s.config.robot, Device: m.Stream.Device}.Out(m.Stream.Name)
	size := s.part()
	for _, part := range bus.Cut(subject, m.Raw, size) {
		if m.Class != outbox.Control && !s.await(ctx, m, part.Size()) {
			s.box.Fail(m)
			return
		}
		if err := s.hub.PublishPart(part); err != nil {
			s.box.Fail(m)
			return
		}
		s.sent(ctx, m.Class, part.Size())
	}
	age := time.Since(m.Come)
	s.metrics.sent(m, age)
	if m.Class == outbox.Video {
		s.mu.Lock()
		s.oldest = max(s.oldest, age)
		s.mu.Unlock()
	}
}

// part is how much is sent at once.
func (s *sender) part() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.window.Part(time.Now())
}

// await returns when there is room for a part, and sends what is more urgent meanwhile; false if the message is given
// up.
func (s *sender) await(ctx context.Context, m outbox.Message, bytes int) bool {
	for ctx.Err() == nil && time.Since(m.Come) < s.config.MaxAge+giveUp {
		least := m.Class - 1
		fits := s.fits(bytes)
		if !fits {
			least = outbox.Control
		}
		urgent, ok := s.box.Next(least, time.Now())
		switch {
		case ok:
			s.send(ctx, urgent) // one that is more urgent than this, so this goes no deeper than there are classes
		case fits:
			return true
		default:
			s.sleep(ctx)
		}
	}
	return false
}

// sent notes that bytes are on their way, and asks the hub to confirm them.
func (s *sender) sent(ctx context.Context, c outbox.Class, bytes int) {
	s.mu.Lock()
	if c == outbox.Control {
		s.window.SentAtOnce(bytes, time.Now())
	} else {
		s.window.Sent(bytes, time.Now())
	}
	s.mu.Unlock()
	s.asking.Go(func() {
		if s.hub.Flush(ctx) != nil {
			return // the connection is lost, or the session has ended
		}
		now := time.Now()
		s.mu.Lock()
		s.window.Confirmed(now)
		s.mu.Unlock()
		select {
		case s.confirmed <- now:
		default:
		}
	})
}

// report is what has become of the link since the last report.
type report struct {
	rate   int           // bytes a second that arrive
	oldest time.Duration // the longest time that a picture took until it was sent
}

func (s *sender) report(now time.Time) report {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := report{s.window.Rate(now), s.oldest}
	s.oldest = 0
	return r
}
