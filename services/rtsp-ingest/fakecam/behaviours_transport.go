package fakecam

import (
	"strings"
	"time"
)

func udpBehaviours() []Behaviour {
	return []Behaviour{
		{"udp-461", 10, "UDP is not supported", "many", Config{Transport: Transport{NoUDP: true}}, false},
		{"udp-silent", 10, "UDP is accepted, and no packet comes", "cameras behind firewalls",
			Config{Transport: Transport{SilentUDP: true}}, false},
		{"udp-answered-tcp", 10, "TCP is answered to UDP", "gortsplib", Config{Transport: Transport{TCPForUDP: true}},
			false},
		{"udp-only", 10, "TCP is not supported", "old cameras", Config{Transport: Transport{NoTCP: true}}, false},
		{"udp-large", 10, "packets of 10 000 bytes", "go2rtc conn.go: Tapo",
			Config{Tracks: video("baseline.h264", func(t *Track) { t.PayloadSize = 10000 })}, false},
	}
}

func channelBehaviours() []Behaviour {
	field := func(name, seen, source string, channel int, pairs ...string) Behaviour {
		t := Transport{Field: strings.NewReplacer(pairs...).Replace}
		if channel >= 0 {
			t.Channel = func(int) int { return channel }
		}
		return Behaviour{"channel-" + name, 11, seen, source, Config{Transport: t}, false}
	}
	return []Behaviour{
		field("other", "other channels than asked for", "gortsplib#72", 4, "interleaved=0-1", "interleaved=4-5"),
		field("single", "one channel only", "gortsplib", -1, "interleaved=0-1", "interleaved=0"),
		field("none", "no channels", "gortsplib#142", -1, ";interleaved=0-1", ""),
		field("without-tcp", "RTP/AVP without /TCP", "go2rtc: Escam Q6", -1, "RTP/AVP/TCP", "RTP/AVP"),
		field("lower-case", "all in lower case", "retina testdata", -1, "RTP/AVP/TCP", "rtp/avp/tcp"),
		field("spaces", "spaces between the parts", "retina testdata", -1, ";", " ; "),
		field("lies", "packets come on the channel asked for, not on the one announced", "retina", 0,
			"interleaved=0-1", "interleaved=2-3"),
	}
}

// viewerBehaviours have one place. Somebody else must take it before they show.
func viewerBehaviours() []Behaviour {
	one := func(s Session) Config { s.Viewers = 1; return Config{Session: s} }
	return []Behaviour{
		{"one-viewer-453", 12, "a second viewer gets 453", "Frigate#5983: Tapo; unifi-cam-proxy#340", one(Session{}),
			false},
		{"one-viewer-503", 12, "a second viewer gets 503", "live555", one(Session{FullStatus: 503}), false},
		{"one-viewer-reset", 12, "a second viewer is disconnected", "cheap cameras", one(Session{FullStatus: -1}), false},
		{"one-viewer-describe", 12, "a second viewer is refused at DESCRIBE", "webrtc-streamer#174: Hikvision",
			one(Session{FullAt: "DESCRIBE"}), false},
		{"dead-session", 13, "a dead viewer keeps the place for a minute", "live555; retina#34",
			one(Session{FullStatus: 503, Linger: time.Minute}), false},
		{"dead-session-adopted", 13, "a dead viewer's place can be taken over by its session", "GStreamer's RTSP server",
			one(Session{FullStatus: 503, Linger: time.Minute, Adopt: true}), false},
	}
}

// backChannelBehaviours show when the back channel is asked for.
func backChannelBehaviours() []Behaviour {
	talk := func(m *Media) []Track {
		return append(video("baseline.h264", nil), Track{Media: m, BackChannel: true})
	}
	requires := func(r *Request, _ int) bool { return r.Header.Get("Require") != "" }
	ranged := func(r *Request, n int) bool { return requires(r, n) && r.Header.Get("Range") != "" }
	busy := func(r *Request, _ int) bool { return trackOf(r.URL) == 1 }
	return []Behaviour{
		{"backchannel", 14, "a back channel with G.711", "ONVIF", Config{Tracks: talk(Tone(PCMU, 8000))}, false},
		{"backchannel-551", 14, "Require is not supported", "go2rtc#571",
			answer(Answer{When: requires, Status: 551}), false},
		{"backchannel-busy", 14, "the back channel is in use", "go2rtc README: Dahua", Config{
			Tracks: talk(Tone(PCMA, 8000)), Answers: []Answer{{Method: "SETUP", When: busy, Status: 453}}}, false},
		{"backchannel-aac", 14, "a back channel with AAC only", "go2rtc PR#2354",
			Config{Tracks: talk(Clip("tone.aac"))}, false},
		{"backchannel-range", 14, "PLAY of a back channel must not name a range", "GStreamer's RTSP server", Config{
			Tracks: talk(Tone(PCMU, 8000)), Answers: []Answer{{Method: "PLAY", When: ranged, Status: 503}}}, false},
	}
}
