package foxglove_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/dynamic"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/calls"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/devices"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/foxglove"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/visitors"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds waits for what must happen.
const patience = 30 * time.Second

// rig is a bus with a gateway for the robot rover.
type rig struct {
	*testing.T
	bus     string
	gateway *foxglove.Gateway
	conn    *bus.Conn
	metrics *prometheus.Registry
	address string
	end     context.CancelFunc // of all visits

	mu   sync.Mutex
	role roles.Role // of who comes
}

func start(t *testing.T) *rig {
	t.Helper()
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	conn, err := bus.Connect(bus.Config{URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	log := logtest.New(t, 0)
	directory, err := devices.New(conn.Conn, "rover", devices.Config{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(directory.Close)
	r := &rig{T: t, bus: server.URL(), conn: conn.Conn, metrics: prometheus.NewRegistry(), role: roles.Admin}
	caller := calls.New(dynamic.New(conn.Conn, dynamic.Config{Log: log}), "rover", directory, nil, nil)
	g := foxglove.New(foxglove.Config{Bus: conn.Conn, Robot: "rover", Version: "1.2.3", Epoch: 7, Directory: directory,
		Caller: caller, Log: log, Metrics: r.metrics})
	r.gateway = g
	t.Cleanup(g.Close)
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	all := visitors.New(visitors.Config{Authority: tokens.NewAuthority("", nil)})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		serving.Add(1)
		defer serving.Done()
		socket, err := websocket.Accept(w, q, &websocket.AcceptOptions{Subprotocols: []string{foxglove.SDK, foxglove.Legacy}})
		if err != nil {
			return
		}
		r.mu.Lock()
		visitor := all.EnterGuest(ctx, tokens.Grant{Name: "anna", Role: r.role}, q.RemoteAddr)
		r.mu.Unlock()
		defer visitor.Leave()
		g.Serve(visitor, socket)
	}))
	r.address, r.end = web.URL, cancel
	t.Cleanup(func() {
		cancel()
		serving.Wait()
		web.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return r
}

// as has those who come from now on have a role.
func (r *rig) as(role roles.Role) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.role = role
}

// device starts a device of the robot.
func (r *rig) device(name, kind string, open func(*device.Kit) device.Driver) *device.Process {
	r.Helper()
	k := device.Kind[struct{}]{Name: kind, Version: "1.0.0",
		New: func(kit *device.Kit, _ struct{}) (device.Driver, error) {
			return open(kit), nil
		}}
	p, err := device.Start(k, device.Settings{Robot: "rover", Device: name, NATS: r.bus}, struct{}{},
		logtest.New(r.T, 0))
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(p.Stop)
	return p
}

// camera starts the camera front.
func (r *rig) camera(c fakecam.Config) *fakecam.Camera {
	r.Helper()
	cam, err := fakecam.Start(r.bus, bus.Address{Robot: "rover", Device: "front"}, c)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(cam.Stop)
	return cam
}

// eventually waits for something that cannot be waited for in a better way.
func (r *rig) eventually(what string, ok func() bool) {
	r.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			r.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// channel is one that a client was told of.
type channel struct {
	ID                                                  uint32
	Topic, Encoding, SchemaName, Schema, SchemaEncoding string
}

// text is a text message, whatever it is.
type text struct {
	Op, Name, SessionID, ID, Message string
	Capabilities                     []string
	Metadata                         map[string]string
	DataStartTime, DataEndTime       *struct{ Sec, Nsec int64 }
	Level                            int
	Channels                         []channel
	ChannelIDs                       []uint32
	Parameters                       []struct {
		Name  string
		Value *string
	}
}

// client is a client of the protocol.
type client struct {
	*rig
	socket   *websocket.Conn
	info     text
	channels map[string]channel // by topic
	gone     []uint32
	ctx      context.Context
}

// connect connects a client, which asks for sub-protocols; none means the newer one.
func (r *rig) connect(protocols ...string) *client {
	r.Helper()
	if len(protocols) == 0 {
		protocols = []string{foxglove.SDK}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	r.Cleanup(cancel)
	socket, _, err := websocket.Dial(ctx, r.address, &websocket.DialOptions{Subprotocols: protocols})
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = socket.CloseNow() })
	socket.SetReadLimit(-1)
	c := &client{rig: r, socket: socket, channels: map[string]channel{}, ctx: ctx}
	c.info, _ = c.next()
	if c.info.Op != "serverInfo" {
		r.Fatalf("the first message is %+v", c.info)
	}
	return c
}

// next returns the next message, of which one is set.
func (c *client) next() (text, []byte) {
	c.Helper()
	kind, data, err := c.socket.Read(c.ctx)
	if err != nil {
		c.Fatalf("the socket: %v", err)
	}
	if kind == websocket.MessageBinary {
		return text{}, data
	}
	var m text
	if err := json.Unmarshal(data, &m); err != nil {
		c.Fatalf("%v: %.200s", err, data)
	}
	switch m.Op {
	case "advertise":
		for _, ch := range m.Channels {
			c.channels[ch.Topic] = ch
		}
	case "unadvertise":
		c.gone = append(c.gone, m.ChannelIDs...)
		for topic, ch := range c.channels {
			for _, id := range m.ChannelIDs {
				if ch.ID == id {
					delete(c.channels, topic)
				}
			}
		}
	}
	return m, nil
}

// until waits for a text message.
func (c *client) until(what string, fits func(text) bool) text {
	c.Helper()
	for deadline := time.Now().Add(patience); ; {
		if m, data := c.next(); data == nil && fits(m) {
			return m
		}
		if time.Now().After(deadline) {
			c.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// op fits a text message of a kind.
func op(name string) func(text) bool { return func(m text) bool { return m.Op == name } }

// binary waits for a binary message of a kind.
func (c *client) binary(code byte) []byte {
	c.Helper()
	for deadline := time.Now().Add(patience); ; {
		if _, data := c.next(); len(data) > 0 && data[0] == code {
			return data
		}
		if time.Now().After(deadline) {
			c.Fatalf("no binary message %d within %v", code, patience)
		}
	}
}

// say sends a text message.
func (c *client) say(json string) {
	c.Helper()
	if err := c.socket.Write(c.ctx, websocket.MessageText, []byte(json)); err != nil {
		c.Fatal(err)
	}
}

// channel waits for a channel.
func (c *client) channel(topic string) channel {
	c.Helper()
	for {
		if ch, there := c.channels[topic]; there {
			return ch
		}
		c.next()
	}
}

// subscribe subscribes to a channel, which it waits for.
func (c *client) subscribe(id uint32, topic string) channel {
	c.Helper()
	ch := c.channel(topic)
	data, _ := json.Marshal(map[string]any{"op": "subscribe", "subscriptions": []any{
		map[string]any{"id": id, "channelId": ch.ID}}})
	c.say(string(data))
	return ch
}

// message waits for a message of a subscription.
func (c *client) message(id uint32) (at time.Time, data []byte) {
	c.Helper()
	for {
		m := c.binary(1)
		if binary.LittleEndian.Uint32(m[1:]) == id {
			return time.Unix(0, int64(binary.LittleEndian.Uint64(m[5:]))), m[13:]
		}
	}
}

// closed waits for the end, and returns how it came.
func (c *client) closed() websocket.CloseError {
	c.Helper()
	for {
		_, _, err := c.socket.Read(c.ctx)
		if err == nil {
			continue
		}
		if websocket.CloseStatus(err) < 0 {
			c.Fatalf("it ends with %v", err)
		}
		var e websocket.CloseError
		e.Code = websocket.CloseStatus(err)
		_, e.Reason, _ = strings.Cut(err.Error(), "reason = ")
		return e
	}
}

// decode decodes a message by the schema of its channel and nothing else.
func (c *client) decode(ch channel, data []byte) protoreflect.Message {
	c.Helper()
	schema, err := base64.StdEncoding.DecodeString(ch.Schema)
	if err != nil || ch.Encoding != "protobuf" || ch.SchemaEncoding != "protobuf" {
		c.Fatalf("%s: %v, %s, %s", ch.Topic, err, ch.Encoding, ch.SchemaEncoding)
	}
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(schema, set); err != nil {
		c.Fatal(err)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		c.Fatal(err)
	}
	d, err := files.FindDescriptorByName(protoreflect.FullName(ch.SchemaName))
	if err != nil {
		c.Fatal(err)
	}
	m := dynamicpb.NewMessage(d.(protoreflect.MessageDescriptor))
	if err := proto.Unmarshal(data, m); err != nil {
		c.Fatal(err)
	}
	return m
}

// field returns a field of a message.
func field(m protoreflect.Message, name protoreflect.Name) protoreflect.Value {
	return m.Get(m.Descriptor().Fields().ByName(name))
}

func unmarshal(t *testing.T, data []byte, into proto.Message) {
	t.Helper()
	if err := proto.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}
