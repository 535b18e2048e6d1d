package device

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/certs"
	"github.com/waldo-robot/waldo/pkg/handover"
	"github.com/waldo-robot/waldo/pkg/inflight"
	"github.com/waldo-robot/waldo/pkg/stream"
)

const (
	announceEvery = time.Second
	// graceful is how long calls under way may take to finish; with the rest it keeps the stop under 2 s.
	graceful = time.Second
	// settleWithin bounds the wait for the bus at the start.
	settleWithin = time.Second
	// maxRequest bounds what a caller can make a device read.
	maxRequest = 4 << 20
	// maxWindow is how much may be on its way to a device that takes large steps, from one caller: enough for pictures,
	// and not so much that sound, which is taken as fast as it is heard, is sent minutes ahead.
	maxWindow = 1 << 20
	// pingCallers is after what silence a caller is asked whether it is there, and how long it may take to answer.
	pingCallers = 10 * time.Second
)

// Process is a running device.
type Process struct {
	kit    *Kit
	driver Driver
	guard  *guard
	http   *http.Server
	at     listeners

	listening string // where gRPC is served, on this machine

	owned sync.WaitGroup
	stop  sync.Once
}

// Start runs a device until Stop. When it returns, the device can be called, over the bus too if that is there. [Main]
// uses it; so can a test. Settings that are empty have their defaults, except Device, which has none; a nil log logs
// nothing. An error that wraps a *net.OpError means that an address was not available.
func Start[C any](k Kind[C], s Settings, config C, log *slog.Logger) (*Process, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s = s.withDefaults()
	if err := s.Validate(); err != nil {
		return nil, err
	}
	listeners, err := listen(s, log)
	if err != nil {
		return nil, err
	}
	return begin(k, s, config, log, listeners, nil)
}

// begin runs a device on sockets that it owns from now on, with what a predecessor has left, if there was one.
func begin[C any](k Kind[C], s Settings, config C, log *slog.Logger, l listeners, left *handover.Estate) (*Process,
	error) {
	p, err := assemble(k, s, config, log, l, nil)
	if err != nil {
		l.close()
		return nil, err
	}
	p.kit.inherit(left, leastHold)
	p.work()
	p.kit.settle()
	p.serve()
	return p, nil
}

// listeners are the sockets of a device.
type listeners struct {
	grpc, metrics net.Listener
	sockets       []net.Listener // of grpc and metrics, without what is around them
	asked         []string       // what they are for and where, as configured
}

func (l listeners) close() {
	for _, one := range []net.Listener{l.grpc, l.metrics} {
		if one != nil {
			_ = one.Close() // on the way out
		}
	}
}

// addressError means that a valid address was not available.
type addressError struct {
	field string
	err   error
}

func (e *addressError) Error() string {
	return fmt.Sprintf("%s: %v: choose another address, or stop what uses this one", e.field, e.err)
}

func (e *addressError) Unwrap() error { return e.err }

func listen(s Settings, log *slog.Logger) (listeners, error) {
	return listenWith(s, log, func(string, string) net.Listener { return nil })
}

// listenWith listens where nothing is given.
func listenWith(s Settings, log *slog.Logger, given func(what, at string) net.Listener) (l listeners, err error) {
	grpcAt, narrowed, err := s.authority().Address(s.GRPC)
	if err != nil {
		return l, fmt.Errorf("grpc: %w", err)
	}
	if narrowed {
		log.Warn("no token is configured: listening on loopback only", "field", "grpc", "address", grpcAt)
	}
	metricsAt, err := access.Loopback(s.Metrics)
	if err != nil {
		return l, fmt.Errorf("metrics: %w", err)
	}
	certificate, err := s.files().Load(log)
	if err != nil {
		return l, fmt.Errorf("tls: %w", err)
	}
	l.asked = []string{"grpc " + grpcAt, "metrics " + metricsAt}
	if l.grpc, err = listenOne("grpc", grpcAt, given); err != nil {
		return l, err
	}
	l.sockets = []net.Listener{l.grpc}
	if certificate != nil {
		l.grpc = certs.Port(l.grpc, certificate.Server("h2"))
	}
	if l.metrics, err = listenOne("metrics", metricsAt, given); err != nil {
		l.close()
		return l, err
	}
	l.sockets = append(l.sockets, l.metrics)
	return l, nil
}

