package presence

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	fleetv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/fleet/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
)

// TestRepeatedAnnouncements: what a device repeats keeps it present and changes nothing; one that was gone is back with
// it.
func TestRepeatedAnnouncements(t *testing.T) {
	d := &Devices{robot: "demo", entries: map[string]*entry{}, changed: make(chan struct{}), forgot: func(string) {},
		log: orDiscard(nil)}
	front, said, now := &devicev1.Device{Robot: "demo", Name: "front"}, []byte("front"), time.Now()
	gone := func() bool {
		status, _, _ := d.Get("front")
		return status.GetGone()
	}
	if d.repeated(said, now) {
		t.Error("the first announcement counts as repeated")
	}
	d.heard(front, said, now)
	_, changed := d.List()
	later := now.Add(time.Second)
	if !d.repeated(said, later) || d.repeated([]byte("other"), later) {
		t.Error("what is repeated is not told from what is new")
	}
	if again := d.markGone(later.Add(goneAfter)); gone() || again != goneCheck {
		t.Errorf("it is looked again after %v", again)
	}
	select {
	case <-changed:
		t.Error("something has changed")
	default:
	}
	end := later.Add(goneAfter + 1)
	if d.markGone(end); !gone() {
		t.Error("a silent device is present")
	}
	if d.repeated(said, end) {
		t.Error("a device that is back counts as repeated")
	}
	if d.heard(front, said, end); gone() {
		t.Error("a device that is back is gone")
	}
}

// TestStrangeAnnouncements: what is no announcement, or cannot be read, is counted and changes nothing.
func TestStrangeAnnouncements(t *testing.T) {
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	registry := prometheus.NewRegistry()
	conn, err := bus.Connect(bus.Config{URL: server.URL(), Metrics: registry})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	d, err := FollowDevices(conn.Conn, "demo", DevicesConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	subject := bus.Address{Robot: "demo", Device: "front"}.State()
	_, changed := d.List()
	for _, err := range []error{
		conn.PublishRaw(subject, bus.Raw{Type: "waldo.device.v1.Device", Data: []byte("\xff\xff garbage")}),
		conn.Publish(subject, &fleetv1.Ask{}),
		conn.Publish(subject, &devicev1.Device{Robot: "demo", Name: "front"}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-changed:
	case <-time.After(timeout):
		t.Fatal("the announcement after them is not heard")
	}
	if names := d.Names(); !slices.Equal(names, []string{"front"}) {
		t.Errorf("%v are known", names)
	}
	want := `# HELP waldo_bus_ignored_total Messages that could not be understood, by reason: type, decode, part, size.
# TYPE waldo_bus_ignored_total counter
waldo_bus_ignored_total{reason="decode"} 1
waldo_bus_ignored_total{reason="type"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "waldo_bus_ignored_total"); err != nil {
		t.Error(err)
	}
}
