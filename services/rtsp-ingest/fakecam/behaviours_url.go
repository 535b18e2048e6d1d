package fakecam

import "strings"

func loginBehaviours() []Behaviour {
	login := func(name, seen, source string, change func(*Login)) Behaviour {
		l := Login{User: "admin", Password: "secret"}
		change(&l)
		return Behaviour{"login-" + name, 6, seen, source, Config{Login: l}, false}
	}
	const md5, sha = `Digest realm="fake", nonce="%n"`, `Digest realm="fake", nonce="%n", algorithm=SHA-256`
	offers := func(challenges ...string) func(*Login) { return func(l *Login) { l.Challenges = challenges } }
	return []Behaviour{
		login("sha-256", "Digest with SHA-256 only", "go2rtc PR#2344: Hikvision OEM", offers(sha)),
		login("several", "several challenges", "go2rtc PR#2451", offers(sha, md5, `Basic realm="fake"`)),
		login("basic-first", "Basic before Digest, which is the better one", "go2rtc PR#2451",
			offers(`Basic realm="fake"`, md5)),
		login("basic", "Basic only", "old cameras", offers(`Basic realm="fake"`)),
		login("md5-sess", "Digest with MD5-sess", "RFC 7616",
			offers(`Digest realm="fake", nonce="%n", algorithm=MD5-sess, qop="auth"`)),
		login("qop", "Digest with qop, whose first value is another", "RFC 7616",
			offers(`Digest realm="fake", nonce="%n", qop="auth-int,auth", opaque="0123"`)),
		login("lower-case", "the scheme in lower case", "cameras of several makes",
			offers(`digest realm="fake", nonce="%n", algorithm="MD5"`)),
		login("user-agent", "401 without User-Agent", "go2rtc#235", func(l *Login) { l.UserAgent = true }),
		login("nonce-expires", "the nonce expires at PLAY", "Dahua, Hikvision",
			func(l *Login) { l.Expire, l.Stale = []string{"PLAY"}, true }),
		login("nonce-expires-unsaid", "the nonce expires at PLAY, and stale is not said", "Dahua, Hikvision",
			func(l *Login) { l.Expire = []string{"PLAY"} }),
		login("nonce-expires-playing", "the nonce expires while it plays", "Dahua, Hikvision",
			func(l *Login) { l.Expire = []string{"OPTIONS", "GET_PARAMETER", "TEARDOWN"} }),
	}
}

func urlBehaviours() []Behaviour {
	return []Behaviour{
		{"password-odd", 7, "signs in the password that URLs use", "users of every project",
			Config{Login: Login{User: "a@b", Password: "p@:/#?% ñж"}}, false},
		{"path-odd", 7, "signs in the path", "users of every project",
			Config{Path: "/Streaming/%D0%BA%D0%B0%D0%BC%20%231%25/live"}, false},
		{"path-query", 7, "the account is in the query", "XMeye cameras",
			Config{Path: "/stream", Query: "user=admin_password=secret_channel=1"}, false},
		{"ipv6", 7, "an address of IPv6", "RFC 2732", Config{Listen: "[::1]:0"}, false},
	}
}

