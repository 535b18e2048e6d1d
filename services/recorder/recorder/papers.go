package recorder

import (
	"context"
	"crypto/sha256"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/answers"
	"github.com/waldo-robot/waldo/recording/write"
	"github.com/waldo-robot/waldo/services/recorder/reel"
)

const (
	// maxAsked is how many devices are asked at the same time.
	maxAsked = 4
	// maxLater bounds how often it is put on record that a device is another one, beyond the beginning of each file.
	maxLater = 100
	// maxTries is how often a device is asked in one life if it is away, or does not answer in time, and askAfter after
	// what time it is asked again, which is longer than answers.Ask takes.
	maxTries = 6
	askAfter = 12 * time.Second
)

// papers are what a recording says of devices beside messages: their services, and what they answer. It belongs to one
// recording. All methods but close are for one goroutine at a time.
type papers struct {
	recorder *recorder
	ctx      context.Context
	cancel   context.CancelFunc
	work     sync.WaitGroup
	turns    chan struct{} // has a value for each device that is asked

	devices map[string]*paper

	mu      sync.Mutex
	replies map[string]reply // that are not on record yet, by device
}

// reply is what a device has answered; whole says that it has no more to say.
type reply struct {
	answers.Sheet
	whole bool
}

// paper is what is on record about a device.
type paper struct {
	life        int64    // whose definitions are
	definitions [32]byte // without the life
	asked       int64    // the life that was asked
	tries       int      // how often; maxTries: that is all it has to say
	next        time.Time
	sheet       []byte // as it is on record; nil: there is none
	said        answers.Sheet
	later       int
}

func (r *recorder) newPapers() *papers {
	p := &papers{recorder: r, turns: make(chan struct{}, maxAsked), devices: map[string]*paper{},
		replies: map[string]reply{}}
	p.ctx, p.cancel = context.WithCancel(r.kit.Stopping())
	return p
}

// close ends what is asked.
func (p *papers) close() {
	p.cancel()
	p.work.Wait()
}

// head is with what a file begins.
func (p *papers) head() (all []write.Attachment) {
	for _, c := range p.recorder.described() {
		device, one := c.Device, p.of(c.Device)
		if a, known := p.define(device, one); known {
			all = append(all, a)
		}
		if one.sheet != nil {
			all = append(all, sheet(device, one.sheet))
		}
	}
	return all
}

// renew puts on record what is new, and asks devices that have not been asked in this life.
func (p *papers) renew(current *reel.Reel) {
	p.mu.Lock()
	replies := p.replies
	p.replies = map[string]reply{}
	p.mu.Unlock()
	for _, c := range p.recorder.described() {
		device, one, life := c.Device, p.of(c.Device), p.recorder.tap.Life(c.Device)
		if life == 0 || one.later >= maxLater {
			continue
		}
		if life != one.life {
			was := one.definitions
			a, known := p.define(device, one)
			if known && one.definitions != was {
				p.attach(current, one, a)
			}
		}
		if s, replied := replies[device]; replied {
			p.reply(current, device, one, s)
		}
		if recording.Replayed(c.Kind) && one.due(life, time.Now()) {
			p.work.Go(func() { p.ask(current, device, life) })
		}
	}
}

// attach puts something on record; the recording tells when it fails.
func (p *papers) attach(current *reel.Reel, one *paper, a write.Attachment) {
	one.later++
	_ = current.Attach(a)
}

// due reports whether the device is to be asked in a life, which then counts as asked.
func (one *paper) due(life int64, now time.Time) bool {
	if life != one.asked {
		one.asked, one.tries, one.next = life, 0, now
	}
	if one.tries >= maxTries || now.Before(one.next) {
		return false
	}
	one.next = now.Add(askAfter)
	one.tries++
	return true
}

// reply puts on record what a device has answered, if it is something new.
func (p *papers) reply(current *reel.Reel, device string, one *paper, r reply) {
	s := r.Sheet
	if r.whole && s.Epoch == one.asked {
		one.tries = maxTries
	}
	if one.said.Epoch == s.Epoch { // what it said before, and not this time
		for method, answer := range one.said.Answers {
			if _, again := s.Answers[method]; !again {
				s.Answers[method] = answer
			}
		}
	}
	if one.sheet != nil && s.Says(one.said) || one.sheet == nil && len(s.Answers) == 0 {
		return
	}
	data, err := s.Encode()
	if err != nil {
		return // cannot be: it was made of JSON
	}
	one.sheet, one.said = data, s
	p.attach(current, one, sheet(device, data))
}

func (p *papers) of(device string) *paper {
	one := p.devices[device]
	if one == nil {
		one = &paper{}
		p.devices[device] = one
	}
	return one
}

// define describes the services and messages of a device.
func (p *papers) define(device string, one *paper) (a write.Attachment, known bool) {
	data := p.recorder.tap.Definitions(device)
	said := &devicev1.GetDescriptorsResponse{}
	if data == nil || proto.Unmarshal(data, said) != nil {
		return write.Attachment{}, false
	}
	one.life = said.GetEpoch()
	said.Epoch = 0
	plain, err := proto.MarshalOptions{Deterministic: true}.Marshal(said)
	if err != nil {
		return write.Attachment{}, false
	}
	one.definitions = sha256.Sum256(plain)
	return write.Attachment{Name: "descriptors/" + device, MediaType: "application/x-protobuf", Data: data}, true
}

func sheet(device string, data []byte) write.Attachment {
	return write.Attachment{Name: answers.Name(device), MediaType: answers.MediaType, Data: data}
}

// ask asks a device what it tells of itself.
func (p *papers) ask(current *reel.Reel, device string, life int64) {
	select {
	case p.turns <- struct{}{}:
	case <-p.ctx.Done():
		return
	}
	defer func() { <-p.turns }()
	r := p.recorder
	s, whole, err := answers.Ask(p.ctx, r.kit.Bus(), answers.Config{
		Device:      bus.Address{Robot: r.kit.Address().Robot, Device: device},
		Definitions: r.tap.Definitions(device), May: r.config.may(device),
	})
	if err != nil || s.Epoch != life { // it has restarted, and is asked again
		return
	}
	s.Time = current.Time(time.Now())
	p.mu.Lock()
	p.replies[device] = reply{s, whole}
	p.mu.Unlock()
	r.poke()
}

// described returns a channel of each device whose services and answers are recorded, by device.
func (r *recorder) described() []*recording.Channel {
	streams, _ := r.tap.Streams()
	var channels []*recording.Channel
	for _, s := range r.chosen(streams) {
		channels = append(channels, s.Channel)
	}
	slices.SortStableFunc(channels, func(a, b *recording.Channel) int { return strings.Compare(a.Device, b.Device) })
	return slices.CompactFunc(channels, func(a, b *recording.Channel) bool { return a.Device == b.Device })
}

// may returns which methods of a device that only tell the recorder calls. The bus does not know those of kinds of
// one's own: robot.yaml has to allow them.
func (c *Config) may(device string) func(protoreflect.MethodDescriptor) bool {
	own := c.robot == nil || slices.Contains(c.granted, device)
	return func(m protoreflect.MethodDescriptor) bool {
		return own || strings.HasPrefix(string(m.FullName()), "waldo.")
	}
}
