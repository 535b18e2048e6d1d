package fleet_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/bus/hub"
	"github.com/waldo-robot/waldo/pkg/bus/keys"
	"github.com/waldo-robot/waldo/pkg/presence"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/config"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/gateway"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/procstat"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/web"
)

// The fleet of the benchmark.
const (
	robots        = 1000
	devicesOfEach = 5
	streaming     = 20
	// The streams have 2 Mbit/s at 30 frames a second.
	frameRate  = 30
	frameBytes = 2_000_000 / 8 / frameRate
	window     = 20 * time.Second
	patience   = 4 * time.Minute
)

// roleVariable tells this program, run again, which process of the benchmark it is.
const roleVariable = "WALDO_FLEET_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		if err := play(role, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, role+":", err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// play is a process of the benchmark: it prints its address, and ends with its input.
func play(role string, args []string) error {
	switch role {
	case "hub":
		c, err := hub.Load(args[0])
		if err != nil {
			return err
		}
		s, err := hub.Start(c)
		if err != nil {
			return err
		}
		defer s.Close()
		fmt.Println(s.URL(), s.LeafURL())
	case "gateway":
		seed, err := keys.Read(args[1])
		if err != nil {
			return err
		}
		c := &config.Config{Settings: config.Settings{Robot: "robot", NATS: args[0], Fleet: true}, Gateway: config.Defaults()}
		c.Gateway.HTTP, c.Gateway.ICE, c.BusSeed = "127.0.0.1:0", "127.0.0.1:0", seed
		g, err := gateway.Start(c, "bench", web.Files, slog.New(slog.NewTextHandler(os.Stderr,
			&slog.HandlerOptions{Level: slog.LevelWarn})))
		if err != nil {
			return err
		}
		defer g.Close()
		fmt.Println(g.URL())
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// process is one of the benchmark's.
type process struct {
	cmd   *exec.Cmd
	said  []string // its addresses
	began time.Time
}

func start(b *testing.B, role string, args ...string) *process {
	b.Helper()
	p := &process{cmd: exec.Command(os.Args[0], args...), began: time.Now()}
	p.cmd.Env = append(os.Environ(), roleVariable+"="+role)
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := errors.Join(in.Close(), p.cmd.Wait()); err != nil {
			b.Error(role, err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(role, ": ", err)
	}
	p.said = strings.Fields(line)
	return p
}

// usage is what a process takes.
type usage struct {
	cores, resident float64
}

// during measures processes while time passes.
func during(b *testing.B, d time.Duration, list ...*process) []usage {
	b.Helper()
	before := make([]time.Duration, len(list))
	for i, p := range list {
		var err error
		if before[i], err = procstat.CPU(p.cmd.Process.Pid); err != nil {
			b.Fatal(err)
		}
	}
	begin := time.Now()
	time.Sleep(d)
	used := make([]usage, len(list))
	for i, p := range list {
		after, err := procstat.CPU(p.cmd.Process.Pid)
		if err != nil {
			b.Fatal(err)
		}
		used[i].cores = (after - before[i]).Seconds() / time.Since(begin).Seconds()
		if used[i].resident, err = procstat.Resident(p.cmd.Process.Pid); err != nil {
			b.Fatal(err)
		}
	}
	return used
}

// simulated is a robot: a bus of its own that is linked to the hub, an announcer, and devices that say how they are.
type simulated struct {
	server    *embedded.Server
	conn      *bus.ConnCloser
	announcer *presence.Announcer
	name      string
	seed      *keys.Seed
}

func (s *simulated) start(leafURL string) (err error) {
	s.server, err = embedded.Start(embedded.Config{Leaf: &embedded.Leaf{URL: leafURL, Robot: s.name, Seed: s.seed}})
	if err != nil {
		return err
	}
	if s.conn, err = bus.Connect(bus.Config{URL: s.server.URL(), Name: s.name}); err != nil {
		return err
	}
	s.announcer, err = presence.Announce(s.conn.Conn, presence.AnnouncerConfig{Robot: s.name, Version: "1.0.0"})
	return err
}

// tell has each device say how it is once a second.
func (s *simulated) tell(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		for i := range devicesOfEach {
			d := &devicev1.Device{Robot: s.name, Name: fmt.Sprintf("d%d", i), Kind: "camera", Version: "1.0.0",
				Epoch: int64(i + 1), State: devicev1.DeviceState_DEVICE_STATE_READY}
			_ = s.conn.Publish(bus.Address{Robot: s.name, Device: d.GetName()}.State(), d) // it is said again
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *simulated) close() {
	if s.announcer != nil {
		s.announcer.Close()
	}
	if s.conn != nil {
		s.conn.Close()
	}
	if s.server != nil {
		s.server.Close()
	}
}

// fleetOf starts robots, and returns them when all are linked.
func fleetOf(b *testing.B, leafURL string, seeds map[string]*keys.Seed) (all []*simulated) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var telling, starting sync.WaitGroup
	turns := make(chan struct{}, 2)
	var failed atomic.Pointer[error]
	for name, seed := range seeds {
		s := &simulated{name: name, seed: seed}
		all = append(all, s)
		starting.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			if err := s.start(leafURL); err != nil {
				failed.Store(&err)
			}
		})
	}
	starting.Wait()
	b.Cleanup(func() {
		cancel()
		telling.Wait()
		var closing sync.WaitGroup
		for _, s := range all {
			closing.Go(s.close)
		}
		closing.Wait()
	})
	if err := failed.Load(); err != nil {
		b.Fatal(*err)
	}
	for _, s := range all {
		telling.Go(func() { s.tell(ctx) })
	}
	await(b, "all robots are linked", func() bool {
		for _, s := range all {
			if !s.server.Linked() {
				return false
			}
		}
		return true
	})
	return all
}

func await(b *testing.B, what string, ok func() bool) {
	b.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// hubFile writes a hub.yaml for the robots, and returns it with their keys and the file of the gateway's.
func hubFile(b *testing.B) (file string, seeds map[string]*keys.Seed, gatewaySeed string) {
	b.Helper()
	folder := b.TempDir()
	var text bytes.Buffer
	member := func(name string) (*keys.Seed, string) {
		path := filepath.Join(folder, name+".seed")
		public, err := hub.NewKey(path)
		if err != nil {
			b.Fatal(err)
		}
		seed, err := keys.Read(path)
		if err != nil {
			b.Fatal(err)
		}
		fmt.Fprintf(&text, "  %s: {key: %s}\n", name, public)
		return seed, path
	}
	text.WriteString("hub: bench\nlisten: 127.0.0.1:0\nleaf: 127.0.0.1:0\ngateways:\n")
	_, gatewaySeed = member("gateway")
	text.WriteString("robots:\n")
	seeds = make(map[string]*keys.Seed, robots)
	for i := range robots {
		name := fmt.Sprintf("r%04d", i)
		seeds[name], _ = member(name)
	}
	file = filepath.Join(folder, "hub.yaml")
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	return file, seeds, gatewaySeed
}

// listed is how many robots a gateway lists as there.
func listed(b *testing.B, base string) (there int) {
	b.Helper()
	r, err := http.Get(base + "robots")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	var list struct{ Robots []struct{ Away bool } }
	if err := json.NewDecoder(r.Body).Decode(&list); err != nil {
		b.Fatal(err)
	}
	for _, s := range list.Robots {
		if !s.Away {
			there++
		}
	}
	return there
}

// BenchmarkFleet is 1,000 robots, each with a bus of its own that is linked to one hub, and one gateway: what hub and
// gateway take while nobody looks, while somebody looks at the list, and while 20 robots are watched by a viewer each;
// and how long the gateway takes from its start until it lists all robots.
func BenchmarkFleet(b *testing.B) {
	file, seeds, gatewaySeed := hubFile(b)
	h := start(b, "hub", file)
	began := time.Now()
	fleetOf(b, h.said[1], seeds)
	linked := time.Since(began)
	g := start(b, "gateway", h.said[0], gatewaySeed)
	await(b, "all robots are listed", func() bool { return listed(b, g.said[0]) == robots })
	b.ReportMetric(time.Since(g.began).Seconds(), "s-to-list-all")
	b.ReportMetric(linked.Seconds(), "s-to-link-all")
	report := func(what string) {
		used := during(b, window, h, g)
		for i, name := range []string{"hub", "gateway"} {
			b.ReportMetric(100*used[i].cores, "%CPU-"+name+"-"+what)
			b.ReportMetric(used[i].resident, "MiB-"+name+"-"+what)
		}
	}
	report("idle")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	looking := look(ctx, b, g.said[0])
	report("list")
	cancel()
	<-looking
	frames := watchSome(b, h.said[0], g.said[0], seeds)
	before := frames()
	report("video")
	b.ReportMetric(float64(frames()-before)/window.Seconds()/streaming, "fps-of-each")
}

// look follows the list until ctx ends.
func look(ctx context.Context, b *testing.B, base string) <-chan struct{} {
	b.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"robots/changes", nil)
	if err != nil {
		b.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, answer.Body) // until ctx ends
		_ = answer.Body.Close()
	}()
	return done
}

