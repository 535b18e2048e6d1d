package capture

import (
	"cmp"
	"errors"
	"fmt"

	"gopkg.in/hraban/opus.v2"

	"github.com/waldo-robot/waldo/sound/pcm"
)

// maxPacket is room for any Opus packet.
const maxPacket = 4000

// encoder makes the data of one frame; none if there is nothing to be sent.
type encoder interface {
	encode(samples []float32) ([]byte, error)
}

func newEncoder(k key, o Opus) (encoder, error) {
	if k.mediaType == pcm.Raw {
		return rawEncoder(k.sampleFormat), nil
	}
	e, err := opus.NewEncoder(k.Rate, k.Channels, opus.AppVoIP)
	if err != nil {
		return nil, fmt.Errorf("opus: %w", err)
	}
	err = errors.Join(
		e.SetBitrate(cmp.Or(o.Bitrate,
			32_000*k.Channels)), e.SetInBandFEC(!o.NoFEC), e.SetPacketLossPerc(o.ExpectedLoss), e.SetDTX(o.DTX),
		e.SetComplexity(o.Complexity))
	if err != nil {
		return nil, fmt.Errorf("opus: %w", err)
	}
	return &opusEncoder{encoder: e, dtx: o.DTX, buffer: make([]byte, maxPacket)}, nil
}

type rawEncoder string

func (sampleFormat rawEncoder) encode(samples []float32) ([]byte, error) {
	return pcm.Encode(make([]byte, 0, 4*len(samples)), string(sampleFormat), samples), nil
}

type opusEncoder struct {
	encoder *opus.Encoder
	dtx     bool
	buffer  []byte
}

func (e *opusEncoder) encode(samples []float32) ([]byte, error) {
	n, err := e.encoder.EncodeFloat32(samples, e.buffer)
	if err != nil {
		return nil, fmt.Errorf("opus: %w", err)
	}
	if e.dtx && n <= 2 { // the encoder reports that the packet need not be sent
		return nil, nil
	}
	return append([]byte(nil), e.buffer[:n]...), nil
}
