package fakecam

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// describe returns the session description of the tracks, before Config.SDP changes it.
func describe(tracks []Track, host string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	line("v=0")
	line("o=- 1 1 IN IP4 %s", host)
	line("s=Fake camera")
	line("c=IN IP4 0.0.0.0")
	line("t=0 0")
	line("a=control:*")
	for i, t := range tracks {
		m := t.Media
		kind := "audio"
		if m.Video() {
			kind = "video"
		}
		line("m=%s 0 RTP/AVP %d", kind, t.PayloadType)
		line("a=rtpmap:%d %s", t.PayloadType, rtpmap(m))
		if f := fmtp(m); f != "" {
			line("a=fmtp:%d %s", t.PayloadType, f)
		}
		if t.BackChannel {
			line("a=sendonly")
		}
		line("a=control:trackID=%d", i)
	}
	return b.String()
}

func rtpmap(m *Media) string {
	s := fmt.Sprintf("%s/%d", m.Encoding, m.Clock)
	if m.Channels > 0 {
		s += fmt.Sprintf("/%d", m.Channels)
	}
	return s
}

// fmtp returns the parameters of the encoding, "" for none.
func fmtp(m *Media) string {
	switch m.Encoding {
	case H264:
		sets := m.Parameters()
		return fmt.Sprintf("packetization-mode=1; profile-level-id=%X; sprop-parameter-sets=%s,%s",
			sets[0][1:4], base64.StdEncoding.EncodeToString(sets[0]), base64.StdEncoding.EncodeToString(sets[1]))
	case H265:
		sets := m.Parameters()
		return fmt.Sprintf("sprop-vps=%s; sprop-sps=%s; sprop-pps=%s", base64.StdEncoding.EncodeToString(sets[0]),
			base64.StdEncoding.EncodeToString(sets[1]), base64.StdEncoding.EncodeToString(sets[2]))
	case MPEG4:
		return fmt.Sprintf("profile-level-id=1; config=%X", m.Config)
	case AAC:
		return fmt.Sprintf("streamtype=5; profile-level-id=1; mode=AAC-hbr; sizelength=13; indexlength=3; "+
			"indexdeltalength=3; config=%X", m.Config)
	case LATM:
		return fmt.Sprintf("profile-level-id=1; cpresent=0; object=2; config=%X", m.Config)
	case Opus:
		return "sprop-stereo=0"
	}
	return ""
}
