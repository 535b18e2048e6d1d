package device

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/waldo-robot/waldo/pkg/handover"
)

const (
	// answerWithin is how long a predecessor may take to answer. To close its hardware it has the time of a stop.
	answerWithin = 3 * time.Second
	// takeWithin is how long it may take until every stream that flows can begin. Network cameras that cannot be asked
	// send a key frame every 20 s and more.
	takeWithin = 40 * time.Second
	// openWithin is how long hardware that the predecessor had open, and has closed, may take to work again.
	openWithin = 3 * time.Second
	// warm is how long encoders run before they take over: the first pictures of a process take longer than others.
	warm = 300 * time.Millisecond
	// leastHold is how long the holds of readers last that have yet to learn of this process.
	leastHold = 3 * time.Second
)

// heir is the side of a successor.
type heir struct {
	conn    *handover.Conn
	log     *slog.Logger
	answers chan answer
	gone    chan struct{} // closed when the predecessor has ended, or goes on
	why     error         // [handover.ErrGone] if it has ended, refused if it goes on; to be read once gone is closed
	failed  chan error    // holds why a stream could not be taken
	ended   sync.WaitGroup
	asking  sync.Mutex // held from a question to its answer
}

type answer struct {
	handover.Message
	files []*os.File
}

// newHeir listens to a predecessor until close.
func newHeir(c *handover.Conn, log *slog.Logger) *heir {
	h := &heir{conn: c, log: log, answers: make(chan answer, 1), gone: make(chan struct{}), failed: make(chan error, 1)}
	h.ended.Go(func() {
		h.why = h.listen()
		close(h.gone)
	})
	return h
}

// listen passes answers on until the predecessor says no more.
func (h *heir) listen() (why error) {
	for {
		m, files, err := h.conn.Receive()
		if err != nil {
			return handover.ErrGone
		}
		if m.Kind == handover.Refused {
			closeAll(files)
			return refused(m.Reason)
		}
		select {
		case h.answers <- answer{m, files}:
		default: // nobody has asked
			closeAll(files)
		}
	}
}

func (h *heir) close() {
	h.conn.Close()
	h.ended.Wait()
}

// alone reports whether the predecessor has ended.
func (h *heir) alone() bool {
	select {
	case <-h.gone:
		return errors.Is(h.why, handover.ErrGone)
	default:
		return false
	}
}

// ask puts a question to the predecessor. It fails with [handover.ErrGone] if that has ended, and with refused if that
// goes on, which may be its last word before it was asked.
func (h *heir) ask(ctx context.Context, m handover.Message, want handover.Kind) (answer, error) {
	h.asking.Lock()
	defer h.asking.Unlock()
	switch err := h.conn.Send(m); {
	case errors.Is(err, handover.ErrGone):
		<-h.gone // which is about to be
	case err != nil:
		return answer{}, err
	}
	late := time.NewTimer(answerWithin)
	defer late.Stop()
	select {
	case a := <-h.answers:
		return a, a.check(want)
	case <-h.gone:
		select {
		case a := <-h.answers: // its last word
			return a, a.check(want)
		default:
			return answer{}, h.why
		}
	case <-ctx.Done():
		return answer{}, context.Cause(ctx)
	case <-late.C:
		return answer{}, fmt.Errorf("the present process does not answer (%s): it hangs, or its program cannot hand over: "+
			"restart it with waldo restart", m.Kind)
	}
}

// check fails for an answer that was not asked for.
func (a answer) check(want handover.Kind) error {
	if a.Kind != want || want != handover.Taken && a.Estate == nil {
		return fmt.Errorf("the present process answers %q in place of %q", a.Kind, want)
	}
	return nil
}

// refused is why a predecessor goes on.
type refused string

func (r refused) Error() string { return string(r) }

// succeed returns a device that has taken over from a predecessor, or from one that has ended meanwhile. After an error
// the predecessor goes on.
func succeed[C any](ctx context.Context, k Kind[C], s Settings, config C, log *slog.Logger,
	c *handover.Conn) (*Process, error) {
	s = s.withDefaults()
	h := newHeir(c, log)
	defer h.close()
	beside := k.Beside != nil && k.Beside(config)
	hello, err := h.ask(ctx, handover.Message{Kind: handover.Hello, Alone: !beside}, handover.Welcome)
	if errors.Is(err, handover.ErrGone) {
		return Start(k, s, config, log)
	}
	if err != nil {
		return nil, h.giveUp(err)
	}
	l, err := listenOn(hello.files, hello.Estate.Listens, s, log)
	closeAll(hello.files)
	if err != nil {
		return nil, h.giveUp(err)
	}
	take := takeBeside[C]
	if !beside {
		take = takeAlone[C]
	}
	p, err := take(ctx, h, k, s, config, log, l, hello.Estate)
	if err != nil {
		return nil, h.giveUp(err)
	}
	_ = h.conn.Send(handover.Message{Kind: handover.Done}) // a predecessor that is gone need not be told
	select {
	case <-h.gone:
	case <-time.After(answerWithin): // it hangs, and whoever started it ends it
	}
	return p, nil
}

// giveUp tells the predecessor to go on.
func (h *heir) giveUp(err error) error {
	_ = h.conn.Send(handover.Message{Kind: handover.Failed, Reason: plain(err.Error())}) // else it sees this process end
	return err
}

