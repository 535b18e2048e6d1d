package foxglove

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"time"

	"github.com/waldo-robot/waldo/recording"
)

// Sub-protocols, the names under which clients ask for what is spoken here. Both mean the same, but the second was
// named before there was playback.
const (
	SDK    = "foxglove.sdk.v1"
	Legacy = "foxglove.websocket.v1"
)

// Binary messages to clients, by their first byte.
const (
	opMessage       = 1
	opTime          = 2
	opPlaybackState = 5
)

// level is how bad it is what a status tells.
type level int

const (
	warning level = 1
	failure level = 2
)

// capabilities that a session may have.
var (
	always   = []string{"parameters", "parametersSubscribe"}
	replayed = []string{"time"}
	played   = []string{"playbackControl"}
)

// encode is for messages that consist of text and numbers.
func encode(m any) []byte {
	data, err := json.Marshal(m)
	if err != nil {
		return []byte("{}")
	}
	return data
}

// serverInfo is the first message of a session.
type serverInfo struct {
	Op           string            `json:"op"`
	Name         string            `json:"name"`
	Capabilities []string          `json:"capabilities"`
	Metadata     map[string]string `json:"metadata"`
	SessionID    string            `json:"sessionId"`
	Start        *instant          `json:"dataStartTime,omitempty"`
	End          *instant          `json:"dataEndTime,omitempty"`
}

// instant is a time in JSON, where numbers have 53 bits.
type instant struct {
	Seconds     uint32 `json:"sec"`
	Nanoseconds uint32 `json:"nsec"`
}

func instantOf(t time.Time) *instant {
	s := min(max(t.Unix(), 0), math.MaxUint32)
	return &instant{Seconds: uint32(s), Nanoseconds: uint32(t.Nanosecond())}
}

// stamp is a time in binary messages.
func stamp(t time.Time) uint64 { return uint64(max(t.UnixNano(), 0)) }

// statusText tells people something; a later one with the same id takes its place.
func statusText(l level, id, text string) []byte {
	return encode(struct {
		Op      string `json:"op"`
		Level   level  `json:"level"`
		Message string `json:"message"`
		ID      string `json:"id"`
	}{"status", l, text, id})
}

// advertised is a channel as clients are told of it.
type advertised struct {
	ID             uint32 `json:"id"`
	Topic          string `json:"topic"`
	Encoding       string `json:"encoding"`
	SchemaName     string `json:"schemaName"`
	Schema         string `json:"schema"`
	SchemaEncoding string `json:"schemaEncoding"`
}

// advertisement is the part of an advertise message that is about one channel.
func advertisement(id uint32, topic, schemaName string, schema []byte) []byte {
	return encode(advertised{ID: id, Topic: topic, Encoding: recording.Protobuf, SchemaName: schemaName,
		Schema: base64.StdEncoding.EncodeToString(schema), SchemaEncoding: recording.Protobuf})
}

// maxAdvertise is the size at which advertisements go on in another message.
const maxAdvertise = 512 << 10

// advertise returns messages that tell of channels; there is always one.
func advertise(advertisements [][]byte) (messages [][]byte) {
	const head, tail = `{"op":"advertise","channels":[`, `]}`
	message := []byte(head)
	for i, a := range advertisements {
		if i > 0 && len(message)+len(a) > maxAdvertise {
			messages, message = append(messages, append(message, tail...)), []byte(head)
		}
		if len(message) > len(head) {
			message = append(message, ',')
		}
		message = append(message, a...)
	}
	return append(messages, append(message, tail...))
}

// unadvertise tells that channels are gone.
func unadvertise(ids []uint32) []byte {
	return encode(struct {
		Op       string   `json:"op"`
		Channels []uint32 `json:"channelIds"`
	}{"unadvertise", ids})
}

// parameter is one that clients can read; without a value it is gone.
type parameter struct {
	Name  string  `json:"name"`
	Value *string `json:"value,omitempty"`
}

// parameterValues tells of parameters. The id is that of the request.
func parameterValues(list []parameter, id string) []byte {
	if list == nil {
		list = []parameter{}
	}
	return encode(struct {
		Op         string      `json:"op"`
		Parameters []parameter `json:"parameters"`
		ID         string      `json:"id,omitempty"`
	}{"parameterValues", list, id})
}

// appendMessage appends a message of a subscription.
func appendMessage(to []byte, subscription uint32, at uint64, data []byte) []byte {
	to = append(to, opMessage)
	to = binary.LittleEndian.AppendUint32(to, subscription)
	to = binary.LittleEndian.AppendUint64(to, at)
	return append(to, data...)
}

// timeMessage tells what time it is for the messages of a replay.
func timeMessage(at uint64) []byte {
	return binary.LittleEndian.AppendUint64([]byte{opTime}, at)
}

// playbackStatus is what a player does.
type playbackStatus byte

const (
	playing playbackStatus = 0
	paused  playbackStatus = 1
	ended   playbackStatus = 3
)

// playbackState is what a player says of itself.
type playbackState struct {
	status playbackStatus
	at     uint64
	speed  float64
	jumped bool
	id     string // of the request that it answers; may be empty
}

func (p playbackState) encode() []byte {
	to := []byte{opPlaybackState, byte(p.status)}
	to = binary.LittleEndian.AppendUint64(to, p.at)
	to = binary.LittleEndian.AppendUint32(to, math.Float32bits(float32(p.speed)))
	jumped := byte(0)
	if p.jumped {
		jumped = 1
	}
	to = append(to, jumped)
	to = binary.LittleEndian.AppendUint32(to, uint32(len(p.id)))
	return append(to, p.id...)
}
