package outbox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/services/uplink/outbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const maxAge = 300 * time.Millisecond

// message makes a message of a word: k and d are key frames and others of the stream v with their sequence, j JPEG, s
// sound, r a reading, c control. A second letter may name another stream.
func message(word string, come time.Time) outbox.Message {
	m := outbox.Message{Come: come, Raw: bus.Raw{Type: word, Data: make([]byte, 100)}}
	var n int64
	_, _ = fmt.Sscanf(word[1:], "%d", &n) // most have none
	m.Stream = outbox.Stream{Device: "d", Name: map[byte]string{'k': "v", 'd': "v"}[word[0]]}
	m.Class = map[byte]outbox.Class{'c': outbox.Control, 's': outbox.Sound, 'r': outbox.Reading}[word[0]]
	switch word[0] {
	case 'k', 'd':
		m.Class, m.Frame = outbox.Video, outbox.Frame{Epoch: 1, Sequence: n, Key: word[0] == 'k', InterCoded: true}
	case 'j':
		m.Class, m.Stream.Name, m.Frame = outbox.Video, "j", outbox.Frame{Epoch: 1, Sequence: n, Key: true}
	default:
		m.Stream.Name = word[:1]
	}
	return m
}

// losses counts what a box loses.
type losses map[outbox.Class]int

func (l losses) lose(c outbox.Class, n int) { l[c] += n }

// TestOrderAndLosses: messages come, separated by spaces, at times +ms, and what is taken at the end is told.
func TestOrderAndLosses(t *testing.T) {
	for _, tt := range []struct {
		name, come string
		after      time.Duration
		want       string
		lost       int // of video
		wants      bool
	}{
		{"in order", "k0 d1 d2", 0, "k0 d1 d2", 0, false},
		{"nothing without a key frame", "d4 d5", 0, "", 2, true},
		{"a gap", "k0 d1 d3 d4", 0, "k0 d1", 2, true},
		{"a gap, and a key frame", "k0 d2 k3 d4", 0, "k0 k3 d4", 1, false},
		{"too old", "k0 d1 +200 d2 +200 d3", 0, "", 4, true},
		{"too old, up to a key frame", "k0 d1 +200 d2 +200 k3 d4", 0, "k3 d4", 3, false},
		{"old at last", "k0 +100 k1 d2", 250 * time.Millisecond, "k1 d2", 1, false},
		{"the newest JPEG", "j0 j1 j2", 0, "j2", 2, false},
		{"the newest JPEG is too old", "j0 j1", time.Second, "", 2, false},
		{"the most urgent first", "k0 r0 s0 c0 d1 c1", 0, "c0 c1 s0 r0 k0 d1", 0, false},
		{"turns", "k0 j0 d1 d2", 0, "k0 j0 d1 d2", 0, false},
		{"old readings", "r0 r1 +400 r2", 0, "r2", 0, false},
		{"once more", "k0 d1 d1 k0", 0, "k0 d1", 0, false},
		{"the newest JPEG once more", "j1 j0 j1", 0, "j1", 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lost := losses{}
			b, now := outbox.New(maxAge, lost.lose), time.Unix(1000, 0)
			for word := range strings.FieldsSeq(tt.come) {
				if ms, ok := strings.CutPrefix(word, "+"); ok {
					d, err := time.ParseDuration(ms + "ms")
					if err != nil {
						t.Fatal(err)
					}
					now = now.Add(d)
					continue
				}
				b.Put(message(word, now))
			}
			var got []string
			for m, ok := b.Next(outbox.Video, now.Add(tt.after)); ok; m, ok = b.Next(outbox.Video, now.Add(tt.after)) {
				got = append(got, m.Raw.Type)
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %v, want %s", got, tt.want)
			}
			if lost[outbox.Video] != tt.lost || (len(b.Wanting()) > 0) != tt.wants {
				t.Errorf("lost %d, wanting %v", lost[outbox.Video], b.Wanting())
			}
		})
	}
}

// TestLeast: while the link is full, only what is urgent is taken.
func TestLeast(t *testing.T) {
	lost := losses{}
	b, now := outbox.New(maxAge, lost.lose), time.Unix(1000, 0)
	b.Put(message("k0", now))
	if m, ok := b.Next(outbox.Sound, now); ok {
		t.Errorf("took %v", m)
	}
	b.Put(message("c0", now))
	if m, ok := b.Next(outbox.Control, now); !ok || m.Raw.Type != "c0" {
		t.Errorf("took %v, %v", m, ok)
	}
	select {
	case <-b.Wake():
	default:
		t.Error("nobody is woken")
	}
}

// TestFail: after a frame that did not arrive, the stream goes on with a key frame.
func TestFail(t *testing.T) {
	lost := losses{}
	b, now := outbox.New(maxAge, lost.lose), time.Unix(1000, 0)
	for _, word := range []string{"k0", "d1", "d2"} {
		b.Put(message(word, now))
	}
	m, _ := b.Next(outbox.Video, now)
	b.Fail(m)
	if m, ok := b.Next(outbox.Video, now); ok {
		t.Errorf("took %v", m)
	}
	b.Put(message("k3", now))
	if m, ok := b.Next(outbox.Video, now); !ok || m.Raw.Type != "k3" || len(b.Wanting()) != 0 {
		t.Errorf("took %v, %v", m, ok)
	}
	b.Put(message("d4", now))
	b.Forget(m.Stream)
	if _, ok := b.Next(outbox.Video, now); ok || lost[outbox.Video] != 3 {
		t.Errorf("lost %d", lost[outbox.Video])
	}
}

// TestBounds: however much comes at once, memory is bounded.
func TestBounds(t *testing.T) {
	lost := losses{}
	b, now := outbox.New(maxAge, lost.lose), time.Unix(1000, 0)
	for i := range 3000 {
		m := message(fmt.Sprintf("d%d", i), now)
		m.Frame.Key = i == 0
		b.Put(m)
		b.Put(message(fmt.Sprintf("r%d", i), now))
	}
	n := 0
	for _, ok := b.Next(outbox.Video, now); ok; _, ok = b.Next(outbox.Video, now) {
		n++
	}
	if n > 1024 {
		t.Errorf("%d were kept", n)
	}
	big := message("k0", now)
	for i := range 30 {
		big.Frame.Sequence, big.Raw.Data = int64(4000+i), make([]byte, 1<<20)
		b.Put(big)
	}
	bytes := 0
	for m, ok := b.Next(outbox.Video, now); ok; m, ok = b.Next(outbox.Video, now) {
		bytes += len(m.Raw.Data)
	}
	if bytes > 16<<20 || bytes == 0 {
		t.Errorf("%d bytes were kept", bytes)
	}
}
