package talk

import (
	"bytes"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/protobuf/proto"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
)

// publisher keeps what is published.
type publisher struct {
	frames   []*mediav1.AudioFrame
	subjects map[string]bool
	err      error
}

func (p *publisher) Publish(subject string, m proto.Message) error {
	if p.err != nil {
		return p.err
	}
	if p.subjects == nil {
		p.subjects = map[string]bool{}
	}
	p.subjects[subject] = true
	// The payload is the reader's buffer, which the next packet overwrites.
	p.frames = append(p.frames, proto.CloneOf(m.(*mediav1.AudioFrame)))
	return nil
}

// rig is a voice that says things at times of the test's own.
type rig struct {
	*publisher
	voices *Voices
	voice  *Voice
	now    time.Time
}

func newRig() *rig {
	r := &rig{publisher: &publisher{}, now: time.Unix(1_700_000_000, 0)}
	r.voices = New(r.publisher, "demo", prometheus.NewRegistry())
	r.voice = r.voices.Open("head", "Ann")
	return r
}

var speech = []byte{0x78, 1, 2, 3} // 20 ms of one channel

// say gives a packet, at is after the beginning.
func (r *rig) say(sequence uint16, timestamp uint32, at time.Duration) {
	r.voice.Accept(&rtp.Header{SSRC: 7, SequenceNumber: sequence, Timestamp: timestamp}, speech, r.now.Add(at))
}

func (r *rig) lost(where string) float64 {
	return testutil.ToFloat64(r.voices.metrics.lost.WithLabelValues("head", where))
}

func TestVoice(t *testing.T) {
	const ms = time.Millisecond
	type packet struct {
		sequence  uint16
		timestamp uint32
		at        time.Duration
	}
	type place struct{ epoch, sequence, index int64 } // epochs are counted from 1
	tests := []struct {
		name string
		said []packet
		want []place
		late float64
	}{
		{"in order", []packet{{10, 0, 0}, {11, 960, 20 * ms}, {12, 1920, 40 * ms}},
			[]place{{1, 0, 0}, {1, 1, 960}, {1, 2, 1920}}, 0},
		{"numbers wrap", []packet{{0xffff, 0xfffffc40, 0}, {0, 0, 20 * ms}, {1, 960, 40 * ms}},
			[]place{{1, 0, 0}, {1, 1, 960}, {1, 2, 1920}}, 0},
		{"a loss is a gap", []packet{{10, 0, 0}, {13, 2880, 60 * ms}}, []place{{1, 0, 0}, {1, 3, 2880}}, 0},
		{"turned around", []packet{{10, 0, 0}, {12, 1920, 40 * ms}, {11, 960, 41 * ms}, {13, 2880, 60 * ms}},
			[]place{{1, 0, 0}, {1, 2, 1920}, {1, 1, 960}, {1, 3, 2880}}, 0},
		{"turned around over the wrap", []packet{{0xfffe, 0, 0}, {0, 1920, 40 * ms}, {0xffff, 960, 41 * ms}},
			[]place{{1, 0, 0}, {1, 2, 1920}, {1, 1, 960}}, 0},
		{"twice", []packet{{10, 0, 0}, {10, 0, 1 * ms}}, []place{{1, 0, 0}, {1, 0, 0}}, 0},
		{"before the first", []packet{{10, 9600, 0}, {9, 8640, 1 * ms}, {11, 10_560, 20 * ms}},
			[]place{{1, 0, 0}, {1, 1, 960}}, 1},
		{"silence that is not sent", []packet{{10, 0, 0}, {11, 19_200, 400 * ms}}, []place{{1, 0, 0}, {1, 1, 19_200}}, 0},
		{"a pause is an end", []packet{{10, 0, 0}, {11, 28_800, 600 * ms}, {12, 29_760, 620 * ms}},
			[]place{{1, 0, 0}, {2, 0, 0}, {2, 1, 960}}, 0},
		{"far ahead is something new", []packet{{10, 0, 0}, {2000, 960, 20 * ms}}, []place{{1, 0, 0}, {2, 0, 0}}, 0},
		{"far back is something new", []packet{{2000, 0, 0}, {10, 960, 20 * ms}}, []place{{1, 0, 0}, {2, 0, 0}}, 0},
		{"another clock is something new", []packet{{10, 0, 0}, {11, 1 << 30, 20 * ms}}, []place{{1, 0, 0}, {2, 0, 0}}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig()
			for _, p := range tt.said {
				r.say(p.sequence, p.timestamp, p.at)
			}
			if len(r.frames) != len(tt.want) || r.lost("late") != tt.late {
				t.Fatalf("%d frames, %v late; want %d and %v", len(r.frames), r.lost("late"), len(tt.want), tt.late)
			}
			epochs := map[int64]int64{}
			for i, f := range r.frames {
				if epochs[f.GetEpoch()] == 0 {
					epochs[f.GetEpoch()] = int64(len(epochs) + 1)
				}
				if got := (place{epochs[f.GetEpoch()], f.GetSequence(), f.GetSampleIndex()}); got != tt.want[i] {
					t.Errorf("frame %d is at %v, want %v", i, got, tt.want[i])
				}
				checkFrame(t, f)
			}
		})
	}
}

