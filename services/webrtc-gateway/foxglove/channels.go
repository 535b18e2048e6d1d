package foxglove

import (
	"crypto/sha256"
	"sync"

	"github.com/waldo-robot/waldo/recording"
)

// channel is a channel as clients know it. It never changes.
type channel struct {
	id            uint32
	topic         string
	device        string // empty for topics of messages, and for the log
	stream        string // empty for states
	video         bool
	advertisement []byte
}

// book gives channels their ids. One with the same name and definition always has the same, so a device that has
// restarted keeps its channels, and so does a client that connects again. It is safe for concurrent use.
type book struct {
	mu     sync.Mutex
	last   uint32
	byText map[[sha256.Size]byte]*channel
	known  map[*recording.Channel]*channel
	// carried is what streams carry that were listed with another media type, or with none, by what they were listed with.
	carried map[*channel]*channel
}

// videoFrame is the type of video, which cannot be decoded from just anywhere.
const videoFrame = "waldo.media.v1.VideoFrame"

// maxBook bounds what is remembered; those that are forgotten get another id.
const maxBook = 4096

func newBook() *book {
	return &book{byText: map[[sha256.Size]byte]*channel{}, known: map[*recording.Channel]*channel{},
		carried: map[*channel]*channel{}}
}

// of returns the channel of a stream, whose messages are as [recording.Channel.Encode] returns them.
func (b *book) of(c *recording.Channel) (*channel, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ofLocked(c)
}

// carriedBy returns the channel of the messages of a stream that is listed with another one, as far as is known.
func (b *book) carriedBy(listed *recording.Channel) (*channel, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, err := b.ofLocked(listed)
	if carried := b.carried[c]; carried != nil {
		c = carried
	}
	return c, err
}

// note remembers what a stream carries.
func (b *book) note(listed, carried *recording.Channel) {
	b.mu.Lock()
	defer b.mu.Unlock()
	as, err := b.ofLocked(listed)
	is, failed := b.ofLocked(carried)
	if err != nil || failed != nil {
		return
	}
	if len(b.carried) >= maxBook {
		clear(b.carried)
	}
	b.carried[as] = is
}

func (b *book) ofLocked(c *recording.Channel) (*channel, error) {
	if known := b.known[c]; known != nil {
		return known, nil
	}
	of, schema, err := c.Records(0, 0)
	if err != nil {
		return nil, err
	}
	entry := b.entry(channel{topic: of.Topic, device: c.Device, stream: c.Stream, video: c.Type == videoFrame},
		schema.Name, schema.Data)
	if len(b.known) >= maxBook {
		clear(b.known)
	}
	b.known[c] = entry
	return entry, nil
}

// own returns a channel that the gateway itself fills.
func (b *book) own(topic, schemaName string, schema []byte) *channel {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.entry(channel{topic: topic}, schemaName, schema)
}

// entry returns the channel with these properties. It needs mu.
func (b *book) entry(c channel, schemaName string, schema []byte) *channel {
	key := sha256.Sum256(advertisement(0, c.topic, schemaName, schema))
	if known := b.byText[key]; known != nil {
		return known
	}
	if len(b.byText) >= maxBook {
		clear(b.byText)
		clear(b.known)
		clear(b.carried)
	}
	b.last++
	c.id = b.last
	c.advertisement = advertisement(c.id, c.topic, schemaName, schema)
	b.byText[key] = &c
	return &c
}
