package launch

import (
	"context"
	"time"

	"google.golang.org/grpc"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/supervise"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/device/vital"
	"github.com/waldo-robot/waldo/pkg/robot"
)

// newProbe makes the probes for a process: of the plan, or a slot.
func (s *server) newProbe(p *Plan, name string) func(pid int) supervise.Probe {
	d := p.device(name)
	if d == nil && name != gatewayKind {
		d = &robot.Device{} // a slot, which chooses its port itself
	}
	if d == nil {
		url, err := pageURL(p.http(), p.authority())
		if err != nil {
			return nil // the gateway reports what is wrong with it
		}
		return func(int) supervise.Probe { return newPageProbe(url) }
	}
	address := vital.Local(d.GRPC)
	return func(pid int) supervise.Probe {
		return &deviceProbe{
			bus: s.conn.Client(bus.Address{Robot: p.robot.Name, Device: name}), pid: int32(pid), address: address,
			token: p.config.Token,
		}
	}
}

// deviceProbe asks a device for signs of life, see package vital.
type deviceProbe struct {
	bus     grpc.ClientConnInterface
	pid     int32
	address string // "" until the device has announced its address on the bus
	token   string
	probe   *vital.Probe
}

// answers are those of package vital, as the supervisor judges them.
var answers = map[vital.Answer]supervise.Answer{
	vital.Unasked: supervise.Unasked, vital.Answered: supervise.Answered, vital.Silent: supervise.Silent,
}

// Ask implements supervise.Probe.
func (p *deviceProbe) Ask(ctx context.Context) supervise.Answer {
	if p.probe == nil && !p.dial(ctx) {
		return supervise.Unasked
	}
	return answers[p.probe.Ask(ctx)]
}

// dial connects as soon as the address is known.
func (p *deviceProbe) dial(ctx context.Context) bool {
	if p.address == "" {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		r, err := devicev1.NewDeviceServiceClient(p.bus).GetDevice(ctx, &devicev1.GetDeviceRequest{})
		if err != nil || r.GetDevice().GetPid() != p.pid {
			return false
		}
		p.address = vital.Local(r.GetDevice().GetGrpcAddress())
	}
	probe, err := vital.Dial(p.address, p.token)
	if err != nil {
		return false
	}
	p.probe = probe
	return true
}

// Close implements supervise.Probe.
func (p *deviceProbe) Close() {
	if p.probe != nil {
		p.probe.Close()
	}
}

// pageProbe asks the gateway whether it is well.
type pageProbe struct{ *vital.Page }

func newPageProbe(url string) *pageProbe { return &pageProbe{vital.NewPage(url)} }

// Ask implements supervise.Probe.
func (p *pageProbe) Ask(ctx context.Context) supervise.Answer { return answers[p.Page.Ask(ctx)] }
