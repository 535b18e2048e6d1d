package rtmp

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/bluenviron/gortmplib/pkg/bytecounter"
	"github.com/bluenviron/gortmplib/pkg/message"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/opus"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

var units = []struct {
	name  string
	data  []byte
	sizes int
	want  [][]byte
	whole bool
}{
	{"two", []byte{0, 0, 0, 1, 9, 0, 0, 0, 2, 7, 8}, 4, [][]byte{{9}, {7, 8}}, true},
	{"short lengths", []byte{0, 1, 9, 0, 2, 7, 8}, 2, [][]byte{{9}, {7, 8}}, true},
	{"one byte", []byte{1, 9, 2, 7, 8}, 1, [][]byte{{9}, {7, 8}}, true},
	{"empty ones", []byte{0, 0, 0, 0, 0, 0, 0, 1, 9}, 4, [][]byte{{9}}, true},
	{"start codes", []byte{0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x65, 2}, 4, [][]byte{{0x67, 1}, {0x65, 2}}, true},
	{"cut", []byte{0, 0, 0, 1, 9, 0, 0, 0, 2, 7}, 4, [][]byte{{9}}, false},
	{"cut length", []byte{0, 0, 0, 1, 9, 0, 0}, 4, [][]byte{{9}}, false},
	{"huge", []byte{255, 255, 255, 255, 1}, 4, nil, false},
	{"nothing", nil, 4, nil, true},
}

func TestSplit(t *testing.T) {
	for _, test := range units {
		if test.name == "cut" || test.name == "cut length" {
			test.data = bytes.Clone(test.data)
			test.data[3], test.data = 2, slices.Insert(test.data, 4, 8) // no start code
			test.want = [][]byte{{8, 9}}
		}
		got, whole := split(test.data, test.sizes)
		if whole != test.whole || !slices.EqualFunc(got, test.want, bytes.Equal) {
			t.Errorf("%s: %v, whole %v", test.name, got, whole)
		}
	}
}

func TestTimelineWraps(t *testing.T) {
	var line timeline
	first := line.at(time.Duration(1<<32-40) * time.Millisecond)
	if got := line.at(0) - first; got != 40*time.Millisecond {
		t.Errorf("after the wrap: %v", got)
	}
	if got := line.at(time.Duration(1<<32-20)*time.Millisecond) - first; got != 20*time.Millisecond {
		t.Errorf("back over it: %v", got)
	}
}

func TestCompositionTimeHasASign(t *testing.T) {
	for from, want := range map[time.Duration]time.Duration{0: 0, 80: 80, 1<<24 - 40: -40} {
		if got := shift(from * time.Millisecond); got != want*time.Millisecond {
			t.Errorf("%v: %v", from, got)
		}
	}
}

var arrival = time.Unix(1000, 0)

