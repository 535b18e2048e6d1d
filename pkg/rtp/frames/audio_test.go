package frames

import (
	"errors"
	"testing"
	"time"

	"github.com/pion/rtp"
)

// A packet of Opus of 20 ms, mono.
var packet20ms = []byte{0x78, 1, 2, 3}

// heard is a packet of sound, and what becomes of it.
type heard struct {
	number      uint16
	timestamp   uint32
	ssrc        uint32
	at          time.Duration
	sequence    int64
	sampleIndex int64
	anew        bool // of another epoch than the one before, where there are several
	err         error
}

var soundTable = []struct {
	name    string
	epoch   int64
	packets []heard
}{
	{"in order", 0, []heard{
		{65535, 0xffffffff - 959, 1, 0, 0, 0, true, nil}, {0, 0, 1, 20 * time.Millisecond, 1, 960, false, nil},
	}},
	{"lost, late and before the first", 0, []heard{
		{10, 9600, 1, 0, 0, 0, true, nil}, {12, 11520, 1, 40 * time.Millisecond, 2, 1920, false, nil},
		{11, 10560, 1, 41 * time.Millisecond, 1, 960, false, nil},
		{9, 8640, 1, 42 * time.Millisecond, 0, 0, false, ErrTooLate},
		{13, 12480, 1, 60 * time.Millisecond, 3, 2880, false, nil},
	}},
	{"a pause", 0, []heard{
		{1, 0, 1, 0, 0, 0, true, nil}, {2, 48_000, 1, time.Second, 0, 0, true, nil},
	}},
	{"another SSRC, and far away", 0, []heard{
		{1, 0, 1, 0, 0, 0, true, nil}, {2, 960, 2, 20 * time.Millisecond, 0, 0, true, nil},
		{3, 960 + 11*48_000, 2, 40 * time.Millisecond, 0, 0, true, nil},
		{900, 960 + 11*48_000 + 960, 2, 60 * time.Millisecond, 0, 0, true, nil},
	}},
	{"one epoch goes on after a pause", 9, []heard{
		{1, 0, 1, 0, 0, 0, true, nil}, {2, 960, 1, 20 * time.Millisecond, 1, 960, false, nil},
		{3, 48_960, 1, 1020 * time.Millisecond, 3, 48_960, false, nil},
		{700, 5, 2, 1040 * time.Millisecond, 5, 48_960 + 5760, false, nil},
		{701, 965, 2, 1060 * time.Millisecond, 6, 48_960 + 5760 + 960, false, nil},
	}},
}

func TestAudio(t *testing.T) {
	for _, tt := range soundTable {
		t.Run(tt.name, func(t *testing.T) {
			a := NewAudio(AudioConfig{Epoch: tt.epoch, Talker: "Ada"})
			epoch := int64(0)
			for i, h := range tt.packets {
				header := rtp.Header{SequenceNumber: h.number, Timestamp: h.timestamp, SSRC: h.ssrc}
				f, err := a.Push(&header, packet20ms, start.Add(h.at))
				if !errors.Is(err, h.err) || (err == nil) != (f != nil) {
					t.Fatalf("packet %d: %v, want %v", i, err, h.err)
				}
				if f == nil {
					continue
				}
				if f.GetSequence() != h.sequence || f.GetSampleIndex() != h.sampleIndex || f.GetSampleCount() != 960 ||
					f.GetTalker() != "Ada" || f.GetFormat().GetChannels() != 1 {
					t.Errorf("packet %d: %v", i, f)
				}
				if anew := f.GetEpoch() != epoch; anew != h.anew || tt.epoch != 0 && f.GetEpoch() != tt.epoch {
					t.Errorf("packet %d: epoch %d after %d", i, f.GetEpoch(), epoch)
				}
				epoch = f.GetEpoch()
			}
		})
	}
}

func TestWhatIsNoSound(t *testing.T) {
	a := NewAudio(AudioConfig{})
	for name, payload := range map[string][]byte{"nothing": nil, "too long": make([]byte, 1276), "cut off": {0x7b}} {
		if f, err := a.Push(&rtp.Header{}, payload, start); f != nil || !errors.Is(err, ErrUnreadable) {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
}
