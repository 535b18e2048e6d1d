package device

import (
	"testing"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
)

// TestAuditHead: a device's state attests its audit log.
func TestAuditHead(t *testing.T) {
	server := startServer(t, embedded.Config{})
	heard := states(t, connect(t, server.URL()))
	folder := t.TempDir()
	p := start(t, kindOf(work), Settings{NATS: server.URL(), State: folder})
	d := until(t, heard, "a head", func(d *devicev1.Device) bool { return d.GetAuditHead() != "" })
	p.Stop()
	head, err := audit.ParseHead(d.GetAuditHead())
	if err != nil {
		t.Fatal(err)
	}
	if r, err := audit.Verify(audit.Path(folder, "r", "d"), head); err != nil || len(r.Found) > 0 ||
		r.First.Event.Kind != audit.Started {
		t.Errorf("%+v, %v", r, err)
	}
}
