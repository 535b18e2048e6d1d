package pace

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/sound/pcm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var format = pcm.Format{Rate: 48000, Channels: 1}

func TestCatchesUpAndLeavesOut(t *testing.T) {
	for _, test := range []struct {
		stall, patience time.Duration
		want            int // blocks of 10 ms in 10 s
	}{
		{0, 0, 1000}, {400 * time.Millisecond, 0, 1000}, {5 * time.Second, 0, 501},
		{90 * time.Millisecond, 100 * time.Millisecond, 1000}, {400 * time.Millisecond, 100 * time.Millisecond, 961},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+time.Millisecond)
			defer cancel()
			n := 0
			err := (&Pace{Format: format, Block: 480, Patience: test.patience}).Run(ctx, func(at time.Time, _ int) error {
				if age := time.Since(at); age < 10*time.Millisecond || age > 10*time.Millisecond+max(test.stall, 1) {
					t.Errorf("block %d is %v old", n, age)
				}
				if n++; n == 100 {
					time.Sleep(test.stall)
				}
				return nil
			})
			if err != nil || n < test.want-1 || n > test.want+1 {
				t.Errorf("stall of %v: %d blocks, %v; want %d", test.stall, n, err, test.want)
			}
		})
	}
}

func TestEndsWithTheErrorOfAStep(t *testing.T) {
	broken := errors.New("broken")
	if err := (&Pace{Format: format}).Run(t.Context(), func(time.Time, int) error { return broken }); !errors.Is(err,
		broken) {
		t.Error(err)
	}
}

// TestTakesBlocksAtOnce where nobody waits for the first, and never keeps anybody waiting for longer than a block.
func TestTakesBlocksAtOnce(t *testing.T) {
	for _, test := range []struct{ batch, want int }{{960, 960}, {1439, 960}, {1440, 1440}, {480, 480}, {479, 480},
		{0, 480}, {-1, 480}} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+time.Millisecond)
			defer cancel()
			begin, all := time.Now(), 0
			p := Pace{Format: format, Block: 480, Batch: func() int { return test.batch }}
			err := p.Run(ctx, func(at time.Time, frames int) error {
				if frames != test.want || at.Sub(begin) != format.Duration(int64(all)) ||
					time.Since(at) != format.Duration(int64(frames)) {
					t.Errorf("%d frames of %v, %v old; want %d of %v", frames, at.Sub(begin), time.Since(at), test.want,
						format.Duration(int64(all)))
				}
				all += frames
				return nil
			})
			if err != nil || all > 10*format.Rate || all <= 10*format.Rate-test.want {
				t.Errorf("batch of %d: %d frames in 10 s, %v", test.batch, all, err)
			}
		})
	}
}
