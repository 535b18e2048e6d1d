package fakecam_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
)

// says makes a check of text in the newest answer to a method.
func says(method string, texts ...string) func(*client) bool {
	return func(c *client) bool {
		for _, text := range texts {
			if !strings.Contains(c.answers[method], text) {
				return false
			}
		}
		return c.answers[method] != ""
	}
}

func lacks(method, text string) func(*client) bool {
	return func(c *client) bool { return c.answers[method] != "" && !strings.Contains(c.answers[method], text) }
}

func asked(method string) func(*client) bool {
	return func(c *client) bool { return len(c.asked) > 0 && strings.HasPrefix(c.asked[0], method) }
}

// step makes a check of the distance of two pictures, in ticks.
func step(like func(int32) bool) func(*client) bool {
	return func(c *client) bool {
		for _, s := range c.steps() {
			if like(s) {
				return true
			}
		}
		return false
	}
}

func payload(like func([]byte) bool) func(*client) bool {
	return func(c *client) bool { return c.payloads(like) }
}

// nals makes a check of the types of NAL units that came alone or in a STAP-A.
func nals(encoding string, like func(types []byte) bool) func(*client) bool {
	return func(c *client) bool {
		var types []byte
		for _, p := range c.packets {
			switch {
			case encoding == fakecam.H265:
				types = append(types, p.Payload[0]>>1&0x3f)
			case p.Payload[0]&0x1f == 24:
				for rest := p.Payload[1:]; len(rest) > 2; {
					n := int(rest[0])<<8 | int(rest[1])
					types = append(types, rest[2]&0x1f)
					rest = rest[min(2+n, len(rest)):]
				}
			default:
				types = append(types, p.Payload[0]&0x1f)
			}
		}
		return like(types)
	}
}

// ntp makes a check of the times of reports, in seconds from now.
func ntp(like func(seconds float64) bool) func(*client) bool {
	return func(c *client) bool {
		for _, r := range c.reports {
			if like(float64(int64(r.NTPTime>>32)-2208988800) - float64(time.Now().Unix())) {
				return true
			}
		}
		return false
	}
}

// twoClocks says whether a report is a second older than one that came before it.
func twoClocks(c *client) bool {
	for i := 1; i < len(c.reports); i++ {
		if c.reports[i].NTPTime+1<<32 < c.reports[i-1].NTPTime {
			return true
		}
	}
	return false
}

func far(s float64) bool { return s < -300*24*3600 }

// sequence makes a check of the distance of sequence numbers that follow one another.
func sequence(like func(step int16) bool) func(*client) bool {
	return func(c *client) bool {
		for i := 1; i < len(c.packets); i++ {
			if like(int16(c.packets[i].SequenceNumber - c.packets[i-1].SequenceNumber)) {
				return true
			}
		}
		return false
	}
}

func newSSRC(c *client) bool {
	return len(c.packets) > 0 && c.packets[0].SSRC != c.packets[len(c.packets)-1].SSRC
}

func markers(like func(with, pictures int) bool) func(*client) bool {
	return func(c *client) bool {
		with := 0
		for _, p := range c.packets {
			if p.Marker {
				with++
			}
		}
		return len(c.pictures()) > 30 && like(with, len(c.pictures()))
	}
}

// second makes a check of the sound: a payload of the second track.
func second(like func(p packet) bool) func(*client) bool {
	return func(c *client) bool {
		for _, p := range c.packets {
			if p.channel == 2 && like(p) {
				return true
			}
		}
		return false
	}
}

func sized(n int) func(packet) bool { return func(p packet) bool { return len(p.Payload) == n } }

// all makes one check of several.
func both(a, b func(*client) bool) func(*client) bool {
	return func(c *client) bool { return a(c) && b(c) }
}

