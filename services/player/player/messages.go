package player

import (
	"context"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/play"
)

// playMessages publishes what pages and programs said to each other, byte for byte.
func (d *driver) playMessages(ctx context.Context) error {
	isTopic := func(c *play.Channel) bool {
		return c.Waldo.Direction == recording.Topic && bus.CheckTopic(c.Waldo.Stream) == nil
	}
	return play.Run(ctx, play.Config{
		Recording: d.recording, Source: &d.latest, Channels: isTopic,
		Start: func(*play.Channel) play.Start { return play.Start{Nothing: true} },
	}, topics{d})
}

// topics says messages again.
type topics struct{ *driver }

// Jump implements [play.Sink].
func (topics) Jump() {}

// Settled implements [play.Sink].
func (topics) Settled() {}

// Take implements [play.Sink].
func (t topics) Take(m play.Message) {
	subject := bus.Topic(t.kit.Address().Robot, m.Channel.Waldo.Stream)
	if err := t.kit.Bus().PublishRaw(subject, bus.Raw{Type: m.Channel.Waldo.Type, Data: m.Data}); err != nil {
		t.kit.Log.Debug("a message was not said again", "topic", m.Channel.Waldo.Stream, "error", err)
	}
}
