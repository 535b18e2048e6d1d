package playout

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"gopkg.in/hraban/opus.v2"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/sound/pcm"
)

// step is one frame of a hostile sender, relative to the one before, and how much of the sound is read afterwards.
type step struct {
	sequence, index int64
	epoch           int64
	data            uint8 // which packet
	reads           uint8
}

// hostile are sequences of frames that nobody sends who means well. They feed the test and the fuzz target.
var hostile = map[string][]step{
	"nothing":             nil,
	"in order":            {{1, 960, 1, 1, 2}, {1, 960, 0, 2, 2}, {1, 960, 0, 3, 2}, {1, 960, 0, 4, 20}},
	"epoch 0":             {{1, 960, 0, 1, 10}},
	"negative":            {{-1, -960, 1, 1, 10}, {math.MinInt64, math.MinInt64, 0, 2, 10}},
	"at the end":          {{math.MaxInt64, math.MaxInt64, 1, 1, 10}, {1, 1, 0, 2, 200}},
	"just within":         {{farthestAway - 2, farthestAway - 961, 1, 1, 10}, {1, 960, 0, 2, 20}, {1, 960, 0, 3, 200}},
	"huge gap":            {{1, 960, 1, 1, 20}, {1 << 40, 960, 0, 2, 20}, {1, 960, 0, 3, 20}},
	"huge step of index":  {{1, 960, 1, 1, 20}, {1, 1 << 40, 0, 2, 20}, {1, -1 << 40, 0, 3, 20}},
	"index stands still":  {{1, 960, 1, 1, 2}, {1, 0, 0, 2, 2}, {1, 0, 0, 3, 20}},
	"index runs back":     {{1, 96000, 1, 1, 2}, {1, -960, 0, 2, 2}, {1, -960, 0, 3, 20}},
	"small step of index": {{1, 960, 1, 1, 2}, {1, 1, 0, 2, 2}, {1, 1, 0, 3, 2}, {1, 1, 0, 4, 20}},
	"sequence runs back":  {{500, 96000, 1, 1, 2}, {-100, -9600, 0, 2, 2}, {-100, -9600, 0, 3, 20}},
	"just before the first": {{500, 960_000, 1, 1, 0}, {-63, -63 * 960, 0, 2, 0}, {120, 120 * 960, 0, 3, 0},
		{-60, -60 * 960, 0, 2, 250}},
	"late by a queue": {{500, 960_000, 1, 1, 20}, {100, 96000, 0, 1, 20}, {-128, -96000, 0, 2, 20}},
	"in the future":   {{1, 960, 1, 1, 2}, {1, 400_000, 0, 2, 200}, {1, 960, 0, 3, 200}},
	"garbage":         {{1, 960, 1, 200, 2}, {1, 960, 0, 201, 2}, {1, 960, 0, 255, 2}, {1, 960, 0, 0, 20}},
	"many epochs":     {{1, 1, 1, 1, 1}, {1, 1, 1, 1, 1}, {1, 1, 1, 1, 1}, {1, 1, 1, 1, 1}, {1, 1, 1, 1, 1}},
	"long packets":    {{1, 960, 1, 252, 5}, {1, 960, 0, 252, 5}, {1, 960, 0, 252, 5}, {1, 960, 0, 252, 250}},
}

func marshal(steps []step) (data []byte) {
	for _, s := range steps {
		data = binary.LittleEndian.AppendUint64(data, uint64(s.sequence))
		data = binary.LittleEndian.AppendUint64(data, uint64(s.index))
		data = append(data, byte(s.epoch), s.data, s.reads)
	}
	return data
}

func unmarshal(data []byte) (steps []step) {
	const size = 19
	for ; len(data) >= size && len(steps) < 30; data = data[size:] {
		steps = append(steps, step{int64(binary.LittleEndian.Uint64(data)), int64(binary.LittleEndian.Uint64(data[8:])),
			int64(int8(data[16])), data[17], min(data[18], 60)})
	}
	return steps
}

// survive has a mixer receive what a hostile sender sends, and then somebody else, who must be heard.
func survive(t *testing.T, steps []step, good [][]byte) {
	w := newWorld(t, Config{MaxTalkers: 4, MaxTalk: 10 * time.Second, Rate: 16000})
	f := &mediav1.AudioFrame{Talker: "x", Format: opusFormat}
	for _, s := range steps {
		f.Epoch += s.epoch
		f.Sequence += s.sequence
		f.SampleIndex += s.index
		switch {
		case int(s.data) < len(good):
			f.Data = good[s.data]
		default: // the beginning of a packet with any head
			f.Data = append([]byte{s.data}, good[0][:int(s.data)%len(good[0])]...)
		}
		w.Receive(f)
		w.play(time.Duration(s.reads) * 10 * time.Millisecond) // fails if a sample is out of range
		for _, v := range w.voices {
			if r, ok := v.(*remote); ok {
				check(t, r)
			}
		}
	}
	w.play(giveUp + 100*time.Millisecond)
	if n := len(w.voices); n != 0 {
		t.Fatalf("%d talkers are left", n)
	}
	if level := rms(w.play(500*time.Millisecond, &sender{name: "y", epoch: 1, packets: good})); level < 0.2 {
		t.Errorf("level %.3f of who talks afterwards", level)
	}
}