// checks say how each behaviour shows to a client that plays over TCP. None of them holds for a camera without
// oddities. Those missing need more than that; tests of their own have them.
var checks = map[string]func(*client) bool{
	"options-404": says("OPTIONS", " 404 "),
	"options-405": says("OPTIONS", " 405 "),
	"options-501": says("OPTIONS", " 501 "),

	"asks-options":       asked("OPTIONS "),
	"asks-get-parameter": asked("GET_PARAMETER "),
	"asks-set-parameter": asked("SET_PARAMETER "),
	"asks-announce":      asked("ANNOUNCE "),
	"asks-redirect":      asked("REDIRECT "),

	"session-spaces":        says("SETUP", " ; timeout = 60 "),
	"session-60s":           says("SETUP", ";timeout=60s"),
	"session-empty-timeout": says("SETUP", ";timeout=\r\n"),
	"session-upper-case":    says("SETUP", ";Timeout=60"),
	"session-no-timeout":    lacks("SETUP", "timeout"),
	"session-changes": func(c *client) bool {
		return strings.HasSuffix(c.session("SETUP"), "a") && strings.HasSuffix(c.session("PLAY"), "b")
	},

	"login-sha-256":     both(says("DESCRIBE", "algorithm=SHA-256"), lacks("DESCRIBE", "Basic")),
	"login-several":     says("DESCRIBE", "algorithm=SHA-256", "Basic"),
	"login-basic-first": func(c *client) bool { return before(c.answers["DESCRIBE"], "Basic", "Digest") },
	"login-basic":       both(says("DESCRIBE", "Basic"), lacks("DESCRIBE", "Digest")),
	"login-md5-sess":    says("DESCRIBE", "algorithm=MD5-sess"),
	"login-qop":         says("DESCRIBE", `qop="auth-int,auth"`),
	"login-lower-case":  says("DESCRIBE", "WWW-Authenticate: digest"),

	"password-odd": says("DESCRIBE", " 401 "),
	"path-odd":     func(c *client) bool { return strings.Contains(c.camera.URL(), "%23") && len(c.packets) > 0 },
	"path-query":   func(c *client) bool { return strings.Contains(c.camera.URL(), "?user=") && len(c.packets) > 0 },
	"ipv6":         func(c *client) bool { return strings.Contains(c.camera.URL(), "[::1]") && len(c.packets) > 0 },

	"base-no-scheme":     says("DESCRIBE", "Content-Base: 127.0.0.1"),
	"base-doubled":       says("DESCRIBE", "rtsp://rtsp://"),
	"base-mapped":        says("DESCRIBE", "://::ffff:127.0.0.1"),
	"base-star":          says("DESCRIBE", "Content-Base: *\r\n"),
	"base-zero":          says("DESCRIBE", "Content-Base: rtsp://0.0.0.0/"),
	"base-other-host":    says("DESCRIBE", "Content-Base: rtsp://192.0.2.7/"),
	"base-path":          says("DESCRIBE", "Content-Base: /live/"),
	"base-none":          lacks("DESCRIBE", "Content-Base"),
	"base-no-slash":      says("DESCRIBE", "/live\r\nContent-Type"),
	"control-absolute":   says("DESCRIBE", "a=control:rtsp://127.0.0.1"),
	"control-other-host": says("DESCRIBE", "a=control:rtsp://192.0.2.7"),
	"control-query":      says("DESCRIBE", "trackID=0?mode"),
	"control-slash":      says("DESCRIBE", "a=control:/trackID=0"),
	"control-none":       lacks("DESCRIBE", "a=control"),
	"base-query":         says("DESCRIBE", "?channel=1"),

	"sdp-mid":                   says("DESCRIBE", "a=mid:meta-1"),
	"sdp-aac-without-config":    says("DESCRIBE", "MPEG4-GENERIC"),
	"sdp-opus-without-channels": says("DESCRIBE", "opus/48000\r\n"),
	"sdp-type-without-rtpmap":   both(says("DESCRIBE", "AVP 97"), lacks("DESCRIBE", "rtpmap:97")),
	"sdp-metadata":              says("DESCRIBE", "m=metadata"),
	"sdp-fmtp-of-another":       says("DESCRIBE", "m=audio 0 RTP/AVP 0\r\na=fmtp:96"),
	"sdp-h265-empty-sprop":      says("DESCRIBE", "sprop-sps=;"),
	"sdp-bad-base64":            says("DESCRIBE", "sets=*!"),
	"sdp-no-origin":             lacks("DESCRIBE", "o="),
	"sdp-two-names":             says("DESCRIBE", "s=Fake\r\ns=camera"),

	"udp-only":  says("SETUP", " 461 "),
	"udp-large": payload(func(p []byte) bool { return len(p) > 5000 }),

	"channel-other":       both(says("SETUP", "interleaved=4-5"), func(c *client) bool { return onChannel(c, 4) }),
	"channel-single":      says("SETUP", "interleaved=0\r\n"),
	"channel-none":        lacks("SETUP", "interleaved"),
	"channel-without-tcp": says("SETUP", "RTP/AVP;"),
	"channel-lower-case":  says("SETUP", "rtp/avp/tcp"),
	"channel-spaces":      says("SETUP", " ; "),
	"channel-lies":        both(says("SETUP", "interleaved=2-3"), func(c *client) bool { return onChannel(c, 0) }),

	"parameters-sdp-only": nals(fakecam.H264, pictures(func(t []byte) bool {
		return !bytes.ContainsAny(t,
			"\x07\x08")
	})),
	"parameters-stream-only": lacks("DESCRIBE", "sprop"),
	"parameters-other-size":  func(c *client) bool { return changed(c, "sprop-parameter-sets=") },
	"parameters-annex-b":     says("DESCRIBE", "sprop-parameter-sets=AAAAAW"),
	"parameters-no-pps":      nals(fakecam.H264, pictures(func(t []byte) bool { return !bytes.Contains(t, []byte{8}) })),
	"size-changes":           func(c *client) bool { return countSPS(c) > 1 },

	"mode-absent": lacks("DESCRIBE", "packetization-mode"),
	"mode-0":      says("DESCRIBE", "packetization-mode=0"),
	"mode-2":      says("DESCRIBE", "packetization-mode=2"),
	"many-slices": nals(fakecam.H264, func(t []byte) bool { return bytes.Count(t, []byte{1}) > 600 }),
	"large-unit":  payload(func(p []byte) bool { return p[0]&0x1f == 28 && p[1]&0x1f == 12 }),

	"fragment-both":  payload(func(p []byte) bool { return p[0]&0x1f == 28 && p[1]&0xc0 == 0xc0 }),
	"fragment-type":  payload(func(p []byte) bool { return p[0]&0x1f == 28 && p[1]&0x9f == 1 && p[0]>>5 == 3 }),
	"fragment-empty": payload(func(p []byte) bool { return p[0]&0x1f == 28 && len(p) == 2 }),
	"start-codes":    payload(func(p []byte) bool { return bytes.Contains(p, []byte{0, 0, 0, 1}) }),
	"aggregate-padded": payload(func(p []byte) bool {
		return p[0]&0x1f == 24 && bytes.HasSuffix(p, []byte{0, 0, 0,
			0})
	}),

	"marker-never":      markers(func(with, _ int) bool { return with == 0 }),
	"marker-never-h265": markers(func(with, _ int) bool { return with == 0 }),
	"marker-each-unit":  markers(func(with, pictures int) bool { return with > pictures }),
	"marker-early":      markers(func(with, pictures int) bool { return with > pictures }),

	"loss":                 sequence(func(s int16) bool { return s == 2 }),
	"reorder":              sequence(func(s int16) bool { return s == -1 }),
	"duplicates":           sequence(func(s int16) bool { return s == 0 }),
	"sequence-restarts":    sequence(func(s int16) bool { return s < -10 || s > 10 }),
	"ssrc-changes":         newSSRC,
	"ssrc-and-time-change": both(newSSRC, step(func(s int32) bool { return s > 900*90000 || s < 0 })),

	"time-jumps":     step(func(s int32) bool { return s > 900*90000 }),
	"time-goes-back": step(func(s int32) bool { return s < -9*90000 }),
	"time-single":    step(func(s int32) bool { return s > 7000*90000 || s < -7000*90000 }),
	"time-stands":    step(func(s int32) bool { return s == 1 }),
	"time-wraps": func(c *client) bool {
		p := c.pictures()
		return len(p) > 30 && p[0].Timestamp > 1<<31 && p[len(p)-1].Timestamp < 1<<20
	},
	"rate-slow": step(func(s int32) bool { return s == 3024 }),
	"rate-fast": step(func(s int32) bool { return s == 37800 }),
	"rate-none": func(c *client) bool { return len(c.packets) > 60 && len(c.pictures()) == 1 },

	"clock-never":      func(c *client) bool { return len(c.pictures()) > 50 && len(c.reports) == 0 },
	"clock-1900":       ntp(func(s float64) bool { return s < -3e9 }),
	"clock-1970":       ntp(func(s float64) bool { return s > -2e9 && s < -1e9 }),
	"clock-boot":       ntp(func(s float64) bool { return s < -3e9 }),
	"clock-local":      ntp(func(s float64) bool { return s > 8*3600 && s < 10*3600 }),
	"clock-cut":        func(c *client) bool { return c.badRTCP },
	"clock-length":     func(c *client) bool { return c.badRTCP },
	"clock-swings":     ntp(func(s float64) bool { return s > 1 && s < 3 }),
	"clock-other-ssrc": func(c *client) bool { return len(c.reports) > 0 && c.reports[0].SSRC != c.packets[0].SSRC },
	"clock-two":        twoClocks,
	"clock-steps":      ntp(func(s float64) bool { return s > 3000 && s < 4000 }),
	"clock-2000":       ntp(func(s float64) bool { return far(s) && s > -1e9 }),
	"closes":           func(c *client) bool { return c.ended },

	"long-gop":      nals(fakecam.H264, func(t []byte) bool { return len(t) > 100 && bytes.Count(t, []byte{7}) == 1 }),
	"mid-gop":       func(c *client) bool { return len(c.packets) > 0 && c.packets[0].Payload[0]&0x1f == 1 },
	"half-frames":   func(c *client) bool { return c.broken },
	"b-frames":      step(func(s int32) bool { return s < 0 }),
	"h265":          says("DESCRIBE", "H265/90000"),
	"h265-b-frames": both(says("DESCRIBE", "H265/90000"), step(func(s int32) bool { return s < 0 })),
	"high":          says("DESCRIBE", "profile-level-id=64"),
	"ten-bit":       says("DESCRIBE", "profile-level-id=6E"),
	"interlaced":    says("DESCRIBE", "profile-level-id=4D"),
	"mpeg-4":        says("DESCRIBE", "MP4V-ES"),
	"mpeg-4-b-frames": payload(func(p []byte) bool { // a picture that is one
		return bytes.HasPrefix(p, []byte{0, 0, 1, 0xb6}) && p[4]>>6 == 2
	}),
	"mpeg-4-unmarked": markers(func(with, _ int) bool { return with == 0 }),
	"mpeg-4-config": func(c *client) bool {
		return strings.Contains(c.answers["DESCRIBE"], "MP4V-ES") && !strings.Contains(c.answers["DESCRIBE"], "config=")
	},

	"jpeg-q-255":   jpegQ(255, 1),
	"jpeg-q-50":    jpegQ(50, 1),
	"jpeg-q-110":   jpegQ(110, 1),
	"jpeg-restart": jpegQ(255, 65),
	"jpeg-size-0":  both(says("DESCRIBE", "JPEG"), payload(func(p []byte) bool { return p[6] == 0 && p[7] == 0 })),

	"sound-pcmu":     both(says("DESCRIBE", "PCMU/8000"), second(sized(160))),
	"sound-pcma":     both(says("DESCRIBE", "PCMA/8000"), second(sized(160))),
	"sound-pcma-16k": both(says("DESCRIBE", "PCMA/16000"), second(sized(320))),
	"sound-l16":      both(says("DESCRIBE", "L16/16000"), second(sized(640))),
	"sound-aac": both(says("DESCRIBE", "MPEG4-GENERIC"),
		second(func(p packet) bool { return p.Payload[4] != 0xff })),
	"sound-aac-adts":   second(func(p packet) bool { return bytes.HasPrefix(p.Payload[4:], []byte{0xff, 0xf1}) }),
	"sound-aac-length": second(func(p packet) bool { return bytes.HasPrefix(p.Payload[2:], []byte{0xff, 0xf8}) }),
	"sound-opus":       both(says("DESCRIBE", "opus/48000/2"), second(sized(80))),
	"sound-opus-mono":  says("DESCRIBE", "opus/48000/1"),
	"sound-g726":       both(says("DESCRIBE", "G726-32"), second(sized(80))),
	"sound-latm":       says("DESCRIBE", "cpresent=0"),
	"sound-latm-config": both(says("DESCRIBE", "MP4A-LATM"), func(c *client) bool {
		return !strings.Contains(c.answers["DESCRIBE"], "cpresent")
	}),
	"sound-changes": second(func(p packet) bool { return p.PayloadType == 8 }),

	"redirect-name":  says("DESCRIBE", " 302 ", "Location: live\r\n"),
	"redirect-query": says("DESCRIBE", " 302 ", "/live?node=1\r\n"),
	"redirect-setup": says("SETUP", " 302 ", "Location: /live\r\n"),
	"play-late":      says("PLAY", "Session: 1\r\n"),
	"play-aggregate": says("PLAY", " 459 "),
	"wrong-url-400":  lacks("DESCRIBE", "/live/"),
	"answers-within": says("", " 400 "),
	"empty-frames":   func(c *client) bool { return c.broken },
	"session-changes-enforced": func(c *client) bool {
		return strings.HasSuffix(c.session("PLAY"), "b") && strings.Contains(c.answers["PLAY"], "timeout=5\r\n")
	},

	"sdp-no-port":          says("DESCRIBE", "m=video RTP/AVP"),
	"sdp-ports":            says("DESCRIBE", "m=video 0/2 "),
	"sdp-tabs":             says("DESCRIBE", "rtpmap:96\tH264"),
	"sdp-spaces":           says("DESCRIBE", "rtpmap: 96  H264 / 90000 "),
	"sdp-cr":               lacks("DESCRIBE", "H264/90000\r\n"),
	"sdp-clock-0":          says("DESCRIBE", "H264/0\r\n"),
	"sdp-clock-1000":       says("DESCRIBE", "H264/1000\r\n"),
	"sdp-clock-none":       says("DESCRIBE", "H264\r\n"),
	"sdp-odd-lines":        says("DESCRIBE", "\r\n=\r\n"),
	"sdp-unnamed":          both(lacks("DESCRIBE", "rtpmap"), payload(func(p []byte) bool { return p[0]&0x1f == 24 })),
	"sdp-unnamed-h265":     both(lacks("DESCRIBE", "rtpmap"), payload(is265)),
	"sdp-other-codec-h265": both(says("DESCRIBE", "H264/90000"), payload(is265)),
	"sdp-other-codec-h264": says("DESCRIBE", "H265/90000"),
	"sdp-quoted":           says("DESCRIBE", `sets="`, ` , `),
	"sdp-sound-first":      func(c *client) bool { return before(c.answers["DESCRIBE"], "m=audio", "m=video") },
	"sdp-first-fails":      func(c *client) bool { return strings.Count(c.answers["DESCRIBE"], "m=video") == 2 },

	"foreign-repairs":  packets(func(p packet) bool { return p.PayloadType == 99 }),
	"foreign-type":     packets(func(p packet) bool { return p.PayloadType == 50 }),
	"foreign-twin":     func(c *client) bool { return len(c.packets) > 2 && c.packets[0].SSRC != c.packets[1].SSRC },
	"foreign-channel":  packets(func(p packet) bool { return p.channel == 4 }),
	"garbage":          func(c *client) bool { return c.broken },
	"bye":              func(c *client) bool { return len(c.reports) > 0 && len(c.reports[0].ProfileExtensions) > 0 },
	"channels-swapped": func(c *client) bool { return c.badRTCP },
	"type-changes":     packets(func(p packet) bool { return p.PayloadType == 97 }),

	"padding":            packets(func(p packet) bool { return p.Padding && p.PaddingSize == 4 }),
	"padding-wrong":      func(c *client) bool { return c.broken || len(c.packets) > 0 && c.packets[0].Padding },
	"extensions":         packets(func(p packet) bool { return p.Extension && len(p.CSRC) == 2 }),
	"numbers-stand":      packets(func(p packet) bool { return p.SequenceNumber == 0 && p.Marker }),
	"numbers-by-picture": both(sequence(func(s int16) bool { return s == 0 }), lonely),
	"time-by-packet":     step(func(s int32) bool { return s == 1 }),
	"time-by-pair":       step(func(s int32) bool { return s == 7200 }),
	"delimiters":         nals(fakecam.H264, func(t []byte) bool { return bytes.Contains(t, []byte{9, 6}) }),
	"fragment-small": func(c *client) bool {
		return len(c.packets) > 100 && !c.payloads(func(p []byte) bool { return len(p) > 100 })
	},
	"stap-b":          payload(func(p []byte) bool { return p[0]&0x1f == 25 }),
	"mtap":            payload(func(p []byte) bool { return p[0]&0x1f == 26 }),
	"h265-numbered":   says("DESCRIBE", "sprop-max-don-diff=1"),
	"h265-paci":       payload(func(p []byte) bool { return p[0]>>1&0x3f == 50 }),
	"intra-refresh":   nals(fakecam.H264, pictures(func(t []byte) bool { return !bytes.Contains(t, []byte{5}) })),
	"recovery-points": nals(fakecam.H264, pictures(func(t []byte) bool { return !bytes.Contains(t, []byte{5}) })),
}

