package server

import (
	"net/url"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/playout"
)

// fixedPlayout reads how long a request wants its player to hold pictures back, whatever the path is like, from
// ?playout=; nil if it leaves that to the gateway. It is for measurements.
func fixedPlayout(q url.Values) (*playout.Delay, error) {
	if !q.Has("playout") {
		return nil, nil
	}
	d, err := playout.Parse(q.Get("playout"))
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "playout: %v", err)
	}
	return &d, nil
}
