package ear

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"gopkg.in/hraban/opus.v2"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/tonetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// packets are a second of a tone, 20 ms each.
func packets(t *testing.T) (all []*mediav1.AudioFrame) {
	t.Helper()
	encoder, err := opus.NewEncoder(Format.Rate, 1, opus.AppVoIP)
	if err != nil {
		t.Fatal(err)
	}
	tone := tonetest.Sine(440, 0.5, Format.Rate, Format.Rate)
	for i := range 50 {
		data := make([]byte, 1275)
		n, err := encoder.EncodeFloat32(tone[i*960:(i+1)*960], data)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, &mediav1.AudioFrame{Epoch: 3, Sequence: int64(i), SampleIndex: int64(i) * 960, SampleCount: 960,
			Data: data[:n], Format: &mediav1.AudioFormat{MediaType: "audio/opus", SampleRateHz: 48_000, Channels: 1}})
	}
	return all
}

// What a publisher says is heard, in order and without gaps, though one packet is lost and two change places.
func TestHearing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := New(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		ctx, cancel := context.WithCancel(t.Context())
		var heard []float32
		done := make(chan error)
		go func() {
			done <- e.Capture(ctx, func(samples []float32, _ time.Time) { heard = append(heard, samples...) })
		}()
		all := packets(t)
		all[10], all[11] = all[11], all[10]
		for i, p := range all {
			if i != 30 {
				e.Hear(p)
			}
			time.Sleep(20 * time.Millisecond)
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		middle := heard[len(heard)/4 : len(heard)*3/4]
		m := tonetest.Of(middle, Format.Rate)
		if m.Hz < 435 || m.Hz > 445 || len(m.Gaps) > 0 || len(heard) < 40*960 {
			t.Errorf("%d samples, %+v", len(heard), m)
		}
	})
}