// packets makes a check of any packet.
func packets(like func(packet) bool) func(*client) bool {
	return func(c *client) bool { return slices.ContainsFunc(c.packets, like) }
}

// lonely says that the last packets of pictures are not the only ones that have a number of their own.
func lonely(c *client) bool {
	return len(c.packets) > 30 && len(c.pictures()) > 10 && !sequence(func(s int16) bool { return s > 1 })(c)
}

func is265(p []byte) bool { return (p[0] == 0x60 || p[0] == 0x40) && p[1] == 1 }

func before(s, first, second string) bool {
	i, j := strings.Index(s, first), strings.Index(s, second)
	return i >= 0 && i < j
}

func onChannel(c *client, channel byte) bool {
	return len(c.packets) > 0 && c.packets[0].channel == channel
}

// pictures makes a check of NAL types hold only once there are many.
func pictures(like func([]byte) bool) func([]byte) bool {
	return func(types []byte) bool { return len(types) > 100 && like(types) }
}

// countSPS counts the different SPS that came.
func countSPS(c *client) int {
	found := map[string]bool{}
	c.payloads(func(p []byte) bool {
		if p[0]&0x1f == 24 && p[3]&0x1f == 7 {
			found[string(p[3:3+int(p[1])<<8+int(p[2])])] = true
		}
		return false
	})
	return len(found)
}