// check looks for what must not be, whatever was received.
func check(t *testing.T, r *remote) {
	t.Helper()
	waiting := 0
	for _, p := range r.queue.slots {
		if p.waiting {
			waiting++
		}
	}
	if waiting != r.queue.waiting {
		t.Fatalf("%d packets wait, but %d are counted", waiting, r.queue.waiting)
	}
	if r.stretch < -maxCorrection || r.stretch > maxCorrection || r.wanted() > r.config.MaxDelay.Seconds() ||
		r.gain < 0 || r.gain > 1 {
		t.Fatalf("stretch %v, wanted %v, gain %v", r.stretch, r.wanted(), r.gain)
	}
}

func TestHostileSenders(t *testing.T) {
	good := tone(t)
	for name, steps := range hostile {
		t.Run(name, func(t *testing.T) { survive(t, steps, good) })
	}
}

func TestUsable(t *testing.T) {
	good := func(change func(f *mediav1.AudioFrame)) *mediav1.AudioFrame {
		f := &mediav1.AudioFrame{Epoch: 1, Talker: "a", Format: opusFormat, Data: []byte{1}}
		change(f)
		return f
	}
	if !usable(good(func(*mediav1.AudioFrame) {})) {
		t.Error("a good frame is not usable")
	}
	for what, f := range map[string]*mediav1.AudioFrame{
		"nothing":                          nil,
		"no format":                        good(func(f *mediav1.AudioFrame) { f.Format = nil }),
		"raw":                              good(func(f *mediav1.AudioFrame) { f.Format = raw(pcm.S16LE, 48000, 1) }),
		"no epoch":                         good(func(f *mediav1.AudioFrame) { f.Epoch = 0 }),
		"negative epoch":                   good(func(f *mediav1.AudioFrame) { f.Epoch = -1 }),
		"negative sequence":                good(func(f *mediav1.AudioFrame) { f.Sequence = -1 }),
		"greatest sequence":                good(func(f *mediav1.AudioFrame) { f.Sequence = math.MaxInt64 - 1 }),
		"negative index":                   good(func(f *mediav1.AudioFrame) { f.SampleIndex = -1 }),
		"greatest index":                   good(func(f *mediav1.AudioFrame) { f.SampleIndex = math.MaxInt64 - 1 }),
		"no data":                          good(func(f *mediav1.AudioFrame) { f.Data = nil }),
		"too much data":                    good(func(f *mediav1.AudioFrame) { f.Data = make([]byte, maxPacket+1) }),
		"a name that writes to a terminal": good(func(f *mediav1.AudioFrame) { f.Talker = "a\x1b[31mb" }),
		"a name without end": good(func(f *mediav1.AudioFrame) {
			f.Talker = strings.Repeat("a",
				longestName+1)
		}),
	} {
		if usable(f) {
			t.Errorf("%s is usable", what)
		}
		w := newWorld(t, Config{})
		w.Receive(f)
		if n := testutil.ToFloat64(w.metrics.malformed); n != 1 || len(w.voices) != 0 {
			t.Errorf("%s: %v counted as malformed, %d talkers", what, n, len(w.voices))
		}
	}
}

func FuzzReceive(f *testing.F) {
	for _, steps := range hostile {
		f.Add(marshal(steps))
	}
	good := tone(f)
	f.Fuzz(func(t *testing.T, data []byte) { survive(t, unmarshal(data), good) })
}

// FuzzReceiveData has somebody send any bytes as packets, between good ones.
func FuzzReceiveData(f *testing.F) {
	good := encode(f, sine(400, 0.5, 9600), opus.AppVoIP, 24000, true)
	for _, data := range append(good, nil, []byte{0}, []byte{0xff, 0x3f, 0xff}, make([]byte, maxPacket+1)) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		carriesCopy(data)
		w := newWorld(t, Config{Channels: 2})
		s := &sender{name: "a", epoch: 1, packets: [][]byte{good[5], data, good[6]}}
		w.play(200*time.Millisecond, s) // fails if a sample is out of range
		w.play(giveUp)
	})
}

func FuzzFeedWrite(f *testing.F) {
	for _, b := range badFrames {
		f.Add(b.GetFormat().GetMediaType(), b.GetFormat().GetSampleFormat(), b.GetFormat().GetSampleRateHz(),
			b.GetFormat().GetChannels(),
			b.GetSampleCount(), b.GetData())
	}
	f.Add(pcm.Raw, pcm.F32LE, int32(8000), int32(2), int32(0), pcm.Encode(nil, pcm.F32LE,
		[]float32{float32(math.NaN()), 1e30, -1, 1}))
	f.Add(pcm.Raw, pcm.S16LE, int32(192000), int32(1), int32(2), []byte{0xff, 0x7f, 0, 0x80})
	f.Add(pcm.Opus, "", int32(48000), int32(2), int32(960), encode(f, sine(400, 0.5, 960), opus.AppVoIP, 24000, true)[0])
	f.Fuzz(func(t *testing.T, mediaType, sampleFormat string, rate, channels, count int32, data []byte) {
		if len(data) > 1000 { // 6000 frames, less than the room there is
			return
		}
		w := newWorld(t, Config{})
		feed := open(t, w, nil)
		frame := &mediav1.AudioFrame{Data: data, SampleCount: count, Format: &mediav1.AudioFormat{
			MediaType: mediaType, SampleFormat: sampleFormat, SampleRateHz: rate, Channels: channels}}
		if err := feed.Write(t.Context(), frame); err != nil && !errors.Is(err, pcm.ErrFormat) {
			t.Fatal(err)
		}
		if err := feed.Write(t.Context(), frameOf(raw(pcm.S16LE, 44100, 2), make([]float32, 200))); err != nil {
			t.Fatalf("afterwards: %v", err)
		}
		w.play(300 * time.Millisecond) // fails if a sample is out of range
	})
}
