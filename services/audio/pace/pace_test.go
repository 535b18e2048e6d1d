package pace

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waldo-robot/waldo/services/audio/pcm"
)

var format = pcm.Format{Rate: 48000, Channels: 1}

func TestCatchesUpAndLeavesOut(t *testing.T) {
	for _, test := range []struct {
		stall time.Duration
		want  int // blocks of 10 ms in 10 s
	}{{0, 1000}, {400 * time.Millisecond, 1000}, {5 * time.Second, 501}} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+time.Millisecond)
			defer cancel()
			n := 0
			err := Run(ctx, format, 480, func(at time.Time) error {
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
	if err := Run(t.Context(), format, 480, func(time.Time) error { return broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
}
