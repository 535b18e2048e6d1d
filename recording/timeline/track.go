package timeline

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/pkg/text"
	"github.com/waldo-robot/waldo/recording/read"
)

const (
	// closely is how far apart similar events are one.
	closely = time.Second
	// holeTime is from when on a time without messages is told.
	holeTime = 2 * time.Second
	// maxText bounds a text, in bytes.
	maxText = 512
	// maxDevices bounds of how many devices something is remembered.
	maxDevices = 10_000
)

// track gathers events.
type track struct {
	events map[kind][]Event // of each kind at most MaxEvents
	more   map[kind]int64   // that came after those
	drives map[string]*Event
	stops  map[string]*stopped
	states map[string]*Event        // of devices that are away
	last   map[string]*closeRefusal // the newest refusals of each device and reason

	counts   map[string]lossCount // of each recorder
	told     []loss               // what recorders said, in order
	numbered []loss               // what the numbers of messages show
	runs     map[stream]read.Run  // the last ones of the file before

	silences silences
}

type stopped struct {
	id    int64
	event Event
}

// closeRefusal is refusals that may go on.
type closeRefusal struct {
	event Event
	until time.Time
}

func newTrack() *track {
	return &track{events: map[kind][]Event{}, more: map[kind]int64{}, drives: map[string]*Event{},
		stops: map[string]*stopped{}, states: map[string]*Event{}, last: map[string]*closeRefusal{},
		counts: map[string]lossCount{}, runs: map[stream]read.Run{}, silences: newSilences()}
}

// add adds an event that has ended.
func (t *track) add(e Event) {
	if len(t.events[e.Kind]) >= MaxEvents {
		t.more[e.Kind]++
		return
	}
	e.Text = clean(e.Text)
	e.Device = clean(e.Device)
	t.events[e.Kind] = append(t.events[e.Kind], e)
}

// clean makes a text of a file fit for people.
func clean(s string) string {
	s = strings.ToValidUTF8(s[:min(len(s), maxText)], "")
	return text.Printable(s)
}

func (t *track) mark(m read.Message) {
	p := &recorderv1.Mark{}
	if proto.Unmarshal(m.Data, p) != nil {
		return
	}
	e := Event{Kind: mark, Begin: m.Logged, Text: p.GetText(), Count: 1}
	if p.GetBy() != "" {
		e.Text += " (" + p.GetBy() + ")"
	}
	t.add(e)
}

// control follows the lease and the e-stop of an actuator.
func (t *track) control(m read.Message) {
	p := &controlv1.ControlState{}
	device := m.Channel.Waldo.Device
	if proto.Unmarshal(m.Data, p) != nil || t.full(device) {
		return
	}
	d := t.drives[device]
	if d != nil && (d.Holder != p.GetHolder() || d.Epoch != p.GetEpoch()) {
		t.end(t.drives, device, m.Logged)
		d = nil
	}
	switch {
	case d != nil:
		d.End = m.Logged
	case p.GetHolder() != "":
		t.drives[device] = &Event{Kind: drive, Device: device, Text: p.GetHolder(), Begin: m.Logged, End: m.Logged, Count: 1,
			Holder: p.GetHolder(), Epoch: p.GetEpoch()}
	}
	t.stop(device, p.GetEStop(), m.Logged)
}

// stop follows the e-stop of an actuator.
func (t *track) stop(device string, s *controlv1.EStop, at time.Time) {
	known := t.stops[device]
	if known != nil && known.id != s.GetId() {
		known.event.End = at
		t.add(known.event)
		delete(t.stops, device)
		known = nil
	}
	if s == nil {
		return
	}
	if known == nil {
		known = &stopped{id: s.GetId(), event: Event{Kind: eStop, Device: device, Begin: at, Count: 1, Text: s.GetBy()}}
		if s.GetReason() != "" {
			known.event.Text += ": " + s.GetReason()
		}
		t.stops[device] = known
	}
	known.event.End = at
}

// end adds the event of a device that goes on until a time.
func (t *track) end(of map[string]*Event, device string, at time.Time) {
	if e := of[device]; e != nil {
		e.End = at
		t.add(*e)
		delete(of, device)
	}
}

