package rtsp

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/rtp"
)

// stream is a section that can be used.
type stream struct {
	config  rtp.Config
	control string
	secure  bool   // SRTP
	key     string // MIKEY, "" for that of the description
}

// offer is what of a description can be used.
type offer struct {
	video, sound *stream
	spare        []*stream // other pictures
	left         []string  // what was left out, and why
}

// choose takes the first pictures and the first sound that can be used. If there are no pictures but some whose codec
// is not said, it takes those: what comes shows what they are.
func (d description) choose() (o offer) {
	if o = d.offer(); o.video == nil && d.nameOne() {
		o = d.offer()
	}
	return o
}

func (d description) offer() (o offer) {
	for _, s := range d.sections {
		into := &o.video
		switch {
		case s.kind == "audio" && !s.sendOnly:
			into = &o.sound
		case s.kind == "audio": // the back channel, see Talk
			continue
		case s.kind != "video":
			o.left = append(o.left, shown(s.kind))
			continue
		}
		found, err := s.stream()
		if err == nil && found.key == "" {
			found.key = d.key
		}
		switch {
		case err != nil:
			o.left = append(o.left, shown(s.kind)+": "+err.Error())
		case *into == nil:
			*into = found
		case s.kind == "video":
			if o.video.old() && !found.old() {
				o.video, found = found, o.video
			}
			o.spare = append(o.spare, found)
			fallthrough
		default:
			o.left = append(o.left, "another "+shown(s.kind))
		}
	}
	return o
}

// nameOne gives pictures of an unknown codec the likeliest. It returns false if there are none.
func (d description) nameOne() bool {
	const firstDynamic = 96 // payload type (RFC 3551, 3)
	for _, s := range d.sections {
		i := slices.IndexFunc(s.types, func(t uint8) bool { return t >= firstDynamic && s.maps[t] == "" })
		if s.kind == "video" && i >= 0 {
			s.maps[s.types[i]] = "H264"
			return true
		}
	}
	return false
}

// old says whether pictures are MPEG-4 part 2: cameras that have another encoding too are better asked for that.
func (s *stream) old() bool { return s.config.Track.MediaType == feed.MPEG4 }

// stream returns the first encoding of a section that can be used, preferably not MPEG-4, or what is wrong with the
// last one.
func (s *section) stream() (*stream, error) {
	var found *stream
	err := error(feed.Failf(feed.Unsupported, "", "no payload type"))
	for _, t := range s.types {
		var e encoding
		if e, err = s.encoding(t); err != nil {
			continue
		}
		config := rtp.Config{PayloadType: t, ClockRate: e.clock}
		e.describe(parameters(s.formats[t]), &config)
		if config.Track.MediaType == "" {
			err = feed.Failf(feed.Unsupported, "", "%s", shown(e.name))
			continue
		}
		if _, err = rtp.New(config); err != nil || found != nil && config.Track.MediaType == feed.MPEG4 {
			continue
		}
		found = &stream{config: config, control: s.control, secure: strings.Contains(s.protocol, "SAVP"), key: s.key}
		if !found.old() {
			return found, nil
		}
	}
	if found != nil {
		return found, nil
	}
	return nil, err
}

// describe says what an encoding is; its media type is empty if it cannot be used.
func (e encoding) describe(p map[string]string, c *rtp.Config) {
	t := &c.Track
	switch e.name {
	case "H264":
		*t = feed.Track{MediaType: media.H264, ParameterSets: parameterSets(p["sprop-parameter-sets"])}
	case "H265", "HEVC":
		sets := []string{p["sprop-vps"], p["sprop-sps"], p["sprop-pps"]}
		*t = feed.Track{MediaType: media.H265, ParameterSets: parameterSets(strings.Join(sets, ","))}
		c.Numbered = number(p["sprop-max-don-diff"], 0) > 0
	case "JPEG":
		*t = feed.Track{MediaType: media.JPEG}
	case "MP4V-ES":
		*t = feed.Track{MediaType: feed.MPEG4}
		if config, err := hex.DecodeString(p["config"]); err == nil && len(config) > 0 {
			t.ParameterSets = [][]byte{config}
		}
	case "PCMA", "PCMU", "L16":
		*t = feed.Track{MediaType: map[string]string{"PCMA": feed.PCMA, "PCMU": feed.PCMU, "L16": feed.L16}[e.name]}
	case "OPUS":
		*t = feed.Track{MediaType: feed.Opus}
	case "MPEG4-GENERIC":
		*t = feed.Track{MediaType: feed.AAC, Config: e.audioConfig(p["config"])}
		c.AAC = rtp.AAC{
			SizeLength:  number(p["sizelength"], 0),
			IndexLength: number(p["indexlength"], 0), IndexDeltaLength: number(p["indexdeltalength"], 0),
		}
	case "MP4A-LATM":
		*t = feed.Track{MediaType: feed.AAC}
		c.LATM = latm(p)
	case "G726-16", "G726-24", "G726-32", "G726-40", "AAL2-G726-16", "AAL2-G726-24", "AAL2-G726-32", "AAL2-G726-40":
		*t = feed.Track{MediaType: feed.G726, Config: []byte(e.name)}
	}
	if strings.HasPrefix(t.MediaType, "audio/") {
		t.SampleRate, t.Channels = e.clock, e.channels
	}
}

// latm reads where the configuration of LATM is: the standard says in the stream unless cpresent=0, but cameras that
// write it down often leave that out.
func latm(p map[string]string) *rtp.LATM {
	config, err := hex.DecodeString(p["config"])
	if err != nil || len(config) == 0 || p["cpresent"] == "1" {
		return &rtp.LATM{}
	}
	return &rtp.LATM{Config: config}
}

// parameterSets decodes base64 with commas between. What cannot be decoded is left out: cameras send them in-band too.
func parameterSets(list string) (sets [][]byte) {
	for one := range strings.SplitSeq(list, ",") {
		data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(one), "="))
		if err != nil {
			continue
		}
		// Some cameras encode start codes, or several sets in one.
		for set := range bytes.SplitSeq(data, []byte{0, 0, 1}) {
			if set = bytes.TrimRight(set, "\x00"); len(set) > 1 && len(sets) < maxTypes {
				sets = append(sets, set)
			}
		}
	}
	return sets
}

// aacRates are the sampling frequencies of an AudioSpecificConfig, by their index.
var aacRates = []int{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}

// audioConfig decodes an AudioSpecificConfig, or makes one of AAC-LC if the camera does not tell.
func (e encoding) audioConfig(config string) []byte {
	if data, err := hex.DecodeString(config); err == nil && len(data) >= 2 {
		return data
	}
	for i, rate := range aacRates {
		if rate == e.clock {
			const lowComplexity = 2
			bits := lowComplexity<<11 | i<<7 | min(e.channels, 7)<<3
			return []byte{byte(bits >> 8), byte(bits)}
		}
	}
	return nil
}
