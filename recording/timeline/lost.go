package timeline

import (
	"cmp"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/pkg/text"
	"github.com/waldo-robot/waldo/recording/read"
)

// lossCount is what a recorder said last of how many messages it has lost.
type lossCount struct {
	epoch, count int64
	at           time.Time
}

// loss is messages that were lost between two times.
type loss struct {
	device     string
	begin, end time.Time
	count      int64
}

// recorder follows how many messages a recorder has lost.
func (t *track) recorder(m read.Message) {
	p := &recorderv1.RecorderState{}
	device := m.Channel.Waldo.Device
	before, known := t.counts[device]
	if proto.Unmarshal(m.Data, p) != nil || !known && len(t.counts) >= maxDevices {
		return
	}
	now := lossCount{p.GetEpoch(), p.GetLostCount(), m.Logged}
	t.counts[device] = now
	if n := now.count - before.count; known && before.epoch == now.epoch && n > 0 {
		t.told = keep(t.told, loss{device, before.at, m.Logged, n})
	}
}

// keep appends a loss to a list that is bounded.
func keep(list []loss, l loss) []loss {
	if len(list) >= MaxEvents {
		return list
	}
	return append(list, l)
}

// lost adds what recorders have lost besides the messages that the numbers of a stream show to be missing: the recorder
// counts those, too.
func (t *track) lost() {
	byDevice := map[string][]loss{}
	for _, l := range t.told {
		byDevice[l.device] = append(byDevice[l.device], l)
	}
	slices.SortFunc(t.numbered, func(a, b loss) int { return cmp.Or(a.begin.Compare(b.begin), a.end.Compare(b.end)) })
	for _, device := range byDevice {
		known := slices.Clone(t.numbered)
		for _, l := range device {
			rest := l.count
			rest, known = without(rest, l, known)
			if rest == 0 {
				continue
			}
			more := ""
			if rest < l.count {
				more = "more "
			}
			t.add(Event{Kind: gap, Device: l.device, Begin: l.begin, End: l.end, Count: rest,
				Text: text.Count(rest, more+"message was", more+"messages were") +
					" lost: the disk, or the recorder, was too slow"})
		}
	}
}

// without returns how many of the messages of a loss are not among those that are known to be missing at its time, and
// what is known of others. Known losses are in the order of their begin.
func without(n int64, l loss, known []loss) (rest int64, others []loss) {
	for len(known) > 0 && known[0].count == 0 {
		known = known[1:]
	}
	for i := range known {
		k := &known[i]
		if n == 0 || k.begin.After(l.end.Add(closely)) {
			break
		}
		if k.end.Before(l.begin.Add(-closely)) {
			continue
		}
		part := min(n, k.count)
		n -= part
		k.count -= part
	}
	return n, known
}
