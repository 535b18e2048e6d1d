package inflight

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
)

const (
	unit  = 128 << 10        // of all sizes here
	soon  = 20 * time.Second // what must happen, even on a busy machine
	get   = "GetDevice"
	watch = "WatchDevice"
)

// large answers with a message of one unit, or with one after the other.
type large struct {
	devicev1.UnimplementedDeviceServiceServer
	name string
}

func (l *large) GetDevice(context.Context, *devicev1.GetDeviceRequest) (*devicev1.GetDeviceResponse, error) {
	return &devicev1.GetDeviceResponse{Device: &devicev1.Device{Name: l.name}}, nil
}

func (l *large) WatchDevice(_ *devicev1.WatchDeviceRequest,
	to grpc.ServerStreamingServer[devicev1.WatchDeviceResponse]) error {
	for {
		if err := to.Send(&devicev1.WatchDeviceResponse{Device: &devicev1.Device{Name: l.name}}); err != nil {
			return err
		}
	}
}

// serveLarge starts a server with what limit leaves of its limits.
func serveLarge(t *testing.T, limit func(*Readers)) (r *Readers, address string) {
	t.Helper()
	stopping, stop := context.WithCancel(context.Background())
	r = New(stopping, slog.New(slog.DiscardHandler))
	limit(r)
	server := grpc.NewServer(r.Options()...)
	devicev1.RegisterDeviceServiceServer(server, &large{name: strings.Repeat("x", unit)})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(r.Listen(l)) }()
	t.Cleanup(func() {
		stop()
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		r.expect(t, 0, 0)
		until(t, func() bool { // server.Stop does not wait for handlers
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.running == 0 && len(r.conns) == 0 && len(r.calls) == 0
		}, func() string { return fmt.Sprintf("%d calls, %d connections are left", r.running, len(r.conns)) })
	})
	return r, l.Addr().String()
}

func most(bytes int64) func(*Readers) {
	return func(r *Readers) { r.unsent.most, r.unsent.patience = bytes, 100*time.Millisecond }
}

// expect waits until so many messages are in each state.
func (r *Readers) expect(t *testing.T, inQueue, wait int64) {
	t.Helper()
	var got [states]int64
	until(t, func() bool {
		if inQueue == 0 {
			runtime.GC() // finds what the transport has dropped without a word; see held
		}
		r.unsent.mu.Lock()
		defer r.unsent.mu.Unlock()
		got = r.unsent.all
		return got[queued]/unit == inQueue && got[waiting]/unit == wait && (inQueue > 0 || got == [states]int64{})
	}, func() string { return fmt.Sprintf("%d bytes are held, want %d and %d messages", got, inQueue, wait) })
}

func until(t *testing.T, done func() bool, otherwise func() string) {
	t.Helper()
	for begin := time.Now(); !done(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > soon {
			t.Fatal(otherwise())
		}
	}
}

// hostile is a client that makes calls and takes no message.
type hostile struct {
	t       *testing.T
	conn    net.Conn
	framer  *http2.Framer
	writing sync.Mutex
	next    uint32
	refused atomic.Int64 // calls that ended with RESOURCE_EXHAUSTED
	ended   chan struct{}
}

// attack connects a client that gives each call that window, and the connection none but the first.
func attack(t *testing.T, address string, window uint32) *hostile {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	h := &hostile{t: t, conn: conn, framer: http2.NewFramer(conn, conn), next: 1, ended: make(chan struct{})}
	h.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := h.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window}); err != nil {
		t.Fatal(err)
	}
	go h.read()
	t.Cleanup(h.close)
	return h
}

func (h *hostile) close() {
	_ = h.conn.Close() // perhaps closed by the server
	<-h.ended
}

// read answers what has to be answered, until the connection ends.
func (h *hostile) read() {
	defer close(h.ended)
	for {
		frame, err := h.framer.ReadFrame()
		if err != nil {
			return
		}
		h.writing.Lock()
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				err = h.framer.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				err = h.framer.WritePing(true, f.Data)
			}
		case *http2.MetaHeadersFrame:
			for _, field := range f.Fields {
				if field.Name == "grpc-status" && field.Value == fmt.Sprint(int(codes.ResourceExhausted)) {
					h.refused.Add(1)
				}
			}
		}
		h.writing.Unlock()
		if err != nil {
			return
		}
	}
}

