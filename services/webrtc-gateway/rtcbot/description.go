package rtcbot

import (
	"encoding/json"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/pkg/rtcbot"
)

// ParseOffer reads the body of a client's request. An error is codes.InvalidArgument.
func ParseOffer(body []byte) (sdp string, err error) {
	if sdp, err = rtcbot.ParseDescription(body, rtcbot.Offer); err != nil {
		return "", status.Error(codes.InvalidArgument, err.Error())
	}
	return sdp, nil
}

// Answer is the body of the response.
func Answer(sdp string) ([]byte, error) {
	return json.Marshal(rtcbot.Description{SDP: sdp, Type: rtcbot.Answer})
}