// checkFrame: what reaches the bus is what the device can play.
func checkFrame(t *testing.T, f *mediav1.AudioFrame) {
	t.Helper()
	if f.GetEpoch() <= 0 || f.GetSequence() < 0 || f.GetSampleIndex() < 0 || f.GetSampleCount() <= 0 ||
		f.GetSampleCount() > codecs.MaxOpusSamples ||
		f.GetTalker() != "Ann" || f.GetFormat().GetMediaType() != "audio/opus" ||
		f.GetFormat().GetSampleRateHz() != 48_000 ||
		f.GetFormat().GetChannels() < 1 || f.GetFormat().GetChannels() > 2 || len(f.GetData()) == 0 ||
		!f.GetCaptureTime().IsValid() {
		t.Errorf("a frame that makes no sense: %v", f)
	}
}

func TestVoiceFrame(t *testing.T) {
	r := newRig()
	r.say(1, 1, 0)
	f := r.frames[0]
	if !r.subjects["waldo.v1.demo.head.in.speaker"] || !bytes.Equal(f.GetData(), speech) || f.GetSampleCount() != 960 ||
		f.GetFormat().GetChannels() != 1 {
		t.Errorf("at %v: %v", r.subjects, f)
	}
	if got := testutil.ToFloat64(r.voices.metrics.packets.WithLabelValues("head")); got != 1 {
		t.Errorf("%v packets counted, want 1", got)
	}
}

// TestTrackBeginsAnew: a browser that makes its track anew has another SSRC, and numbers that go with no others.
func TestTrackBeginsAnew(t *testing.T) {
	r := newRig()
	r.say(10, 0, 0)
	r.voice.Accept(&rtp.Header{SSRC: 8, SequenceNumber: 11, Timestamp: 960}, speech, r.now.Add(20*time.Millisecond))
	if len(r.frames) != 2 || r.frames[0].GetEpoch() == r.frames[1].GetEpoch() || r.frames[1].GetSequence() != 0 {
		t.Errorf("%v", r.frames)
	}
}

func TestFloodOfVoice(t *testing.T) {
	r := newRig()
	for i := range 1000 {
		r.say(uint16(i), uint32(960*i), 0)
	}
	if len(r.frames) != packetsBurst || r.lost("flood") != 1000-packetsBurst {
		t.Errorf("%d passed on, %v counted; want %d", len(r.frames), r.lost("flood"), packetsBurst)
	}
	for i := range 100 { // at the pace of speech again
		r.say(uint16(1000+i), uint32(960_000+960*i), time.Second+time.Duration(i)*20*time.Millisecond)
	}
	if got := len(r.frames) - packetsBurst; got != 100 {
		t.Errorf("%d passed on after the flood, want 100", got)
	}
}

func TestVoiceWithoutABus(t *testing.T) {
	r := newRig()
	r.err = errors.New("no bus")
	r.say(1, 0, 0)
	r.err = nil
	r.say(2, 960, 20*time.Millisecond)
	if r.lost("bus") != 1 || len(r.frames) != 1 || r.frames[0].GetSequence() != 1 {
		t.Errorf("%v lost, %v", r.lost("bus"), r.frames)
	}
}

func TestVoiceEnds(t *testing.T) {
	r := newRig()
	if !r.voice.Is("head", "Ann") || r.voice.Is("head", "Bob") || r.voice.Is("tail", "Ann") {
		t.Error("it does not know whose it is")
	}
	r.say(1, 0, 0)
	r.voice.Garbage()
	r.voice.Close()
	r.voice.Close()
	r.say(2, 960, 0)
	if len(r.frames) != 1 || r.lost("garbage") != 1 ||
		testutil.ToFloat64(r.voices.metrics.voices.WithLabelValues("head")) != 0 {
		t.Errorf("%d frames", len(r.frames))
	}
	New(&publisher{}, "demo", nil).Open("head", "").Close() // without metrics
}

// FuzzVoice gives a voice packets of any bytes: what reaches the bus must make sense, and everything must be counted.
func FuzzVoice(f *testing.F) {
	for i, packet := range [][]byte{nil, speech, {0x9b, 6, 1}, {0x9b, 0}, {0xff, 63, 1}} {
		f.Add(packet, uint16(i), uint32(960*i), uint16(math.MaxUint16), uint32(math.MaxUint32), uint32(7), int64(20))
	}
	f.Fuzz(func(t *testing.T, payload []byte, s1 uint16, t1 uint32, s2 uint16, t2 uint32, ssrc uint32, ms int64) {
		r := newRig()
		r.say(s1, t1, 0)
		at := r.now.Add(time.Duration(ms%100_000) * time.Millisecond)
		r.voice.Accept(&rtp.Header{SSRC: ssrc, SequenceNumber: s2, Timestamp: t2}, payload, at)
		r.say(s1+1, t1+960, 20*time.Millisecond)
		for _, frame := range r.frames {
			checkFrame(t, frame)
		}
		if n := float64(len(r.frames)) + r.lost("garbage") + r.lost("late") + r.lost("flood"); n != 3 {
			t.Errorf("%v packets became something, want 3", n)
		}
	})
}
