package mp4

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image/jpeg"
	"math"

	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/hevc"
	box "github.com/Eyevinn/mp4ff/mp4"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
)

// Opus is the media type of Opus packets.
const Opus = "audio/opus"

// Time units a second.
const (
	videoScale = 90_000
	opusScale  = 48_000
)

// Description is what a decoder has to know about samples before the first one.
type Description struct {
	MediaType     string
	Codec         string // codecs parameter (RFC 6381)
	Playable      bool   // browsers may play it
	Scale         uint32 // time units a second
	Width, Height int    // pixels; 0 for sound
	Channels      int    // of sound
	entry         func() box.Box
	encoded       []byte
}

// Format is what is known about a stream besides its samples.
type Format struct {
	MediaType     string
	Width, Height int // pixels
	Channels      int // of sound
}

// ErrUnsupported is about media types that MP4 cannot hold.
var ErrUnsupported = errors.New("MP4 cannot hold it")

// Describe reads what a decoder has to know from a sample with which decoding can begin.
func Describe(f Format, sample []byte) (d Description, err error) {
	defer func() {
		if p := recover(); p != nil { // parsers of parameter sets do not promise that they never panic
			err = fmt.Errorf("%s: its parameter sets cannot be read", media.Name(f.MediaType))
		}
	}()
	switch f.MediaType {
	case media.H264:
		d, err = describeH264(sample)
	case media.H265:
		d, err = describeH265(sample)
	case media.VP8:
		d, err = describeVP8(f)
	case media.JPEG:
		d, err = describeJPEG(f, sample)
	case Opus:
		d, err = describeOpus(f)
	default:
		return Description{}, fmt.Errorf("%s: %w", media.Name(f.MediaType), ErrUnsupported)
	}
	if err != nil {
		return Description{}, fmt.Errorf("%s: %w", media.Name(f.MediaType), err)
	}
	var encoded bytes.Buffer
	if err := d.entry().Encode(&encoded); err != nil {
		return Description{}, fmt.Errorf("%s: %w", media.Name(f.MediaType), err)
	}
	d.MediaType, d.encoded = f.MediaType, encoded.Bytes()
	return d, nil
}

// Same reports whether samples with one description can follow those with the other.
func (d Description) Same(other Description) bool { return bytes.Equal(d.encoded, other.encoded) }

// Zero reports whether it describes nothing.
func (d Description) Zero() bool { return d.entry == nil }

// Sound reports whether it describes sound.
func (d Description) Sound() bool { return d.MediaType == Opus }

// sized checks a picture's size, and fills it in.
func (d Description) sized(width, height int) (Description, error) {
	if width < media.MinSize || height < media.MinSize || width > media.MaxSize || height > media.MaxSize {
		return d, fmt.Errorf("pictures of %d x %d pixels, not %d to %d", width, height, media.MinSize, media.MaxSize)
	}
	d.Width, d.Height, d.Scale = width, height, videoScale
	return d, nil
}

// Bounds of the parameter sets of a picture.
const (
	maxSets     = 64
	maxSetBytes = math.MaxUint16
)

// sets returns the different units of each kind in a picture.
func sets(picture []byte, kind func(unit []byte) (int, bool)) (map[int][][]byte, error) {
	found, n := map[int][][]byte{}, 0
	for unit := range annexb.NALs(picture) {
		k, wanted := kind(unit)
		if !wanted || contains(found[k], unit) {
			continue
		}
		if n++; n > maxSets || len(unit) > maxSetBytes {
			return nil, errors.New("its parameter sets are too many or too large")
		}
		found[k] = append(found[k], bytes.Clone(unit)) // the picture's memory is not kept
	}
	return found, nil
}

func contains(all [][]byte, one []byte) bool {
	for _, a := range all {
		if bytes.Equal(a, one) {
			return true
		}
	}
	return false
}

var errNoSets = errors.New("a key frame has no parameter sets")

func describeH264(picture []byte) (Description, error) {
	found, err := sets(picture, func(unit []byte) (int, bool) {
		t := annexb.Type(unit)
		return t, t == annexb.TypeSPS || t == annexb.TypePPS
	})
	if err != nil {
		return Description{}, err
	}
	all, pictureSets := found[annexb.TypeSPS], found[annexb.TypePPS]
	if len(all) == 0 || len(pictureSets) == 0 {
		return Description{}, errNoSets
	}
	sps, err := annexb.ParseSPS(all[0])
	if err != nil {
		return Description{}, err
	}
	config, err := avc.CreateAVCDecConfRec(all, pictureSets, true)
	if err != nil {
		return Description{}, err
	}
	d := Description{
		Codec:    fmt.Sprintf("avc1.%02x%02x%02x", all[0][1], all[0][2], all[0][3]),
		Playable: true,
		entry: func() box.Box {
			return box.CreateVisualSampleEntryBox("avc1", uint16(sps.Width), uint16(sps.Height),
				&box.AvcCBox{DecConfRec: *config})
		},
	}
	return d.sized(sps.Width, sps.Height)
}

