package rtc

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pion/sdp/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// oddSection is a section of an odd offer.
type oddSection struct {
	media, protocol, formats string // of the line m=
	mid                      string
	attributes               []string
}

func sees(mid, codec string) oddSection {
	return oddSection{"video", "UDP/TLS/RTP/SAVPF", "96", mid, []string{"recvonly", "rtpmap:96 " + codec, "rtcp-mux"}}
}

// oddOffer writes an offer whose sections share one connection.
func oddOffer(sections ...oddSection) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	mids := make([]string, len(sections))
	for i, s := range sections {
		mids[i] = s.mid
	}
	line("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE %s", strings.Join(mids, " "))
	for _, s := range sections {
		line("m=%s 9 %s %s\r\nc=IN IP4 0.0.0.0\r\na=mid:%s\r\na=setup:actpass", s.media, s.protocol, s.formats, s.mid)
		line("a=ice-ufrag:aaaa\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa\r\na=fingerprint:sha-256 %s",
			strings.TrimSuffix(strings.Repeat("AA:", 32), ":"))
		for _, a := range s.attributes {
			line("a=%s", a)
		}
	}
	return b.String()
}

const h264 = "H264/90000\r\na=fmtp:96 " + mode1

// many are sections with numbers from 0.
func many(n int, codec string) []oddSection {
	list := make([]oddSection, n)
	for i := range list {
		list[i] = sees(fmt.Sprint(i), codec)
	}
	return list
}

// oddOffers are offers that are seldom or never made, and what is answered: the direction of each section, or 0 for one
// that is rejected; or the refusal. The video of the camera is wanted in the section with the given mid.
var oddOffers = []struct {
	name, offer, mid string
	answer           string
	code             codes.Code
	says             string
}{
	{name: "20 sections", offer: oddOffer(many(20, h264)...), mid: "7",
		answer: strings.Repeat("inactive ", 7) + "sendonly" + strings.Repeat(" inactive", 12)},
	{name: "20 sections, 19 of them in codecs that nobody has", mid: "19", answer: strings.Repeat("0 ", 19) + "sendonly",
		offer: oddOffer(append(many(19, "SNOW/90000"), sees("19", h264))...)},
	{name: "64 sections", offer: oddOffer(many(64, h264)...), mid: "63", answer: strings.Repeat("inactive ", 63) +
		"sendonly"},
	{name: "65 sections", offer: oddOffer(many(65, h264)...), mid: "0", code: codes.InvalidArgument,
		says: "the limit is 64"},
	{name: "unknown codecs", offer: oddOffer(sees("0", "SNOW/90000")), mid: "0", code: codes.FailedPrecondition,
		says: "the section lists SNOW"},
	{name: "no codec", offer: oddOffer(oddSection{"video", "UDP/TLS/RTP/SAVPF", "96", "0", []string{"recvonly"}}),
		mid: "0", code: codes.FailedPrecondition, says: "H264/90000"},
	{name: "the names of plan B", offer: oddOffer(sees("video", h264)), mid: "video", answer: "sendonly"},
	{name: "plan B: several streams of one section", mid: "video", answer: "sendonly",
		offer: oddOffer(oddSection{"video", "UDP/TLS/RTP/SAVPF", "96", "video", []string{"sendrecv", "rtpmap:96 " + h264,
			"rtcp-mux", "ssrc:1 msid:a a1", "ssrc:1 cname:x", "ssrc:2 msid:b b1", "ssrc:2 cname:x"}})},
	{name: "plan B: all kinds", mid: "video", answer: "inactive sendonly data",
		offer: oddOffer(
			oddSection{"audio", "UDP/TLS/RTP/SAVPF", "111", "audio",
				[]string{"sendrecv", "rtpmap:111 opus/48000/2", "rtcp-mux"}},
			sees("video", h264),
			oddSection{"application", "DTLS/SCTP", "5000", "data", []string{"sctpmap:5000 webrtc-datachannel 1024"}})},
	{name: "data as before RFC 8841", answer: "data",
		offer: oddOffer(oddSection{"application", "DTLS/SCTP", "5000", "0",
			[]string{"sctpmap:5000 webrtc-datachannel 1024"}})},
	{name: "video and data as before RFC 8841", mid: "0", answer: "sendonly data",
		offer: oddOffer(sees("0", h264),
			oddSection{"application", "DTLS/SCTP", "5000", "1", []string{"sctpmap:5000 webrtc-datachannel 65535"}})},
	{name: "data over TCP", mid: "0", answer: "sendonly data",
		offer: oddOffer(sees("0", h264), oddSection{"application", "TCP/DTLS/SCTP", "webrtc-datachannel", "1",
			[]string{"sctp-port:5000"}})},
	{name: "another kind of section", mid: "1", answer: "0 sendonly",
		offer: oddOffer(oddSection{"text", "UDP/TLS/RTP/SAVPF", "98", "0", []string{"sendrecv", "rtpmap:98 t140/1000"}},
			sees("1", h264))},
	{name: "two sections of one name", offer: oddOffer(sees("0", h264), sees("0", h264)), mid: "0",
		code: codes.InvalidArgument, says: "two media sections"},
	{name: "a section without a name", offer: strings.Replace(oddOffer(sees("0", h264)), "a=mid:0\r\n", "", 1), mid: "0",
		code: codes.InvalidArgument, says: "no a=mid"},
	{name: "nothing to connect to",
		offer: strings.Replace(oddOffer(sees("0", h264)), "a=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa\r\n", "", 1),
		mid:   "0", code: codes.InvalidArgument, says: "a=ice-pwd is missing"},
	{name: "a fingerprint that is none", offer: strings.Replace(oddOffer(sees("0", h264)), "sha-256 AA", "sha-256 ZZ", 1),
		mid: "0", code: codes.InvalidArgument, says: "a=fingerprint:\"sha-256 ZZ:AA"},
	{name: "huge", offer: oddOffer(sees("0", h264)) + strings.Repeat("a=x:y\r\n", MaxOffer/7), mid: "0",
		code: codes.InvalidArgument, says: "the limit is 65536"},
	{name: "no sections", offer: oddOffer(), mid: "0", code: codes.InvalidArgument, says: "is missing"},
	{name: "a codec of 10,000 parameters", mid: "0", answer: "sendonly",
		offer: oddOffer(sees("0", h264+strings.Repeat(";x=y", 10_000)))},
	{name: "1000 candidates", mid: "0", answer: "sendonly",
		offer: oddOffer(sees("0", h264)) + strings.Repeat("a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n", 1000)},
	{name: "a candidate that is none", mid: "0", code: codes.InvalidArgument, says: "the offer cannot be used",
		offer: oddOffer(sees("0", h264)) + "a=candidate:nonsense\r\n"},
}