func baseBehaviours() []Behaviour {
	base := func(name, seen, source string, f func(string) string) Behaviour {
		return Behaviour{"base-" + name, 8, seen, source, Config{ContentBase: f, OwnHost: true}, false}
	}
	fixed := func(s string) func(string) string { return func(string) string { return s } }
	control := func(name, seen, source string, to func(url string) string) Behaviour {
		return Behaviour{"control-" + name, 8, seen, source, Config{SDP: func(sdp, url string) string {
			return strings.ReplaceAll(sdp, "a=control:trackID=0", to(url))
		}, OwnHost: true}, false}
	}
	return []Behaviour{
		base("no-scheme", "Content-Base without scheme", "go2rtc#1852: Anjvision",
			func(url string) string { return strings.TrimPrefix(url, "rtsp://") + "/" }),
		base("doubled", "Content-Base: rtsp://rtsp://", "go2rtc#830",
			func(url string) string { return "rtsp://" + url + "/" }),
		base("mapped", "Content-Base: rtsp://::ffff:…", "retina testdata",
			func(url string) string { return strings.Replace(url, "://", "://::ffff:", 1) + "/" }),
		base("star", "Content-Base: *", "retina testdata", fixed("*")),
		base("zero", "Content-Base: rtsp://0.0.0.0/", "go2rtc", fixed("rtsp://0.0.0.0/live/")),
		base("other-host", "Content-Base names an address behind NAT", "gortsplib", fixed("rtsp://192.0.2.7/live/")),
		base("path", "Content-Base is a path", "gortsplib", fixed("/live/")),
		base("none", "no Content-Base", "RFC 2326", fixed("")),
		base("no-slash", "Content-Base without the last slash", "retina", func(url string) string { return url }),
		control("absolute", "control is absolute", "RFC 2326",
			func(url string) string { return "a=control:" + url + "/trackID=0" }),
		control("other-host", "control names another host", "go2rtc#1236",
			func(string) string { return "a=control:rtsp://192.0.2.7/live/trackID=0" }),
		control("query", "control has a query", "retina testdata",
			func(string) string { return "a=control:trackID=0?mode=unicast" }),
		control("slash", "control begins with a slash", "gortsplib#121: Dahua",
			func(string) string { return "a=control:/trackID=0" }),
		{"control-none", 8, "no control", "retina#9: VStarcam", Config{SDP: func(sdp, _ string) string {
			sdp = strings.ReplaceAll(sdp, "a=control:trackID=0\r\n", "")
			return strings.ReplaceAll(sdp, "a=control:*\r\n", "")
		}}, false},
		{"base-query", 8, "the URL has a query, and control is relative", "Dahua",
			Config{Query: "channel=1&subtype=0", ContentBase: func(url string) string { return url }}, false},
	}
}

// sectionBehaviours have an SDP of which a part is broken.
func sectionBehaviours() []Behaviour {
	with := func(name, seen, source string, lines ...string) Behaviour {
		section := strings.Join(append(lines, "a=control:trackID=9"), "\r\n") + "\r\n"
		return Behaviour{"sdp-" + name, 9, seen, source,
			Config{SDP: func(sdp, _ string) string { return sdp + section }}, false}
	}
	h265 := Config{Tracks: video("plain.h265", nil), SDP: func(sdp, _ string) string {
		before, _, _ := strings.Cut(sdp, "a=fmtp:96 ")
		return before + "a=fmtp:96 sprop-vps=; sprop-sps=; sprop-pps=\r\na=control:trackID=0\r\n"
	}}
	return []Behaviour{
		with("mid", "a=mid:meta-1 in a section of metadata", "retina testdata",
			"m=application 0 RTP/AVP 107", "a=mid:meta-1", "a=rtpmap:107 vnd.onvif.metadata/90000"),
		with("aac-without-config", "AAC without its configuration", "gortsplib",
			"m=audio 0 RTP/AVP 97", "a=rtpmap:97 MPEG4-GENERIC/16000", "a=fmtp:97 mode=AAC-hbr; sizelength=13"),
		with("opus-without-channels", "Opus without channels", "go2rtc#1506",
			"m=audio 0 RTP/AVP 97", "a=rtpmap:97 opus/48000"),
		with("type-without-rtpmap", "a dynamic payload type without rtpmap", "retina testdata", "m=audio 0 RTP/AVP 97"),
		with("metadata", "m=metadata", "gortsplib", "m=metadata 0 RTP/AVP 107", "a=rtpmap:107 vnd.onvif.metadata/90000"),
		with("fmtp-of-another", "parameters of the payload type of another section", "go2rtc",
			"m=audio 0 RTP/AVP 0", "a=fmtp:96 packetization-mode=1"),
		{"sdp-h265-empty-sprop", 9, "H.265 with empty parameter sets", "gortsplib", h265, false},
		{"sdp-bad-base64", 9, "parameter sets that are not base64", "gortsplib",
			Config{SDP: edit("sprop-parameter-sets=", "sprop-parameter-sets=*!")}, false},
		{"sdp-no-origin", 9, "no o=", "retina 0.3.8", Config{SDP: edit("o=- 1 1 IN IP4 127.0.0.1\r\n", "")}, false},
		{"sdp-two-names", 9, "several s=", "go2rtc", Config{SDP: edit("s=Fake camera\r\n", "s=Fake\r\ns=camera\r\n")},
			false},
	}
}