func describeH265(picture []byte) (Description, error) {
	found, err := sets(picture, func(unit []byte) (int, bool) {
		t := hevc.GetNaluType(unit[0])
		return int(t), t == hevc.NALU_VPS || t == hevc.NALU_SPS || t == hevc.NALU_PPS
	})
	if err != nil {
		return Description{}, err
	}
	v, s, p := found[int(hevc.NALU_VPS)], found[int(hevc.NALU_SPS)], found[int(hevc.NALU_PPS)]
	if len(v) == 0 || len(s) == 0 || len(p) == 0 {
		return Description{}, errNoSets
	}
	sps, err := hevc.ParseSPSNALUnit(s[0])
	if err != nil {
		return Description{}, err
	}
	config, err := box.CreateHvcC(v, s, p, true, true, true, true)
	if err != nil {
		return Description{}, err
	}
	width, height := sps.ImageSize()
	d := Description{
		Codec:    hevc.CodecString("hvc1", sps),
		Playable: true,
		entry: func() box.Box {
			return box.CreateVisualSampleEntryBox("hvc1", uint16(width), uint16(height), config)
		},
	}
	return d.sized(int(min(width, math.MaxInt32)), int(min(height, math.MaxInt32)))
}

// describeVP8 follows "VP Codec ISO Media File Format Binding" 1.0: profile 0, level unknown, 4:2:0 of 8 bits, colours
// not specified.
func describeVP8(f Format) (Description, error) {
	const unspecified = 2
	d := Description{Codec: "vp08.00.10.08", entry: func() box.Box {
		return box.CreateVisualSampleEntryBox("vp08", uint16(f.Width), uint16(f.Height), &box.VppCBox{
			Version: 1, Level: 10, BitDepth: 8, ChromaSubsampling: 1, ColourPrimaries: unspecified,
			TransferCharacteristics: unspecified, MatrixCoefficients: unspecified,
		})
	}}
	return d.sized(f.Width, f.Height)
}

// describeJPEG follows ISO/IEC 14496-1: object type 0x6C is a JPEG picture, stream type 4 is visual.
func describeJPEG(f Format, picture []byte) (Description, error) {
	if f.Width == 0 || f.Height == 0 {
		config, err := jpeg.DecodeConfig(bytes.NewReader(picture))
		if err != nil {
			return Description{}, err
		}
		f.Width, f.Height = config.Width, config.Height
	}
	const objectType, streamType = 0x6c, 4<<2 | 1
	d := Description{Codec: "mp4v.6C", entry: func() box.Box {
		esds := box.CreateEsdsBox(nil)
		esds.DecConfigDescriptor.ObjectType = objectType
		esds.DecConfigDescriptor.StreamType = streamType
		esds.DecConfigDescriptor.DecSpecificInfo = nil
		return box.CreateVisualSampleEntryBox("mp4v", uint16(f.Width), uint16(f.Height), esds)
	}}
	return d.sized(f.Width, f.Height)
}

// describeOpus follows "Encapsulation of Opus in ISO Base Media File Format" 0.8.1.
func describeOpus(f Format) (Description, error) {
	if f.Channels != 1 && f.Channels != 2 {
		return Description{}, fmt.Errorf("sound with %d channels, not 1 or 2", f.Channels)
	}
	channels := f.Channels
	return Description{Codec: "opus", Playable: true, Scale: opusScale, Channels: channels, entry: func() box.Box {
		return box.CreateAudioSampleEntryBox("Opus", uint16(channels), 16, opusScale,
			&box.DopsBox{OutputChannelCount: byte(channels), InputSampleRate: opusScale})
	}}, nil
}

// lengthBytes is the size of the length before each unit of a sample.
const lengthBytes = 4

// Sample returns a picture or packet as it stands in MP4.
func (d Description) Sample(data []byte) []byte {
	if d.MediaType != media.H264 && d.MediaType != media.H265 {
		return data
	}
	sample := make([]byte, 0, len(data)+lengthBytes*2)
	for unit := range annexb.NALs(data) {
		sample = binary.BigEndian.AppendUint32(sample, uint32(len(unit)))
		sample = append(sample, unit...)
	}
	return sample
}