// call makes n calls.
func (h *hostile) call(method string, n int) {
	h.t.Helper()
	h.writing.Lock()
	defer h.writing.Unlock()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	encoder.SetMaxDynamicTableSize(0)
	for range n {
		block.Reset()
		for _, field := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":authority", "x"},
			{":path", "/waldo.device.v1.DeviceService/" + method}, {"content-type", "application/grpc"},
			{"te", "trailers"}} {
			_ = encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}) // into memory
		}
		err := h.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: h.next, BlockFragment: block.Bytes(),
			EndHeaders: true})
		if err == nil {
			err = h.framer.WriteData(h.next, true, make([]byte, prefixSize))
		}
		if err != nil {
			h.t.Fatal(err)
		}
		h.next += 2
	}
}

// expectRefused waits until so many calls were refused.
func (h *hostile) expectRefused(n int64) {
	h.t.Helper()
	until(h.t, func() bool { return h.refused.Load() == n }, func() string {
		return fmt.Sprintf("%d calls were refused, want %d", h.refused.Load(), n)
	})
}

// honest reads what it asks for.
func honest(t *testing.T, address string) devicev1.DeviceServiceClient {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return devicev1.NewDeviceServiceClient(conn)
}

// expectServed checks that a client is served by single answers and a stream.
func expectServed(t *testing.T, c devicev1.DeviceServiceClient) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	call, err := c.WatchDevice(ctx, &devicev1.WatchDeviceRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if _, err := call.Recv(); err != nil {
			t.Fatal(err)
		}
		if _, err := c.GetDevice(ctx, &devicev1.GetDeviceRequest{}); err != nil {
			t.Fatal(err)
		}
	}
}

// heap is what is in use once all garbage is gone, with what waits in pools.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestNobodyTakesMessages: what a client does not take is bounded, in truth and as it is counted; another client does
// not notice; and all is free again however the calls end.
func TestNobodyTakesMessages(t *testing.T) {
	const calls, room = 300, 40 // half of the room is for a client that is alone
	for _, tt := range []struct {
		method  string
		waiting int64
	}{{get, 0}, {watch, room / 2}} {
		for name, end := range map[string]func(*hostile){
			"the connection ends": (*hostile).close,
			"the calls are reset": func(h *hostile) {
				h.writing.Lock()
				defer h.writing.Unlock()
				for id := uint32(1); id < h.next; id += 2 {
					_ = h.framer.WriteRSTStream(id, http2.ErrCodeCancel) // expect tells
				}
			},
		} {
			t.Run(tt.method+", then "+name, func(t *testing.T) {
				r, address := serveLarge(t, most(room*unit+unit/2))
				c := honest(t, address)
				expectServed(t, c)
				before := heap()
				h := attack(t, address, 0)
				h.call(tt.method, calls)
				r.expect(t, room/2, tt.waiting)
				h.expectRefused(calls - room/2 - tt.waiting)
				if more := heap() - before; more > room*unit*3/2 {
					t.Errorf("%d bytes are held for a client that takes nothing", more)
				}
				expectServed(t, c)
				end(h)
				r.expect(t, 0, 0)
				expectServed(t, c)
			})
		}
	}
}

// TestLateReader: who takes its answers late gets all of them.
func TestLateReader(t *testing.T) {
	r, address := serveLarge(t, most(10*unit))
	h := attack(t, address, 0)
	h.call(get, 4)
	r.expect(t, 4, 0)
	h.writing.Lock()
	err := h.framer.WriteWindowUpdate(0, 1<<30)
	if err == nil {
		err = h.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30})
	}
	h.writing.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	r.expect(t, 0, 0)
}

