package harness

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// Hub is a hub on loopback, and the gateway of a fleet beside it.
type Hub struct {
	*Process
	// Gateway is the process of the gateway, which serves the list of robots at URL, without a slash at the end.
	Gateway *Process
	URL     string

	folder       string // of keys
	file         string // hub.yaml
	program      []string
	leaf, listen string
	http, ice    string
}

// StartHub runs a hub to which robots of these names may connect, and a gateway, until the test ends.
func StartHub(tb testing.TB, robots ...string) *Hub {
	tb.Helper()
	h := newHub(tb, robots...)
	h.program = []string{Bin(tb, "waldo"), "hub", h.file}
	h.start(tb)
	return h
}

// StartNATSHub is [StartHub] with a nats-server, which gets what `waldo hub` prints for it.
func StartNATSHub(tb testing.TB, robots ...string) *Hub {
	tb.Helper()
	h := newHub(tb, robots...)
	printed := Run(tb, nil, Bin(tb, "waldo"), "hub", h.file, "--print-config")
	h.program = []string{NATSServer(tb), "-c", WriteFile(tb, "nats-server.conf", printed)}
	h.start(tb)
	return h
}

// newHub writes the file of a hub that does not run yet.
func newHub(tb testing.TB, robots ...string) *Hub {
	tb.Helper()
	h := &Hub{folder: tb.TempDir(), leaf: FreeAddress(tb), listen: FreeAddress(tb), http: FreeAddress(tb),
		ice: FreeAddress(tb)}
	h.URL = "http://" + h.http
	text := fmt.Sprintf("hub: e2e\nleaf: %q\nlisten: %q\ngateways:\n  main: {key: %s}\nrobots:\n", h.leaf, h.listen,
		h.key(tb, "gateway"))
	for _, name := range robots {
		text += fmt.Sprintf("  %s: {key: %s}\n", name, h.key(tb, name))
	}
	h.file = WriteFile(tb, "hub.yaml", text)
	return h
}

func (h *Hub) start(tb testing.TB) {
	tb.Helper()
	h.Restart(tb)
	h.RestartGateway(tb)
}

// key makes a key and returns its public part.
func (h *Hub) key(tb testing.TB, name string) string {
	tb.Helper()
	return strings.TrimSpace(Run(tb, nil, Bin(tb, "waldo"), "hub", "key", h.seed(name)))
}

func (h *Hub) seed(name string) string { return filepath.Join(h.folder, name+".seed") }

// Restart runs the hub, again if it was killed. Who connects to it does so by itself.
func (h *Hub) Restart(tb testing.TB) {
	tb.Helper()
	h.Process = Start(tb, nil, h.program[0], h.program[1:]...)
}

// RestartGateway runs the gateway, again if it was killed, with more options, and returns when it serves.
func (h *Hub) RestartGateway(tb testing.TB, options ...string) {
	tb.Helper()
	options = append(options, "--fleet", "--http", h.http, "--ice", h.ice, "--nats", "nats://"+h.listen,
		"--bus-seed-file", h.seed("gateway"))
	h.Gateway = Start(tb, []string{"XDG_STATE_HOME=" + h.folder}, Bin(tb, "waldo-gateway"), options...)
	(&Robot{URL: h.URL}).WaitServing(tb)
}

// Leaf is where robots connect for control and state, as host:port.
func (h *Hub) Leaf() string { return h.leaf }

// Bus is how a gateway connects: its URL and the file with its key.
func (h *Hub) Bus() (url, seed string) { return "nats://" + h.listen, h.seed("gateway") }

// Fleet is the section of a robot's file by which it connects to the hub, for [Options.Fleet].
func (h *Hub) Fleet(robot string) string {
	return fmt.Sprintf("{hub: %q, media: %q, key: %q}", "nats://"+h.leaf, "nats://"+h.listen, h.seed(robot))
}
