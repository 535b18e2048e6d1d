package dynamic

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/descriptors"
	"github.com/waldo-robot/waldo/pkg/turns"
)

const (
	// maxDevices and maxBytes bound what is kept.
	maxDevices = 64
	maxBytes   = 16 << 20
	// maxServices bounds the names of services in an answer.
	maxServices = 64 << 10
	// askAgain is after what time a device is asked again that gave definitions which are of no use.
	askAgain = time.Second
	// settle is how long a life's definitions are kept at least, although messages name another: two processes of one
	// name take turns.
	settle = 200 * time.Millisecond
)

// Config adjusts Devices; the zero value works.
type Config struct {
	// Log may be nil.
	Log *slog.Logger
	// Metrics may be nil.
	Metrics prometheus.Registerer
}

// Devices knows the definitions of devices.
type Devices struct {
	conn       *bus.Conn
	log        *slog.Logger
	unreadable *prometheus.CounterVec
	settle     time.Duration

	mu      sync.Mutex
	entries map[bus.Address]*entry
	uses    uint64 // counts up; see entry.used
	logged  map[string]bool
}

// Life are the definitions of one life of a device.
type Life struct {
	// Epoch of the device.
	Epoch int64
	*descriptors.Set
}

// entry is what is known of one device. All but the queue is guarded by Devices.mu.
type entry struct {
	asking turns.Queue[struct{}, *Life]

	used  uint64 // when it was used last, by Devices.uses
	life  *Life
	err   error // why the definitions are of no use; life is nil then
	asked time.Time
}

// New returns Devices that ask over a connection.
func New(conn *bus.Conn, c Config) *Devices {
	d := &Devices{
		conn: conn, log: c.Log, settle: settle, entries: map[bus.Address]*entry{}, logged: map[string]bool{},
		unreadable: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waldo_bus_unreadable_total",
			Help: "Messages that could not be read, by reason: definitions, of a device that did not give them; epoch, of a " +
				"life whose definitions are gone; type, of a type that the device does not define; decode, of bytes that do not " +
				"fit their type.",
		}, []string{"reason"}),
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if c.Metrics != nil {
		c.Metrics.MustRegister(d.unreadable)
	}
	return d
}

// Of returns the definitions of a device as they were last given; it asks if there are none. The error is a gRPC
// status for people: what is wrong and what helps.
func (d *Devices) Of(ctx context.Context, a bus.Address) (*Life, error) {
	return d.life(ctx, a, func(*entry) bool { return true })
}

// Again returns the definitions of a device that has turned out to live another life than old.
func (d *Devices) Again(ctx context.Context, a bus.Address, old *Life) (*Life, error) {
	return d.life(ctx, a, func(e *entry) bool { return e.life != old })
}

// check returns the definitions of a device that may live another life than old, unless it was asked just now.
func (d *Devices) check(ctx context.Context, a bus.Address, old *Life) (*Life, error) {
	return d.life(ctx, a, func(e *entry) bool { return e.life != old || time.Since(e.asked) < d.settle })
}

// errEpoch is for messages of a life that has ended.
var errEpoch = errors.New("it was sent in a life of the device that has ended, whose definitions are gone")

// ofEpoch returns the definitions of one life of a device; 0 is any. With errEpoch it returns those of another life.
func (d *Devices) ofEpoch(ctx context.Context, a bus.Address, epoch int64) (*Life, error) {
	life, err := d.life(ctx, a, func(e *entry) bool {
		return epoch == 0 || e.life == nil || e.life.Epoch == epoch || time.Since(e.asked) < d.settle
	})
	if err == nil && epoch != 0 && life.Epoch != epoch {
		return life, errEpoch
	}
	return life, err
}

// life returns what is known of a device, if there is something and it will do, or else asks. Callers who ask at the
// same time share an answer.
func (d *Devices) life(ctx context.Context, a bus.Address, willDo func(*entry) bool) (*Life, error) {
	if err := a.Validate(); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	e := d.entry(a)
	if life, err, there := d.known(e, willDo); there {
		return life, err
	}
	return e.asking.Do(ctx, struct{}{}, func(ctx context.Context) (*Life, error) {
		if life, err, there := d.known(e, willDo); there { // somebody has asked meanwhile
			return life, err
		}
		life, err := d.ask(ctx, a)
		d.mu.Lock()
		defer d.mu.Unlock()
		if err == nil || lasting(err) {
			e.life, e.err, e.asked = life, err, time.Now()
			d.shrink()
		}
		return life, err
	})
}

// entry returns the entry of a device.
func (d *Devices) entry(a bus.Address) *entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.entries[a]
	if e == nil {
		e = &entry{}
		d.entries[a] = e
	}
	d.uses++
	e.used = d.uses
	d.shrink()
	return e
}

// known returns what an entry has, if that will do.
func (d *Devices) known(e *entry, willDo func(*entry) bool) (*Life, error, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case e.err != nil:
		return nil, e.err, time.Since(e.asked) < askAgain
	case e.life == nil || !willDo(e):
		return nil, nil, false
	}
	return e.life, nil, true
}

// shrink forgets what has not been used for longest while there is too much. It needs mu.
func (d *Devices) shrink() {
	for {
		bytes := 0
		var oldest *bus.Address
		for a, e := range d.entries {
			if e.life != nil {
				bytes += e.life.Size()
			}
			if oldest == nil || e.used < d.entries[*oldest].used {
				oldest = &a
			}
		}
		if len(d.entries) <= maxDevices && bytes <= maxBytes {
			return
		}
		delete(d.entries, *oldest)
	}
}

// ask gets the definitions from the device.
func (d *Devices) ask(ctx context.Context, a bus.Address) (*Life, error) {
	client := devicev1.NewDeviceServiceClient(d.conn.Client(a))
	most := grpc.MaxCallRecvMsgSize(descriptors.MaxBytes + maxServices)
	r, err := client.GetDescriptors(ctx, &devicev1.GetDescriptorsRequest{}, most)
	switch status.Code(err) {
	case codes.OK:
	case codes.Unavailable, codes.Unimplemented:
		return nil, d.whyNot(ctx, a, client, err)
	default:
		return nil, err
	}
	set, err := descriptors.New(r.GetFiles(), r.GetServices())
	if err != nil {
		return nil, status.Errorf(codes.FailedPrecondition, "device %s: its %v", a, err)
	}
	return &Life{r.GetEpoch(), set}, nil
}

// whyNot tells a device that is away from one that is there and does not give definitions.
func (d *Devices) whyNot(ctx context.Context, a bus.Address, client devicev1.DeviceServiceClient, err error) error {
	r, failed := client.GetDevice(ctx, &devicev1.GetDeviceRequest{})
	if failed != nil {
		return err
	}
	return status.Errorf(codes.FailedPrecondition, "device %s does not describe its messages and methods "+
		"(DeviceService.GetDescriptors): its program, "+
		"waldo-%s %s, is older than this one: update it", a, r.GetDevice().GetKind(), r.GetDevice().GetVersion())
}

// lasting reports whether asking again would give the same error, unless the device restarts.
func lasting(err error) bool {
	code := status.Code(err)
	return code == codes.FailedPrecondition || code == codes.ResourceExhausted
}

// logOnce logs what cannot be read, once for each device and type.
func (d *Devices) logOnce(u *Unreadable) {
	const most = 1000
	key := fmt.Sprintf("%s %s", u.Device, u.Type)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.logged[key] || len(d.logged) >= most {
		return
	}
	d.logged[key] = true
	d.log.Warn("messages cannot be read", "device", u.Device.String(), "stream", u.Stream, "type", u.Type, "error", u.Err)
}
