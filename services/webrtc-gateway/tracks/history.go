package tracks

import (
	"sync"
	"time"

	"github.com/pion/rtcp"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/repair"
)

// historySize is the number of packets that can be sent again: four seconds at 2 Mbit/s. Players that freeze until
// they get a missing packet, as aiortc does for 512 packets, may ask late and repeatedly. Only references are kept; the
// payloads are shared with all other viewers. It must be a power of two.
const historySize = 1024

// history is what was sent to a viewer, and what of it may be sent again. A nil history keeps nothing.
type history struct {
	mu      sync.Mutex
	budget  *repair.Budget
	packets [historySize]kept
}

// kept is a packet in the history.
type kept struct {
	sent
	state repair.Packet
}

func (k *kept) size() int { return len(k.frame.payloads[k.index]) }

// newHistory returns the history of a viewer, see package repair about patience.
func newHistory(patient bool) *history { return &history{budget: repair.New(patient, time.Now())} }

// key tells that the next packet begins a key frame.
func (h *history) key() {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.budget.Key()
}

// add keeps a packet that is sent now.
func (h *history) add(s sent, now time.Time) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	k := &h.packets[s.seq%historySize]
	k.sent = s
	k.state = h.budget.Sent(s.seq, k.size(), now)
}

// choose returns those of the missing packets that are to be sent again, and passes the verdicts about the others to
// refuse.
func (h *history) choose(missing []rtcp.NackPair, l repair.Link, refuse func(repair.Verdict)) (again []sent) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, pair := range missing {
		flood := false
		pair.Range(func(seq uint16) bool {
			s, v := h.ask(seq, l, now)
			if v == repair.Send {
				again = append(again, s)
			} else {
				refuse(v)
			}
			flood = v == repair.Flood
			return !flood
		})
		if flood {
			break
		}
	}
	return again
}

// ask answers the request for one packet. The caller holds h.mu.
func (h *history) ask(seq uint16, l repair.Link, now time.Time) (sent, repair.Verdict) {
	k := &h.packets[seq%historySize]
	if k.frame == nil || k.seq != seq {
		return sent{}, h.budget.Ask(seq, nil, 0, l, now)
	}
	return k.sent, h.budget.Ask(seq, &k.state, k.size(), l, now)
}

// needsKey reports whether the picture is to be repaired by a key frame. A nil history needs none.
func (h *history) needsKey(l repair.Link) bool {
	if h == nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.budget.NeedsKey(l)
}

// totals returns how many packets were sent, and how many of them were sent again.
func (h *history) totals() (sent, repaired uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.budget.Totals()
}

// resend sends packets again: in the stream of repairs if there is one, else each as it was, to the bit.
func (b *binding) resend(again []sent) {
	for _, s := range again {
		payload := s.frame.payloads[s.index]
		if b.repairs != nil {
			s.number = b.note(repairHeader+len(payload), time.Now()) // it is another packet
			h := b.header(s)
			h.PayloadType = b.repairType
			b.repairs.send(&h, payload)
			continue
		}
		b.noteAgain(s)
		h := b.header(s)
		_, _ = b.out.WriteRTP(&h, payload) // missed again, and asked for again
	}
}
