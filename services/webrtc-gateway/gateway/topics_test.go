package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	messagev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/message/v1"
	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/bus"
	pkgstream "github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/config"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

// TestTopics: peers and programs hear each other, nobody himself.
func TestTopics(t *testing.T) {
	w := newWorld(t, nil)
	conn, err := bus.Connect(bus.Config{URL: w.bus.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	program, err := bus.Subscribe[*messagev1.Message](conn.Conn, bus.Topic("demo", "default"), pkgstream.DropOldest(1000))
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	a, b := w.session(0), w.session(0)
	ann := a.channels(nil, "default", "other")
	bob := b.channels(lossy(), "default")[0]
	heard := func() *messagev1.Message {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), watcher.Timeout)
		defer cancel()
		m, err := program.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	// Until the gateway has subscribed for a channel what others say is not heard there.
	w.eventually("bob listens", func() bool {
		ann[0].send(`{"hello":"bob"}`)
		heard()
		select {
		case f := <-bob.frames:
			return f.text && string(f.data) == `{"hello":"bob"}`
		case <-time.After(50 * time.Millisecond):
			return false
		}
	})
	data := bytes.Repeat([]byte{0, 0xff}, 30000)
	if err := bob.dc.Send(data); err != nil {
		t.Fatal(err)
	}
	if m := heard(); !bytes.Equal(m.GetData(), data) || m.GetTopic() != "default" || m.GetSender() == "" ||
		m.GetPublishTime() == nil {
		t.Errorf("%d bytes of %s on %s", len(m.GetData()), m.GetSender(), m.GetTopic())
	}
	if f := ann[0].next(); f.text || !bytes.Equal(f.data, data) { // not what she said herself
		t.Errorf("ann hears %.100q", f.data)
	}
	if err := conn.Publish(bus.Topic("demo", "default"),
		&messagev1.Message{Topic: "default", Sender: "me",
			Body: &messagev1.Message_Text{Text: `"from a program"`}}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*channel{ann[0], bob} {
		c.until("the program", func(f frame) bool { return string(f.data) == `"from a program"` })
	}
	select {
	case f := <-ann[1].frames:
		t.Errorf("on another topic came %q", f.data)
	default:
	}
}

// TestViewerOnATopic hears others, and is told once that nobody hears them.
func TestViewerOnATopic(t *testing.T) {
	file := filepath.Join(t.TempDir(), "access.json")
	made := map[roles.Role]string{}
	for _, role := range []roles.Role{roles.Viewer, roles.Driver} {
		var err error
		if made[role], _, err = tokens.Create(file, tokens.Request{Name: role.String(), Role: role}); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorld(t, func(c *config.Config) {
		loaded, err := config.Load([]string{"--robot", "demo", "--http", "127.0.0.1:0", "--ice", "127.0.0.1:0", "--nats",
			c.NATS, "--access-file", file}, func(string) string { return "" }, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		*c = *loaded
	})
	viewer := w.sessionAs(made[roles.Viewer], 0).channels(nil, "chat")[0]
	driver := w.sessionAs(made[roles.Driver], 0).channels(nil, "chat")[0]
	for range 3 {
		viewer.send(`"let me drive"`)
	}
	if f := viewer.next(); !f.text || !strings.Contains(string(f.data), `"PERMISSION_DENIED"`) ||
		!strings.Contains(string(f.data), "to write to the topic chat needs the role driver") {
		t.Errorf("the viewer is told %s", f.data)
	}
	w.eventually("what the viewer said is counted", func() bool {
		_, text := w.code(http.MethodGet, "metrics", "Authorization", "Bearer "+made[roles.Viewer])
		return strings.Contains(text, `waldo_gateway_channel_dropped_total{reason="role"} 3`) &&
			strings.Contains(text, `waldo_gateway_refused_total{reason="role"} 3`)
	})
	w.eventually("the viewer hears the driver, and no more refusals", func() bool {
		driver.send(`"hello"`)
		select {
		case f := <-viewer.frames:
			return string(f.data) == `"hello"`
		case <-time.After(50 * time.Millisecond):
			return false
		}
	})
	select {
	case f := <-driver.frames:
		t.Errorf("the driver hears %s", f.data)
	default:
	}
}

// TestFloodOnATopic is cut off, and the others hear the rest.
func TestFloodOnATopic(t *testing.T) {
	w := newWorld(t, nil)
	c := w.session(0).channels(nil, "default")[0]
	for i := range 5000 {
		c.send(fmt.Sprint(i))
	}
	w.eventually("the flood is noticed", func() bool {
		return strings.Contains(w.get("metrics"), `waldo_gateway_channel_dropped_total{reason="flood"}`)
	})
}
