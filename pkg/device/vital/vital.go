// Package vital asks a device for signs of life: what a process that hangs cannot answer. The launcher asks from
// outside; a device under systemd asks itself, and feeds the watchdog of its unit with the answer.
//
// A [Probe] is for one goroutine. It starts none, apart from those of gRPC, which end with Close.
package vital

import (
	"context"
	"net"
	"strings"
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
)

// Loops is the name under which the health service of a device says whether the driver's own loops go on: NOT_SERVING
// means that one hangs. It says nothing about hardware, which the health of the device ("") is about.
const Loops = "waldo.loops"

// redial bounds the wait before a device that is not listening is dialled again.
const redial = time.Second

// Answer is the outcome of a question.
type Answer int

const (
	// Unasked means that the question could not be put: the device is not listening, or not yet.
	Unasked Answer = iota
	// Answered means that there was an answer of any kind, even that the hardware is away.
	Answered
	// Silent means that the device did not answer in time, or said that one of its loops hangs.
	Silent
)

// Probe is a connection to a device.
type Probe struct {
	conn  *grpc.ClientConn
	token string
}

// Dial returns at once; the device may start to listen later. address is host:port on this machine.
func Dial(address, token string) (*Probe, error) {
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithNoProxy(),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: redial / 4, Multiplier: 2, MaxDelay: redial},
			MinConnectTimeout: 20 * time.Second,
		}))
	if err != nil {
		return nil, err
	}
	return &Probe{conn, token}, nil
}

// Ask asks for the health of the driver's loops, the description of the device and, in case it is an actuator, its
// control state. The content of the answers does not matter, except for the loops.
func (p *Probe) Ask(ctx context.Context) Answer {
	if p.token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+p.token)
	}
	for _, ask := range []func(context.Context) (hangs bool, err error){p.askLoops, p.askDevice, p.askControl} {
		hangs, err := ask(ctx)
		switch {
		case hangs, ctx.Err() != nil, status.Code(err) == codes.DeadlineExceeded: // the server may notice the timeout first
			return Silent
		case status.Code(err) == codes.Unavailable:
			return Unasked
		}
	}
	return Answered
}

func (p *Probe) askLoops(ctx context.Context) (hangs bool, err error) {
	r, err := healthpb.NewHealthClient(p.conn).Check(ctx, &healthpb.HealthCheckRequest{Service: Loops})
	return r.GetStatus() == healthpb.HealthCheckResponse_NOT_SERVING, err
}

func (p *Probe) askDevice(ctx context.Context) (hangs bool, err error) {
	_, err = devicev1.NewDeviceServiceClient(p.conn).GetDevice(ctx, &devicev1.GetDeviceRequest{})
	return false, err
}

func (p *Probe) askControl(ctx context.Context) (hangs bool, err error) {
	_, err = controlv1.NewControlServiceClient(p.conn).GetControl(ctx, &controlv1.GetControlRequest{})
	return false, err
}

// Close ends the connection.
func (p *Probe) Close() { _ = p.conn.Close() } // nothing is in progress

// Local is where this machine reaches a server that listens there; "" if the server chooses its port itself.
func Local(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || strings.Trim(port, "0") == "" { // :00 is :0
		return ""
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
