package fakecam

import (
	"fmt"

	"github.com/bluenviron/gortsplib/v5/pkg/format/rtpfragmented"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtph264"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtph265"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtpmjpeg"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtpmpeg4audio"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtpsimpleaudio"
	"github.com/pion/rtp"
)

// Packet is one RTP packet on its way out. A hook may change all of it.
type Packet struct {
	rtp.Packet
	Unit  int  // number of the picture or block of sound, from 0 on, since PLAY
	Index int  // number of the packet within the unit …
	Last  bool // … and whether it is the unit's last
	Key   bool // the picture needs no other
}

// Hooks change what a track sends. Each PLAY makes a set of its own for each track, so a hook may keep what it likes in
// the variables around it. Nil changes nothing.
type Hooks struct {
	// Unit changes a picture or block of sound before it is cut into packets: its data, its timestamp. It returns
	// false to drop it.
	Unit func(*Sent) bool
	// Packet returns what to send instead of the packet, in order: nothing, the packet, two, one that it kept.
	Packet func(*Packet) []*Packet
}

// Sent is a picture or block of sound about to be sent.
type Sent struct {
	Unit
	Number    int    // from 0 on, since PLAY
	Timestamp uint32 // of RTP
}

// packer cuts units into packets.
type packer func(data [][]byte) ([]*rtp.Packet, error)

// packs returns the packer for a track. Payloads have at most size bytes.
func packs(t Track) (packer, error) {
	pt, size, ssrc := t.PayloadType, t.payloadSize(), t.SSRC
	switch t.Media.Encoding {
	case H264:
		e := &rtph264.Encoder{PayloadType: pt, PayloadMaxSize: size, PacketizationMode: 1, SSRC: ssrc}
		return e.Encode, e.Init()
	case H265:
		e := &rtph265.Encoder{PayloadType: pt, PayloadMaxSize: size, SSRC: ssrc}
		return e.Encode, e.Init()
	case JPEG:
		e := &rtpmjpeg.Encoder{PayloadMaxSize: size, SSRC: ssrc}
		return whole(e.Encode), e.Init()
	case MPEG4, LATM:
		e := &rtpfragmented.Encoder{PayloadType: pt, PayloadMaxSize: size, SSRC: ssrc}
		return whole(e.Encode), e.Init()
	case AAC:
		e := &rtpmpeg4audio.Encoder{PayloadType: pt, PayloadMaxSize: size, SizeLength: 13, IndexLength: 3,
			IndexDeltaLength: 3, SSRC: ssrc}
		return e.Encode, e.Init()
	case PCMU, PCMA, L16, G726, Opus:
		e := &rtpsimpleaudio.Encoder{PayloadType: pt, PayloadMaxSize: 65000, SSRC: ssrc}
		return single(e.Encode), e.Init()
	}
	return nil, fmt.Errorf("fakecam: no packets for %s", t.Media.Encoding)
}

func whole(encode func([]byte) ([]*rtp.Packet, error)) packer {
	return func(data [][]byte) ([]*rtp.Packet, error) { return encode(data[0]) }
}

func single(encode func([]byte) (*rtp.Packet, error)) packer {
	return func(data [][]byte) ([]*rtp.Packet, error) {
		p, err := encode(data[0])
		return []*rtp.Packet{p}, err
	}
}
