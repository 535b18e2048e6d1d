package rtcbot

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Types of descriptions.
const (
	Offer  = "offer"
	Answer = "answer"
)

// Description is an offer or an answer, as RTCBot and browsers write it.
type Description struct {
	SDP  string `json:"sdp"`
	Type string `json:"type"`
}

// ParseDescription reads the JSON of a description that must be of a type.
func ParseDescription(text []byte, want string) (sdp string, err error) {
	var d Description
	if err := json.Unmarshal(text, &d); err != nil {
		return "", fmt.Errorf("%w: send the JSON of a session description, "+`{"sdp": "v=0…", "type": %q}`, err, want)
	}
	switch {
	case d.Type != want:
		return "", fmt.Errorf("type: %.40q is not %q", d.Type, want)
	case d.SDP == "":
		return "", errors.New("sdp: it is empty")
	}
	return d.SDP, nil
}
