package portaudio

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The names under which PortAudio finds the two ends of a pulseServer's sink.
const (
	pulseSpeaker    = "waldo_test_speaker"
	pulseMicrophone = "waldo_test_microphone"
)

// patience is how long a test waits for something that should come soon, on a machine that is busy.
const patience = 30 * time.Second

// pulseServer is a PulseAudio of the test's own, with a sink that plays into nothing and a source that hears what it
// plays.
type pulseServer struct {
	t      *testing.T
	dir    string
	cmd    *exec.Cmd
	exited chan struct{}
}

// startPulse runs a server until the test ends, and has ALSA know nothing else.
func startPulse(t *testing.T) *pulseServer {
	t.Helper()
	if _, err := exec.LookPath("pulseaudio"); err != nil {
		if os.Getenv("WALDO_REQUIRE_PULSE") == "1" {
			t.Fatal("WALDO_REQUIRE_PULSE promises a sound card, but there is no pulseaudio to play one: install it, and " +
				"libasound2-plugins")
		}
		t.Skip("NOT TESTED: PortAudio needs a sound card: install pulseaudio and libasound2-plugins (make deps-test), " +
			"which plays one")
	}
	dir, err := os.MkdirTemp("", "waldo-pulse") // short: its socket's path has little room
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := &pulseServer{t: t, dir: dir}
	p.write("asound.conf", p.alsa())
	p.write("pulse.pa", "load-module module-null-sink sink_name=lab rate=48000 channels=2\n"+
		"load-module module-native-protocol-unix socket="+p.socket()+" auth-anonymous=1\n"+
		"set-default-sink lab\nset-default-source lab.monitor\n")
	t.Setenv("ALSA_CONFIG_PATH", filepath.Join(dir, "asound.conf"))
	p.start()
	t.Cleanup(p.end)
	return p
}

func (p *pulseServer) socket() string { return filepath.Join(p.dir, "socket") }

func (p *pulseServer) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// alsa has ALSA know the two ends of the sink, and no real card. PortAudio aborts where nothing is called default.
func (p *pulseServer) alsa() string {
	var b strings.Builder
	fmt.Fprintf(&b, "pcm.default { type pulse server \"unix:%s\" }\n", p.socket())
	for name, device := range map[string]string{pulseSpeaker: "lab", pulseMicrophone: "lab.monitor"} {
		fmt.Fprintf(&b, "pcm.%s { type pulse server \"unix:%s\" device %s hint { show on description %q } }\n", name,
			p.socket(), device, name)
	}
	return b.String()
}

// start starts the server, and returns when it answers.
func (p *pulseServer) start() {
	p.t.Helper()
	_ = os.Remove(p.socket()) // of one that was killed
	p.cmd = exec.Command("pulseaudio", "-n", "-F", filepath.Join(p.dir, "pulse.pa"), "--daemonize=no",
		"--exit-idle-time=-1", "--disallow-exit",
		"--use-pid-file=no", "--realtime=no", "--high-priority=no", "--log-level=error")
	p.cmd.Env = append(os.Environ(), "HOME="+p.dir, "XDG_RUNTIME_DIR="+p.dir, "XDG_CONFIG_HOME="+p.dir,
		"DBUS_SESSION_BUS_ADDRESS=disabled:")
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.cmd.Stdout, p.cmd.Stderr = p.t.Output(), p.t.Output()
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.exited = make(chan struct{})
	go func() {
		defer close(p.exited)
		_ = p.cmd.Wait() // it is killed
	}()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("unix", p.socket())
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-p.exited:
			p.t.Fatalf("pulseaudio ended: %v", p.cmd.ProcessState)
		default:
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("pulseaudio does not answer: %v", err)
		}
	}
}

func (p *pulseServer) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// end ends the server, and returns when it has.
func (p *pulseServer) end() {
	_ = p.cmd.Process.Kill() // fails if it has ended
	<-p.exited
}
