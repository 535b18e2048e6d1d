package portaudio

import (
	"testing"
	"time"

	pa "github.com/gordonklaus/portaudio"
)

func TestClock(t *testing.T) {
	const lasts = 10 * time.Millisecond
	begin := time.Now()
	var c clock
	var last time.Time
	at := func(now, ago time.Duration) time.Duration {
		t.Helper()
		told := pa.StreamCallbackTimeInfo{CurrentTime: time.Hour + now, InputBufferAdcTime: time.Hour + now - ago}
		if ago == 0 {
			told.InputBufferAdcTime = 0 // the hardware does not say
		}
		got := c.captured(told, begin.Add(now), lasts)
		if got.Before(last) || got.After(begin.Add(now-lasts)) {
			t.Fatalf("at %v: %v after %v", now, got.Sub(begin), last.Sub(begin))
		}
		last = got
		return got.Sub(begin)
	}
	if got := at(100*time.Millisecond, 0); got != 90*time.Millisecond {
		t.Errorf("the first block: %v, want 90ms", got)
	}
	if got := at(110*time.Millisecond, 30*time.Millisecond); got <= 90*time.Millisecond || got >= 100*time.Millisecond {
		t.Errorf("told to be older than it can be: %v", got)
	}
	now := 110 * time.Millisecond
	for range 20 { // all at once
		at(now, 0)
	}
	for i := range 1000 { // to and fro, 30 ms late in the middle
		now += lasts
		got := at(now, 30*time.Millisecond+time.Duration(i%3-1)*15*time.Millisecond)
		if off := got - (now - 30*time.Millisecond); i > 200 && off.Abs() > 5*time.Millisecond {
			t.Fatalf("block %d: %v off", i, off)
		}
	}
	if got := at(now+5*time.Second, 20*time.Millisecond); got != now+5*time.Second-20*time.Millisecond {
		t.Errorf("after five seconds without sound: %v, want what the hardware says", got-now)
	}
}
