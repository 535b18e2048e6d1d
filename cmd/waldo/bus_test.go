package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/launchtest"
)

// TestBusOfAFile runs the bus that a robot file describes, with a token from a file, and lists nothing on it.
func TestBusOfAFile(t *testing.T) {
	t.Setenv("PATH", launchtest.Install(t, "waldo"))
	address := free(t)
	file := launchtest.WriteRobot(t, "robot: demo\ndevices: {front: {kind: camera}}\nnats: {listen: "+address+"}\n")
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("of-the-file-16-chars\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "notify") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	unit, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(folder, "socket"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer unit.Close()
	t.Setenv("NOTIFY_SOCKET", filepath.Join(folder, "socket"))
	t.Setenv("WATCHDOG_USEC", "200000")
	log := open(t, filepath.Join(t.TempDir(), "log"), os.O_CREATE|os.O_WRONLY)
	defer log.Close()
	start(t, log, "waldo", "bus", "--robot-file", file, "--token-file", token)
	message := make([]byte, 1000)
	for _, want := range []string{"READY=1\nSTATUS=nats://" + address, "WATCHDOG=1", "WATCHDOG=1"} {
		if err := unit.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		n, err := unit.Read(message)
		if err != nil || string(message[:n]) != want {
			t.Fatalf("it said %q, %v, want %q", message[:n], err, want)
		}
	}
	if code, _, err := waldo(t, "ls", "--nats", "nats://"+address, "--token-file", token); code != 0 {
		t.Errorf("with the token: %d, %s", code, err)
	}
	if code, _, _ := waldo(t, "ls", "--nats", "nats://"+address, "--timeout", "200ms"); code == 0 {
		t.Error("it is not asked for the token")
	}
}

// TestNoBusToRun: a robot with a NATS server elsewhere has none of its own.
func TestNoBusToRun(t *testing.T) {
	file := launchtest.WriteRobot(t,
		"robot: demo\ndevices: {front: {kind: camera}}\nnats: {url: \"nats://u:pw@10.0.0.2\"}\n")
	for says, args := range map[string][]string{
		"nats.url: the robot uses the NATS server": {"bus", "--robot-file", file},
		"robot file: ":              {"bus", "--robot-file", "/nowhere"},
		"no such file or directory": {"bus", "--token-file", "/nowhere"},
		"--listen: ":                {"bus", "--listen", "10.0.0.1:0"},
	} {
		if code, _, err := waldo(t, args...); code == 0 || !strings.Contains(err, says) || strings.Contains(err, "pw") {
			t.Errorf("%q: %d, %s", args, code, err)
		}
	}
}

// TestCertificateOfARobotOnAnotherBus: where the bus is elsewhere, waldo bus issues the certificate, and nothing else.
func TestCertificateOfARobotOnAnotherBus(t *testing.T) {
	t.Setenv("PATH", launchtest.Install(t, "waldo"))
	state := t.TempDir()
	t.Setenv("STATE_DIRECTORY", state)
	file := launchtest.WriteRobot(t,
		"robot: demo\ndevices: {front: {kind: camera}}\nnats: {url: \"nats://127.0.0.1:1\"}\ntls: auto\n")
	log := open(t, filepath.Join(t.TempDir(), "log"), os.O_CREATE|os.O_WRONLY)
	defer log.Close()
	start(t, log, "waldo", "bus", "--robot-file", file)
	leaf := filepath.Join(state, "tls", "leaf.crt")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(leaf); err == nil {
			break
		}
		if time.Now().After(deadline) {
			said, _ := os.ReadFile(log.Name())
			t.Fatalf("there is no certificate; it said: %s", said)
		}
	}
}

// TestGreets: only a server that speaks first is alive.
func TestGreets(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // it accepts by the kernel alone, and says nothing
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if greets(ctx, l.Addr().String()) || greets(t.Context(), free(t)) {
		t.Error("who says nothing is taken for alive")
	}
}
