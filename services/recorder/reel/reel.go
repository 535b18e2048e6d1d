package reel

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"

	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/folder"
	"github.com/waldo-robot/waldo/recording/write"
)

// keyFrameWait is how long the next file waits for a key frame to begin with.
const keyFrameWait = time.Second

// Finished is a file that is complete.
type Finished struct {
	File string // its name
	Sum  [32]byte
}

// Config says what a recording is made of.
type Config struct {
	Folder *folder.Writer
	Robot  string
	// Head returns what a file begins with; part counts the files of the recording from 1.
	Head func(name string, part int) write.Head
	// Finished is called for each file that is complete; from goroutines of the Reel, one after the other.
	Finished func(Finished)
	// Write adjusts the files.
	Write write.Config
}

// Reel is a recording that is being written.
type Reel struct {
	config Config
	base   time.Time             // the start in this process, by which log times are told
	shift  time.Duration         // by how much they are later than the clock said then
	before *recorderv1.Recording // what another process has recorded of it; nil: nothing
	first  folder.Name
	failed chan struct{}
	work   sync.WaitGroup // goroutines of files
	turns  sync.Mutex     // held while a file is begun or ended

	mu      sync.Mutex
	parts   []*part // all files; the last one is written, unless the recording has ended
	next    *part   // begun, and not written yet; nil: there is none
	by      time.Time
	last    map[lastKey]Message
	devices map[string]bool
	err     error
	ended   bool
}

// lastKey names a channel whose newest message is kept.
type lastKey struct {
	device, stream string
	direction      recording.Direction
}

// Begin begins a recording. Its log times count from start, which has a reading of the monotonic clock; messages that
// came before that are as much earlier.
func Begin(start time.Time, c Config) (*Reel, error) {
	return begin(&Reel{config: c, base: start}, folder.Name{Start: start, Robot: c.Robot, Number: 1})
}

// Resume goes on with a recording that another process has begun, in the file that is named. The present, now, is at a
// time of the recording; before is what it has so far.
func Resume(now, at time.Time, next folder.Name, before *recorderv1.Recording, c Config) (*Reel, error) {
	return begin(&Reel{config: c, base: now, shift: at.Sub(now.Round(0)), before: before}, next)
}

func begin(r *Reel, n folder.Name) (*Reel, error) {
	if r.config.Finished == nil {
		r.config.Finished = func(Finished) {}
	}
	r.failed, r.last, r.devices = make(chan struct{}), map[lastKey]Message{}, map[string]bool{}
	for _, d := range r.before.GetDevices() {
		r.devices[d] = true
	}
	p, err := r.create(n)
	if err != nil {
		return nil, err
	}
	r.first, r.parts = p.name, []*part{p}
	r.first.Number = 1
	return r, nil
}

// create begins a file. The first of a recording takes a free name.
func (r *Reel) create(n folder.Name) (*part, error) {
	const tries = 100
	for range tries {
		f, done, err := r.config.Folder.Create(n, r.config.Head(n.String(), n.Number), r.config.Write)
		switch {
		case errors.Is(err, fs.ErrExist) && n.Number == 1 && r.before == nil:
			n.Start = n.Start.Add(time.Millisecond) // of a recording before the clock was set back
			continue
		case err != nil:
			return nil, err
		}
		p := newPart(n, f, done)
		r.work.Go(func() { r.watch(p) })
		return p, nil
	}
	return nil, fmt.Errorf("%s: %w", n, fs.ErrExist)
}

// watch ends the recording when a file fails.
func (r *Reel) watch(p *part) {
	select {
	case <-p.file.Failed():
		r.fail(p.file.Err())
	case <-p.closed:
	}
}

func (r *Reel) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
		close(r.failed)
	}
}

// Failed is closed when a file cannot be written.
func (r *Reel) Failed() <-chan struct{} { return r.failed }

// Err returns why a file could not be written.
func (r *Reel) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// ErrEnded is returned for messages that come after the end.
var ErrEnded = errors.New("the recording has ended")

// Write writes a message. It does not wait for the disk.
func (r *Reel) Write(m Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.ended:
		return ErrEnded
	case r.err != nil:
		return r.err
	case r.next != nil && (m.Key && InterCoded(m.Channel) || !m.At.Before(r.by)):
		r.change(m.At)
	}
	if d := m.Channel.Device; d != "" && !r.devices[d] {
		r.devices[d] = true
	}
	if lasting(m.Channel) {
		r.last[lastKey{m.Channel.Device, m.Channel.Stream, m.Channel.Direction}] = m
	}
	return r.current().write(m, r.Time(m.At))
}

