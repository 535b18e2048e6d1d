package device

import (
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// Kit is what a driver has to meet the world. It is safe for concurrent use.
type Kit struct {
	// Log carries the device's name already.
	Log *slog.Logger
	// Metrics is served at /metrics of the process.
	Metrics prometheus.Registerer

	address bus.Address
	conn    *bus.Conn
	service *bus.Service
	server  *grpc.Server
	health  *health.Server
	changes *stream.Topic[*devicev1.Device]

	mu       sync.Mutex
	about    *devicev1.Device // never handed out, only copies
	outs     []*out
	services []string
	failed   error // the first registration that failed
}

// newEpoch is a random, positive number: two lives of a device never share one in practice.
func newEpoch() int64 { return rand.Int64N(1<<62-1) + 1 }

func newAbout(s Settings, kind, version string, grpcAt, metricsAt net.Addr) *devicev1.Device {
	return &devicev1.Device{
		Robot:          s.Robot,
		Name:           s.Device,
		Kind:           kind,
		Version:        version,
		Epoch:          newEpoch(),
		State:          devicev1.DeviceState_DEVICE_STATE_STARTING,
		Pid:            int32(os.Getpid()),
		GrpcAddress:    grpcAt.String(),
		MetricsAddress: metricsAt.String(),
		StartTime:      timestamppb.New(time.Now()),
	}
}

// Address is where the device is on the bus.
func (k *Kit) Address() bus.Address { return k.address }

// Epoch is the life of this process: random, positive.
func (k *Kit) Epoch() int64 { return k.about.GetEpoch() }

// RegisterService serves a gRPC service, and its unary methods on the bus. It is for use in [Kind.New] only, and makes Kit a
// [grpc.ServiceRegistrar], which the generated Register functions take.
func (k *Kit) RegisterService(desc *grpc.ServiceDesc, impl any) {
	k.server.RegisterService(desc, impl)
	if err := k.service.RegisterService(desc, impl); err != nil {
		k.fail(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.services = append(k.services, desc.ServiceName)
}

// SetAttributes merges what the hardware says of itself into the device's description. An empty value removes its key.
func (k *Kit) SetAttributes(attributes map[string]string) {
	k.change(func(d *devicev1.Device) {
		merged := maps.Clone(d.Attributes)
		if merged == nil {
			merged = map[string]string{}
		}
		maps.Copy(merged, attributes)
		maps.DeleteFunc(merged, func(_, v string) bool { return v == "" })
		d.Attributes = merged
	})
}

// Device describes the device as it is now.
func (k *Kit) Device() *devicev1.Device {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.snapshot()
}

// snapshot makes a description that nobody will change. Maps are replaced rather than changed, so they can be shared.
func (k *Kit) snapshot() *devicev1.Device {
	d := &devicev1.Device{
		Robot: k.about.Robot, Name: k.about.Name, Kind: k.about.Kind, Version: k.about.Version, Epoch: k.about.Epoch,
		State: k.about.State, StateReason: k.about.StateReason, Pid: k.about.Pid, GrpcAddress: k.about.GrpcAddress,
		MetricsAddress: k.about.MetricsAddress, StartTime: k.about.StartTime, Attributes: k.about.Attributes,
	}
	for _, o := range k.outs {
		d.Streams = append(d.Streams, o.info())
	}
	return d
}

// setState tells everybody about a new state. It reports whether it was new.
func (k *Kit) setState(state devicev1.DeviceState, reason string) bool {
	k.mu.Lock()
	same := k.about.State == state && k.about.StateReason == reason
	k.mu.Unlock()
	if same {
		return false
	}
	serving := healthpb.HealthCheckResponse_NOT_SERVING
	if state == devicev1.DeviceState_DEVICE_STATE_READY {
		serving = healthpb.HealthCheckResponse_SERVING
	}
	k.setHealth(serving)
	k.change(func(d *devicev1.Device) { d.State, d.StateReason = state, reason })
	return true
}

func (k *Kit) setHealth(serving healthpb.HealthCheckResponse_ServingStatus) {
	k.health.SetServingStatus("", serving)
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, name := range k.services {
		k.health.SetServingStatus(name, serving)
	}
}

// change alters the description and tells everybody.
func (k *Kit) change(alter func(*devicev1.Device)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	alter(k.about)
	k.announceLocked()
}

// announce tells the bus and the watchers what the device is now.
func (k *Kit) announce() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.announceLocked()
}

// announceLocked keeps the lock while it tells, so that nobody hears of two changes in the wrong order. Neither way waits.
func (k *Kit) announceLocked() {
	d := k.snapshot()
	k.changes.Publish(d)
	_ = k.conn.Publish(k.address.State(), d) // counted by the bus; said again within a second
}

func (k *Kit) fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failed == nil {
		k.failed = err
	}
}

func (k *Kit) registered() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.failed
}

// addOut makes a stream known. Names are unique in a device.
func (k *Kit) addOut(o *out) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, other := range k.outs {
		if other.name == o.name && k.failed == nil {
			k.failed = fmt.Errorf("stream %q is defined twice", o.name)
		}
	}
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
