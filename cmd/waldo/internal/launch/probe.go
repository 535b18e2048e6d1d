package launch

import (
	"context"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/supervise"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/robot"
)

// redial bounds the wait before a device that is not listening is dialled again.
const redial = time.Second

// newProbe makes the probes for a process: of the plan, or a slot.
func (s *server) newProbe(p *Plan, name string) func(pid int) supervise.Probe {
	d := p.device(name)
	if d == nil && name != gatewayKind {
		d = &robot.Device{} // a slot, which chooses its port itself
	}
	if d == nil {
		url, err := pageURL(p.http(), p.token())
		if err != nil {
			return nil // the gateway reports what is wrong with it
		}
		return func(int) supervise.Probe { return newPageProbe(url) }
	}
	address := localAddress(d.GRPC)
	return func(pid int) supervise.Probe {
		return &deviceProbe{
			bus: s.conn.Client(bus.Address{Robot: p.robot.Name, Device: name}), pid: int32(pid), address: address,
			token: p.config.Token,
		}
	}
}

// localAddress is where this machine reaches a server that listens there; "" if the server chooses its
// port itself.
func localAddress(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port == "0" {
		return ""
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// deviceProbe asks a device over gRPC what a hanging one cannot answer: its health, its description,
// and, in case it is an actuator, its control state. The content of the answers does not matter.
type deviceProbe struct {
	bus     grpc.ClientConnInterface
	pid     int32
	address string // "" until the device has announced its address on the bus
	token   string
	conn    *grpc.ClientConn
}

// Ask implements supervise.Probe.
func (p *deviceProbe) Ask(ctx context.Context) supervise.Answer {
	if p.token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+p.token)
	}
	if p.conn == nil && !p.dial(ctx) {
		return supervise.Unasked
	}
	for _, ask := range []func() error{
		func() error {
			_, err := healthpb.NewHealthClient(p.conn).Check(ctx, &healthpb.HealthCheckRequest{})
			return err
		},
		func() error {
			_, err := devicev1.NewDeviceServiceClient(p.conn).GetDevice(ctx, &devicev1.GetDeviceRequest{})
			return err
		},
		func() error {
			_, err := controlv1.NewControlServiceClient(p.conn).GetControl(ctx, &controlv1.GetControlRequest{})
			return err
		},
	} {
		err := ask()
		switch {
		case ctx.Err() != nil, status.Code(err) == codes.DeadlineExceeded: // the server may notice the timeout first
			return supervise.Silent
		case status.Code(err) == codes.Unavailable:
			return supervise.Unasked
		}
	}
	return supervise.Answered
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
		p.address = localAddress(r.GetDevice().GetGrpcAddress())
	}
	conn, err := grpc.NewClient("passthrough:///"+p.address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithNoProxy(),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: redial / 4, Multiplier: 2, MaxDelay: redial},
			MinConnectTimeout: 20 * time.Second,
		}))
	if err != nil {
		return false
	}
	p.conn = conn
	return true
}

// Close implements supervise.Probe.
func (p *deviceProbe) Close() {
	if p.conn != nil {
		_ = p.conn.Close() // nothing is in progress
	}
}

// pageProbe asks the gateway whether it is well.
type pageProbe struct {
	url    string
	client *http.Client
}

func newPageProbe(url string) *pageProbe {
	return &pageProbe{url, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
}

// Ask implements supervise.Probe.
func (p *pageProbe) Ask(ctx context.Context) supervise.Answer {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"healthz", http.NoBody)
	if err != nil {
		return supervise.Unasked
	}
	response, err := p.client.Do(request)
	switch {
	case ctx.Err() != nil:
		return supervise.Silent
	case err != nil:
		return supervise.Unasked
	}
	_ = response.Body.Close() // any answer will do
	return supervise.Answered
}

// Close implements supervise.Probe.
func (p *pageProbe) Close() { p.client.CloseIdleConnections() }
