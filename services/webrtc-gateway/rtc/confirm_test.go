package rtc

import (
	"context"
	"testing"

	"github.com/pion/webrtc/v4"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

// TestNewMediaWaitsForTheFarEnd: what is new in an offer is sent once the far end has said that the answer is in
// effect, or when it does not say so for a second; what flowed before goes on meanwhile.
func TestNewMediaWaitsForTheFarEnd(t *testing.T) {
	for name, confirm := range map[string]bool{"confirmed": true, "never confirmed": false} {
		t.Run(name, func(t *testing.T) {
			e, _, _ := newStudio(t)
			far, near := newPair(t, e, 2, 1000)
			near.Confirms(true)
			agree(t, far, near, []Track{{MID: "0", Stream: left}})
			old := packet(t, far)
			agree(t, far, near, []Track{{MID: "0", Stream: left}, {MID: "1", Stream: right}})
			if confirm {
				near.mu.Lock()
				near.unconfirmed.Stop() // however long the rest takes
				near.mu.Unlock()
				for range 20 {
					if got := packet(t, far); got != old {
						t.Fatal("the new stream is sent before the far end is ready")
					}
				}
				near.Applied()
			}
			for packet(t, far) == old {
			}
		})
	}
}

// agree negotiates without a word from the far end afterwards.
func agree(t *testing.T, far *watcher.Watcher, near *Peer, tracks []Track) {
	t.Helper()
	offer, err := far.Offer(&webrtc.OfferOptions{})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := near.Answer(t.Context(), offer, tracks)
	if err != nil {
		t.Fatal(err)
	}
	if err := far.Accept(answer); err != nil {
		t.Fatal(err)
	}
}

// packet returns the SSRC of the next packet.
func packet(t *testing.T, far *watcher.Watcher) uint32 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), watcher.Timeout)
	defer cancel()
	p, err := far.Packet(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return p.SSRC
}