// watchSome has viewers look at a camera each, of robots of their own. The cameras are connected to the hub as the
// uplinks of their robots are. It returns what counts the frames that all viewers have received.
func watchSome(b *testing.B, hubURL, base string, seeds map[string]*keys.Seed) func() int64 {
	b.Helper()
	var frames atomic.Int64
	var reading sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(func() { cancel(); reading.Wait(); http.DefaultClient.CloseIdleConnections() })
	for i := range streaming {
		name := fmt.Sprintf("r%04d", i*robots/streaming)
		cam, err := fakecam.Start(hubURL, bus.Address{Robot: name, Device: "front"}, fakecam.Config{FrameRate: frameRate,
			FrameBytes: frameBytes, KeyFrameBytes: frameBytes, Seed: seeds[name]})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(cam.Stop)
		viewer, err := watcher.New(1, 1000)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = viewer.Close() })
		await(b, "the camera is known", func() bool {
			r, err := http.Get(base + "r/" + name + "/devices")
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = r.Body.Close() }()
			text, _ := io.ReadAll(r.Body)
			return bytes.Contains(text, []byte(`"front"`))
		})
		if err := viewer.WHEP(ctx, base+"r/"+name+"/", "front"); err != nil {
			b.Fatal(err)
		}
		reading.Go(func() {
			for {
				p, err := viewer.Packet(ctx)
				if err != nil {
					return
				}
				if p.Marker {
					frames.Add(1)
				}
			}
		})
	}
	await(b, "all viewers see something", func() bool { return frames.Load() > 10*streaming })
	return frames.Load
}
