package tracks

import (
	"testing"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
)

// word is a frame of 20 ms.
func word(epoch, sequence, index int64) *mediav1.AudioFrame {
	return &mediav1.AudioFrame{
		Epoch: epoch, Sequence: sequence, SampleIndex: index, SampleCount: 960, Data: []byte{0x78, byte(sequence)},
		Format: &mediav1.AudioFormat{MediaType: "audio/opus", SampleRateHz: audioRate, Channels: 1},
	}
}

func TestTimeline(t *testing.T) {
	const ms = time.Millisecond
	type step struct {
		epoch, sequence, index int64
		arrival                time.Duration // after the beginning
		// What is wanted, against the packet before; packets 0: there is none.
		packets uint16
		samples uint32
		begins  bool
		missed  int64
	}
	first := step{1, 0, 0, 0, 1, 0, true, 0}
	tests := []struct {
		name  string
		steps []step
	}{
		{"one after the other", []step{first, {1, 1, 960, 20 * ms, 1, 960, false, 0},
			{1, 2, 1920, 40 * ms, 1, 960, false, 0}}},
		{"positions count, not arrivals", []step{first, {1, 1, 960, 90 * ms, 1, 960, false, 0},
			{1, 2, 1920, 91 * ms, 1, 960, false, 0}}},
		{"one is lost", []step{first, {1, 2, 1920, 40 * ms, 2, 1920, false, 1}}},
		{"listeners come in the middle", []step{{1, 700, 672_000, 0, 1, 0, true, 0},
			{1, 701, 672_960, 20 * ms, 1, 960, false, 0}}},
		{"a silence that is not sent", []step{first, {1, 1, 48_000, time.Second, 1, 48_000, true, 0}}},
		{"twice", []step{first, {1, 0, 0, 0, 0, 0, false, 0}, {1, 1, 960, 20 * ms, 1, 960, false, 0}}},
		{"behind its place", []step{first, {1, 2, 1920, 40 * ms, 2, 1920, false, 1}, {1, 1, 960, 41 * ms, 0, 0, false, 0}}},
		{"a restart: the time that has passed", []step{first, {2, 0, 0, 300 * ms, 1, 14_400, true, 0},
			{2, 1, 960, 320 * ms, 1, 960, false, 0}}},
		{"a restart at once: never back", []step{first, {2, 0, 0, 0, 1, 960, true, 0}}},
		{"a restart in the middle", []step{first, {2, 77, 96_000, 300 * ms, 1, 14_400, true, 0}}},
		{"more is lost than can be made up for", []step{first, {1, 1000, 960_000, 20 * time.Second, 1, 960_000, true, 999}}},
		{"positions that make no sense: ahead", []step{first, {1, 1, 1 << 40, 20 * ms, 1, 960, true, 0}}},
		{"positions that make no sense: back", []step{first, {1, 1, 0, 20 * ms, 1, 960, true, 0}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			begin := time.Unix(1_700_000_000, 0)
			l := timeline{outSequence: 0xffff, outTimestamp: 0xfffffff0} // both wrap soon
			sequence, timestamp := l.outSequence, l.outTimestamp
			for i, s := range tt.steps {
				p, missed := l.place(word(s.epoch, s.sequence, s.index), begin.Add(s.arrival))
				if (p == nil) != (s.packets == 0) || missed != s.missed {
					t.Fatalf("step %d: %+v, missed %d, want %d packets and %d", i, p, missed, s.packets, s.missed)
				}
				if p == nil {
					continue
				}
				if p.sequence-sequence != s.packets || p.timestamp-timestamp != s.samples || p.begins != s.begins {
					t.Errorf("step %d: %d packets and %d samples on, begins %v; want %d, %d, %v", i,
						p.sequence-sequence, p.timestamp-timestamp, p.begins, s.packets, s.samples, s.begins)
				}
				sequence, timestamp = p.sequence, p.timestamp
			}
		})
	}
}

// FuzzTimeline gives frames of any numbers: the track never goes back, and never further than the time that has passed
// allows.
func FuzzTimeline(f *testing.F) {
	f.Add(int64(1), int64(1), int64(960), int64(20), int64(2), int64(0), int64(0), int64(500))
	f.Add(int64(1), int64(-1), int64(-960), int64(-20), int64(1), int64(1<<62), int64(1<<62), int64(1<<40))
	f.Fuzz(func(t *testing.T, e1, s1, i1, ms1, e2, s2, i2, ms2 int64) {
		begin := time.Unix(1_700_000_000, 0)
		l := newTimeline()
		p, _ := l.place(word(1, 0, 0), begin)
		now := begin
		for _, s := range []struct{ epoch, sequence, index, ms int64 }{{e1, s1, i1, ms1}, {e2, s2, i2, ms2}} {
			now = now.Add(time.Duration(s.ms%10_000) * time.Millisecond)
			next, missed := l.place(word(s.epoch, s.sequence, s.index), now)
			if missed < 0 {
				t.Fatalf("%d are missing", missed)
			}
			if next == nil {
				continue
			}
			if n := next.sequence - p.sequence; n < 1 || n > maxGap {
				t.Errorf("%d packets on", n)
			}
			if n := int32(next.timestamp - p.timestamp); n <= 0 || int64(n) > maxAhead+40*audioRate {
				t.Errorf("%d samples on", n)
			}
			p = next
		}
	})
}
