package launch

import (
	"context"
	"errors"
	"time"

	"github.com/waldo-robot/waldo/pkg/device/vital"
)

const (
	// pollInterval is how often the gateway is polled until it serves.
	pollInterval = 20 * time.Millisecond
	// pollTime bounds the wait for an answer.
	pollTime = time.Second
)

// awaitPage returns the URL of the page once this launcher's own gateway serves it; none if ctx ends before, or the
// gateway has no usable address, which it reports itself. The error wraps [ErrAddressInUse]: another program is there.
func (s *server) awaitPage(ctx context.Context, p *Plan) (url string, err error) {
	url, err = pageURL(p.http(), p.authority())
	if err != nil {
		return "", nil
	}
	page := vital.NewPage(url)
	defer page.Close()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		if err := s.taken(p); err != nil {
			return "", err
		}
		asking, cancel := context.WithTimeout(ctx, pollTime)
		serves := page.Serves(asking, s.instance)
		cancel()
		if serves {
			return url, nil
		}
		select {
		case <-ctx.Done():
			return "", nil
		case <-tick.C:
		}
	}
}

// taken returns an error that names the address of the gateway which another program has; nil while the gateway may
// still get it.
func (s *server) taken(p *Plan) error {
	if !s.gatewayRefused() {
		return nil
	}
	err := errors.Join(p.checkGatewayAddresses(nil)...)
	if err == nil || !s.gatewayRefused() { // it may have started meanwhile: then it is in its own way
		return nil
	}
	return err
}

// gatewayRefused tells whether there is no gateway because an address that it needs was in use.
func (s *server) gatewayRefused() bool {
	for _, status := range s.supervisor.Status() {
		if status.Name == gatewayKind {
			return status.Taken
		}
	}
	return false
}