// listenOn listens on sockets that are open, as far as they are configured as before, and on new ones otherwise. The
// files stay open.
func listenOn(files []*os.File, asked []string, s Settings, log *slog.Logger) (listeners, error) {
	given := map[string]net.Listener{}
	defer func() {
		for _, one := range given {
			_ = one.Close() // it is not wanted
		}
	}()
	for i, f := range files {
		if one, err := net.FileListener(f); err == nil && i < len(asked) {
			given[asked[i]] = one
		}
	}
	return listenWith(s, log, func(what, at string) net.Listener {
		one := given[what+" "+at]
		delete(given, what+" "+at)
		return one
	})
}

// takeAlone has the predecessor close the hardware and opens it.
func takeAlone[C any](ctx context.Context, h *heir, k Kind[C], s Settings, config C, log *slog.Logger, l listeners,
	left *handover.Estate) (*Process, error) {
	yielded, err := h.ask(ctx, handover.Message{Kind: handover.Yield}, handover.Yielded)
	switch {
	case err == nil:
		left = yielded.Estate
	case !errors.Is(err, handover.ErrGone):
		l.close()
		return nil, err
	}
	p, err := begin(k, s, config, log, l, left)
	if err != nil {
		return nil, err
	}
	if !left.Ready {
		return p, nil
	}
	late := time.NewTimer(openWithin)
	defer late.Stop()
	select {
	case <-p.kit.ready:
		return p, nil
	case <-h.gone:
		if h.alone() {
			return p, nil
		}
		err = h.why
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-late.C:
		err = fmt.Errorf("the new process could not use the hardware within %v: %s", openWithin,
			p.kit.Device().GetStateReason())
	}
	p.kit.speak(false)
	p.Stop()
	return nil, err
}

// takeBeside gets ready while the predecessor serves, and takes one stream after the other, and then the calls.
func takeBeside[C any](ctx context.Context, h *heir, k Kind[C], s Settings, config C, log *slog.Logger, l listeners,
	left *handover.Estate) (*Process, error) {
	p, err := assemble(k, s, config, log, l, h)
	if err != nil {
		l.close()
		return nil, err
	}
	p.kit.inherit(left, longestHold)
	p.work()
	err = h.take(ctx, p.kit, left)
	var served answer
	if err == nil {
		served, err = h.ask(ctx, handover.Message{Kind: handover.Serve}, handover.Served)
	}
	if errors.Is(err, handover.ErrGone) {
		err = nil
	}
	if err == nil {
		err = p.kit.serveBus()
	}
	if err != nil {
		p.Stop()
		return nil, err
	}
	p.kit.inherit(served.Estate, leastHold)
	p.takeOver()
	return p, nil
}

// takeOver makes a successor the one that serves.
func (p *Process) takeOver() {
	p.kit.speak(true)
	close(p.kit.active)
	p.serve()
	for _, o := range p.kit.allOuts() {
		if o.resume() {
			o.ask(p.kit.stopping) // it may be in the middle of a picture's group
		}
	}
	p.kit.settle()
}

// take returns when this process publishes all streams that flow, or when the predecessor has ended.
func (h *heir) take(ctx context.Context, k *Kit, left *handover.Estate) error {
	ctx, cancel := context.WithTimeout(ctx, takeWithin)
	defer cancel()
	var flowing []*out
	for _, name := range left.Flowing {
		if o := k.findOut(name); o != nil && !o.together {
			flowing = append(flowing, o)
		}
	}
	if left.Ready {
		if err := h.wait(ctx, k, k.ready, "the new process did not become ready"); err != nil {
			return err
		}
	}
	asked := false
	for _, o := range flowing {
		if err := h.wait(ctx, k, o.gate.begun, "the new process has no picture of the stream "+o.name); err != nil {
			return err
		}
		asked = asked || o.asks()
	}
	if asked {
		if err := h.wait(ctx, k, after(warm), ""); err != nil {
			return err
		}
	}
	for _, o := range flowing {
		o.gate.asking.Store(true)
		o.ask(ctx)
	}
	for _, o := range flowing {
		if err := h.wait(ctx, k, o.gate.taken, "no key frame came in the stream "+o.name); err != nil {
			return err
		}
	}
	return nil
}

func after(d time.Duration) <-chan struct{} {
	c := make(chan struct{})
	time.AfterFunc(d, func() { close(c) })
	return c
}

// wait returns when done is closed. It fails with [handover.ErrGone] if the predecessor has ended.
func (h *heir) wait(ctx context.Context, k *Kit, done <-chan struct{}, late string) error {
	select {
	case <-done:
		return nil
	case <-h.gone:
		return h.why
	case err := <-h.failed:
		return err
	case <-ctx.Done():
	}
	if err := context.Cause(ctx); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if reason := k.Device().GetStateReason(); reason != "" {
		late += ": " + reason
	}
	return fmt.Errorf("within %v %s", takeWithin, late)
}

// takes has the predecessor cease to publish a stream that this process can begin, if it is time.
func (h *heir) takes(o *out) bool {
	o.gate.first.Do(func() { close(o.gate.begun) })
	if o.asks() && !o.gate.asking.Load() && !h.alone() {
		return false
	}
	_, err := h.ask(o.kit.stopping, handover.Message{Kind: handover.Take, Stream: o.name}, handover.Taken)
	if err != nil && !errors.Is(err, handover.ErrGone) {
		select {
		case h.failed <- fmt.Errorf("the stream %s: %w", o.name, err):
		default:
		}
		return false
	}
	o.resume()
	return true
}