// answered describes an answer in the words of oddOffers.
func answered(t *testing.T, text string) string {
	t.Helper()
	var d sdp.SessionDescription
	if err := d.UnmarshalString(text); err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, m := range d.MediaDescriptions {
		word := "0"
		for _, direction := range []string{"sendonly", "recvonly", "sendrecv", "inactive"} {
			if _, ok := m.Attribute(direction); ok && m.MediaName.Port.Value != 0 {
				word = direction
			}
		}
		if m.MediaName.Media == "application" && m.MediaName.Port.Value != 0 {
			word = "data"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func TestOddOffers(t *testing.T) {
	e := newEngine(t)
	for _, tt := range oddOffers {
		t.Run(tt.name, func(t *testing.T) {
			p, err := e.NewPeer(nil)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			var wanted []Track
			if tt.mid != "" {
				wanted = []Track{{MID: tt.mid, Stream: front}}
			}
			got, err := p.Answer(t.Context(), tt.offer, wanted)
			if status.Code(err) != tt.code || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("%v, want %v with %q", err, tt.code, tt.says)
			}
			if err != nil {
				return
			}
			if got := answered(t, got); got != tt.answer {
				t.Errorf("answered %q, want %q", got, tt.answer)
			}
			checkProtocols(t, tt.offer, got)
		})
	}
}

// checkProtocols checks that an answer speaks the protocol of each section (RFC 9429, 5.3.1).
func checkProtocols(t *testing.T, offer, answer string) {
	t.Helper()
	var asked, told sdp.SessionDescription
	for text, d := range map[string]*sdp.SessionDescription{offer: &asked, answer: &told} {
		if err := d.UnmarshalString(text); err != nil {
			t.Fatal(err)
		}
	}
	for i, m := range told.MediaDescriptions {
		want, got := asked.MediaDescriptions[i].MediaName.Protos, m.MediaName.Protos
		if fmt.Sprint(want) != fmt.Sprint(got) {
			t.Errorf("section %d is answered in %v, and was offered in %v", i, got, want)
		}
	}
}