// full reports whether a device is one too many to be followed.
func (t *track) full(device string) bool {
	return t.drives[device] == nil && len(t.drives) >= maxDevices || t.stops[device] == nil && len(t.stops) >= maxDevices
}

// command tells of refused commands.
func (t *track) command(m read.Message) {
	p := &controlv1.CommandRecord{}
	if proto.Unmarshal(m.Data, p) != nil {
		return
	}
	verdict := p.GetReport().GetVerdict()
	if verdict == controlv1.CommandVerdict_COMMAND_VERDICT_ACCEPTED {
		return
	}
	device, who := m.Channel.Waldo.Device, cmp.Or(p.GetHolder(), p.GetCaller())
	key := fmt.Sprintf("%s\x00%d\x00%s", device, verdict, who)
	known := t.last[key]
	if known != nil && m.Logged.Sub(known.until) <= closely {
		known.event.Count++
		known.event.End, known.until = m.Logged, m.Logged
		return
	}
	if known != nil {
		t.refusals(known)
		delete(t.last, key)
	}
	if len(t.last) >= maxDevices {
		t.more[refused]++
		return
	}
	t.last[key] = &closeRefusal{until: m.Logged, event: Event{
		Kind: refused, Device: device, Begin: m.Logged, Count: 1, Text: refusal(verdict, who),
	}}
}

func (t *track) refusals(r *closeRefusal) { t.add(r.event) }

// reasons are what verdicts mean, for people.
var reasons = map[controlv1.CommandVerdict]string{
	controlv1.CommandVerdict_COMMAND_VERDICT_NO_LEASE:      "the lease was not theirs",
	controlv1.CommandVerdict_COMMAND_VERDICT_OUT_OF_ORDER:  "it came after a newer one",
	controlv1.CommandVerdict_COMMAND_VERDICT_EXPIRED:       "it came too late",
	controlv1.CommandVerdict_COMMAND_VERDICT_UNKNOWN_CLOCK: "it was for an earlier run of the process",
	controlv1.CommandVerdict_COMMAND_VERDICT_BEFORE_STOP:   "it was sent before the last stop",
	controlv1.CommandVerdict_COMMAND_VERDICT_E_STOPPED:     "an e-stop was latched",
	controlv1.CommandVerdict_COMMAND_VERDICT_NOT_NEUTRAL:   "the first command has to be neutral",
	controlv1.CommandVerdict_COMMAND_VERDICT_AWAY:          "the hardware was away",
	controlv1.CommandVerdict_COMMAND_VERDICT_BLIND:         "the picture was too old, or there was none",
}

func refusal(v controlv1.CommandVerdict, who string) string {
	reason := cmp.Or(reasons[v], v.String())
	if who == "" {
		return reason
	}
	return who + ": " + reason
}

// state follows whether a device is there.
func (t *track) state(m read.Message) {
	p := &devicev1.Device{}
	device := m.Channel.Waldo.Device
	if proto.Unmarshal(m.Data, p) != nil || t.states[device] == nil && len(t.states) >= maxDevices {
		return
	}
	t.silences.hear(p, device, m.Logged)
	e := t.states[device]
	if p.GetState() != devicev1.DeviceState_DEVICE_STATE_AWAY {
		t.end(t.states, device, m.Logged)
		return
	}
	if e == nil {
		e = &Event{Kind: away, Device: device, Text: p.GetStateReason(), Begin: m.Logged, Count: 1}
		t.states[device] = e
	}
	e.End = m.Logged
}

// finish ends what goes on at the end of the recording, whose files are given.
func (t *track) finish(ctx context.Context, files []*read.File, end time.Time) error {
	for device := range t.drives {
		t.end(t.drives, device, end)
	}
	for device := range t.states {
		t.end(t.states, device, end)
	}
	for _, s := range t.stops {
		s.event.End = end
		t.add(s.event)
	}
	for _, r := range t.last {
		t.refusals(r)
	}
	t.lost()
	return t.silent(ctx, files, end)
}
