package foxglove

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

const (
	// MaxRequest bounds a message of a client in bytes.
	MaxRequest = 256 << 10
	// maxNamed bounds how many subscriptions or parameters one message names, and how many of each a client has.
	maxNamed = 1000
	// maxText bounds a name or an id in bytes.
	maxText = 256
)

// Binary messages of clients, by their first byte.
const (
	opClientMessage = 1
	opServiceCall   = 2
	opPlayback      = 3
)

// request is a message of a client that was read. Which fields are set follows from op.
type request struct {
	op string
	// subscribe
	subscriptions []wanted
	// unsubscribe
	subscriptionIDs []uint32
	// getParameters, setParameters, subscribeParameterUpdates, unsubscribeParameterUpdates; none: all of them
	names []string
	// getParameters, setParameters; empty: the client wants none repeated
	id string
	// playbackControl, which is the name here of what is binary there
	playback playbackRequest
}

// wanted is a subscription that a client asks for.
type wanted struct {
	ID      *uint32 `json:"id"`
	Channel *uint32 `json:"channelId"`
}

// playbackRequest asks a player to do something.
type playbackRequest struct {
	play  bool
	speed float64
	seek  *uint64 // the place, in ns since 1970; nil: where it is
	id    string
}

// Names of requests.
const (
	opSubscribe             = "subscribe"
	opUnsubscribe           = "unsubscribe"
	opGetParameters         = "getParameters"
	opSetParameters         = "setParameters"
	opSubscribeParameters   = "subscribeParameterUpdates"
	opUnsubscribeParameters = "unsubscribeParameterUpdates"
	opPlaybackControl       = "playbackControl"
)

// notOffered are requests for capabilities that the gateway does not have, and what to do instead.
var notOffered = map[string]string{
	"advertise":                  "Foxglove cannot publish to a robot: use its page, or a program",
	"unadvertise":                "Foxglove cannot publish to a robot: use its page, or a program",
	"message data":               "Foxglove cannot publish to a robot: use its page, or a program",
	"service call":               "Foxglove cannot call a robot: use its page, or `waldo call`",
	"fetchAsset":                 "there are no assets",
	"subscribeConnectionGraph":   "there is no connection graph",
	"unsubscribeConnectionGraph": "there is no connection graph",
}

// parse reads a message of a client.
func parse(text bool, data []byte) (request, error) {
	if text {
		return parseText(data)
	}
	return parseBinary(data)
}

// parseText reads a text message of a client. An error is for people, and has the op if that could be read.
func parseText(data []byte) (request, error) {
	var m struct {
		Op              string          `json:"op"`
		Subscriptions   []wanted        `json:"subscriptions"`
		SubscriptionIDs []uint32        `json:"subscriptionIds"`
		ParameterNames  []string        `json:"parameterNames"`
		Parameters      json.RawMessage `json:"parameters"`
		ID              string          `json:"id"`
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return request{op: m.Op}, fmt.Errorf("not understood: %w", plain(err))
	}
	r := request{op: m.Op, subscriptions: m.Subscriptions, subscriptionIDs: m.SubscriptionIDs, names: m.ParameterNames,
		id: m.ID}
	switch m.Op {
	case opSubscribe, opUnsubscribe, opGetParameters, opSubscribeParameters, opUnsubscribeParameters:
	case opSetParameters:
		var err error
		if r.names, err = parameterNames(m.Parameters); err != nil {
			return r, err
		}
	default:
		if why, known := notOffered[m.Op]; known {
			return r, fmt.Errorf("%s: %s", m.Op, why)
		}
		return request{op: "?"}, fmt.Errorf("op: %.40q is not known here", m.Op)
	}
	return r, r.check()
}

// parameterNames reads the names of the parameters that a client wants to set.
func parameterNames(data json.RawMessage) ([]string, error) {
	var parameters []struct {
		Name string `json:"name"`
	}
	if len(data) > 0 {
		if err := json.Unmarshal(data, &parameters); err != nil {
			return nil, fmt.Errorf("parameters: %w", plain(err))
		}
	}
	names := make([]string, len(parameters))
	for i, p := range parameters {
		names[i] = p.Name
	}
	return names, nil
}

// check keeps the bounds.
func (r *request) check() error {
	for what, n := range map[string]int{
		"subscriptions": len(r.subscriptions), "subscriptionIds": len(r.subscriptionIDs), "parameters": len(r.names),
	} {
		if n > maxNamed {
			return fmt.Errorf("%s: %d in one message are too many: send %d at most", what, n, maxNamed)
		}
	}
	for _, s := range r.subscriptions {
		if s.ID == nil || s.Channel == nil {
			return errors.New("subscriptions: each needs an id and a channelId")
		}
	}
	for _, name := range append(r.names, r.id) {
		if len(name) > maxText {
			return fmt.Errorf("%.40q…: a name or an id has %d bytes at most", name, maxText)
		}
	}
	return nil
}

// plain is an error of JSON without the names of our types.
func plain(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Errorf("%.40q must not be a %s", wrong.Field, wrong.Value)
	}
	return err
}

// parseBinary reads a binary message of a client.
func parseBinary(data []byte) (request, error) {
	if len(data) == 0 {
		return request{op: "?"}, errors.New("a binary message is empty")
	}
	switch data[0] {
	case opClientMessage:
		return request{op: "message data"}, fmt.Errorf("message data: %s", notOffered["message data"])
	case opServiceCall:
		return request{op: "service call"}, fmt.Errorf("service call: %s", notOffered["service call"])
	case opPlayback:
		p, err := parsePlayback(data[1:])
		return request{op: opPlaybackControl, playback: p}, err
	}
	return request{op: "?"}, fmt.Errorf("the binary opcode %d is not known here", data[0])
}

// parsePlayback reads a request to a player: command (1 byte: 0 play, 1 pause), speed (float32), whether there is a
// place (1 byte), place (uint64), and an id with its length (uint32).
func parsePlayback(data []byte) (playbackRequest, error) {
	const fixed = 1 + 4 + 1 + 8 + 4
	if len(data) < fixed {
		return playbackRequest{}, fmt.Errorf("playback control: it has %d bytes, and needs %d", len(data), fixed)
	}
	p := playbackRequest{play: data[0] == 0, speed: float64(math.Float32frombits(binary.LittleEndian.Uint32(data[1:])))}
	if data[5] != 0 {
		place := binary.LittleEndian.Uint64(data[6:])
		p.seek = &place
	}
	size, rest := binary.LittleEndian.Uint32(data[14:]), data[fixed:]
	switch {
	case data[0] > 1:
		return p, fmt.Errorf("playback control: the command %d is neither play (0) nor pause (1)", data[0])
	case math.IsNaN(p.speed) || math.IsInf(p.speed, 0):
		return p, errors.New("playback control: the speed is not a number")
	case uint64(size) > uint64(len(rest)):
		return p, fmt.Errorf("playback control: the request id has %d bytes, and %d are there", size, len(rest))
	case size > maxText || !utf8.Valid(rest[:size]):
		return p, fmt.Errorf("playback control: the request id is not text of at most %d bytes", maxText)
	}
	p.id = string(rest[:size])
	return p, nil
}
