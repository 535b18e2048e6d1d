package insta360

import (
	"encoding/binary"
	"math"
	"testing"
	"time"
)

// records makes records of samples; timed ones begin with a time in milliseconds.
func records(timed bool, count int, values ...float64) (b []byte) {
	for i := range count {
		if timed {
			b = binary.LittleEndian.AppendUint64(b, uint64(7000+i))
		}
		for _, v := range values {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		}
	}
	return b
}

func TestSamples(t *testing.T) {
	v := []float64{0.5, -1, 2, 0.1, 0.2, -0.3}
	for name, tt := range map[string]struct {
		data  []byte
		count int
		first time.Duration
	}{
		"one of 48 bytes":            {records(false, 1, v...), 1, 9 * time.Second},
		"one of 56 bytes":            {records(true, 1, v...), 1, 7 * time.Second},
		"seven of 48 are six of 56":  {records(false, 7, v...), 7, 9 * time.Second},
		"six of 56 are seven of 48":  {records(true, 6, v...), 6, 7 * time.Second},
		"none":                       {nil, 0, 0},
		"half a record":              {records(true, 1, v...)[:30], 0, 0},
		"what is no number":          {records(true, 2, math.NaN(), 0, 0, 0, 0, 0), 0, 0},
		"more than anyone can need":  {records(true, maxSamples+5, v...), maxSamples, 7 * time.Second},
		"infinite in a short record": {records(false, 1, math.Inf(1), 0, 0, 0, 0, 0), 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := samples(tt.data, 9000)
			if len(got) != tt.count {
				t.Fatalf("%d samples, want %d", len(got), tt.count)
			}
			if tt.count == 0 {
				return
			}
			s := got[0]
			if s.Time != tt.first || s.Acceleration != [3]float64{0.5 * gravity, -gravity, 2 * gravity} ||
				s.Rotation != [3]float64{0.1, 0.2, -0.3} {
				t.Errorf("got %+v", s)
			}
		})
	}
}

func FuzzSamples(f *testing.F) {
	f.Add(records(true, 3, 1, 2, 3, 4, 5, 6), uint64(1))
	f.Add(records(false, 7, 1, 2, 3, 4, 5, 6), uint64(1)<<63)
	f.Fuzz(func(t *testing.T, data []byte, at uint64) {
		for _, s := range samples(data, at) {
			if s.Time < 0 || math.IsNaN(s.Acceleration[0]) || math.IsInf(s.Rotation[2], 0) {
				t.Fatalf("%+v", s)
			}
		}
	})
}
