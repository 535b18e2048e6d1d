package rtsp

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// descriptions pairs what cameras describe with what is made of it.
var descriptions = []struct {
	name, sdp           string
	video, sound, leave string
}{
	{"plain", "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track1\r\nm=audio 0 RTP/AVP 8\r\n",
		"video/H264 96 90000 track1", "audio/PCMA 8 8000", ""},
	{"line feeds, no v, several s", "s=a\ns=b\nm=video 0 RTP/AVP 96\na=rtpmap:96 h264/90000", "video/H264 96 90000", "",
		""},
	{"carriage returns", "v=0\rm=video 0 RTP/AVP 96\ra=rtpmap:96 H264/90000", "video/H264 96 90000", "", ""},
	{"H.265", "m=video 0 RTP/AVP 96\na=rtpmap:96 H265/90000\na=fmtp:96 sprop-vps=; sprop-sps=; sprop-pps=",
		"video/H265 96 90000", "", ""},
	{"MJPEG", "m=video 0 RTP/AVP 26\na=control:x", "image/jpeg 26 90000 x", "", ""},
	{"no rtpmap, but sets", "m=video 0 RTP/AVP 96\na=fmtp:96 sprop-parameter-sets=Z0IACpZTBYmI,aMljiA==",
		"video/H264 96 90000 +2", "", ""},
	{"no rtpmap", "m=video 0 RTP/AVP 97\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000", "video/H264 96 90000", "",
		"video: payload type 97 without a name"},
	{"several types", "m=video 0 RTP/AVP 97 x 96\na=rtpmap:97 VP7/90000\na=rtpmap:96 H264/90000", "video/H264 96 90000",
		"", ""},
	{"no clock", "m=video 0 RTP/AVP 96\na=rtpmap:96 H264", "video/H264 96 90000", "", ""},
	{"bad base64 in sets", "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 sprop-parameter-sets=%%,aMljiA==",
		"video/H264 96 90000 +1", "", ""},
	{"start codes in sets",
		"m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 sprop-parameter-sets=AAAAAWdCAAqWUwWJiAAAAAFoyWOI",
		"video/H264 96 90000 +2", "", ""},
	{"fmtp under another medium",
		"m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\nm=audio 0 RTP/AVP 0\na=fmtp:96 sprop-parameter-sets=aMljiA==",
		"video/H264 96 90000 +1", "audio/PCMU 0 8000", ""},
	{"metadata",
		"m=application 0 RTP/AVP 107\na=rtpmap:107 vnd.onvif.metadata/90000\nm=metadata\nm=\nm=video 0 RTP/AVP 26",
		"image/jpeg 26 90000", "", "application,metadata,"},
	{"AAC without config", "m=video 0 RTP/AVP 26\nm=audio 0 RTP/AVP 97\na=rtpmap:97 mpeg4-generic/16000",
		"image/jpeg 26 90000", "audio/aac 97 16000 1408", ""},
	{"AAC",
		"m=video 0 RTP/AVP 26\nm=audio 0 RTP/AVP 97\na=rtpmap:97 MPEG4-GENERIC/16000/2\na=fmtp:97 " +
			"config=1410;sizelength=13;indexlength=3;indexdeltalength=3",
		"image/jpeg 26 90000", "audio/aac 97 16000 1410", ""},
	{"Opus without channels", "m=video 0 RTP/AVP 26\nm=audio 0 RTP/AVP 97\na=rtpmap:97 OPUS/48000", "image/jpeg 26 90000",
		"audio/opus 97 48000", ""},
	{"unknown sound", "m=video 0 RTP/AVP 26\nm=audio 0 RTP/AVP 97\na=rtpmap:97 G729/8000", "image/jpeg 26 90000", "",
		"audio: G729"},
	{"G.726", "m=video 0 RTP/AVP 26\nm=audio 0 RTP/AVP 97\na=rtpmap:97 AAL2-G726-32/8000", "image/jpeg 26 90000",
		"audio/G726 97 8000 41414c322d473732362d3332", ""},
	{"LATM",
		"m=video 0 RTP/AVP 26\nm=audio 0 RTP/AVP 97\na=rtpmap:97 MP4A-LATM/16000/1\na=fmtp:97 cpresent=0; config=40002810",
		"image/jpeg 26 90000", "audio/aac 97 16000 out of band", ""},
	{"LATM without cpresent",
		"m=video 0 RTP/AVP 26\nm=audio 0 RTP/AVP 97\na=rtpmap:97 MP4A-LATM/16000/1\na=fmtp:97 config=40002810",
		"image/jpeg 26 90000", "audio/aac 97 16000 out of band", ""},
	{"LATM in band",
		"m=video 0 RTP/AVP 26\nm=audio 0 RTP/AVP 97\na=rtpmap:97 MP4A-LATM/16000\na=fmtp:97 cpresent=1; config=40002810",
		"image/jpeg 26 90000", "audio/aac 97 16000 in band", ""},
	{"LATM with a broken config",
		"m=video 0 RTP/AVP 26\nm=audio 0 RTP/AVP 97\na=rtpmap:97 MP4A-LATM/16000\na=fmtp:97 config=40",
		"image/jpeg 26 90000", "",
		"audio: AAC in LATM with a configuration that cannot be read (40): set the camera's sound to G.711"},
	{"back channel", "m=video 0 RTP/AVP 26\nm=audio 0 RTP/AVP 0\na=sendonly", "image/jpeg 26 90000", "", ""},
	{"two of each", "m=video 0 RTP/AVP 26\nm=video 0 RTP/AVP 26\nm=audio 0 RTP/AVP 0\nm=audio 0 RTP/AVP 8",
		"image/jpeg 26 90000", "audio/PCMU 0 8000", "another video,another audio"},
	{"no port", "m=video RTP/AVP 96\na=rtpmap:96 H264/90000", "video/H264 96 90000", "", ""},
	{"two ports", "m=video 1024/2 RTP/AVP 96\na=rtpmap:96 H264/90000", "video/H264 96 90000", "", ""},
	{"tabs and spaces", "m=video\t0\tRTP/AVP\t96\na=rtpmap: 96\t H264 / 90000 ", "video/H264 96 90000", "", ""},
	{"sets in quotes",
		"m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96\tsprop-parameter-sets=\"Z0IACpZTBYmI , aMljiA==\"",
		"video/H264 96 90000 +2", "", ""},
	{"nothing but a type", "m=video 0 RTP/AVP 97", "video/H264 97 90000", "", ""},
	{"only a type that is not dynamic", "m=video 0 RTP/AVP 33", "", "", "video: payload type 33 without a name"},
	{"MPEG-4", "m=video 0 RTP/AVP 96\na=rtpmap:96 MP4V-ES/90000\na=fmtp:96 config=000001B001", "video/MPEG4 96 90000 +1",
		"", ""},
	{"MPEG-4 first", "m=video 0 RTP/AVP 96\na=rtpmap:96 MP4V-ES/90000\nm=video 0 RTP/AVP 97\na=rtpmap:97 H264/90000",
		"video/H264 97 90000", "", "another video"},
	{"MPEG-4 last", "m=video 0 RTP/AVP 97\na=rtpmap:97 H264/90000\nm=video 0 RTP/AVP 96\na=rtpmap:96 MP4V-ES/90000",
		"video/H264 97 90000", "", "another video"},
	{"MPEG-4 or H.264",
		"m=video 0 RTP/AVP 98 96 97\na=rtpmap:96 MP4V-ES/90000\na=rtpmap:98 MP4V-ES/90000\na=rtpmap:97 H264/90000",
		"video/H264 97 90000", "", ""},
	{"nothing", "", "", "", ""},
	{"no pictures", "m=audio 0 RTP/AVP 0", "", "audio/PCMU 0 8000", ""},
	{"impossible numbers", "m=video 0 RTP/AVP 300 -1 26\na=rtpmap:26 JPEG/99999999999", "image/jpeg 26 90000", "", ""},
	{"lines without sense", "=\nm\na=\na=rtpmap\na=rtpmap:\na=fmtp:x y\nm=video\na=rtpmap:96\na=control:", "", "",
		"video: no payload type"},
}

