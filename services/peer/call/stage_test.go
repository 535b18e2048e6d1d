package call

import (
	"context"
	"net/url"
	"testing"

	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	"github.com/waldo-robot/waldo/services/peer/slot"
)

// TestNoSlotForACallThatIsOver: the last frames of a call ask for the slot, and it is not begun for them.
func TestNoSlotForACallThatIsOver(t *testing.T) {
	place := slot.New(slot.Config{Open: func(*peerv1.Publisher) slot.Sender { return nothing{} }})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		s := newStage(Config{Slot: place, URL: &url.URL{Host: "robot"}})
		s.granted()
		s.run(ctx)
	}
	if n := place.Stats().Publications; n != 0 {
		t.Errorf("the slot was begun %d times", n)
	}
}
