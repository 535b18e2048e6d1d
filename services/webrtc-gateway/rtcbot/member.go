package rtcbot

import (
	"context"

	"github.com/waldo-robot/waldo/pkg/rtcbot"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/channels"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
)

// Member is a client on a topic, which writes and reads JSON as RTCBot does.
type Member struct {
	*channels.Member
	raw bool
}

// Join makes a client a member of a topic. The sender's name must be unique in the life of the gateway. Raw makes
// strings arrive as they are. A name that cannot be a topic is codes.InvalidArgument.
func (g *Gateway) Join(topic, sender string, raw bool) (*Member, error) {
	m, err := g.bridge.Member(topic, sender)
	if err != nil {
		return nil, err
	}
	return &Member{m, raw}, nil
}

// Say publishes what the client says.
func (m *Member) Say(text bool, data []byte) {
	if text {
		data = rtcbot.ToTopic(data)
	}
	m.Member.Say(text, data)
}

// Listen passes what others say to send, until that fails or ctx ends; see [channels.Member.Listen].
func (m *Member) Listen(ctx context.Context, send func(ctx context.Context, text bool, data []byte) error) error {
	return m.Member.Listen(ctx, func(ctx context.Context, text bool, data []byte) error {
		if text {
			data = rtcbot.FromTopic(data, m.raw)
		}
		if len(data) > rtc.MaxMessage { // by its quotes
			return channels.ErrTooLarge
		}
		return send(ctx, text, data)
	})
}
