package ingest

import (
	"context"
	"os"
	"path/filepath"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/state"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/insta360"
	commands "github.com/waldo-robot/waldo/services/rtsp-ingest/insta360/service"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/mjpeg"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/rtmp"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/rtsp"
)

// opener opens a connection.
type opener func(context.Context) (feed.Conn, error)

// dialer returns what opens a connection, by the scheme of the address; or what waits for a publisher, if there is
// none.
func (c *Config) dialer(kit *device.Kit) (opener, error) {
	if c.Listen != "" {
		return c.publisher(kit)
	}
	a, err := c.address()
	if err != nil {
		return nil, err
	}
	switch a.Scheme {
	case "http", "https":
		return with(mjpeg.Open, mjpeg.Config{Address: a, Fingerprint: c.Fingerprint, LegacyTLS: c.TLS == legacy}), nil
	case "rtmp", "rtmps":
		return with(rtmp.Open, rtmp.Config{Address: a, Fingerprint: c.Fingerprint, LegacyTLS: c.TLS == legacy,
			Memory: &rtmp.Memory{}}), nil
	case "insta360":
		return ball(a, kit), nil
	}
	return c.rtsp(a, kit)
}

// ball makes the device one that is a camera of Insta360 too.
func ball(a address.Address, kit *device.Kit) opener {
	camera := insta360.New(insta360.Config{Address: a, Log: kit.Log})
	start := commands.Attach(kit, camera)
	return func(ctx context.Context) (feed.Conn, error) {
		start()
		return camera.Open(ctx)
	}
}

func (c *Config) rtsp(a address.Address, kit *device.Kit) (opener, error) {
	folder, err := sessions(kit)
	if err != nil {
		kit.Log.Warn("a session that the camera keeps after a crash cannot be adopted", "reason", err)
	}
	return with(rtsp.Open, rtsp.Config{
		Address: a, UDP: c.Transport == udp, Silent: !c.Sound, Fingerprint: c.Fingerprint, LegacyTLS: c.TLS == legacy,
		Directory: folder, Memory: &rtsp.Memory{},
	}), nil
}

// sessions is the folder where the id of the session is kept for the next process.
func sessions(kit *device.Kit) (string, error) {
	folder, err := state.Folder("", os.Getenv)
	if err != nil {
		return "", err
	}
	folder = filepath.Join(folder, "ingest", kit.Address().Robot, kit.Address().Device)
	return folder, os.MkdirAll(folder, 0o700)
}

// with makes an opener of a protocol's Open and its configuration.
func with[C any, O feed.Conn](open func(context.Context, C) (O, error), config C) opener {
	return conn(func(ctx context.Context) (O, error) { return open(ctx, config) })
}

// conn makes an opener of what opens connections of a protocol's own type.
func conn[O feed.Conn](open func(context.Context) (O, error)) opener {
	return func(ctx context.Context) (feed.Conn, error) {
		opened, err := open(ctx)
		if err != nil {
			return nil, err // without a nil pointer in a feed.Conn
		}
		return opened, nil
	}
}

// publisher listens for those who send by RTMP.
func (c *Config) publisher(kit *device.Kit) (opener, error) {
	key, err := c.secret()
	if err != nil {
		return nil, err
	}
	secure, err := c.tls()
	if err != nil {
		return nil, err
	}
	l, err := rtmp.Listen(rtmp.ListenConfig{Address: c.Listen, Key: key, TLS: secure, Log: kit.Log})
	if err != nil {
		return nil, err
	}
	kit.OnStop(func() { _ = l.Close() }) // nothing is written any more
	kit.Log.Info("waiting for a publisher", "address", l.Addr())
	return conn(l.Open), nil
}
