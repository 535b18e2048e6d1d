package device

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/protobuf/reflect/protoreflect"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/inflight"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// Kit is what a driver has to meet the world. It is safe for concurrent use.
type Kit struct {
	// Log carries the device's name already.
	Log *slog.Logger
	// Metrics is served at /metrics of the process.
	Metrics prometheus.Registerer
	// Audit keeps who did what; see [access.User] for who. The kit closes it.
	Audit *audit.Log

	stopping context.Context
	stop     context.CancelFunc

	address bus.Address
	epoch   int64
	beside  bool // see Kind.Beside
	guard   *guard
	conn    *bus.ConnCloser
	server  *grpc.Server
	readers *inflight.Readers
	health  *health.Server
	loops   loops
	changes *stream.Topic[*devicev1.Device]
	wake    chan struct{} // holds a token when the bus has to be told of the device

	heir   *heir         // of a successor that takes over while its predecessor serves; else nil
	active chan struct{} // closed when this process is the one that serves
	ready  chan struct{} // closed when the hardware has worked once

	standIn   bool          // see Kind.StandIn
	displaced chan struct{} // closed when a stand-in has heard the device for which it stands

	speaking sync.Mutex // held while the device is announced
	quiet    bool       // another process speaks for the device

	mu       sync.Mutex
	served   *bus.Service
	kept     map[string]keep  // see Keep
	about    *devicev1.Device // never handed out, only copies
	outs     []*out
	ins      []*in
	services []registration
	failed   error    // the first registration that failed
	namesake string   // see Namesake
	worked   bool     // ready is closed
	onStop   []func() // in the order in which they were given

	obstacles []func() []Obstacle // see BeforeRestart
}

// registration is a service to be served on the bus as well, once the driver is complete.
type registration struct {
	desc    *grpc.ServiceDesc
	impl    any
	defined protoreflect.ServiceDescriptor // nil if its code is linked into the program
}

// Address is where the device is on the bus.
func (k *Kit) Address() bus.Address { return k.address }

// Bus is the connection to the bus, for drivers that read what other devices produce. The kit closes it.
func (k *Kit) Bus() *bus.Conn { return k.conn.Conn }

// Epoch is the life of this process: random, positive.
func (k *Kit) Epoch() int64 { return k.epoch }

// RegisterService serves a gRPC service, and its unary methods on the bus. It is for use in [Kind.New] only, and makes
// Kit a [grpc.ServiceRegistrar], which the generated Register functions take. Calls come once New has returned.
func (k *Kit) RegisterService(desc *grpc.ServiceDesc, impl any) {
	k.register(registration{desc: desc, impl: impl})
}

func (k *Kit) register(r registration) {
	if _, taken := k.server.GetServiceInfo()[r.desc.ServiceName]; taken {
		k.fail(fmt.Errorf("service %s is registered twice", r.desc.ServiceName))
		return
	}
	k.server.RegisterService(r.desc, r.impl)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.services = append(k.services, r)
}

// Stopping ends when the device begins to stop: the context of [Driver.Run], for calls that would otherwise go on for
// ever.
func (k *Kit) Stopping() context.Context { return k.stopping }

// OnStop has f called when the device stops, after Run has returned for the last time and calls have ended. The one
// given last is called first. It is for use in [Kind.New], for what lives as long as the process; f is not called if
// the device does not start.
func (k *Kit) OnStop(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.onStop = append(k.onStop, f)
}

// stopped calls what was given to OnStop.
func (k *Kit) stopped() {
	k.mu.Lock()
	all := k.onStop
	k.mu.Unlock()
	for _, f := range slices.Backward(all) {
		f()
	}
}

// fail notes that something could not be registered; the device does not start then.
func (k *Kit) fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failed == nil {
		k.failed = err
	}
}

// registered returns what went wrong in registrations, and what was registered.
func (k *Kit) registered() ([]registration, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.services, k.failed
}

// checkStream fails for a name that is none, or that another stream of the device has, in either direction.
func (k *Kit) checkStream(name string) {
	if err := robot.CheckName(name); err != nil {
		k.fail(fmt.Errorf("stream: %w", err))
	}
	if k.findOut(name) != nil || k.findIn(name) != nil {
		k.fail(fmt.Errorf("stream %q is defined twice", name))
	}
}

// addOut makes a stream known.
func (k *Kit) addOut(o *out) {
	k.checkStream(o.name)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.outs = append(k.outs, o)
}

func (k *Kit) findOut(name string) *out {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, o := range k.outs {
		if o.name == name {
			return o
		}
	}
	return nil
}

func (k *Kit) streamNames() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	names := make([]string, len(k.outs))
	for i, o := range k.outs {
		names[i] = o.name
	}
	return names
}
