package labtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
)

// Addresses of the gRPC APIs of a process and of a second one.
const (
	firstAddress  = "127.0.0.1:7101"
	secondAddress = "127.0.0.1:7102"
	thirdAddress  = "127.0.0.1:7103"
)

// maxMessage has room for an uncompressed picture.
const maxMessage = 16 << 20

// eager makes a client connect soon to a process that is just starting.
var eager = backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.5, MaxDelay: 500 * time.Millisecond}

// process is one of Waldo's programs running one device, as an operator starts it, without a bus: its gRPC API does
// not need one.
type process struct {
	t      *testing.T
	name   string // of the program
	cmd    *exec.Cmd
	conn   *grpc.ClientConn
	states chan *devicev1.Device // all states from WatchDevice, in order; closed when it ends
	ended  bool
}

// start starts the program for a kind of device with --key value flags and stops it at the end of the test. Its log
// goes to the test's.
func start(t *testing.T, kind, grpcAddress string, flags ...string) *process {
	t.Helper()
	name := "waldo-" + kind
	program, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	flags = append([]string{"--robot", "lab", "--device", kind, "--grpc", grpcAddress, "--nats", "nats://127.0.0.1:9"},
		flags...)
	cmd := exec.Command(program, flags...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log := &testLog{t: t, prefix: kind}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(grpcAddress, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: eager, MinConnectTimeout: patience}),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true), grpc.MaxCallRecvMsgSize(maxMessage)))
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, name: name, cmd: cmd, conn: conn, states: make(chan *devicev1.Device, 1000)}
	var watching sync.WaitGroup
	watching.Go(func() { p.watch(devicev1.NewDeviceServiceClient(conn)) })
	t.Cleanup(func() {
		p.stop()
		conn.Close()
		watching.Wait()
	})
	return p
}

// watch collects the states of the device until it stops, so that a brief state between two awaits is not missed.
func (p *process) watch(devices devicev1.DeviceServiceClient) {
	defer close(p.states)
	watch, err := devices.WatchDevice(context.Background(), &devicev1.WatchDeviceRequest{}) // ends with the process
	for err == nil {
		var response *devicev1.WatchDeviceResponse
		if response, err = watch.Recv(); err == nil {
			p.states <- response.GetDevice()
		}
	}
}

// stop ends the process as a launcher does and expects a clean exit. It may be called more than once.
func (p *process) stop() {
	p.t.Helper()
	if p.ended {
		return
	}
	p.ended = true
	start := time.Now()
	p.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(patience, func() { p.cmd.Process.Kill() })
	defer kill.Stop()
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("%s: %v", p.name, err)
	}
	p.t.Logf("stopped after %.2f s", time.Since(start).Seconds())
}

// freeze suspends the process, as a starved machine would, until the returned function is called.
func (p *process) freeze() (thaw func()) {
	p.t.Helper()
	thaw = sync.OnceFunc(func() { p.cmd.Process.Signal(syscall.SIGCONT) })
	p.t.Cleanup(thaw)
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
	eventually(p.t, p.name+" stands still", func() bool {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
		return err == nil && strings.Contains(string(status), "State:\tT")
	})
	return thaw
}

// context bounds one call.
func (p *process) context() context.Context {
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	p.t.Cleanup(cancel)
	return ctx
}

// await waits until the device reports the state, or has reported it since the last await, and returns the report.
func (p *process) await(state devicev1.DeviceState) *devicev1.Device {
	p.t.Helper()
	start := time.Now()
	limit := time.After(patience)
	var last *devicev1.Device
	for {
		select {
		case device, open := <-p.states:
			if !open {
				p.t.Fatalf("%v did not come before the process ended; last was %v", state, last)
			}
			if last = device; last.GetState() == state {
				p.t.Logf("%v after %.2f s %s", state, time.Since(start).Seconds(), last.GetStateReason())
				return last
			}
		case <-limit:
			p.t.Fatalf("%v did not come in %v; last was %v", state, patience, last)
		}
	}
}

func (p *process) awaitReady() *devicev1.Device {
	p.t.Helper()
	return p.await(devicev1.DeviceState_DEVICE_STATE_READY)
}

// awaitAway waits until the device is away for a reason that contains all of the words, in any case.
func (p *process) awaitAway(words ...string) *devicev1.Device {
	p.t.Helper()
	device := p.await(devicev1.DeviceState_DEVICE_STATE_AWAY)
	for _, word := range words {
		if !strings.Contains(strings.ToLower(device.GetStateReason()), strings.ToLower(word)) {
			p.t.Errorf("away because of %q, which does not contain %q", device.GetStateReason(), word)
		}
	}
	return device
}

// sameProcess checks that a device went away or came back without a restart.
func sameProcess(t *testing.T, before, now *devicev1.Device) {
	t.Helper()
	if now.GetEpoch() != before.GetEpoch() || now.GetPid() != before.GetPid() {
		t.Errorf("now %v; want the same process as %v", now, before)
	}
}

// messages reads one streaming call. It ends if a message does not arrive within the tests' patience.
type messages[M any] struct {
	t        *testing.T
	stream   interface{ Recv() (*M, error) }
	ctx      context.Context
	deadline *time.Timer
}

// read begins a call and ends it with the test.
func read[M any, S interface{ Recv() (*M, error) }](t *testing.T, call func(context.Context) (S, error)) *messages[M] {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	deadline := time.AfterFunc(patience, func() { cancel(errors.New("nothing came")) })
	t.Cleanup(func() {
		deadline.Stop()
		cancel(nil)
	})
	stream, err := call(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return &messages[M]{t, stream, ctx, deadline}
}

// receive returns the next message, or why the call ended.
func (m *messages[M]) receive() (*M, error) {
	m.deadline.Reset(patience)
	return m.stream.Recv()
}

func (m *messages[M]) next() *M {
	m.t.Helper()
	message, err := m.receive()
	if err != nil {
		m.t.Fatalf("the stream ended: %v (%v)", err, context.Cause(m.ctx))
	}
	return message
}

// testLog passes whole lines on to the test's log.
type testLog struct {
	t      *testing.T
	prefix string
	mu     sync.Mutex
	rest   []byte
}

func (l *testLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, b...)
	for {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			return len(b), nil
		}
		l.t.Logf("%s: %s", l.prefix, line)
		l.rest = rest
	}
}
