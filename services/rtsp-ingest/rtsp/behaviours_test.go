package rtsp_test

import (
	"errors"
	"testing"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/rtsp"
)

// unknown are behaviours of pictures that package rtp cannot assemble.
var unknown = map[string]bool{"mpeg-4": true, "jpeg-q-110": true}

// TestBehaviours: every camera that is known shows pictures, or the error says what to do.
func TestBehaviours(t *testing.T) {
	for _, b := range fakecam.Behaviours() {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			camera := fakecam.Start(t, b.Config)
			config := configFor(t, camera)
			over := b.Config.Transport
			config.UDP = over.NoUDP || over.SilentUDP || over.TCPForUDP || over.MaxPacket > 0
			config.Limits.UDP = patience(b.Config)
			conn, err := rtsp.Open(soon(t), config)
			if err != nil {
				if e, ok := errors.AsType[*feed.Error](err); !ok || !b.Dark && !unknown[b.Name] {
					t.Fatalf("%#v: %v", e, err)
				}
				return
			}
			v := run(t, conn)
			if b.Dark || unknown[b.Name] {
				return
			}
			for range 10 {
				next(t, v.pictures)
			}
			if err := v.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}
