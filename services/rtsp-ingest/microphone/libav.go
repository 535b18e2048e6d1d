//go:build !nolibav

package microphone

import (
	"strings"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/sound/libav"
)

// more adds what libavcodec decodes.
func more(makers map[string]maker) map[string]maker {
	makers[feed.AAC] = func(e encoding) (decoder, error) { return wrapped(libav.NewAAC([]byte(e.config))) }
	makers[feed.G726] = newG726
	return makers
}

// newG726 reads the name: G726-32, or AAL2-G726-32 for the other order of bits.
func newG726(e encoding) (decoder, error) {
	name, other := strings.CutPrefix(e.config, "AAL2-")
	order := libav.LowFirst
	if other {
		order = libav.HighFirst
	}
	bits := map[string]int{"G726-16": 2, "G726-24": 3, "G726-32": 4, "G726-40": 5}[name]
	return wrapped(libav.NewG726(e.rate, bits, order))
}

// library is a decoder of libavcodec.
type library struct{ *libav.Decoder }

func wrapped(d *libav.Decoder, err error) (decoder, error) {
	if err != nil {
		return nil, err
	}
	return library{d}, nil
}

func (l library) close() { _ = l.Close() } // frees memory only

func (l library) decode(data []byte, lost bool) (decoded, error) {
	if lost {
		l.Reset() // half of what is decoded next would build on what came before
	}
	s, err := l.Decode(data)
	return decoded{s.Samples, s.Format, s.Late}, err
}
