package ingest

import (
	"context"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/rtsp"
)

// dialer returns what opens a connection, by the scheme of the address.
func (c *Config) dialer(kit *device.Kit) (func(context.Context) (feed.Conn, error), error) {
	a, err := c.address()
	if err != nil {
		return nil, err
	}
	switch a.Scheme {
	case "rtsp", "rtsps":
		return func(ctx context.Context) (feed.Conn, error) {
			return rtsp.Open(ctx, rtsp.Config{
				Address: a, UDP: c.Transport == udp, Fingerprint: c.Fingerprint, LegacyTLS: c.TLS == legacy, Log: kit.Log,
			})
		}, nil
	}
	return nil, nil
}
