package call

import (
	"errors"
	"sync"
	"unicode/utf8"

	"github.com/pion/webrtc/v4"
	"google.golang.org/protobuf/types/known/timestamppb"

	messagev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/message/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/rtcbot"
	"github.com/waldo-robot/waldo/pkg/stream"
)

const (
	// topicQueue is how many messages may wait for a slow robot; the oldest are lost.
	topicQueue = 256
	// enough is how many bytes may wait to be sent; beyond it, messages are lost.
	enough = 64 << 10
)

// serveTopic connects the data channel to the topic while the call lasts.
func (c *conversation) serveTopic() error {
	messages, err := bus.Subscribe[*messagev1.Message](c.config.Bus, bus.Topic(c.config.Robot, c.config.Topic),
		stream.DropOldest(topicQueue))
	if err != nil {
		return err
	}
	c.channel.OnMessage(func(m webrtc.DataChannelMessage) {
		c.alive(false)
		c.say(m)
	})
	c.channel.OnOpen(sync.OnceFunc(func() { close(c.up) }))
	c.channel.OnClose(func() { c.cancel(errors.New("the robot has closed its data channel")) })
	c.own(func() {
		defer messages.Close()
		select {
		case <-c.up:
		case <-c.ctx.Done():
			return
		}
		for m, err := range messages.All(c.ctx) {
			if err != nil {
				return
			}
			if m.GetSender() != c.config.Sender {
				c.tell(m)
			}
		}
	})
	return nil
}

// say publishes what the robot says.
func (c *conversation) say(m webrtc.DataChannelMessage) {
	message := &messagev1.Message{Topic: c.config.Topic, Sender: c.config.Sender, PublishTime: timestamppb.Now(),
		Body: &messagev1.Message_Data{Data: m.Data}}
	if m.IsString {
		if !utf8.Valid(m.Data) {
			return
		}
		message.Body = &messagev1.Message_Text{Text: string(rtcbot.ToTopic(m.Data))}
	}
	_ = c.config.Bus.Publish(bus.Topic(c.config.Robot, c.config.Topic), message) // without a bus nobody hears it
}

// tell sends the robot what others say. What is too much is lost.
func (c *conversation) tell(m *messagev1.Message) {
	text, isData := rtcbot.FromTopic([]byte(m.GetText()), false), false
	if d, ok := m.GetBody().(*messagev1.Message_Data); ok {
		text, isData = d.Data, true
	}
	if len(text) > maxMessage || c.channel.BufferedAmount() > enough {
		return
	}
	if isData {
		_ = c.channel.Send(text) // fails only when the call has ended
	} else {
		_ = c.channel.SendText(string(text))
	}
}
