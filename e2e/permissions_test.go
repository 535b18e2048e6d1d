package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/keys"
)

// spy is a device that was taken over: it gives away all that it was given.
const spy = `#!/bin/sh
case "$*" in *--check*) exit 0;; esac
env > "$SPY_FOLDER/environment"
cat <&"$WALDO_BUS_SEED_FD" > "$SPY_FOLDER/seed.part"
mv "$SPY_FOLDER/seed.part" "$SPY_FOLDER/seed"
exec sleep 3600
`

// TestDeviceThatWasTakenOver: with what a device has been given, its key and its environment, nobody drives the robot,
// poses as another device, hears what is said to it, or opens the bus, a device or the page.
func TestDeviceThatWasTakenOver(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "waldo-spy"), []byte(spy), 0o700); err != nil {
		t.Fatal(err)
	}
	r := harness.StartRobot(t, harness.Options{
		Devices: `front: {kind: camera, source: test}
			motors: {kind: serial, port: sim, control: {safe: {left: 0, right: 0}}, write: "<hh", writeKeys: [left, right]}
			voice: {kind: audio, source: tone}
			spy: {kind: spy, may: {read: [front]}}`,
		Env: []string{"PATH=" + folder + ":" + os.Getenv("PATH"), "SPY_FOLDER=" + folder, "WALDO_TOKEN=" + harness.Token},
	})
	var seed *keys.Seed
	harness.Until(t, "the device has its key", func() (err error) {
		seed, err = keys.Read(private(t, filepath.Join(folder, "seed")))
		return err
	})
	environment, err := os.ReadFile(filepath.Join(folder, "environment"))
	if err != nil || strings.Contains(string(environment), harness.Token) {
		t.Fatalf("the device was given the token: %s, %v", environment, err)
	}
	nc, err := nats.Connect(r.NATS, nats.Nkey(seed.Public(), seed.Sign), nats.Timeout(harness.Patience),
		nats.CustomInboxPrefix(bus.InboxPrefix(seed.Public())),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	at := func(name string) bus.Address { return bus.Address{Robot: "e2e", Device: name} }
	for _, subject := range []string{
		at("motors").RPC("waldo.control.v1.ControlService", "Acquire"),
		at("motors").RPC("waldo.serial.v1.SerialService", "WriteMessage"),
		at("voice").In("speaker"), at("front").Out("video"), at("motors").State(), bus.Topic("e2e", "chat"),
		"_INBOX.anybody", "$JS.API.STREAM.CREATE.x",
	} {
		if err := nc.Publish(subject, []byte("x")); err != nil {
			t.Fatal(err)
		}
		mustRefuse(t, nc, "publish "+subject)
	}
	for _, subject := range []string{
		at("voice").In("speaker"), at("voice").Out("audio"), at("motors").RPC("waldo.control.v1.ControlService", "Acquire"),
		"_INBOX.>", ">",
	} {
		if _, err := nc.SubscribeSync(subject); err != nil {
			t.Fatal(err)
		}
		mustRefuse(t, nc, "subscribe "+subject)
	}
	if _, err := nc.SubscribeSync(at("front").Out("video")); err != nil || nc.Flush() != nil {
		t.Errorf("it cannot read what it may: %v", err)
	}
	for _, line := range strings.Split(string(environment), "\n") {
		if name, value, _ := strings.Cut(line, "="); strings.HasPrefix(name, "WALDO_") && value != "" {
			if other, err := nats.Connect(r.NATS, nats.Token(value), nats.Timeout(harness.Patience)); err == nil {
				other.Close()
				t.Errorf("%s opens the bus", name)
			}
		}
	}
	if n := strings.Count(r.Output(), "refused on the bus"); n < 13 {
		t.Errorf("the robot has logged %d refusals", n)
	}
	picture := filepath.Join(folder, "front.jpg")
	harness.Run(t, nil, harness.Bin(t, "waldo"), "snapshot", "front", "--nats", r.NATS, "--token", harness.Token,
		"--output", picture)
	if info, err := os.Stat(picture); err != nil || info.Size() == 0 {
		t.Errorf("the camera gives no picture: %v", err)
	}
}

// private makes a file what keys are kept in.
func private(t *testing.T, path string) string {
	t.Helper()
	if err := os.Chmod(path, 0o600); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return path
}

// mustRefuse fails the test unless the server has just refused something.
func mustRefuse(t *testing.T, nc *nats.Conn, what string) {
	t.Helper()
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	_, subject, _ := strings.Cut(what, " ")
	if err := nc.LastError(); !errors.Is(err, nats.ErrPermissionViolation) ||
		!strings.Contains(err.Error(), fmt.Sprintf("%q", subject)) {
		t.Errorf("it can %s: %v", what, err)
	}
}
