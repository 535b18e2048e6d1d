package device

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
)

const (
	announceEvery = time.Second
	// graceful is how long calls under way may take to finish; with the rest it keeps the stop under 2 s.
	graceful = time.Second
	// maxRequest bounds what a caller can make a device read.
	maxRequest = 4 << 20
)

// Process is a running device.
type Process struct {
	kit    *Kit
	driver Driver
	http   *http.Server

	cancel context.CancelFunc
	owned  sync.WaitGroup
	stop   sync.Once
	done   chan struct{}
}

// Start runs a device until Stop. [Main] uses it; so can a test. An error that wraps a *net.OpError says that an address could
// not be had.
func Start[C any](k Kind[C], s Settings, config C, log *slog.Logger) (*Process, error) {
	listeners, err := listen(s, log)
	if err != nil {
		return nil, err
	}
	p, err := assemble(k, s, config, log, listeners)
	if err != nil {
		listeners.close()
		return nil, err
	}
	p.run(listeners)
	log.Info("serving", "epoch", p.kit.Epoch(), "grpc", listeners.grpc.Addr().String(), "metrics", listeners.metrics.Addr().String())
	return p, nil
}

type listeners struct{ grpc, metrics net.Listener }

func (l listeners) close() {
	for _, one := range []io.Closer{l.grpc, l.metrics} {
		_ = one.Close() // on the way out of a failed start
	}
}

func listen(s Settings, log *slog.Logger) (l listeners, err error) {
	if l.grpc, err = listenOn("grpc", s.GRPC, s.Token, log); err != nil {
		return l, err
	}
	if l.metrics, err = listenOn("metrics", s.Metrics, "", log); err != nil {
		_ = l.grpc.Close() // on the way out of a failed start
	}
	return l, err
}

func listenOn(field, configured, token string, log *slog.Logger) (net.Listener, error) {
	address, narrowed, err := access.Address(configured, token)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	if narrowed {
		log.Warn("no token is configured: listening on loopback only", "field", field, "address", address)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: choose another address, or stop what uses this one", field, err)
	}
	return l, nil
}

// assemble makes all the parts of a device, none of them running yet.
func assemble[C any](k Kind[C], s Settings, config C, log *slog.Logger, l listeners) (*Process, error) {
	registry := newRegistry()
	guard := newGuard(s.Token, log, registry)
	about := newAbout(s, k.Name, k.Version, l.grpc.Addr(), l.metrics.Addr())
	address := bus.Address{Robot: s.Robot, Device: s.Device}
	conn, err := bus.Connect(bus.Config{URL: s.NATS, Name: address.String(), Token: s.Token, Log: log, Metrics: registry})
	if err != nil {
		return nil, err
	}
	service, err := conn.Serve(bus.ServiceConfig{
		Address: address, Kind: k.Name, Version: k.Version, Interceptor: guard.bus,
		Metadata: map[string]string{"grpc": about.GrpcAddress, "epoch": fmt.Sprint(about.Epoch)},
	})
	if err != nil {
		conn.Close()
		return nil, err
	}
	kit := &Kit{
		Log: log, Metrics: registry, address: address, conn: conn, service: service, about: about,
		server: grpc.NewServer(grpc.MaxRecvMsgSize(maxRequest),
			grpc.UnaryInterceptor(guard.unary), grpc.StreamInterceptor(guard.stream)),
		health:  health.NewServer(),
		changes: stream.NewTopic[*devicev1.Device](),
	}
	driver, err := equip(k, kit, config)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &Process{kit: kit, driver: driver, http: newDebugServer(registry), done: make(chan struct{})}, nil
}

// equip registers what every device serves, and lets the kind add its own.
func equip[C any](k Kind[C], kit *Kit, config C) (Driver, error) {
	devicev1.RegisterDeviceServiceServer(kit, &service{kit: kit})
	driver, err := k.New(kit, config)
	if err == nil {
		err = kit.registered()
	}
	if err != nil {
		return nil, err
	}
	healthpb.RegisterHealthServer(kit.server, kit.health)
	reflection.Register(kit.server)
	kit.setHealth(healthpb.HealthCheckResponse_NOT_SERVING)
	return driver, nil
}

func (p *Process) run(l listeners) {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	p.owned.Go(func() { p.served("grpc", p.kit.server.Serve(l.grpc)) })
	p.owned.Go(func() { p.served("metrics", p.http.Serve(l.metrics)) })
	p.owned.Go(func() { p.announce(ctx) })
	p.owned.Go(func() { supervise(ctx, p.kit, p.driver) })
}

func (p *Process) served(what string, err error) {
	if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, grpc.ErrServerStopped) {
		p.kit.Log.Error("stopped serving", "what", what, "error", err)
	}
}

// announce tells the bus of the device once a second, and at once whenever the bus is back.
func (p *Process) announce(ctx context.Context) {
	stop := p.kit.conn.OnConnect(p.kit.announce)
	defer stop()
	tick := time.NewTicker(announceEvery)
	defer tick.Stop()
	for {
		p.kit.announce()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// GRPCAddress is where the device serves gRPC, host:port.
func (p *Process) GRPCAddress() string { return p.kit.about.GrpcAddress }

// Kit is the kit of the running device, for tests.
func (p *Process) Kit() *Kit { return p.kit }

// Stop ends the device and returns when nothing of it is left, within 2 s unless the driver hangs.
func (p *Process) Stop() {
	p.stop.Do(func() {
		defer close(p.done)
		p.kit.setState(devicev1.DeviceState_DEVICE_STATE_STOPPING, "stopped on request")
		p.kit.changes.Close(nil)
		p.cancel()
		for _, o := range p.kit.outs {
			o.holds.stop()
		}
		p.stopServers()
		p.owned.Wait()
		p.kit.conn.Close()
	})
	<-p.done
}

func (p *Process) stopServers() {
	force := time.AfterFunc(graceful, p.kit.server.Stop)
	p.kit.server.GracefulStop()
	force.Stop()
	_ = p.http.Close() // scrapes under way may break
}
