package embedded_test

import (
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/bus/keys"
	"github.com/waldo-robot/waldo/pkg/logtest"
)

// TestSilentHub: a hub that takes connections and says nothing, as one that is stopped, is told with a problem.
func TestSilentHub(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // the kernel takes the connections
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	seed, err := keys.New()
	if err != nil {
		t.Fatal(err)
	}
	var log logtest.Text
	s, err := embedded.Start(embedded.Config{Leaf: &embedded.Leaf{Robot: "rover", URL: "nats://" + l.Addr().String(),
		Seed: seed, Log: slog.New(slog.NewTextHandler(&log, nil))}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for limit := time.Now().Add(time.Minute); !strings.Contains(log.String(), "no connection to the hub"); {
		if time.Now().After(limit) {
			t.Fatal("nothing is told")
		}
		time.Sleep(20 * time.Millisecond)
	}
	if said := log.String(); strings.Contains(said, `problem=""`) || !strings.Contains(said, "does not answer") {
		t.Error(said)
	}
	if linked, problem := s.Link(); linked || problem == "" {
		t.Errorf("%v, %q", linked, problem)
	}
}