// changed says whether a parameter of the description is another than that of a camera without oddities.
func changed(c *client, name string) bool {
	value := func(c *client) string {
		_, rest, _ := strings.Cut(c.answers["DESCRIBE"], name)
		v, _, _ := strings.Cut(rest, "\r\n")
		return v
	}
	return value(c) != "" && value(c) != value(plain()(c.t))
}

func jpegQ(q, kind byte) func(*client) bool {
	return both(says("DESCRIBE", "JPEG/90000"), payload(func(p []byte) bool { return p[5] == q && p[4] == kind }))
}

// elsewhere are behaviours that show only to more than playing once over TCP, and the tests that have them.
var elsewhere = map[string]string{
	"options-silent": "TestSilentAndSlow", "slow-describe": "TestSilentAndSlow", "slow-picture": "TestSilentAndSlow",
	"keepalive-get-parameter": "TestKeepalives", "keepalive-options": "TestKeepalives",
	"keepalive-hangup":     "TestKeepalives",
	"keepalive-unanswered": "TestKeepalives", "keepalive-set-parameter-400": "TestKeepalives",
	"keepalive-often": "TestKeepalives", "login-user-agent": "TestLogins", "login-nonce-expires": "TestLogins",
	"login-nonce-expires-unsaid": "TestLogins", "login-nonce-expires-playing": "TestLogins",
	"udp-461": "TestUDP", "udp-silent": "TestUDP", "udp-answered-tcp": "TestUDP",
	"one-viewer-453": "TestViewers", "one-viewer-503": "TestViewers", "one-viewer-reset": "TestViewers",
	"one-viewer-describe": "TestViewers", "dead-session": "TestDeadSession", "dead-session-adopted": "TestDeadSession",
	"obeys-pli": "TestObeys", "obeys-fir": "TestObeys",
	"backchannel": "TestBackChannel", "backchannel-551": "TestBackChannel", "backchannel-busy": "TestBackChannel",
	"backchannel-aac": "TestBackChannel", "backchannel-range": "TestBackChannel",
	"greeting": "TestGreeting", "play-silent": "TestPlaysSilently", "play-range": "TestRangeIsRefused",
}

