package rtmp

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/bluenviron/gortmplib/pkg/message"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

const reportEvery = time.Second

// tracks makes pictures and sound of messages.
type tracks struct {
	to feed.Receiver

	video    feed.Track // as announced last
	sizes    int        // bytes of the length of a NAL unit
	renewed  bool       // the parameter sets have not been sent since they were announced
	sound    feed.Track
	clock    timeline
	reported time.Time
	damaged  bool
}

// timeline unwraps the 32 bit milliseconds of RTMP, which sound and pictures share.
type timeline struct {
	begun bool
	last  uint32
	total time.Duration
}

func (t *timeline) at(stamp time.Duration) time.Duration {
	now := uint32(stamp / time.Millisecond)
	if !t.begun {
		t.begun, t.last, t.total = true, now, stamp
	}
	t.total += time.Duration(int32(now-t.last)) * time.Millisecond
	t.last = now
	return t.total
}

// shift makes a composition time of what the library reads as unsigned: it has 24 bits and a sign.
func shift(delta time.Duration) time.Duration {
	ms := int32(delta/time.Millisecond) << 8 >> 8
	return time.Duration(ms) * time.Millisecond
}

// take handles a message that arrived at a time.
func (t *tracks) take(m message.Message, arrival time.Time) {
	switch m := m.(type) {
	case *message.VideoExMultitrack:
		if m.TrackID == 0 {
			t.take(m.Wrapped, arrival)
		}
	case *message.AudioExMultitrack:
		if m.TrackID == 0 {
			t.take(m.Wrapped, arrival)
		}
	case *message.Video:
		t.takeVideo(m, arrival)
	case *message.VideoExSequenceStart:
		t.announce(m)
	case *message.VideoExCodedFrames:
		t.picture(mediaType(m.FourCC), m.Payload, m.DTS, shift(m.PTSDelta), arrival)
	case *message.VideoExFramesX:
		t.picture(mediaType(m.FourCC), m.Payload, m.DTS, 0, arrival)
	case *message.Audio:
		t.takeAudio(m, arrival)
	case *message.AudioExSequenceStart:
		t.announceSound(m)
	case *message.AudioExCodedFrames:
		if t.sound.MediaType == soundType(m.FourCC) {
			t.block(m.Payload, m.DTS, arrival)
		}
	}
}

// mediaType returns "" for what is no picture that Waldo knows.
func mediaType(code message.FourCC) string {
	switch code {
	case message.FourCCAVC:
		return media.H264
	case message.FourCCHEVC:
		return media.H265
	}
	return ""
}

func soundType(code message.FourCC) string {
	switch code {
	case message.FourCCMP4A:
		return feed.AAC
	case message.FourCCOpus:
		return feed.Opus
	}
	return "other"
}

func (t *tracks) takeVideo(m *message.Video, arrival time.Time) {
	kind := media.H264
	if m.Codec == message.CodecH265 {
		kind = media.H265
	}
	switch m.Type {
	case message.VideoTypeConfig:
		t.announce(&message.VideoExSequenceStart{AVCConfig: m.AVCConfig, HEVCConfig: m.HEVCConfig})
	case message.VideoTypeAU:
		t.picture(kind, m.AU, m.DTS, shift(m.PTSDelta), arrival)
	}
}

// announce takes note of how pictures are sent from now on.
func (t *tracks) announce(m *message.VideoExSequenceStart) {
	var sets [][]byte
	switch {
	case m.AVCConfig != nil:
		for _, set := range m.AVCConfig.SequenceParameterSets {
			sets = append(sets, set.NALUnit)
		}
		for _, set := range m.AVCConfig.PictureParameterSets {
			sets = append(sets, set.NALUnit)
		}
		t.video, t.sizes = feed.Track{MediaType: media.H264}, int(m.AVCConfig.LengthSizeMinusOne)+1
	case m.HEVCConfig != nil:
		for _, array := range m.HEVCConfig.NaluArrays {
			for _, nalu := range array.Nalus {
				sets = append(sets, nalu.NALUnit)
			}
		}
		t.video, t.sizes = feed.Track{MediaType: media.H265}, int(m.HEVCConfig.LengthSizeMinusOne)+1
	default:
		return
	}
	t.video.ParameterSets = slices.DeleteFunc(sets, func(set []byte) bool { return len(set) == 0 })
	t.renewed = len(t.video.ParameterSets) > 0
}

