package ingest

import (
	"context"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/onvif"
)

// keyLimit bounds a request that asks for a key frame, or finds out how to.
const keyLimit = 5 * time.Second

// onvif returns where the camera is asked by ONVIF: what a key says, or port 80 of the host in url. User and password
// are those of the stream.
func (c *Config) onvif(key, raw string) (address.Address, error) {
	var stream address.Address
	if c.URL != "" {
		var err error
		if stream, err = c.address(); err != nil {
			return stream, field(err)
		}
	}
	if raw == "" {
		return address.Address{Scheme: "http", Host: stream.Host, Port: 80, User: stream.User, Password: stream.Password}, nil
	}
	at, err := address.Parse(raw, "", "")
	switch {
	case err != nil:
		return at, robot.BadField(key, "%s", strings.TrimPrefix(err.Error(), "url: "))
	case at.Scheme != "http" && at.Scheme != "https":
		return at, robot.BadField(key, "its scheme is %s: use http:// or https://", at.Scheme)
	case at.User != "" || at.Password != "":
		return at, robot.BadField(key, "leave user and password out: those of url count")
	}
	at.User, at.Password = stream.User, stream.Password
	return at, nil
}

// onvifClient returns a client for that address, which bounds each call.
func (c *Config) onvifClient(key, raw string, limit time.Duration) (*onvif.Client, error) {
	at, err := c.onvif(key, raw)
	if err != nil {
		return nil, err
	}
	return onvif.New(onvif.Config{
		Address: at, Key: key, Assumed: raw == "", Fingerprint: c.Fingerprint, LegacyTLS: c.TLS == legacy, Limit: limit,
	}), nil
}

// keyFrames returns the ways to ask for a key frame beside those of the protocol.
func (c *Config) keyFrames(kit *device.Kit) ([]feed.Way, error) {
	key, raw := "onvif", c.ONVIF
	switch {
	case raw != "":
	case c.PTZ == nil:
		return nil, nil
	default:
		key, raw = "ptz.onvif", c.PTZ.ONVIF
	}
	client, err := c.onvifClient(key, raw, keyLimit)
	if err != nil {
		return nil, err
	}
	kit.OnStop(client.Close)
	target := ""
	if c.URL != "" {
		stream, err := c.address()
		if err != nil {
			return nil, err
		}
		target = stream.Target
	}
	return []feed.Way{synchronization(client, target)}, nil
}

// synchronization is the way of ONVIF. Prepare finds the profile of the stream before Ask is called.
func synchronization(client *onvif.Client, target string) feed.Way {
	var profile onvif.Profile
	return feed.Way{
		Name: "SetSynchronizationPoint",
		Prepare: func(ctx context.Context) (err error) {
			profile, err = client.ProfileOf(ctx, target)
			return err
		},
		Ask: func(ctx context.Context) error { return client.RequestKeyFrame(ctx, profile) },
	}
}
