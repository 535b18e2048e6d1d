package rtc

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/talk"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

const opusName = "opus/48000/2"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var front = tracks.Stream{Device: "front", Name: "video"}

// offers are real ones, of several browsers and programs.
func offers(t testing.TB) map[string]string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.sdp")
	if err != nil || len(files) == 0 {
		t.Fatal("no offers in testdata", err)
	}
	all := make(map[string]string)
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(f)] = strings.ReplaceAll(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n", "\r\n")
	}
	return all
}

func TestReadOfferNarrows(t *testing.T) {
	for name, text := range offers(t) {
		mid, err := VideoSection(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		o, err := readOffer(text, []Track{{MID: mid, Stream: front}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var d sdp.SessionDescription
		if err := d.UnmarshalString(o.sdp); err != nil {
			t.Fatal(err)
		}
		for _, m := range d.MediaDescriptions {
			got, _ := m.Attribute(sdp.AttrKeyMID)
			_, receives := m.Attribute(sdp.AttrKeyRecvOnly)
			_, idle := m.Attribute(sdp.AttrKeyInactive)
			if m.MediaName.Media != "application" && (receives != (got == mid) || idle == receives) {
				t.Errorf("%s: section %s: receives %v, idle %v", name, got, receives, idle)
			}
		}
	}
}

// TestFirstSectionThatCanBeServed: sections before it may have other codecs. If none can be served, the first is
// refused.
func TestFirstSectionThatCanBeServed(t *testing.T) {
	av1, h264 := offered{stream: front, pt: 96, codec: "AV1/90000"}, offered{stream: front, pt: 97}
	mode2 := offered{stream: front, pt: 98, fmtp: "packetization-mode=2"}
	pcmu, opus := offered{stream: head, pt: 0, codec: "PCMU/8000"}, offered{stream: head, pt: 99}
	tests := []struct {
		name    string
		section func(string) (string, error)
		offer   []offered
		want    string
	}{
		{"H264 behind AV1", VideoSection, []offered{av1, h264}, "1"},
		{"H264 behind another packetization", VideoSection, []offered{mode2, h264}, "1"},
		{"H264 before AV1", VideoSection, []offered{h264, av1}, "0"},
		{"VP8", VideoSection, []offered{av1, {stream: front, pt: 96, codec: "VP8/90000"}}, "1"},
		{"the first of two", VideoSection, []offered{av1, h264, h264}, "1"},
		{"no H264", VideoSection, []offered{av1, mode2}, "0"},
		{"Opus behind PCMU", AudioSection, []offered{h264, pcmu, opus}, "2"},
		{"no Opus", AudioSection, []offered{h264, pcmu}, "1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if mid, err := tt.section(number(t, offerOf(t, tt.offer), tt.offer)); err != nil || mid != tt.want {
				t.Errorf("section %q, want %q: %v", mid, tt.want, err)
			}
		})
	}
}

func TestRealOffersAreAnswered(t *testing.T) {
	e := newEngine(t)
	for name, text := range offers(t) {
		mid, err := VideoSection(text)
		if err != nil {
			t.Fatal(name, err)
		}
		p, err := e.NewPeer(nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := p.Answer(context.Background(), text, []Track{{MID: mid, Stream: front}})
		switch {
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case strings.Count(answer, "a=sendonly") != 1, strings.Contains(answer, "a=recvonly"),
			!strings.Contains(answer, "a=candidate:"), !strings.Contains(answer, "a=setup:passive"):
			t.Errorf("%s: answered with\n%s", name, answer)
		case strings.Contains(text, "m=application") && !strings.Contains(answer,
			"a=max-message-size:"+strconv.Itoa(MaxMessage)+"\r\n"):
			t.Errorf("%s: another size of messages is announced than is taken:\n%s", name, answer)
		}
		p.Close()
	}
}

func TestPeerAfterItsEnd(t *testing.T) {
	e := newEngine(t)
	p, err := e.NewPeer(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.AddCandidate("candidate:1 1 udp 1 127.0.0.1 9 typ host", "0",
		0); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("candidate before an offer: %v", err)
	}
	p.Close()
	p.Close() // more than once does no harm
	<-p.Done()
	text := offers(t)["chromium.sdp"]
	if _, err := p.Answer(context.Background(), text,
		[]Track{{MID: "0", Stream: front}}); status.Code(err) != codes.Unavailable {
		t.Errorf("offer after the end: %v", err)
	}
}

func TestEngineAfterItsEnd(t *testing.T) {
	hub := tracks.NewHub(quiet{}, tracks.Config{})
	e, err := NewEngine(hub, Config{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := e.NewPeer(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	<-p.Done()
	if _, err := e.NewPeer(nil); status.Code(err) != codes.Unavailable {
		t.Errorf("connection after the end: %v", err)
	}
	hub.Close()
}

func newEngine(t testing.TB) *Engine {
	t.Helper()
	hub := tracks.NewHub(quiet{}, tracks.Config{})
	e, err := NewEngine(hub, Config{Voices: talk.New(nobody{}, "demo", nil)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		hub.Close()
	})
	return e
}

// nobody hears what is published.
type nobody struct{}

func (nobody) Publish(string, proto.Message) error { return nil }

// quiet are devices that send nothing, and do not say what they would.
type quiet struct{}

func (quiet) Video(tracks.Stream) (tracks.VideoFeed, error) { return silent{}, nil }
func (quiet) Audio(tracks.Stream) (tracks.AudioFeed, error) { return still{}, nil }
func (quiet) Carriers(s tracks.Stream) ([]tracks.Carrier, <-chan struct{}) {
	return []tracks.Carrier{{Stream: s}}, nil
}

// still is a microphone that hears nothing.
type still struct{}

func (still) Next(ctx context.Context) (*mediav1.AudioFrame, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
func (still) Close() {}

// silent is a feed without frames.
type silent struct{}

func (silent) Next(ctx context.Context) (*mediav1.VideoFrame, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
func (silent) RequestKeyFrame(context.Context) error { return nil }
func (silent) KeyFrames() tracks.KeyFrames           { return tracks.KeyFrames{OnRequest: true} }
func (silent) Close()                                {}

// soundOffers are offers of one section of sound, what is wrong with them, and what is asked of them.
var soundOffers = []struct {
	name, stream string
	change       func(string) string // of a section that sends and receives
	code         codes.Code
	says         string // of the refusal
	answer       string // direction
}{
	{"listen", Audio, func(s string) string { return strings.ReplaceAll(s, "sendrecv", "recvonly") }, codes.OK, "",
		"sendonly"},
	{"talk", Speaker, func(s string) string { return strings.ReplaceAll(s, "sendrecv", "sendonly") }, codes.OK, "",
		"recvonly"},
	{"both are offered: listen", Audio, func(s string) string { return s }, codes.OK, "", "sendonly"},
	{"two channels are wanted", Speaker, func(s string) string {
		return strings.ReplaceAll(s, "minptime=10;useinbandfec=1",
			"minptime=10; stereo=1;maxaveragebitrate=9000;useinbandfec=1")
	}, codes.OK, "", "recvonly"},
	{"both are offered: talk", Speaker, func(s string) string { return s }, codes.OK, "", "recvonly"},
	{"listen where the peer only sends", Audio,
		func(s string) string { return strings.ReplaceAll(s, "sendrecv", "sendonly") },
		codes.InvalidArgument, `for the stream "audio" offer a=recvonly`, ""},
	{"talk where the peer only receives", Speaker,
		func(s string) string { return strings.ReplaceAll(s, "sendrecv", "recvonly") },
		codes.InvalidArgument, `for the stream "speaker" offer a=sendonly`, ""},
	{"talk where nothing is sent", Speaker, func(s string) string { return strings.ReplaceAll(s, "sendrecv", "inactive") },
		codes.InvalidArgument, "offer a=sendonly", ""},
	{"look where there is sound", Video, func(s string) string { return s }, codes.InvalidArgument,
		`is "audio", not video`, ""},
	{"no channels are named", Speaker,
		func(s string) string { return strings.ReplaceAll(s, "opus/48000/2", "OPUS/48000") }, codes.OK, "", "recvonly"},
	{"no Opus", Audio, func(s string) string { return strings.ReplaceAll(s, "opus", "speex") }, codes.FailedPrecondition,
		"opus/48000/2", ""},
}

// offerOf is an offer of sections that receive, under pion's own numbers.
func offerOf(t testing.TB, sections []offered) string {
	t.Helper()
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pc.Close() }()
	for _, s := range sections {
		kind := webrtc.NewRTPCodecType(Track{Stream: s.stream}.media())
		if _, err := pc.AddTransceiverFromKind(kind,
			webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			t.Fatal(err)
		}
	}
	o, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	return o.SDP
}

// soundOffer is an offer of one section of sound.
func soundOffer(t testing.TB, change func(string) string) string {
	t.Helper()
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pc.Close() }()
	if _, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio); err != nil {
		t.Fatal(err)
	}
	o, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	return change(o.SDP)
}

func TestSoundOffers(t *testing.T) {
	e := newEngine(t)
	for _, tt := range soundOffers {
		t.Run(tt.name, func(t *testing.T) {
			p, err := e.NewPeer(nil)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			track := Track{MID: "0", Stream: tracks.Stream{Device: "head", Name: tt.stream}, Talker: "Ann"}
			answer, err := p.Answer(t.Context(), soundOffer(t, tt.change), []Track{track})
			if status.Code(err) != tt.code || !strings.Contains(status.Convert(err).Message(), tt.says) {
				t.Fatalf("%v, want %v that says %q", err, tt.code, tt.says)
			}
			if err != nil {
				return
			}
			codec := opusName
			if !strings.Contains(tt.change(opusName), opusName) {
				codec = "opus/48000\r\n"
			}
			for _, line := range []string{"a=" + tt.answer, codec, "minptime=10;useinbandfec=1;maxaveragebitrate=48000"} {
				if !strings.Contains(answer, line) {
					t.Errorf("no %s in\n%s", line, answer)
				}
			}
			if strings.Contains(answer, "stereo=") {
				t.Errorf("voices are asked for with two channels:\n%s", answer)
			}
			if tt.stream == Audio && !strings.Contains(answer, "a=msid:head.audio ") {
				t.Errorf("the media stream is not one of sound alone:\n%s", answer)
			}
		})
	}
}

// TestBundle: a section that is alone need not be bundled, and then is not in the answer either; several have to be.
func TestBundle(t *testing.T) {
	e := newEngine(t)
	for n, code := range map[int]codes.Code{1: codes.OK, 2: codes.FailedPrecondition} {
		sections := []offered{{stream: front, pt: 96}, {stream: head, pt: 97}}[:n]
		text := number(t, offerOf(t, sections), sections)
		lines := slices.DeleteFunc(strings.SplitAfter(text, "\r\n"),
			func(l string) bool { return strings.HasPrefix(l, "a=group:") })
		p, err := e.NewPeer(nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := p.Answer(t.Context(), strings.Join(lines, ""), []Track{{MID: "0", Stream: front}})
		switch {
		case status.Code(err) != code:
			t.Errorf("%d sections: %v, want %v", n, err, code)
		case err != nil && !strings.Contains(err.Error(), "max-bundle"):
			t.Errorf("%d sections are refused without a remedy: %v", n, err)
		case err == nil && (strings.Contains(answer, "a=group:") || !strings.Contains(answer, "m=video 9 ")):
			t.Errorf("%d sections are answered with\n%s", n, answer)
		}
		p.Close()
	}
}

// TestBundleWithoutItsFirst: a section inherits the transport of the first in its bundle if that is rejected; if all
// are, the offer is refused.
func TestBundleWithoutItsFirst(t *testing.T) {
	sections := []offered{{stream: left, pt: 96, codec: "AV1/90000"}, {stream: front, pt: 97}}
	var d sdp.SessionDescription
	if err := d.UnmarshalString(number(t, offerOf(t, sections), sections)); err != nil {
		t.Fatal(err)
	}
	drop(d.MediaDescriptions[1], "ice-ufrag", "ice-pwd", "fingerprint", "setup")
	text, err := d.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for mid, code := range map[string]codes.Code{"1": codes.OK, "": codes.FailedPrecondition} {
		offer, tracks := string(text), []Track{{MID: mid, Stream: front}}
		if mid == "" {
			offer, tracks = strings.ReplaceAll(offer, "H264", "VP9"), nil
		}
		p, err := newEngine(t).NewPeer(nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Answer(t.Context(), offer, tracks); status.Code(err) != code {
			t.Errorf("section %q: %v, want %v", mid, err, code)
		}
		p.Close()
	}
}

func TestTooManyVoices(t *testing.T) {
	var talking []Track
	for i := range maxVoices + 1 {
		talking = append(talking, Track{MID: strconv.Itoa(i), Stream: tracks.Stream{Device: "head", Name: Speaker}})
	}
	if _, err := byMID(talking); status.Code(err) != codes.ResourceExhausted ||
		!strings.Contains(err.Error(), "5 sections talk, the limit is 4") {
		t.Errorf("%d voices: %v", len(talking), err)
	}
}

// TestEngineWithoutVoices: what it cannot do is refused in words.
func TestEngineWithoutVoices(t *testing.T) {
	hub := tracks.NewHub(quiet{}, tracks.Config{})
	e, err := NewEngine(hub, Config{})
	if err != nil {
		t.Fatal(err)
	}
	for name, says := range map[string]string{Speaker: "accepts no audio"} {
		p, err := e.NewPeer(nil)
		if err != nil {
			t.Fatal(err)
		}
		text := soundOffer(t, func(s string) string { return s })
		_, err = p.Answer(t.Context(), text, []Track{{MID: "0", Stream: tracks.Stream{Device: "head", Name: name}}})
		if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", name, err)
		}
		p.Close()
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	hub.Close()
}

// FuzzOffer gives whole offers to a connection: it may refuse, not panic or hang, and what it answers must be an
// answer.
func FuzzOffer(f *testing.F) {
	for _, text := range offers(f) {
		f.Add(text, "0", Video)
		f.Add(strings.ReplaceAll(text, "a=mid:0", "a=mid:"), "", Video)
		f.Add(strings.ReplaceAll(text, "H264", "VP8"), "1", Video)
		f.Add(strings.ReplaceAll(text, "H264", "AV1"), "1", Video)
		f.Add(text[:len(text)/2], "0", Video)
	}
	f.Add("", "", Video)
	f.Add("v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF\r\na=mid:0\r\n", "0", Video)
	for _, tt := range soundOffers {
		f.Add(soundOffer(f, tt.change), "0", tt.stream)
	}
	for _, tt := range numberings {
		text := number(f, offerOf(f, tt.sections), tt.sections)
		for i, s := range tt.sections {
			f.Add(text, strconv.Itoa(i), s.stream.Name)
		}
	}
	e := newEngine(f)
	f.Fuzz(func(t *testing.T, text, mid, stream string) {
		if stream != Audio && stream != Speaker {
			stream = Video
		}
		if first, err := VideoSection(text); err == nil && mid == "" {
			mid = first
		}
		p, err := e.NewPeer(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		answer, err := p.Answer(context.Background(), text,
			[]Track{{MID: mid, Stream: tracks.Stream{Device: "front", Name: stream}}})
		if err != nil {
			if c := status.Code(err); c != codes.InvalidArgument && c != codes.FailedPrecondition {
				t.Fatalf("refused as %v: %v", c, err)
			}
			return
		}
		var d sdp.SessionDescription
		if err := d.UnmarshalString(answer); err != nil {
			t.Fatalf("the answer is no SDP: %v", err)
		}
	})
}

// FuzzCandidate gives candidates to a connection that has an offer.
func FuzzCandidate(f *testing.F) {
	f.Add("candidate:1 1 udp 1 127.0.0.1 9 typ host", "0", uint16(0))
	f.Add("candidate:1 1 udp 1 abc.local 9 typ host", "", uint16(7))
	f.Add("", "", uint16(0))
	f.Add("candidate:", "0", uint16(0))
	e := newEngine(f)
	p, err := e.NewPeer(nil)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := p.Answer(context.Background(), offers(f)["chromium.sdp"],
		[]Track{{MID: "0", Stream: front}}); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, candidate, mid string, index uint16) {
		_ = p.AddCandidate(candidate, mid, index) // refused or not
	})
}
