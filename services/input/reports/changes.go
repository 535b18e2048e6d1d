package reports

import (
	"maps"
	"slices"
	"time"

	linux "github.com/holoplot/go-evdev"

	inputv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/input/v1"
	"github.com/waldo-robot/waldo/services/input/codes"
	"github.com/waldo-robot/waldo/services/input/source"
)

// wants tells whether events of that type are reported.
func (h *Hub) wants(t linux.EvType) bool { return slices.Contains(h.config.Kinds, codes.Kind(t)) }

// note appends the reported form of an event, if it is reported, and updates what readers know.
func (h *Hub) note(list []*inputv1.Event, e source.Event) []*inputv1.Event {
	if !h.wants(e.Type) {
		return list
	}
	switch {
	case e.Type == linux.EV_KEY && e.Value == 0:
		delete(h.keys, e.Code)
	case e.Type == linux.EV_KEY:
		h.keys[e.Code] = true
	case e.Type == linux.EV_ABS && h.axes.Has(e.Code):
		h.stand[e.Code] = e.Value
	}
	return append(list, h.event(e.Type, e.Code, e.Value))
}

// listen checks whether a silent device has started to send, because then its axes are decided before
// they are reported.
func (h *Hub) listen(events []source.Event) (spoke bool) {
	if !h.axes.Silent() {
		return false
	}
	for _, e := range events {
		if e.Type == linux.EV_ABS {
			h.silent[e.Code] = e.Value
		}
	}
	h.axes.Hear(h.silent)
	return !h.axes.Silent()
}

// resync reports how the state differs from what readers know.
func (h *Hub) resync(at time.Time, now source.State, reason string) {
	h.silent = nil
	stand := now.Axes
	if h.axes.Silent() {
		h.silent, stand = maps.Clone(stand), h.resting()
	}
	if h.silent == nil {
		h.silent = map[linux.EvCode]int32{}
	}
	h.metrics.resyncs.WithLabelValues(reason).Inc()
	h.publish(at, h.move(h.press(nil, now.Keys), stand), true)
}

// press appends the keys that differ: first those that were released.
func (h *Hub) press(list []*inputv1.Event, keys []linux.EvCode) []*inputv1.Event {
	for _, c := range slices.Sorted(maps.Keys(h.keys)) {
		if !slices.Contains(keys, c) {
			list = h.note(list, source.Event{Type: linux.EV_KEY, Code: c})
		}
	}
	for _, c := range slices.Sorted(slices.Values(keys)) {
		if !h.keys[c] {
			list = h.note(list, source.Event{Type: linux.EV_KEY, Code: c, Value: 1})
		}
	}
	return list
}

// move appends the axes that differ, and forgets those of an earlier device. An unknown axis is at rest.
func (h *Hub) move(list []*inputv1.Event, stand map[linux.EvCode]int32) []*inputv1.Event {
	maps.DeleteFunc(h.stand, func(c linux.EvCode, _ int32) bool { return !h.axes.Has(c) })
	for _, c := range h.axes.Codes() {
		was, known := h.stand[c]
		is, told := stand[c]
		switch {
		case !told && known:
			is = was // the device did not report it
		case !told:
			is = h.axes.Rest(c)
		}
		if !known || is != was {
			list = h.note(list, source.Event{Type: linux.EV_ABS, Code: c, Value: is})
		}
	}
	return list
}

// resting is the rest position of all axes.
func (h *Hub) resting() map[linux.EvCode]int32 {
	rest := map[linux.EvCode]int32{}
	for _, c := range h.axes.Codes() {
		rest[c] = h.axes.Rest(c)
	}
	return rest
}