func listenOne(what, at string, given func(what, at string) net.Listener) (net.Listener, error) {
	if l := given(what, at); l != nil {
		return l, nil
	}
	l, err := net.Listen("tcp", at)
	if err != nil {
		return nil, &addressError{what, err}
	}
	return l, nil
}

// assemble makes all the parts of a device, none of them running yet, and registers it on the bus, unless it is an
// heir, whose predecessor is registered.
func assemble[C any](k Kind[C], s Settings, config C, log *slog.Logger, l listeners, h *heir) (_ *Process, err error) {
	registry := prometheus.NewRegistry()
	audits := s.openAudit(log)
	guard := newGuard(s, audits, log, registry)
	kind, version := k.announced(config)
	about := newAbout(s, kind, version, l.grpc.Addr(), l.metrics.Addr())
	address := bus.Address{Robot: s.Robot, Device: s.Device}
	conn, err := bus.Connect(bus.Config{URL: s.NATS, Name: address.String(), Token: s.Token, Seed: s.Seed, CA: s.CA,
		Log: log, Metrics: registry})
	if err != nil {
		audits.Close()
		return nil, err
	}
	defer func() {
		if err != nil {
			conn.Close()
			audits.Close()
		}
	}()
	ctx, cancel := context.WithCancel(context.Background())
	readers := inflight.New(ctx, log)
	kit := &Kit{
		stopping: ctx, stop: cancel,
		Log: log, Metrics: registry, Audit: audits, address: address, epoch: about.Epoch, conn: conn, about: about,
		beside: k.Beside != nil && k.Beside(config), guard: guard,
		server: newServer(guard, readers, k.LargestStep), health: health.NewServer(), readers: readers,
		changes: stream.NewTopic[*devicev1.Device](), wake: make(chan struct{}, 1),
		standIn: k.StandIn, displaced: make(chan struct{}), heir: h, active: make(chan struct{}), ready: make(chan struct{}),
		quiet: h != nil, kept: map[string]keep{},
	}
	if k.StandIn && h == nil {
		if err := kit.checkName(); err != nil {
			return nil, err
		}
	}
	driver, err := equip(k, kit, config)
	if err != nil {
		return nil, err
	}
	if h == nil {
		if err := kit.serveBus(); err != nil {
			return nil, err
		}
		close(kit.active)
	}
	return &Process{kit: kit, driver: driver, guard: guard, http: newDebugServer(registry), at: l,
		listening: l.grpc.Addr().String()}, nil
}

// openAudit returns the audit log; nil if nothing is to be kept.
func (s Settings) openAudit(log *slog.Logger) *audit.Log {
	if s.State == "" {
		return nil
	}
	return audit.Open(audit.Path(s.State, s.Robot, s.Device), log)
}

func newServer(g *guard, readers *inflight.Readers, largestStep int) *grpc.Server {
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(max(maxRequest, largestStep)),
		grpc.ChainUnaryInterceptor(g.unary), grpc.ChainStreamInterceptor(g.stream),
		// A reader that vanished without a word ends its call, and with it the work that is done for it.
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingCallers, Timeout: pingCallers}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
	}
	options = append(options, readers.Options()...)
	if g.tls {
		options = append(options, grpc.Creds(newDecided()))
	}
	if largestStep > 0 {
		// gRPC begins with 64 KiB in flight, and on a busy machine a raw picture then takes seconds.
		window := int32(min(largestStep, maxWindow))
		options = append(options, grpc.InitialWindowSize(window), grpc.InitialConnWindowSize(window))
	}
	return grpc.NewServer(options...)
}

// equip registers what every device serves, and lets the kind add its own.
func equip[C any](k Kind[C], kit *Kit, config C) (Driver, error) {
	healthpb.RegisterHealthServer(kit.server, healthServer{kit.health, &kit.loops})
	kit.registerReflection()
	devicev1.RegisterDeviceServiceServer(kit, &service{kit: kit})
	driver, err := k.New(kit, config)
	if err != nil {
		return nil, err
	}
	if _, err := kit.registered(); err != nil {
		return nil, err
	}
	kit.mu.Lock()
	defer kit.mu.Unlock()
	kit.setHealth()
	return driver, nil
}

