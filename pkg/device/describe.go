package device

import (
	"cmp"
	"maps"
	"net"
	"os"
	"strings"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// maxText bounds each text in the description, in bytes: an error or an attribute may repeat what unknown hardware
// sent.
const maxText = 1024

func newAbout(s Settings, kind, version string, grpcAt, metricsAt net.Addr) *devicev1.Device {
	return &devicev1.Device{
		Robot:          s.Robot,
		Name:           s.Device,
		Kind:           kind,
		Version:        version,
		Epoch:          cmp.Or(s.epoch, access.NewID()),
		State:          devicev1.DeviceState_DEVICE_STATE_STARTING,
		Pid:            int32(os.Getpid()),
		GrpcAddress:    access.Reachable(grpcAt.String()),
		MetricsAddress: metricsAt.String(),
		StartTime:      timestamppb.New(time.Now()),
	}
}

// Device describes the device as it is now.
func (k *Kit) Device() *devicev1.Device {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.snapshot()
}

// SetAttributes merges what the hardware reports about itself into the device's description. An empty value removes its
// key. What is not UTF-8 is replaced, and what is longer than 1024 bytes cut.
func (k *Kit) SetAttributes(attributes map[string]string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	merged := maps.Clone(k.about.Attributes)
	if merged == nil {
		merged = map[string]string{}
	}
	for key, value := range attributes {
		merged[plain(key)] = plain(value)
	}
	maps.DeleteFunc(merged, func(_, value string) bool { return value == "" })
	if maps.Equal(merged, k.about.Attributes) {
		return
	}
	k.about.Attributes = merged
	k.tell()
}

// setState makes a state known, unless the device is stopping: nothing comes after that. It reports whether the state
// is new.
func (k *Kit) setState(state devicev1.DeviceState, reason string) bool {
	reason = plain(reason)
	k.mu.Lock()
	defer k.mu.Unlock()
	old := k.about.State
	if old == devicev1.DeviceState_DEVICE_STATE_STOPPING || old == state && k.about.StateReason == reason {
		return false
	}
	k.about.State, k.about.StateReason = state, reason
	if state == devicev1.DeviceState_DEVICE_STATE_READY && !k.worked {
		k.worked = true
		close(k.ready)
	}
	k.setHealth()
	k.tell()
	return true
}

// setHealth reports the state through the gRPC health protocol. It needs mu.
func (k *Kit) setHealth() {
	serving := healthpb.HealthCheckResponse_NOT_SERVING
	if k.about.State == devicev1.DeviceState_DEVICE_STATE_READY {
		serving = healthpb.HealthCheckResponse_SERVING
	}
	k.health.SetServingStatus("", serving)
	for _, s := range k.services {
		k.health.SetServingStatus(s.desc.ServiceName, serving)
	}
}

// changed is called after something that Device describes has changed.
func (k *Kit) changed() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tell()
}

// tell makes watchers and, soon, the bus hear of a change. It needs mu, so that nobody hears of two changes in the
// wrong order, and does not wait: the bus is told by [Process.announce].
func (k *Kit) tell() {
	k.changes.Publish(k.snapshot())
	k.poke()
}

// poke has the bus told of the device soon.
func (k *Kit) poke() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// announce publishes the current description on the bus, unless another process speaks for the device.
func (k *Kit) announce() {
	k.speaking.Lock()
	defer k.speaking.Unlock()
	if k.quiet {
		return
	}
	_ = k.conn.PublishAs(k.epoch, k.address.State(), k.Device()) // counted by the bus; said again within a second
}

// speak says whether this process speaks for the device. Once it has returned, nothing is announced any more if not.
func (k *Kit) speak(may bool) {
	k.speaking.Lock()
	defer k.speaking.Unlock()
	k.quiet = !may
}

// watch returns the device as it is and a subscription to all that changes afterwards.
func (k *Kit) watch() (*devicev1.Device, *stream.Subscription[*devicev1.Device]) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.snapshot(), k.changes.Subscribe(stream.Latest())
}

// snapshot makes a description that nobody will change. Maps are replaced rather than changed, so they can be shared.
func (k *Kit) snapshot() *devicev1.Device {
	d := &devicev1.Device{
		Robot: k.about.Robot, Name: k.about.Name, Kind: k.about.Kind, Version: k.about.Version, Epoch: k.about.Epoch,
		State: k.about.State, StateReason: strings.TrimPrefix(k.about.StateReason+sayAlso(k.namesake),
			"; "), Pid: k.about.Pid, GrpcAddress: k.about.GrpcAddress,
		MetricsAddress: k.about.MetricsAddress, StartTime: k.about.StartTime, Attributes: k.about.Attributes,
		AuditHead: k.Audit.Head().String(),
	}
	for _, o := range k.outs {
		if !o.absent.Load() {
			d.Streams = append(d.Streams, o.info())
		}
	}
	for _, i := range k.ins {
		d.Streams = append(d.Streams, i.info())
	}
	return d
}

// sayAlso continues a reason.
func sayAlso(more string) string {
	if more == "" {
		return ""
	}
	return "; " + more
}

// plain makes text fit for a protobuf string of bearable length, without the secrets of addresses.
func plain(text string) string {
	text = access.RedactText(text)
	if len(text) > maxText {
		const more = "…"
		text = text[:maxText-len(more)] // may cut a character in two
		text = strings.ToValidUTF8(text, "") + more
	}
	return strings.ToValidUTF8(text, "�")
}