func TestBehaviours(t *testing.T) {
	reference := plain()(t)
	names := map[string]bool{}
	for _, b := range fakecam.Behaviours() {
		if names[b.Name] || b.Seen == "" || b.Source == "" || b.Group < 1 {
			t.Errorf("%s: its name is not the only one, or what is seen, source or group is missing", b.Name)
		}
		names[b.Name] = true
		check := checks[b.Name]
		if check == nil {
			if elsewhere[b.Name] == "" && odd[b.Name] == nil {
				t.Errorf("%s is not tested", b.Name)
			}
			continue
		}
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			if check(reference) {
				t.Error("it shows with a camera without oddities too")
			}
			b.Config.Speed = 8
			c := dial(t, fakecam.Start(t, b.Config))
			c.do("OPTIONS", c.camera.URL())
			c.play("")
			if !c.until(check) {
				t.Errorf("it does not show; answers: %q, %d packets, %d reports, asked %q",
					c.answers, len(c.packets), len(c.reports), c.asked)
			}
		})
	}
	for i := 1; i <= 30; i++ {
		if !hasGroup(i) {
			t.Errorf("there is no behaviour of group %d", i)
		}
	}
}

func hasGroup(n int) bool {
	for _, b := range fakecam.Behaviours() {
		if b.Group == n {
			return true
		}
	}
	return false
}
