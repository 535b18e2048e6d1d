package segment_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
)

// packet is where a packet of a test sounds, in milliseconds after the beginning.
func packet(n int, channels int, at time.Duration) write.Message {
	toc := byte(0xf8)
	if channels == 2 {
		toc |= 4
	}
	return recordingtest.AudioMessage(n, recordingtest.Begin.Add(at), channels, []byte{toc, byte(n), 1, 2})
}

// voice records packets at some times; their channels are 1 but for those from stereo on.
func (r *tape) voice(times []time.Duration, stereo int) {
	r.t.Helper()
	state, err := r.file.Add(recordingtest.State("motors"))
	if err != nil {
		r.t.Fatal(err)
	}
	r.write(state, write.Message{Logged: recordingtest.Begin})
	c, err := r.file.Add(recordingtest.Sound("voice"))
	if err != nil {
		r.t.Fatal(err)
	}
	for n, at := range times {
		channels := 1
		if n >= stereo {
			channels = 2
		}
		r.write(c, packet(n, channels, at))
	}
}

// every returns the times of packets that follow one another.
func every(from, to time.Duration) (times []time.Duration) {
	for at := from; at < to; at += 20 * time.Millisecond {
		times = append(times, at)
	}
	return times
}

// sounding returns when the packets of a file sound, and for how long; in milliseconds.
func sounding(t *testing.T, file []byte) (times []float64) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sound.mp4")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, s := range probe(t, path) {
		x, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		times = append(times, x*1000)
	}
	return times
}

// TestSound: there is sound from the beginning of the recording to its end, without a hole, whatever was recorded.
func TestSound(t *testing.T) {
	jittered := every(0, 3*time.Second)
	for i := range jittered {
		jittered[i] += time.Duration(i%5) * 2 * time.Millisecond
	}
	drifting := every(0, 3*time.Second)
	for i := range drifting {
		drifting[i] += drifting[i] / 100 // a sound card that is 1 % slow
	}
	for _, tt := range []struct {
		name  string
		times []time.Duration
		last  float64 // of the last packet, in milliseconds
	}{
		{"whole", every(0, 3*time.Second), 2980},
		{"begins late", every(2500*time.Millisecond, 3*time.Second), 2980},
		{"a hole", append(every(0, time.Second), every(2*time.Second, 3*time.Second)...), 2980},
		{"a hole of more than a piece", append(every(0, time.Second), every(6*time.Second, 7*time.Second)...), 6980},
		{"jitter", jittered, 2988},
		{"drift", drifting, 2980 * 1.01},
		{"twice", append(every(0, 3*time.Second), every(0, 3*time.Second)...), 2980},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newTape(t)
			r.voice(tt.times, 1<<30)
			files, pieces := walk(t, r.source(), "voice", "audio")
			if len(files) != 1 || pieces[0].Codec != "opus" || pieces[0].Offset != 0 {
				t.Fatalf("%d files, %q, from %v", len(files), pieces[0].Codec, pieces[0].Offset)
			}
			times := sounding(t, files[0])
			for i := range times[1:] {
				if apart := times[i+1] - times[i]; apart < 10 || apart > 36 {
					t.Errorf("a packet at %v, the next at %v", times[i], times[i+1])
				}
			}
			if last := times[len(times)-1]; times[0] != 0 || last < tt.last-30 || last > tt.last+30 {
				t.Errorf("from %v to %v", times[0], last)
			}
		})
	}
}

// TestSoundSeek: a piece begins with the packet that sounds at a time; silence begins at the time itself.
func TestSoundSeek(t *testing.T) {
	r := newTape(t)
	r.voice(append(every(0, time.Second), every(3*time.Second, 4*time.Second)...), 75)
	s := r.source()
	for at, want := range map[time.Duration]time.Duration{
		500 * time.Millisecond: 500 * time.Millisecond, 510 * time.Millisecond: 500 * time.Millisecond,
		2345 * time.Millisecond: 2345 * time.Millisecond, 3018 * time.Millisecond: 3 * time.Second,
	} {
		p, err := s.Piece(context.Background(), "voice", "audio", at, false)
		if err != nil || p.Offset != want || len(p.Init) > 0 {
			t.Errorf("at %v: from %v, %d bytes of initialization, %v", at, p.Offset, len(p.Init), err)
		}
	}
	if p, err := s.Piece(context.Background(), "voice", "audio", time.Hour, true); err != nil || len(p.Media) > 0 ||
		p.Next != 0 {
		t.Errorf("after the end: %+v, %v", p, err)
	}
	// From mono to stereo there is another initialization.
	files, _ := walk(t, s, "voice", "audio")
	if len(files) != 2 {
		t.Errorf("%d files", len(files))
	}
}

// TestTwoFiles: a recording goes on in its next file.
func TestTwoFiles(t *testing.T) {
	clip := recordingtest.Clip(t, "320x240", "3", "30")
	var paths []string
	for i := range 2 {
		r := newTape(t)
		c, err := r.file.Add(recordingtest.Video("front"))
		if err != nil {
			t.Fatal(err)
		}
		for n, unit := range clip {
			if (n >= 45) == (i == 1) { // in the middle of a group
				r.write(c, recordingtest.VideoMessage(n, at(n), recordingtest.H264(320, 240), n%30 == 0, unit))
			}
		}
		r.source()
		paths = append(paths, r.path)
	}
	s := open(t, paths[1], paths[0])
	files, _ := walk(t, s, "front", "video")
	units, _ := elementary(t, files[0])
	same(t, units, clip)
}
