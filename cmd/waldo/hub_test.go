package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	fleetv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/fleet/v1"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/launchtest"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/hubtest"
	"github.com/waldo-robot/waldo/pkg/bus/keys"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// key makes a key with waldo hub key.
func key(t *testing.T, path string) (public string) {
	t.Helper()
	code, out, text := waldo(t, "hub", "key", path)
	if code != 0 {
		t.Fatalf("waldo hub key: %d, %s", code, text)
	}
	return strings.TrimSpace(out)
}

// rewrite puts text into a file in one step.
func rewrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// TestHub: a gateway sees a robot once the hub's file, which changes while the hub runs, names the robot.
func TestHub(t *testing.T) {
	folder := t.TempDir()
	file, seed := filepath.Join(folder, "hub.yaml"), filepath.Join(folder, "main.seed")
	base := "hub: here\nleaf: 127.0.0.1:0\nlisten: 127.0.0.1:0\ngateways: {main: {key: " + key(t, seed) + "}}\n"
	rewrite(t, file, base)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var logs bytes.Buffer
	r, w := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"hub", file}, console{w, &logs})
		w.Close()
	}()
	var leaf, listen string
	if _, err := fmt.Fscanln(bufio.NewReader(r), &leaf, &listen); err != nil {
		t.Fatal(err, logs.String())
	}

	robot := launchtest.WriteRobot(t, "robot: rover\ndevices: {front: {kind: camera}}\nnats: {listen: 127.0.0.1:0}\n"+
		"fleet: {hub: \""+leaf+"\", key: hub.seed}\n")
	public := key(t, filepath.Join(filepath.Dir(robot), "hub.seed"))
	up, down := context.WithCancel(t.Context())
	defer down()
	stopped := make(chan int, 1)
	var said bytes.Buffer
	go func() { stopped <- run(up, []string{"bus", "--robot-file", robot}, console{io.Discard, &said}) }()

	secret, err := keys.Read(seed)
	if err != nil {
		t.Fatal(err)
	}
	cloud := hubtest.Connect(t, bus.Config{URL: listen, Name: "gateway", Seed: secret})
	states, err := bus.Subscribe[*fleetv1.RobotState](cloud.Conn, bus.Address{Robot: "rover", Device: bus.RobotDevice}.State(),
		stream.Latest())
	if err != nil {
		t.Fatal(err)
	}
	rewrite(t, file, base+"robots: {rover: {key: "+public+"}}\n")
	var state *fleetv1.RobotState
	hubtest.Await(t, "the robot answers", func() (heard bool) {
		if err := cloud.Publish(bus.AskRobots, &fleetv1.Ask{}); err != nil {
			t.Fatal(err)
		}
		state, heard = states.TryNext()
		return heard
	})
	if len(state.GetDevices()) != 1 || state.GetDevices()[0].GetName() != "front" {
		t.Errorf("the gateway hears %v", state)
	}
	down()
	if code := <-stopped; code != 0 {
		t.Errorf("waldo bus: code %d, %s", code, said.String())
	}
	cancel()
	if code := <-ended; code != 0 {
		t.Errorf("waldo hub: code %d, %s", code, logs.String())
	}
}

func TestBadHub(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "hub.yaml")
	rewrite(t, file, "hub: here\nleaf: 0.0.0.0:7422\n")
	taken := filepath.Join(folder, "taken")
	rewrite(t, taken, "")
	nokey := launchtest.WriteRobot(t, "robot: rover\ndevices: {front: {kind: camera}}\nfleet: {hub: nats://127.0.0.1}\n")
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"hub", file}, device.ExitConfiguration, file + ":2: leaf: "},
		{[]string{"hub", file, "--check"}, device.ExitConfiguration, "would not be encrypted"},
		{[]string{"hub", file + ".not"}, device.ExitConfiguration, "no such file"},
		{[]string{"hub", "key", taken}, 1, "is not replaced"},
		{[]string{"bus", "--robot-file", nokey}, device.ExitConfiguration, "fleet.key: is missing"},
	} {
		code, _, text := waldo(t, tt.args...)
		if code != tt.code || !strings.Contains(text, tt.says) {
			t.Errorf("%v: code %d, %s", tt.args, code, text)
		}
	}
	rewrite(t, file, "hub: here\n")
	if code, out, text := waldo(t, "hub", file, "--print-config"); code != 0 || !strings.Contains(out, "leafnodes {") {
		t.Errorf("--print-config: code %d, %s%s", code, out, text)
	}
}