// What is announced in mid-stream goes before the next picture, once; sound of each kind comes as it is described.
func TestTracks(t *testing.T) {
	var got []string
	tr := tracks{to: feed.Receiver{
		Picture: func(p feed.Picture) { got = append(got, fmt.Sprint(p.MediaType, p.Data, p.Time, p.Damaged)) },
		Sound: func(s feed.Sound) {
			got = append(got, fmt.Sprint(s.Track.MediaType, s.Track.SampleRate, s.Track.Channels, s.Data, s.Time))
		},
	}}
	au := func(b ...byte) []byte { return append([]byte{0, 0, 0, byte(len(b))}, b...) }
	ms := time.Millisecond
	for _, m := range []message.Message{
		// AAC without a configuration is left out.
		&message.Audio{Codec: message.CodecMPEG4Audio, AACType: message.AudioAACTypeAU, AU: []byte{1}},
		&message.Video{Codec: message.CodecH264, Type: message.VideoTypeAU, DTS: 10 * ms, AU: au(0x65, 1)},
		&message.Video{Codec: message.CodecH264, Type: message.VideoTypeConfig, AVCConfig: avc(1)},
		&message.Video{Codec: message.CodecH264, Type: message.VideoTypeAU, DTS: 20 * ms, PTSDelta: 5 * ms,
			AU: au(0x65, 2)},
		&message.Video{Codec: message.CodecH264, Type: message.VideoTypeAU, DTS: 30 * ms, AU: au(0x41, 3)},
		&message.Video{Codec: message.CodecH264, Type: message.VideoTypeAU, DTS: 40 * ms, AU: []byte{0, 0, 9, 9, 1}},
		&message.VideoExFramesX{FourCC: message.FourCCAVC, DTS: 50 * ms, Payload: au(0x41, 4)},
		&message.VideoExMultitrack{TrackID: 1, Wrapped: &message.VideoExFramesX{FourCC: message.FourCCAVC,
			Payload: au(0x41, 9)}},
		&message.VideoExMultitrack{Wrapped: &message.VideoExCodedFrames{FourCC: message.FourCCHEVC, DTS: 60 * ms,
			Payload: au(0x26, 5)}},
		&message.VideoExFramesX{FourCC: message.FourCCAV1, Payload: []byte{1}},
		&message.Audio{Codec: message.CodecMPEG4Audio, AACConfig: &mpeg4audio.AudioSpecificConfig{
			Type: mpeg4audio.ObjectTypeAACLC, SampleRate: 44100, ChannelConfig: 2}},
		&message.Audio{Codec: message.CodecMPEG4Audio, AACType: message.AudioAACTypeAU, DTS: 70 * ms, AU: []byte{2}},
		&message.Audio{Codec: message.CodecPCMA, DTS: 80 * ms, AU: []byte{3}},
		&message.Audio{Codec: message.CodecPCMU, DTS: 80 * ms, AU: []byte{4}, IsStereo: true},
		&message.Audio{Codec: message.CodecLPCM, DTS: 80 * ms, Rate: message.AudioRate22050, Depth: 1, AU: []byte{5,
			6, 7, 8}},
		&message.Audio{Codec: message.CodecMPEG1Audio, DTS: 80 * ms, AU: []byte{1}},
		&message.AudioExSequenceStart{FourCC: message.FourCCOpus, OpusConfig: &opus.IDHeader{ChannelCount: 2}},
		&message.AudioExCodedFrames{FourCC: message.FourCCOpus, DTS: 90 * ms, Payload: []byte{9}},
		&message.AudioExCodedFrames{FourCC: message.FourCCFLAC, DTS: 90 * ms, Payload: []byte{9}},
	} {
		tr.take(m, arrival)
	}
	want := []string{
		media.H264 + "[[101 1]] 10ms false", media.H264 + "[[103 1] [104 1] [101 2]] 25ms false",
		media.H264 + "[[65 3]] 30ms false",
		media.H264 + "[[65 4]] 50ms true", media.H265 + "[[38 5]] 60ms false",
		"audio/aac44100 2 [2] 70ms", "audio/PCMA8000 1 [3] 80ms", "audio/PCMU8000 2 [4] 80ms",
		"audio/L1622050 1 [6 5 8 7] 80ms",
		"audio/opus48000 2 [9] 90ms",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
}

// One clock for both is said once a second, by reports that cannot be taken for the time.
func TestReports(t *testing.T) {
	var got []feed.Report
	tr := tracks{to: feed.Receiver{Report: func(r feed.Report) { got = append(got, r) }}}
	for n := range 21 {
		at := time.Duration(n) * 100 * time.Millisecond
		tr.picture(media.H264, []byte{0, 0, 0, 1, 0x65}, at, 0, arrival.Add(at))
	}
	if len(got) != 6 || got[0].Sound || !got[1].Sound ||
		got[4].NTP.Sub(got[0].NTP) != 2*time.Second || got[0].NTP.Year() != 1970 {
		t.Errorf("%v", got)
	}
}

// script is a connection on which a peer has said something already.
type script struct {
	net.Conn
	in  bytes.Reader
	out bytes.Buffer
}

func (s *script) Read(b []byte) (int, error)       { return s.in.Read(b) }
func (s *script) Write(b []byte) (int, error)      { return s.out.Write(b) }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }
func (s *script) Close() error                     { return nil }

func said(data []byte) *wire {
	s := &script{}
	s.in.Reset(data)
	return &wire{Conn: s, silence: time.Second}
}

// Whatever comes instead of messages, reading it ends, and what is delivered has a kind and bytes.
func FuzzMessages(f *testing.F) {
	f.Add(bodies(f, obs()...))
	for _, u := range units {
		f.Add(bodies(f, &message.Video{ChunkStreamID: 6, Codec: message.CodecH264, Type: message.VideoTypeAU,
			AU: u.data}))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		w := said(data)
		c := newConn(newSession(w, bytecounter.NewReadWriter(w)), Limits{}.filled(), nil)
		err := c.Run(t.Context(), feed.Receiver{
			Picture: func(p feed.Picture) {
				if p.MediaType == "" || len(p.Data) == 0 || slices.ContainsFunc(p.Data,
					func(n []byte) bool { return len(n) == 0 }) {
					t.Errorf("%+v", p)
				}
			},
			Sound: func(s feed.Sound) {
				if s.Track.MediaType == "" || len(s.Data) == 0 {
					t.Errorf("%+v", s)
				}
			},
		})
		if err == nil {
			t.Error("no error at the end")
		}
	})
}

// Whatever a stranger says, the greeting ends, and only the right key opens.
func FuzzGreeting(f *testing.F) {
	f.Add(append(append([]byte{3}, make([]byte, 1536*2)...), bodies(f, obs()...)...))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		w := said(data)
		w.greet(time.Second)
		counted := bytecounter.NewReadWriter(w)
		g := &guest{session: newSession(w, counted), key: "secret"}
		if err := g.publish(counted); err == nil && !bytes.Contains(data, []byte("secret")) {
			t.Error("published without the key")
		}
	})
}

// bodies returns messages as bytes.
func bodies(t testing.TB, all ...message.Message) []byte {
	t.Helper()
	w := said(nil)
	for _, m := range all {
		if err := newSession(w, bytecounter.NewReadWriter(w)).send(m); err != nil {
			t.Fatal(err)
		}
	}
	return w.Conn.(*script).out.Bytes()
}
