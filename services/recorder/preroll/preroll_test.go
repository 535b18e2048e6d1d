package preroll_test

import (
	"testing"
	"time"

	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/services/recorder/preroll"
	"github.com/waldo-robot/waldo/services/recorder/reel"
)

var (
	video = &recording.Channel{Device: "front", Stream: "video", Media: "video/H264"}
	rx    = &recording.Channel{Device: "motors", Stream: "rx"}
	begin = time.Now()
)

// at is a message so many milliseconds after the beginning.
func at(c *recording.Channel, ms int, key bool, size int) reel.Message {
	return reel.Message{Channel: c, At: begin.Add(time.Duration(ms) * time.Millisecond), Sequence: int64(ms), Key: key,
		Data: make([]byte, size)}
}

// TestBuffer: what is too old, or too much, is forgotten, and a stream of pictures begins with a key frame.
func TestBuffer(t *testing.T) {
	for name, tt := range map[string]struct {
		age      time.Duration
		bytes    int
		messages []reel.Message
		want     []int64
		length   time.Duration
	}{
		"nothing": {time.Second, 1 << 20, nil, nil, 0},
		"all": {time.Second, 1 << 20, []reel.Message{at(video, 0, true, 10), at(rx, 500, false, 10),
			at(video, 1000, false, 10)}, []int64{0, 500, 1000}, time.Second},
		"too old": {time.Second, 1 << 20, []reel.Message{at(rx, 0, false, 10), at(rx, 600, false, 10),
			at(rx, 1500, false, 10)}, []int64{600, 1500}, 900 * time.Millisecond},
		"too much": {time.Second, 3000, []reel.Message{at(rx, 0, false, 1000), at(rx, 1, false, 1000),
			at(rx, 2, false, 1000)}, []int64{1, 2}, time.Millisecond},
		"too large": {time.Second, 3000, []reel.Message{at(rx, 0, false, 4000)}, nil, 0},
		"no key frame": {time.Second, 1 << 20,
			[]reel.Message{at(video, 0, false, 10), at(rx, 1, false, 10), at(video, 2, true, 10), at(video, 3, false, 10)},
			[]int64{1, 2, 3}, 3 * time.Millisecond},
	} {
		b := preroll.New(tt.age, tt.bytes)
		last := begin
		for _, m := range tt.messages {
			b.Add(m)
			last = m.At
		}
		if l := b.Length(last); l != tt.length {
			t.Errorf("%s: %v long, want %v", name, l, tt.length)
		}
		got := b.Take()
		if len(got) != len(tt.want) {
			t.Errorf("%s: %d messages, want %v", name, len(got), tt.want)
			continue
		}
		for i, m := range got {
			if m.Sequence != tt.want[i] {
				t.Errorf("%s: the %d-th is %d, want %d", name, i, m.Sequence, tt.want[i])
			}
		}
		if b.Bytes() != 0 || len(b.Take()) != 0 {
			t.Errorf("%s: it is not empty", name)
		}
	}
}

// TestLong: memory does not grow with what has gone by.
func TestLong(t *testing.T) {
	b := preroll.New(100*time.Millisecond, 1<<20)
	for i := range 100_000 {
		b.Add(at(rx, i, false, 10))
	}
	if got := b.Take(); len(got) != 101 || cap(got) > 1000 || got[0].Sequence != 99_899 {
		t.Errorf("%d messages in room for %d, from %d on", len(got), cap(got), got[0].Sequence)
	}
}
