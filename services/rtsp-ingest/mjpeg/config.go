package mjpeg

import (
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
)

// Config says how to receive from a camera.
type Config struct {
	Address     address.Address // http or https
	Fingerprint string          // of its certificate, see package dial
	LegacyTLS   bool            // see package dial
	Every       time.Duration   // from one single picture to the next; zero stands for 200 ms
	Limits      Limits          // bounds of time; zero values stand for the usual ones
}

// Limits are how long something may take.
type Limits struct {
	Connect time.Duration // until a connection stands, TLS included: 3 s
	Answer  time.Duration // until the camera answers a request: 15 s
	Silence time.Duration // without a byte: 10 s
}

func (c Config) filled() Config {
	usual := Limits{3 * time.Second, 15 * time.Second, 10 * time.Second}
	for _, one := range []struct {
		value *time.Duration
		usual time.Duration
	}{
		{&c.Every, 200 * time.Millisecond},
		{&c.Limits.Connect, usual.Connect}, {&c.Limits.Answer, usual.Answer}, {&c.Limits.Silence, usual.Silence},
	} {
		if *one.value <= 0 {
			*one.value = one.usual
		}
	}
	return c
}
