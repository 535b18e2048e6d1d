package fakecam

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// whole makes a Raw of a function that changes an answer and leaves it in one piece.
func inOne(f func([]byte) []byte) func([]byte) [][]byte {
	return func(b []byte) [][]byte { return [][]byte{f(b)} }
}

// counted writes another number than its length into an answer's Content-Length; "" leaves the field out.
func counted(length func(int) string) func([]byte) []byte {
	return func(b []byte) []byte {
		head, body, _ := bytes.Cut(b, []byte("\r\n\r\n"))
		at := bytes.LastIndex(head, []byte("\r\nContent-Length"))
		if at < 0 {
			return b
		}
		out := slices.Clone(head[:at])
		if n := length(len(body)); n != "" {
			out = fmt.Appendf(out, "\r\nContent-Length: %s", n)
		}
		return slices.Concat(out, []byte("\r\n\r\n"), body)
	}
}

// answerBehaviours are forms of answers.
func answerBehaviours() []Behaviour {
	edited := func(name, seen, source string, f func(*Response)) Behaviour {
		return Behaviour{"answer-" + name, 31, seen, source,
			answer(Answer{Edit: func(_ *Request, r *Response) { f(r) }}), false}
	}
	raw := func(name, seen, source, method string, f func([]byte) [][]byte) Behaviour {
		return Behaviour{"answer-" + name, 31, seen, source, answer(Answer{Method: method, Raw: f}), false}
	}
	plain := func(b []byte) []byte { return bytes.Replace(b, []byte("Content-Type: application/sdp\r\n"), nil, 1) }
	uncounted := counted(func(int) string { return "" })
	return []Behaviour{
		edited("lf", "lines end with LF", "cheap cameras", func(r *Response) { r.EOL = "\n" }),
		edited("folded", "fields are folded over lines", "RFC 2326, 15.1", func(r *Response) {
			for i, f := range r.Header {
				if f.Name == "Transport" || f.Name == "RTP-Info" {
					r.Header[i].Value = strings.ReplaceAll(f.Value, ";", ";\r\n\t")
				}
			}
		}),
		edited("one-number", "all answers have the number 1", "cheap cameras", func(r *Response) { r.Set("CSeq", "1") }),
		edited("no-number", "no answer has a number", "cheap cameras", func(r *Response) { r.Delete("CSeq") }),
		edited("spaced-number", "spaces in CSeq", "gortsplib#437",
			func(r *Response) { r.Set("CSeq", " "+r.Get("CSeq")+"  ") }),
		edited("long", "a field of 20 kB", "RFC 2326", func(r *Response) { r.Set("X-Info", strings.Repeat("x", 20000)) }),
		raw("no-reason", "no text behind the status", "gortsplib#807, #1043", "", inOne(func(b []byte) []byte {
			return bytes.Replace(b, []byte(" 200 OK\r\n"), []byte(" 200\r\n"), 1)
		})),
		raw("twice", "each answer comes twice", "proxies", "", func(b []byte) [][]byte { return [][]byte{b, b} }),
		raw("continue", "100 Continue before each answer", "RFC 2326, 7.1.1", "", inOne(func(b []byte) []byte {
			return append([]byte("RTSP/1.0 100 Continue\r\nCSeq: 1\r\n\r\n"), b...)
		})),
		raw("empty-lines", "empty lines before each answer", "retina 0.3.8", "", inOne(func(b []byte) []byte {
			return append([]byte("\r\n\r\n"), b...)
		})),
		raw("pieces", "answers come in pieces", "TCP", "", func(b []byte) [][]byte {
			return [][]byte{b[:9], b[9 : len(b)-9], b[len(b)-9:]}
		}),
		raw("uncounted", "the description has no Content-Length and comes in two pieces", "RFC 2326, 4.4", "DESCRIBE",
			func(b []byte) [][]byte { b = uncounted(b); return [][]byte{b[:len(b)-60], b[len(b)-60:]} }),
		raw("untyped", "the description has no Content-Length and no Content-Type", "retina 0.4.7", "DESCRIBE",
			inOne(func(b []byte) []byte { return plain(uncounted(b)) })),
		raw("counts-too-much", "Content-Length is larger than the description", "cheap cameras", "DESCRIBE",
			inOne(counted(func(n int) string { return fmt.Sprint(n + 12) }))),
		raw("counts-too-little", "Content-Length is smaller than the description", "cheap cameras", "DESCRIBE",
			inOne(counted(func(n int) string { return fmt.Sprint(n - 30) }))),
	}
}