func (s *stream) String() string {
	if s == nil {
		return ""
	}
	text := fmt.Sprint(s.config.Track.MediaType, " ", s.config.PayloadType, " ", s.config.ClockRate)
	if s.control != "" {
		text += " " + s.control
	}
	if n := len(s.config.Track.ParameterSets); n > 0 {
		text += fmt.Sprint(" +", n)
	}
	if latm := s.config.LATM; latm != nil {
		text += map[bool]string{true: " in band", false: " out of band"}[latm.Config == nil]
	}
	if len(s.config.Track.Config) > 0 {
		text += " " + hex.EncodeToString(s.config.Track.Config)
	}
	return text
}

func TestDescriptions(t *testing.T) {
	for _, tt := range descriptions {
		t.Run(tt.name, func(t *testing.T) {
			o := parseSDP([]byte(tt.sdp)).choose()
			got := []string{o.video.String(), o.sound.String(), strings.Join(o.left, ",")}
			if want := []string{tt.video, tt.sound, tt.leave}; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("\n got %q\nwant %q", got, want)
			}
		})
	}
}

// backChannels are descriptions with a loudspeaker, or without.
var backChannels = []struct{ name, sdp, want, says string }{
	{"G.711", "m=audio 0 RTP/AVP 0\na=sendonly", "audio/PCMU 0 8000", ""},
	{"at 16 kHz", "m=audio 0 RTP/AVP 98\na=rtpmap:98 PCMA/16000\na=sendonly", "audio/PCMA 98 16000", ""},
	{"AAC first", "m=audio 0 RTP/AVP 97 8\na=rtpmap:97 MPEG4-GENERIC/16000\na=sendonly", "audio/PCMA 8 8000", ""},
	{"two of them", "m=audio 0 RTP/AVP 97\na=rtpmap:97 MPEG4-GENERIC/16000\na=sendonly\n" +
		"m=audio 0 RTP/AVP 98\na=rtpmap:98 L16/16000\na=sendonly", "audio/L16 98 16000", ""},
	{"sound that it sends", "m=audio 0 RTP/AVP 8\na=recvonly\nm=audio 0 RTP/AVP 0\na=sendonly", "audio/PCMU 0 8000", ""},
	{"AAC only", "m=audio 0 RTP/AVP 97 99\na=rtpmap:97 MPEG4-GENERIC/16000\na=rtpmap:99 G726-32/8000\na=sendonly", "",
		"takes only MPEG4-GENERIC, G726-32: set the camera's sound to G.711"},
	{"without a name", "m=audio 0 RTP/AVP 97\na=sendonly", "", "no loudspeaker"},
	{"none", "m=audio 0 RTP/AVP 0\nm=video 0 RTP/AVP 26\na=sendonly", "", "no loudspeaker"},
}