// picture delivers an access unit. If new parameter sets were announced, they go before it.
func (t *tracks) picture(kind string, data []byte, dts, shift time.Duration, arrival time.Time) {
	at := t.clock.at(dts) + shift
	if kind == "" {
		return
	}
	if t.video.MediaType != kind {
		t.video, t.sizes = feed.Track{MediaType: kind}, 4
	}
	units, whole := split(data, t.sizes)
	t.damaged = t.damaged || !whole
	if len(units) == 0 {
		return
	}
	if t.renewed {
		units, t.renewed = append(slices.Clone(t.video.ParameterSets), units...), false
	}
	t.report(at, arrival)
	if t.to.Picture != nil {
		t.to.Picture(feed.Picture{MediaType: kind, Data: units, Time: at, Arrival: arrival, Damaged: t.damaged})
	}
	t.damaged = false
}

// split cuts an access unit whose NAL units have their length before them, in so many bytes. Some senders write start
// codes.
func split(data []byte, sizes int) (units [][]byte, whole bool) {
	for rest := data; len(rest) > 0; {
		if len(rest) < sizes {
			return startCodes(data, units)
		}
		var length [4]byte
		copy(length[4-sizes:], rest[:sizes])
		n := uint64(binary.BigEndian.Uint32(length[:]))
		rest = rest[sizes:]
		if n > uint64(len(rest)) {
			return startCodes(data, units)
		}
		if n > 0 {
			units = append(units, rest[:n:n])
		}
		rest = rest[n:]
	}
	return units, true
}

// startCodes is for what has no good lengths: it may have start codes instead. before is what was found by lengths.
func startCodes(data []byte, before [][]byte) (units [][]byte, whole bool) {
	if len(data) < 4 || binary.BigEndian.Uint32(data) != 1 && binary.BigEndian.Uint32(data)>>8 != 1 {
		return before, false
	}
	for unit := range annexb.NALs(data) {
		if len(unit) > 0 {
			units = append(units, unit)
		}
	}
	return units, true
}

// report says that sound and pictures have one clock.
func (t *tracks) report(at time.Duration, arrival time.Time) {
	if arrival.Sub(t.reported) < reportEvery && arrival.Sub(t.reported) >= 0 || t.to.Report == nil {
		return
	}
	t.reported = arrival
	for _, sound := range []bool{false, true} {
		t.to.Report(feed.Report{Sound: sound, Time: at, NTP: time.Unix(0, 0).Add(at), Arrival: arrival})
	}
}

var soundRates = [...]int{5512, 11025, 22050, 44100}

func (t *tracks) takeAudio(m *message.Audio, arrival time.Time) {
	channels := 1
	if m.IsStereo {
		channels = 2
	}
	switch m.Codec {
	case message.CodecMPEG4Audio:
		if m.AACType == message.AudioAACTypeConfig {
			t.announceAAC(m.AACConfig)
			return
		}
		if t.sound.MediaType != feed.AAC { // it cannot be decoded without its configuration
			return
		}
	case message.CodecPCMA:
		t.sound = feed.Track{MediaType: feed.PCMA, SampleRate: 8000, Channels: channels}
	case message.CodecPCMU:
		t.sound = feed.Track{MediaType: feed.PCMU, SampleRate: 8000, Channels: channels}
	case message.CodecLPCM:
		if m.Depth != message.AudioDepth16 {
			return
		}
		t.sound = feed.Track{MediaType: feed.L16, SampleRate: soundRates[m.Rate&3], Channels: channels}
		swap(m.AU)
	default:
		return
	}
	t.block(m.AU, m.DTS, arrival)
}

// swap makes big endian samples of little endian ones.
func swap(samples []byte) {
	for i := 0; i+1 < len(samples); i += 2 {
		samples[i], samples[i+1] = samples[i+1], samples[i]
	}
}

func (t *tracks) announceSound(m *message.AudioExSequenceStart) {
	switch {
	case m.AACConfig != nil:
		t.announceAAC(m.AACConfig)
	case m.OpusConfig != nil:
		t.sound = feed.Track{MediaType: feed.Opus, SampleRate: 48000, Channels: int(m.OpusConfig.ChannelCount)}
	}
}

func (t *tracks) announceAAC(config *mpeg4audio.AudioSpecificConfig) {
	if config == nil {
		return
	}
	data, err := config.Marshal()
	if err != nil {
		return // without it, the sound is left out
	}
	t.sound = feed.Track{MediaType: feed.AAC, Config: data, SampleRate: config.SampleRate,
		Channels: int(config.ChannelConfig)}
}

func (t *tracks) block(data []byte, dts time.Duration, arrival time.Time) {
	at := t.clock.at(dts)
	if len(data) > 0 && t.to.Sound != nil {
		t.to.Sound(feed.Sound{Track: t.sound, Data: data, Time: at, Arrival: arrival})
	}
}
