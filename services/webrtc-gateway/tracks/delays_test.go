package tracks

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/playout"
)

// reported is a path whose far end reports everything, or nothing.
type reported struct {
	unknown
	trip  time.Duration
	all   bool
	count uint16
}

func (r *reported) Number(int, time.Time) uint16 { r.count++; return r.count }
func (r *reported) RoundTrip() time.Duration     { return r.trip }
func (r *reported) Became(uint16) (_, _ bool)    { return r.all, r.all }

// delayed is a viewer of a bench, and where it is.
func (b *bench) delayed(s *sink, p Path, driving func() bool, fixed *playout.Delay) *Track {
	b.t.Helper()
	s.extensions = append(s.extensions, webrtc.RTPHeaderExtensionParameter{URI: PlayoutDelayURI, ID: 3},
		webrtc.RTPHeaderExtensionParameter{URI: TransportURI, ID: 5})
	v, err := b.hub.NewTrack(b.t.Context(), webrtc.RTPCodecTypeVideo, front, "front")
	if err != nil {
		b.t.Fatal(err)
	}
	v.Over(p)
	v.DrivenBy(driving)
	v.Delay(fixed)
	if _, err := v.Bind(s); err != nil {
		b.t.Fatal(err)
	}
	v.Start()
	return v
}

// says returns what the pictures from one on say about the delay, "-" for nothing.
func (s *sink) says(from int) (all []string) {
	begins := true
	for _, p := range s.all() {
		if begins {
			said := "-"
			if e := p.GetExtension(3); e != nil {
				said = fmt.Sprintf("%x", e)
			}
			all = append(all, said)
		}
		begins = p.Marker
	}
	return all[from:]
}

func no() bool { return false }

// TestDelayIsToldUntilItArrives: pictures say it until one has arrived; then key frames do.
func TestDelayIsToldUntilItArrives(t *testing.T) {
	for _, tt := range []struct {
		name    string
		arrive  func(p *reported, v *Track, s *sink)
		want    string
		capture bool // the peer takes capture times
	}{
		{"nothing is reported", func(*reported, *Track, *sink) {}, "[000000 000000 000000]", false},
		{"its arrival is reported", func(p *reported, _ *Track, _ *sink) { p.all = true }, "[- - 000000]", false},
		{"packets are equally long with it", func(p *reported, _ *Track, _ *sink) { p.all = true },
			"[000000 000000 000000]", true},
		{"receiver reports tell that all arrived", func(_ *reported, v *Track, s *sink) {
			v.HandleRTCP([]rtcp.Packet{&rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{
				{SSRC: 7, LastSequenceNumber: uint32(s.last(1)[0])}}}})
		}, "[- - 000000]", false},
		{"receiver reports tell of losses", func(_ *reported, v *Track, s *sink) {
			v.HandleRTCP([]rtcp.Packet{&rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{
				{SSRC: 7, FractionLost: 5, LastSequenceNumber: uint32(s.last(1)[0])}}}})
		}, "[000000 000000 000000]", false},
		{"another stream is reported", func(_ *reported, v *Track, s *sink) {
			v.HandleRTCP([]rtcp.Packet{&rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{
				{SSRC: 8, LastSequenceNumber: uint32(s.last(1)[0])}}}})
		}, "[000000 000000 000000]", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, s, p := newBench(t), &sink{ssrc: 7}, &reported{}
				if tt.capture {
					s.extensions = []webrtc.RTPHeaderExtensionParameter{{URI: AbsCaptureTimeURI, ID: 4}}
				}
				v := b.delayed(s, p, no, nil)
				b.send(5, true)
				if got := fmt.Sprint(s.says(0)); got != "[000000 000000 000000 000000 000000]" {
					t.Errorf("at first the pictures say %s", got)
				}
				tt.arrive(p, v, s)
				b.send(2, false)
				b.send(1, true)
				if got := fmt.Sprint(s.says(5)); got != tt.want {
					t.Errorf("then they say %s, want %s", got, tt.want)
				}
				b.end(v)
			})
		})
	}
}

// TestDelayFitsThePath: a viewer to whom much is sent again holds pictures back, unless it drives or has its own wish.
func TestDelayFitsThePath(t *testing.T) {
	fixed := playout.Delay{Min: 100 * time.Millisecond, Max: time.Second}
	for _, tt := range []struct {
		name  string
		drive bool
		fixed *playout.Delay
		want  playout.Delay
	}{
		{"watching", false, nil, playout.Delay{Min: 70 * time.Millisecond, Max: time.Second}},
		{"driving", true, nil, playout.Delay{}},
		{"fixed", true, &fixed, fixed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, s, p := newBench(t), &sink{ssrc: 7}, &reported{trip: 40 * time.Millisecond, all: true}
				v := b.delayed(s, p, func() bool { return tt.drive }, tt.fixed)
				b.send(1, true)
				for range 100 {
					b.send(1, false)
					v.HandleRTCP(missing(7, s.last(1)...))
				}
				delay, repaired := v.Playout()
				if delay != tt.want || repaired < 0.2 {
					t.Errorf("the delay is %v and %.2f are repaired, want %v and a third", delay, repaired, tt.want)
				}
				before := len(s.says(0))
				b.send(1, true)
				if got, want := s.says(before)[0], fmt.Sprintf("%x", tt.want.Extension()); got != want {
					t.Errorf("a key frame says %s, want %s", got, want)
				}
				b.end(v)
			})
		})
	}
}