// TestGenerousCalls: a client that gives its calls all the window they want, but the connection none, has the transport
// take two messages for each, one of which it does not return from.
func TestGenerousCalls(t *testing.T) {
	r, address := serveLarge(t, most(40*unit+unit/2))
	h := attack(t, address, 1<<31-1)
	h.call(watch, 100)
	r.expect(t, 20, 20)
	expectServed(t, honest(t, address))
}

// TestStarved: clients that fill all the room, and take nothing, are disconnected once another one needs it.
func TestStarved(t *testing.T) {
	const room = 10
	r, address := serveLarge(t, func(r *Readers) { r.unsent.most, r.unsent.patience = room*unit+unit/2, time.Second })
	var all []*hostile
	for range room {
		h := attack(t, address, 0)
		h.call(watch, 1)
		all = append(all, h)
	}
	r.expect(t, room, 0)
	expectServed(t, honest(t, address))
	cut := 0
	for _, h := range all {
		select {
		case <-h.ended:
			cut++
		default:
		}
	}
	if cut == 0 || cut == room {
		t.Errorf("%d of %d clients were disconnected", cut, room)
	}
}

// TestTooManyConnections: a new one takes the place of one of its host that does nothing, and is refused if there is
// none. Other hosts have their own share.
func TestTooManyConnections(t *testing.T) {
	r, address := serveLarge(t, func(r *Readers) { r.maxConns = 4 })
	idle, busy := attack(t, address, 0), attack(t, address, 0)
	busy.call(watch, 1)
	r.expect(t, 1, 0)
	second := attack(t, address, 0)
	<-idle.ended
	second.call(watch, 1)
	r.expect(t, 2, 0)
	expectCut(t, address)
	if other := newConn(deadEnd{}, r); !r.add(other) {
		t.Error("a connection of another host was refused")
	} else {
		r.remove(other)
	}
	busy.close()
	r.expect(t, 1, 0)
	expectServed(t, honest(t, address))
}

// expectCut checks that a connection ends without a word of the server.
func expectCut(t *testing.T, address string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // done with it
	if err := conn.SetDeadline(time.Now().Add(soon)); err != nil {
		t.Fatal(err)
	}
	var netErr net.Error
	if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil || errors.As(err, &netErr) && netErr.Timeout() {
		t.Errorf("a connection too many was served: %d bytes, %v", n, err)
	}
}

func TestTooManyCalls(t *testing.T) {
	_, address := serveLarge(t, func(r *Readers) { r.maxCalls = 4 })
	c := honest(t, address)
	h := attack(t, address, 0)
	h.call(watch, 5)
	h.expectRefused(3) // it has half, for it is alone
	stream, err := c.WatchDevice(t.Context(), &devicev1.WatchDeviceRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.GetDevice(t.Context(), &devicev1.GetDeviceRequest{})
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("one call too many: %v", err)
	}
	h.close()
	until(t, func() bool {
		_, err := c.GetDevice(t.Context(), &devicev1.GetDeviceRequest{})
		return err == nil
	}, func() string { return "calls that ended count" })
}

// TestCallsThatAreGivenUp: nothing of them is left on a connection that lasts.
func TestCallsThatAreGivenUp(t *testing.T) {
	r, address := serveLarge(t, most(20*unit))
	c := honest(t, address)
	var callers sync.WaitGroup
	for i := range 8 {
		callers.Go(func() {
			for n := range 30 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration((i+n)%15)*time.Millisecond)
				if i%2 == 0 {
					_, _ = c.GetDevice(ctx, &devicev1.GetDeviceRequest{}) // in time or not
				} else if call, err := c.WatchDevice(ctx, &devicev1.WatchDeviceRequest{}); err == nil {
					_, _ = call.Recv()
				}
				cancel()
			}
		})
	}
	callers.Wait()
	r.expect(t, 0, 0)
	expectServed(t, c)
}

// TestStoppingWhileNobodyTakes: calls that wait for room end when the server stops, which takes no time.
func TestStoppingWhileNobodyTakes(t *testing.T) {
	r, address := serveLarge(t, most(4*unit+unit/2))
	h := attack(t, address, 0)
	h.call(watch, 4)
	r.expect(t, 2, 2)
}