// current is the file that is written. r.mu is held.
func (r *Reel) current() *part { return r.parts[len(r.parts)-1] }

// change goes on in the next file. r.mu is held.
func (r *Reel) change(at time.Time) {
	old := r.current()
	r.parts, r.next = append(r.parts, r.next), nil
	r.work.Go(func() { r.close(old) })
	for _, k := range sortedKeys(r.last) {
		again := r.last[k]
		again.At = at
		_ = r.current().write(again, r.Time(at)) // the file says so by itself
	}
}

func sortedKeys(last map[lastKey]Message) []lastKey {
	var keys []lastKey
	for k := range last {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b lastKey) int {
		return cmp.Or(cmp.Compare(a.device, b.device), cmp.Compare(a.stream, b.stream))
	})
	return keys
}

// close completes a file.
func (r *Reel) close(p *part) {
	err := p.close()
	if err != nil {
		r.fail(err)
		return
	}
	r.config.Finished(Finished{p.name.String(), p.file.Sum()})
}

// Turn begins another file, to go on with at the next key frame, or after a second. Nothing happens if that is under
// way.
func (r *Reel) Turn() error {
	r.turns.Lock()
	defer r.turns.Unlock()
	r.mu.Lock()
	name, busy := r.current().name.Next(), r.next != nil || r.ended || r.err != nil
	r.mu.Unlock()
	if busy {
		return nil
	}
	p, err := r.create(name)
	if err != nil {
		r.fail(err)
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next, r.by = p, time.Now().Add(keyFrameWait)
	return nil
}

// Attach adds an attachment to the file that is written, and to one that was begun. The head of later files has it.
func (r *Reel) Attach(a write.Attachment) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return ErrEnded
	}
	err := r.current().file.Attach(a)
	if r.next != nil {
		err = errors.Join(err, r.next.file.Attach(a))
	}
	return err
}

// End completes the recording, or, after an error, leaves its last file to be repaired. It returns that error.
func (r *Reel) End() error {
	r.turns.Lock()
	defer r.turns.Unlock()
	r.mu.Lock()
	was := r.ended
	r.ended = true
	current, next := r.current(), r.next
	r.next = nil
	r.mu.Unlock()
	if !was {
		if next != nil {
			next.drop()
		}
		r.close(current)
	}
	r.work.Wait()
	return r.Err()
}

// Time is what a time is in the recording.
func (r *Reel) Time(at time.Time) time.Time { return r.base.Add(at.Sub(r.base) + r.shift) }

// Name is the name of the recording.
func (r *Reel) Name() string { return r.first.String() }

// Stats is what a recording has so far.
type Stats struct {
	Files       []string
	Devices     []string
	Part        time.Duration // how long the file is that is written
	PartBytes   int64         // and how large
	Bytes       int64
	Messages    uint64
	Lost        uint64    // the disk was too slow, or failed
	First, Last time.Time // log times; zero: there are no messages
}

// Stats returns what the recording has so far.
func (r *Reel) Stats() Stats {
	r.mu.Lock()
	parts := slices.Clone(r.parts)
	s := r.earlier()
	s.Devices = slices.Sorted(maps.Keys(r.devices))
	r.mu.Unlock()
	for _, p := range parts {
		f := p.file.Stats()
		s.Files = append(s.Files, p.name.String())
		s.Part, s.PartBytes = f.Last.Sub(f.First), f.Bytes
		s.Bytes += f.Bytes
		s.Messages += f.Messages
		s.Lost += f.Lost
		if s.First.IsZero() {
			s.First = f.First
		}
		if !f.Last.IsZero() {
			s.Last = f.Last
		}
	}
	return s
}

// earlier is what another process has recorded.
func (r *Reel) earlier() (s Stats) {
	if b := r.before; b != nil {
		s.Files, s.Bytes, s.Messages = slices.Clone(b.GetFiles()), b.GetSizeBytes(), uint64(b.GetMessageCount())
		if s.Messages > 0 {
			s.First = b.GetStartTime().AsTime()
			s.Last = s.First.Add(b.GetDuration().AsDuration())
		}
	}
	return s
}
