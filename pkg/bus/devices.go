package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
)

const (
	servicePrefix = "waldo-"
	// discoveryQuiet ends a search when nobody has answered for so long.
	discoveryQuiet = 250 * time.Millisecond
	// describeTimeout is how long a device may take to describe itself.
	describeTimeout = 2 * time.Second
)

// Devices asks all devices on the bus, of any robot, to describe themselves, and returns those that did within 2 s, by
// robot and name. It takes a quarter of a second longer than the slowest device, and fails if the bus is not reachable.
func (c *Conn) Devices(ctx context.Context) ([]*devicev1.Device, error) {
	addresses, err := c.discover(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("look for devices: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	found := make([]*devicev1.Device, len(addresses))
	var asked sync.WaitGroup
	for i, a := range addresses {
		asked.Go(func() {
			r, err := devicev1.NewDeviceServiceClient(c.Client(a)).GetDevice(ctx, &devicev1.GetDeviceRequest{})
			if err == nil { // one that died just now is simply not there
				found[i] = r.GetDevice()
			}
		})
	}
	asked.Wait()
	return slices.DeleteFunc(found, func(d *devicev1.Device) bool { return d == nil }), nil
}

// OfKind returns the addresses of all that serve on the bus under a kind, by robot and name, after a quarter of a
// second.
func (c *Conn) OfKind(ctx context.Context, kind string) ([]Address, error) {
	addresses, err := c.discover(ctx, kind)
	if err != nil {
		return nil, fmt.Errorf("look for a %s: %w", kind, err)
	}
	return addresses, nil
}

// discover returns the addresses of all registered devices of a kind, or of any if it is empty, sorted.
func (c *Conn) discover(ctx context.Context, kind string) ([]Address, error) {
	if !c.Connected() {
		return nil, ErrDisconnected
	}
	inbox := c.nc.NewInbox()
	sub, err := c.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, sendError(err)
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only on a closed connection
	subject, err := micro.ControlSubject(micro.InfoVerb, "", "")
	if err != nil {
		return nil, err
	}
	ctx, done := c.orRefused(ctx, subject)
	defer done()
	if err := c.nc.PublishRequest(subject, inbox, nil); err != nil {
		return nil, sendError(err)
	}
	var found []Address
	for {
		m, err := nextWithin(ctx, sub, discoveryQuiet)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrNoResponders):
			slices.SortFunc(found, func(a, b Address) int { return strings.Compare(a.String(), b.String()) })
			return slices.Compact(found), nil
		case err != nil:
			return nil, err
		}
		if a, ok := serviceAddress(m.Data, kind); ok {
			found = append(found, a)
		}
	}
}

// serviceAddress reads a micro INFO answer; other people's services are not ours to list.
func serviceAddress(data []byte, kind string) (Address, bool) {
	var info micro.Info
	if err := json.Unmarshal(data, &info); err != nil || !strings.HasPrefix(info.Name, servicePrefix) || kind != "" &&
		info.Name != servicePrefix+kind {
		return Address{}, false
	}
	a := Address{Robot: info.Metadata["robot"], Device: info.Metadata["device"]}
	return a, a.Validate() == nil
}

func nextWithin(ctx context.Context, sub *nats.Subscription, d time.Duration) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return sub.NextMsgWithContext(ctx)
}