// first makes a When of a function that applies to a method's first request.
func first(_ *Request, n int) bool { return n == 1 }

// to sends a client on.
func to(method, location string) Config {
	return answer(Answer{Method: method, When: first, Status: 302, Edit: func(r *Request, resp *Response) {
		resp.Set("Location", strings.ReplaceAll(location, "%u", r.URL))
	}})
}

// insert puts bytes before the nth interleaved frame, and each nth after it if again.
func insert(n int, again bool, b string) Config {
	return Config{Transport: Transport{Wire: func() func([]byte) []byte {
		count := 0
		return func(frame []byte) []byte {
			if count++; count == n || again && count%n == 0 {
				return append([]byte(b), frame...)
			}
			return frame
		}
	}}}
}

// talkBehaviours are what a camera wants to be asked, or answers, in another way than others.
func talkBehaviours() []Behaviour {
	var greeted atomic.Bool
	greet := Answer{Hangup: true, When: func(r *Request, _ int) bool {
		if r.Method == "OPTIONS" {
			greeted.Store(true)
		}
		return r.Method == "DESCRIBE" && !greeted.Load()
	}}
	behaviour := func(name, seen, source string, c Config) Behaviour {
		return Behaviour{name, 32, seen, source, c, false}
	}
	late := insert(10, false, "RTSP/1.0 200 OK\r\nSession: 1\r\n\r\n")
	late.Answers = []Answer{{Method: "PLAY", Silent: true}}
	aggregate := func(r *Request, _ int) bool { return !strings.Contains(r.URL, "trackID") }
	ranged := func(r *Request, _ int) bool { return r.Header.Get("Range") != "" }
	slash := func(r *Request, _ int) bool { return !strings.HasPrefix(trackURL(r.URL), "/live/") }
	return []Behaviour{
		behaviour("greeting", "the connection ends unless OPTIONS comes first", "go2rtc; ffmpeg asks it first",
			answer(greet)),
		behaviour("redirect-name", "sent on to a relative address", "RFC 3986", to("DESCRIBE", "live")),
		behaviour("redirect-query", "sent on to the same with a query", "load balancers", to("DESCRIBE", "%u?node=1")),
		behaviour("redirect-setup", "sent on at SETUP", "load balancers", to("SETUP", "/live")),
		behaviour("play-late", "packets come before the answer to PLAY", "retina 0.3.6: v4l2rtspserver", late),
		behaviour("play-silent", "PLAY is not answered, and packets come", "gortsplib PR#412",
			answer(Answer{Method: "PLAY", Silent: true})),
		behaviour("play-range", "PLAY with Range is refused with 457", "RFC 2326, 11.3.8",
			answer(Answer{Method: "PLAY", When: ranged, Status: 457})),
		behaviour("play-aggregate", "only single streams can be played", "RFC 2326, 11.3.10",
			answer(Answer{Method: "PLAY", When: aggregate, Status: 459})),
		behaviour("wrong-url-400", "400, not 404, to another address", "cheap cameras", Config{
			ContentBase: func(url string) string { return strings.Replace(url, "/live", "/", 1) },
			Answers:     []Answer{{Method: "SETUP", When: slash, Status: 400}}}),
		behaviour("answers-within", "answers to nothing between the packets", "retina#133",
			insert(10, true, "RTSP/1.0 400 Bad Request\r\nCSeq: 2\r\n\r\n")),
		behaviour("empty-frames", "frames without data, and empty lines between them", "retina 0.3.8",
			insert(3, true, "\r\n$\x00\x00\x00\r\n$\x05\x00\x00")),
		{"session-changes-enforced", 5, "the id changes with PLAY, and only the newest keeps the session", "retina 0.4.6",
			Config{Session: Session{Field: func(id string, n int) string {
				return id + string(rune('a'+min(n, 1))) + ";timeout=5"
			}, Timeout: 5 * time.Second, Enforce: true}}, false},
	}
}

