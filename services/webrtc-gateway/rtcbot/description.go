package rtcbot

import (
	"encoding/json"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Description is an offer or an answer, as RTCBot and browsers write it.
type Description struct {
	SDP  string `json:"sdp"`
	Type string `json:"type"`
}

// ParseOffer reads the body of a client's request. An error is codes.InvalidArgument.
func ParseOffer(body []byte) (sdp string, err error) {
	var d Description
	if err := json.Unmarshal(body, &d); err != nil {
		return "", status.Errorf(codes.InvalidArgument, "body: %v: send the JSON of a session description, "+
			`{"sdp": "v=0…", "type": "offer"}`, err)
	}
	if d.Type != "offer" {
		return "", status.Errorf(codes.InvalidArgument, "type: %.40q is not \"offer\": the client makes the offer, and the "+
			"robot answers", d.Type)
	}
	return d.SDP, nil // an empty one is refused by the engine
}

// Answer is the body of the response.
func Answer(sdp string) ([]byte, error) { return json.Marshal(Description{SDP: sdp, Type: "answer"}) }
