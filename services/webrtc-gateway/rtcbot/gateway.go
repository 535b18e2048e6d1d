package rtcbot

import (
	"cmp"
	"context"
	"log/slog"
	"net/netip"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/channels"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/talk"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/visitors"
)

// Config configures a gateway. Engine, Bridge and Directory are required.
type Config struct {
	Engine    *rtc.Engine
	Bridge    *channels.Bridge
	Directory Directory
	// Voices says what clients say; nil: nothing does.
	Voices *talk.Voices
	// Publisher takes what clients send; nil: nothing does.
	Publisher Publisher
	// Devices are those that clients get.
	Devices Devices
	// Order is that of the devices in the robot's file.
	Order []string
	// Log may be nil.
	Log *slog.Logger
}

// Gateway serves clients of RTCBot.
type Gateway struct {
	engine    *rtc.Engine
	bridge    *channels.Bridge
	directory Directory
	voices    *talk.Voices
	publisher Publisher
	wanted    Devices
	order     []string
	log       *slog.Logger
}

// New returns a gateway.
func New(c Config) *Gateway {
	return &Gateway{
		engine: c.Engine, bridge: c.Bridge, directory: c.Directory, voices: c.Voices, publisher: c.Publisher,
		wanted: c.Devices, order: c.Order, log: cmp.Or(c.Log, slog.New(slog.DiscardHandler)),
	}
}

// Client is what is known about a client.
type Client struct {
	// Address is where the client is, host:port.
	Address string
	// Program is what the client says it is, for people to read.
	Program string
	// Raw makes strings arrive as they are, not as JSON.
	Raw bool
	// Visitor is who the client is; nil: somebody who may do nothing beyond topics.
	Visitor *visitors.Visitor
	// Remote is a client that comes through a rendezvous server, which may need the robot's relay.
	Remote bool
}

// Connect answers the offer of a client. The errors are those of [rtc.Peer.Answer]. A client that can receive none of
// the robot's video or sound is still connected if it has data or sends something.
func (g *Gateway) Connect(ctx context.Context, offer string, c Client) (s *Session, answer string, err error) {
	sections, err := rtc.Sections(offer)
	if err != nil {
		return nil, "", err
	}
	s = &Session{gateway: g, client: c, hungUp: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if s.peer, err = g.engine.NewPeer(s); err != nil {
		s.cancel()
		return nil, "", err
	}
	if c.Remote {
		from, _ := netip.ParseAddrPort(c.Address)
		s.peer.OfferRelay(from.Addr())
	}
	wanted := s.tracks(g.find(ctx, sections), sections)
	answer, err = s.peer.Answer(ctx, offer, wanted)
	if rest := withoutShown(wanted); status.Code(err) == codes.FailedPrecondition && hasUse(sections, rest) {
		g.log.Warn("a client of RTCBot gets no picture and no sound", "client", c.Address, "error", err)
		answer, err = s.peer.Answer(ctx, offer, rest)
	}
	if err != nil {
		s.Close()
		return nil, "", err
	}
	return s, answer, nil
}

// tracks gives the sections of an offer their streams.
func (s *Session) tracks(c cast, sections []rtc.Section) (wanted []rtc.Track) {
	cameras, microphone := c.cameras, c.microphone
	video, audio := s.sinks(c)
	for _, section := range sections {
		if !section.Shared {
			continue
		}
		t := rtc.Track{MID: section.MID}
		switch section.Media {
		case rtc.Video:
			t.Stream.Name = rtc.Camera
			if section.Receives && len(cameras) > 0 {
				t.Stream, cameras = tracks.Stream{Device: cameras[0], Name: rtc.Video}, cameras[1:]
			}
			if section.Sends {
				t.Sink, video = video, nil
			}
		case rtc.Audio:
			t.Stream.Name = rtc.Microphone
			if section.Receives && microphone != "" {
				t.Stream, microphone = tracks.Stream{Device: microphone, Name: rtc.Audio}, ""
			}
			if section.Sends {
				t.Sink, audio = audio, nil
			}
		}
		if t.Stream.Device != "" || t.Sink != nil {
			wanted = append(wanted, t)
		}
	}
	return wanted
}

// withoutShown are the tracks with which only the client sends.
func withoutShown(all []rtc.Track) (rest []rtc.Track) {
	for _, t := range all {
		if t.Sink == nil {
			continue
		}
		switch t.Stream.Name {
		case rtc.Video:
			t.Stream = tracks.Stream{Name: rtc.Camera}
		case rtc.Audio:
			t.Stream = tracks.Stream{Name: rtc.Microphone}
		}
		rest = append(rest, t)
	}
	return rest
}

// hasUse reports whether a connection with these tracks is worth having.
func hasUse(sections []rtc.Section, rest []rtc.Track) bool {
	data := slices.ContainsFunc(sections, func(s rtc.Section) bool { return s.Media == "application" })
	return data || len(rest) > 0
}