func trackURL(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	_, path, _ := strings.Cut(rest, "/")
	return "/" + path
}

// descriptionBehaviours have an SDP that is unusual in what is said of the pictures.
func descriptionBehaviours() []Behaviour {
	sdp := func(name, seen, source string, pairs ...string) Behaviour {
		return Behaviour{"sdp-" + name, 33, seen, source,
			Config{SDP: func(s, _ string) string { return strings.NewReplacer(pairs...).Replace(s) }}, false}
	}
	const line, name = "m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000"
	mute := func(clip, encoding, name string) Behaviour {
		return Behaviour{"sdp-unnamed" + name, 33, "the pictures have no rtpmap, and nothing else tells", "retina testdata",
			Config{Tracks: video(clip, nil), SDP: func(s, _ string) string {
				before, _, _ := strings.Cut(s, "a=rtpmap:96 "+encoding)
				return before + "a=control:trackID=0\r\n"
			}}, false}
	}
	lies := func(clip, name, from, to string) Behaviour {
		return Behaviour{"sdp-other-codec-" + name, 33, "the SDP names another codec than comes",
			"cameras that were set to another",
			Config{Tracks: video(clip, nil), SDP: func(s, _ string) string {
				before, _, _ := strings.Cut(s, "a=rtpmap:96 "+from)
				return before + "a=rtpmap:96 " + to + "/90000\r\na=control:trackID=0\r\n"
			}}, false}
	}
	quoted := hooked("baseline.h264", WithoutParameters(H264))
	quoted.SDP = func(s, _ string) string {
		before, after, _ := strings.Cut(s, "sprop-parameter-sets=")
		value, after, _ := strings.Cut(after, "\r\n")
		return before + `sprop-parameter-sets="` + strings.ReplaceAll(value, ",", " , ") + "\"\r\n" + after
	}
	early := Config{Tracks: append([]Track{{Media: Tone(PCMU, 8000)}}, video("baseline.h264", nil)...)}
	second := Config{Tracks: append(video("small.h264", nil), video("baseline.h264", nil)...), Answers: []Answer{
		{Method: "SETUP", When: func(r *Request, _ int) bool { return trackOf(r.URL) == 0 }, Status: 500}}}
	return []Behaviour{
		sdp("no-port", "the medium has no port", "cheap cameras", line, "m=video RTP/AVP 96"),
		sdp("ports", "the medium has two ports", "RFC 8866, 5.14", line, "m=video 0/2 RTP/AVP 96"),
		sdp("tabs", "tabs instead of spaces", "cheap cameras", line, "m=video\t0\tRTP/AVP\t96", name,
			"a=rtpmap:96\tH264/90000"),
		sdp("spaces", "spaces where there should be none", "retina 0.3.9", name, "a=rtpmap: 96  H264 / 90000 "),
		sdp("cr", "lines end with CR", "cheap cameras", "\r\n", "\r"),
		sdp("clock-0", "a clock of 0 Hz", "cheap cameras", name, "a=rtpmap:96 H264/0"),
		sdp("clock-1000", "a clock of 1 kHz, and timestamps of 90 kHz", "cheap cameras", name, "a=rtpmap:96 H264/1000"),
		sdp("clock-none", "no clock", "gortsplib: cameras of several makes", name, "a=rtpmap:96 H264"),
		sdp("odd-lines", "lines that say nothing", "gortsplib#906, mediamtx#5008", "t=0 0\r\n",
			"c=IN \r\nt=\r\nr=0\r\nz=\r\n=\r\nb=\r\nx\r\nk=prompt\r\na=\r\na=range:npt=now-\r\n"),
		mute("baseline.h264", H264, ""), mute("plain.h265", H265, "-h265"),
		lies("plain.h265", "h265", "H265", "H264"), lies("baseline.h264", "h264", "H264", "H265"),
		{"sdp-quoted", 33, "parameter sets in quotes, with spaces, in the SDP only", "cheap cameras", quoted, false},
		{"sdp-sound-first", 33, "sound stands before the pictures", "Wowza; retina testdata", early, false},
		{"sdp-first-fails", 33, "the first of two streams of pictures cannot be set up", "recorders", second, false},
	}
}