// serveBus serves the unary methods on the bus, and makes the device known to those who look for devices. The state is
// announced later, so the device can be called once it is announced.
func (k *Kit) serveBus() error {
	service, err := k.conn.Serve(bus.ServiceConfig{
		Address: k.address, Kind: k.about.Kind, Version: k.about.Version, Interceptor: k.guard.bus, MaxRequest: maxRequest,
		Epoch:    k.epoch,
		Metadata: map[string]string{"grpc": k.about.GrpcAddress, "epoch": fmt.Sprint(k.epoch)},
	})
	if err != nil {
		return err
	}
	services, _ := k.registered()
	for _, s := range services {
		if err := service.RegisterService(s.desc, s.impl); err != nil {
			return err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.served = service
	return nil
}

// settle waits until the server of the bus, if it is there, passes calls on to the device: one that has started can be
// called. The device serves gRPC without the bus, so this takes a moment at most.
func (k *Kit) settle() {
	if !k.conn.Connected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), settleWithin)
	defer cancel()
	_ = k.conn.Flush(ctx) // a bus that hangs is no reason to wait longer
}

// work runs the driver.
func (p *Process) work() { p.owned.Go(func() { supervise(p.kit.stopping, p.kit, p.driver) }) }

// serve lets the world in.
func (p *Process) serve() {
	ctx := p.kit.stopping
	p.kit.announce()
	p.owned.Go(func() { p.served("grpc", p.kit.server.Serve(p.kit.readers.Listen(p.at.grpc))) })
	p.owned.Go(func() { p.served("metrics", p.http.Serve(p.at.metrics)) })
	p.owned.Go(func() { p.announce(ctx) })
	p.owned.Go(func() { p.guard.sessions.Run(ctx) })
	p.owned.Go(func() { p.kit.lookForNamesakes(ctx) })
	p.kit.Log.Info("serving", "epoch", p.kit.Epoch(), "grpc", p.at.grpc.Addr().String(), "metrics",
		p.at.metrics.Addr().String())
	p.kit.Audit.Write(audit.Event{Kind: audit.Started, Device: p.kit.address.Device,
		Reason: "waldo-" + p.kit.about.Kind + " " + p.kit.about.Version})
}

func (p *Process) served(what string, err error) {
	if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, grpc.ErrServerStopped) {
		p.kit.Log.Error("stopped serving", "what", what, "error", err)
	}
}

// announce publishes the description on every change, once a second, at once whenever the bus is back, and a last time
// at the end. It is the only one to do so, and on a goroutine of its own: a bus that hangs delays nobody else.
func (p *Process) announce(ctx context.Context) {
	stop := p.kit.conn.OnConnect(p.kit.poke)
	defer stop()
	tick := time.NewTicker(announceEvery)
	defer tick.Stop()
	for {
		p.kit.announce()
		select {
		case <-tick.C:
		case <-p.kit.wake:
		case <-ctx.Done():
			p.kit.announce()
			return
		}
	}
}

// GRPCAddress is where the device serves gRPC, host:port.
func (p *Process) GRPCAddress() string { return p.kit.about.GrpcAddress }

// MetricsAddress is where the device serves metrics and profiles over HTTP, host:port.
func (p *Process) MetricsAddress() string { return p.kit.about.MetricsAddress }

// Kit is the kit of the running device, for tests.
func (p *Process) Kit() *Kit { return p.kit }

// Stop ends the device and returns when nothing of it is left: within 2 s, unless the driver or a call takes longer to
// see that its context has ended. It may be called more than once, and from several goroutines.
func (p *Process) Stop() { p.stopWithin(graceful) }

// stopWithin is Stop for calls under way that may take so long.
func (p *Process) stopWithin(grace time.Duration) {
	p.stop.Do(func() {
		p.kit.setState(devicev1.DeviceState_DEVICE_STATE_STOPPING, "stopped on request")
		p.kit.changes.Close(nil)
		p.kit.stop()
		for _, o := range p.kit.outs {
			o.holds.stop()
		}
		p.stopServers(grace)
		p.owned.Wait()
		p.kit.stopped()
		p.kit.conn.Close()
		p.kit.Audit.Close()
		p.at.close() // closed already if it has served
	})
}

// stopServers gives calls under way their time, and then cancels them.
func (p *Process) stopServers(grace time.Duration) {
	force := time.AfterFunc(grace, p.kit.server.Stop)
	p.kit.server.GracefulStop()
	force.Stop()
	_ = p.http.Close() // scrapes under way may break
}
