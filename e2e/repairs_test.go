package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/linktest"
)

// lossy is a link of 40 ms that loses 3 % of the packets to the viewer.
func lossy() linktest.Profile {
	p := linktest.Clean()
	p.Name = "losses"
	p.FromRobot.Delay, p.ToRobot.Delay = 20*time.Millisecond, 20*time.Millisecond
	p.FromRobot.Loss = linktest.Loss{Share: 0.03}
	return p
}

// repaired is what Chromium says of the packets of its video.
type repaired struct {
	Lost, Again int // Again came in a stream of their own
	Delay       [2]float64
}

// repairsOfPage is it, with the delay that the gateway asks for, in ms.
const repairsOfPage = `(async () => {
  const { front } = await waldo.robot.stats();
  const all = [...(await peers.at(-1).getStats()).values()];
  const video = all.find((s) => s.type === 'inbound-rtp' && s.kind === 'video');
  return { lost: video.packetsLost, again: video.retransmittedPacketsReceived ?? 0,
    delay: [front.minPlayoutMs ?? -1, front.maxPlayoutMs ?? -1] };
})()`

// repaired waits until it is as it should be.
func (r *rough) repaired(tb testing.TB, what string, ok func(repaired) bool) {
	tb.Helper()
	harness.Until(tb, what, func() error {
		now, err := harness.TryEval[repaired](r.page, repairsOfPage)
		if err == nil && !ok(now) {
			err = fmt.Errorf("%+v", now)
		}
		return err
	})
}

// TestRepairs: over a link that loses packets Chromium gets them again in a stream of their own, and holds pictures
// back for as long as that takes, unless somebody drives by them.
func TestRepairs(t *testing.T) {
	r := startRough(t, cameraAlone, linktest.Clean(), 1)
	r.sight.WaitFrames(t, 30)
	r.repaired(t, "pictures are shown at once", func(p repaired) bool { return p.Delay == [2]float64{} })
	if err := r.link.Restart(lossy()); err != nil {
		t.Fatal(err)
	}
	r.repaired(t, "packets come again", func(p repaired) bool { return p.Again >= 20 })
	r.repaired(t, "pictures are held back", func(p repaired) bool { return p.Delay[0] >= 60 && p.Delay[1] == 1000 })
	r.goFull(t, byKey)
	r.repaired(t, "the driver's are not", func(p repaired) bool { return p.Delay == [2]float64{} })
	byKey.rest(t, r.page)
}
