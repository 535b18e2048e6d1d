package device

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/bus/embedded"
)

// childVariable makes the test binary a device: its value names the driver.
const childVariable = "WALDO_DEVICE_TEST_CHILD"

// onOneCore ends the name of a driver whose kind is [Kind.OneCore].
const onOneCore = " on one core"

// child is the main of such a process. It does not return.
func child() {
	drivers := map[string]driverFunc{
		"works":  work,
		"hangs":  func(_ context.Context, ready func()) error { ready(); select {} },
		"panics": func(context.Context, func()) error { panic("a bug in the driver") },
	}
	driver, oneCore := strings.CutSuffix(os.Getenv(childVariable), onOneCore)
	kind := kindOf(drivers[driver])
	kind.OneCore = oneCore
	Main(kind)
}

// program is a device in a process of its own.
type program struct {
	*exec.Cmd
	lines chan string // what it logs; closed at its end
}

// launch starts a device process and returns when it has logged a text, or at once if there is none to wait for.
func launch(t *testing.T, driver, text string, args ...string) *program {
	t.Helper()
	p := &program{exec.Command(os.Args[0], append([]string{"--robot", "r", "--device", "d"}, args...)...),
		make(chan string, 1000)}
	p.Env = append(os.Environ(), childVariable+"="+driver, "XDG_STATE_HOME="+t.TempDir(),
		"GORACE=atexit_sleep_ms=0") // the race detector likes to linger
	stderr, err := p.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	tooLong := time.AfterFunc(time.Minute, func() { _ = p.Process.Kill() }) // ends a wait for a line that never comes
	t.Cleanup(func() {
		tooLong.Stop()
		_ = p.Process.Kill() // it has ended, unless the test failed
	})
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(stderr); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	if text != "" {
		p.await(t, text)
	}
	return p
}

// await returns the first line that holds a text.
func (p *program) await(t *testing.T, text string) string {
	t.Helper()
	var all []string
	for line := range p.lines {
		if all = append(all, line); strings.Contains(line, text) {
			return line
		}
	}
	t.Fatalf("it ended without %q:\n%s", text, strings.Join(all, "\n"))
	return ""
}

// end sends a signal and returns how the process ended. A process gives up waiting for its own end after [patience];
// the rest of the time is for a busy machine.
func (p *program) end(t *testing.T, signal os.Signal) *os.ProcessState {
	t.Helper()
	begin := time.Now()
	if err := p.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	for range p.lines {
	}
	_ = p.Wait() // its error is the exit code, which the caller looks at
	if took := time.Since(begin); took > patience+30*time.Second {
		t.Errorf("%v took %v", signal, took)
	}
	return p.ProcessState
}

func TestSignals(t *testing.T) {
	server := startServer(t, embedded.Config{})
	heard := states(t, connect(t, server.URL()))
	for _, tt := range []struct {
		driver string
		signal syscall.Signal
		code   int // -1: ended by the signal itself
	}{
		{"works", syscall.SIGTERM, ExitStopped},
		{"works", syscall.SIGINT, ExitStopped},
		{"hangs", syscall.SIGTERM, ExitStopped},
		{"works", syscall.SIGKILL, -1},
	} {
		t.Run(tt.driver+" "+tt.signal.String(), func(t *testing.T) {
			p := launch(t, tt.driver, "msg=ready", "--nats", server.URL())
			untilState(t, heard, ready)
			if state := p.end(t, tt.signal); state.ExitCode() != tt.code {
				t.Errorf("ended with %v, want code %d", state, tt.code)
			}
			if tt.signal != syscall.SIGKILL {
				untilState(t, heard, stopping)
			}
		})
	}
}

// TestSecondSignal checks that who asks twice need not wait.
func TestSecondSignal(t *testing.T) {
	p := launch(t, "hangs", "msg=ready", "--nats", "nats://"+freeAddress(t))
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.await(t, "msg=stopping")
	if state := p.end(t, syscall.SIGTERM); state.ExitCode() != -1 {
		t.Errorf("ended with %v", state)
	}
}

func TestExitCodes(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for name, tt := range map[string]struct {
		driver, text string
		args         []string
		code         int
	}{
		"address taken": {"works", "grpc: ", []string{"--grpc", taken.Addr().String()}, ExitAddress},
		"configuration": {"works", "--grpc: ", []string{"--grpc", "0.0.0.0:1"}, ExitConfiguration},
		"check":         {"works", "", []string{"--check"}, ExitStopped},
		"panic":         {"panics", "a bug in the driver", nil, 2},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"--robot", "r", "--device", "d", "--nats", "nats://" + freeAddress(t)}, tt.args...)
			c := exec.Command(os.Args[0], args...)
			c.Env = append(os.Environ(), childVariable+"="+tt.driver, "XDG_STATE_HOME="+t.TempDir())
			text, _ := c.CombinedOutput() // its error is the exit code
			if c.ProcessState.ExitCode() != tt.code || !strings.Contains(string(text), tt.text) {
				t.Errorf("ended with %v, want code %d:\n%s", c.ProcessState, tt.code, text)
			}
		})
	}
}

// TestServingLine checks what a person, or a script, reads of a device that took free ports.
func TestServingLine(t *testing.T) {
	p := launch(t, "works", "", "--nats", "nats://"+freeAddress(t))
	line := p.await(t, "msg=serving")
	if !regexp.MustCompile(`device=d .*epoch=\d+ grpc=127\.0\.0\.1:\d+ metrics=127\.0\.0\.1:\d+`).MatchString(line) {
		t.Errorf("it says %s", line)
	}
	p.end(t, syscall.SIGTERM)
}

// TestOneCore checks on how many cores Go code runs.
func TestOneCore(t *testing.T) {
	for name, tt := range map[string]struct{ driver, setting, want string }{
		"a kind on one core":             {"works" + onOneCore, "", "1"},
		"as the environment says":        {"works" + onOneCore, "3", "3"},
		"a kind that may use more":       {"works", "3", "3"},
		"on all cores unless it is said": {"works", "", strconv.Itoa(runtime.GOMAXPROCS(0))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("GOMAXPROCS", tt.setting)
			p := launch(t, tt.driver, "", "--nats", "nats://"+freeAddress(t))
			_, at, _ := strings.Cut(p.await(t, "msg=serving"), "metrics=")
			if cores := scrape(t, at, "go_sched_gomaxprocs_threads"); cores != tt.want {
				t.Errorf("Go code runs on %q cores, want %s", cores, tt.want)
			}
			p.end(t, syscall.SIGTERM)
		})
	}
}

// scrape returns the value of a metric without labels.
func scrape(t *testing.T, address, metric string) string {
	t.Helper()
	response, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), metric+" "); ok {
			return value
		}
	}
	return ""
}
