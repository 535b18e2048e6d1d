package tracks

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/pion/webrtc/v4"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
)

// descriptionPatience is how long a receiver that cannot use the most common codec waits for the description of the
// device, which is published once a second.
const descriptionPatience = 1500 * time.Millisecond

// Carrier is a stream that carries the content of another, or itself, in media types of its own.
type Carrier struct {
	Stream
	MediaTypes []string // the usual one first; empty if the device does not name them
	// AsIs streams are passed on as the hardware compresses them.
	AsIs bool
}

// Choose selects the stream that carries the content of s for a receiver, and its codec: the first media type that the
// device names and the receiver can use, of a stream that is as it is before one that the device encodes for its
// readers, and of the stream itself before its alternatives. A device that names none, or is unknown, is assumed to
// have the codec that the gateway prefers; a receiver that cannot use it waits for a description while ctx allows. If
// nothing fits, the error is codes.FailedPrecondition and names what the device has, and what the receiver can use,
// which is the text in can.
func (h *Hub) Choose(
	ctx context.Context, kind webrtc.RTPCodecType, s Stream, usable func(*codecs.Codec) bool, can string,
) (Stream, *codecs.Codec, error) {
	ctx, cancel := context.WithTimeout(ctx, descriptionPatience)
	defer cancel()
	for {
		carriers, changed := h.devices.Carriers(s)
		carriers, known := inOrder(carriers)
		for _, c := range carriers {
			if codec := c.codec(kind, usable); codec != nil {
				return c.Stream, codec, nil
			}
		}
		if known {
			return Stream{}, nil, nothingFor(kind, s, carriers, can)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Stream{}, nil, nothingFor(kind, s, carriers, can)
		}
	}
}

// inOrder puts the carriers that cost nothing first. It returns whether the device names media types; a carrier that
// names none while others do has nothing to offer at present.
func inOrder(carriers []Carrier) (ordered []Carrier, known bool) {
	named := slices.DeleteFunc(slices.Clone(carriers), func(c Carrier) bool { return len(c.MediaTypes) == 0 })
	if len(named) == 0 {
		return carriers, false
	}
	slices.SortStableFunc(named, func(a, b Carrier) int {
		switch {
		case a.AsIs == b.AsIs:
			return 0
		case a.AsIs:
			return -1
		}
		return 1
	})
	return named, true
}

// codec returns the first usable codec of a carrier, nil if there is none.
func (c Carrier) codec(kind webrtc.RTPCodecType, usable func(*codecs.Codec) bool) *codecs.Codec {
	has := codecs.All(kind)[:1]
	if len(c.MediaTypes) > 0 {
		has = nil
		for _, t := range c.MediaTypes {
			if codec := codecs.Of(t); codec != nil && codec.Kind == kind {
				has = append(has, codec)
			}
		}
	}
	i := slices.IndexFunc(has, usable)
	if i < 0 {
		return nil
	}
	return has[i]
}

func nothingFor(kind webrtc.RTPCodecType, s Stream, carriers []Carrier, can string) error {
	var has, others []string // others cannot be sent by RTP, whatever the far end takes
	for _, c := range carriers {
		for _, t := range c.MediaTypes {
			codec := codecs.Of(t)
			switch {
			case codec == nil:
				others = append(others, t)
			case !slices.Contains(has, codec.Demand):
				has = append(has, codec.Demand)
			}
		}
	}
	if len(has) == 0 {
		has = others
	}
	if len(has) == 0 {
		has = []string{codecs.All(kind)[0].Demand}
	}
	return status.Errorf(codes.FailedPrecondition, "no common codec: the stream %q of %s is %s, and the far end takes %s",
		s.Name, s.Device, strings.Join(has, " or "), can)
}