func TestBackChannels(t *testing.T) {
	for _, tt := range backChannels {
		t.Run(tt.name, func(t *testing.T) {
			s, err := parseSDP([]byte(tt.sdp)).ear()
			if s.String() != tt.want || (err == nil) != (tt.says == "") ||
				err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%q, %v; want %q, %q", s, err, tt.want, tt.says)
			}
		})
	}
}

func FuzzDescription(f *testing.F) {
	for _, tt := range descriptions {
		f.Add([]byte(tt.sdp))
	}
	for _, tt := range backChannels {
		f.Add([]byte(tt.sdp))
	}
	f.Fuzz(func(t *testing.T, sdp []byte) {
		d := parseSDP(sdp)
		if len(d.sections) > maxSections {
			t.Fatalf("%d sections", len(d.sections))
		}
		o := d.choose()
		ear, err := d.ear()
		if (ear == nil) == (err == nil) {
			t.Fatalf("a back channel of %v, and %v", ear, err)
		}
		for _, s := range []*stream{o.video, o.sound, ear} {
			if s != nil &&
				(s.config.ClockRate < 1 || s.config.Track.MediaType == "" || len(s.config.Track.ParameterSets) > maxTypes) {
				t.Fatalf("%+v", s.config)
			}
		}
	})
}
