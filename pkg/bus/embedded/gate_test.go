package embedded_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/bus/keys"
	"github.com/waldo-robot/waldo/pkg/bus/permissions"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// TestCompromisedCamera has a process with the key of the camera do all that the camera must not be able to do.
func TestCompromisedCamera(t *testing.T) {
	r := startRover(t, nil)
	camera, spy := r.raw(t, "front"), r.admin(t)
	all, err := spy.SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	if err := spy.Flush(); err != nil {
		t.Fatal(err)
	}
	gateway := bus.InboxPrefix(r.seeds["gateway"].Public())
	motors := bus.Address{Robot: "rover", Device: "motors"}
	for what, subject := range map[string]string{
		"drive":                          motors.RPC("waldo.serial.v1.SerialService", "WriteMessage"),
		"take the lease":                 motors.RPC("waldo.control.v1.ControlService", "Acquire"),
		"clear an e-stop":                motors.RPC("waldo.control.v1.ControlService", "ClearEStop"),
		"speak":                          bus.Address{Robot: "rover", Device: "voice"}.In("speaker"),
		"send in the name of motors":     motors.Out("rx"),
		"announce in the name of motors": motors.State(),
		"announce captures of another":   bus.Address{Robot: "rover", Device: "rear"}.Out("captures"),
		"answer calls of the gateway":    gateway + ".guessed",
		"answer anybody":                 "_INBOX.guessed.1",
		"answer calls of an admin":       spy.NewInbox(),
		"talk on a topic":                bus.Topic("rover", "chat"),
		"restart processes": bus.Address{Robot: "rover",
			Device: "launcher"}.RPC("waldo.launcher.v1.LauncherService", "RestartProcess"),
		"speak for another robot": bus.Address{Robot: "other", Device: "front"}.State(),
		"have messages kept":      "$JS.API.STREAM.CREATE.x",
		"look for others":         "$SRV.INFO",
		"anything":                "whatever",
	} {
		if allowed(t, camera, func() error { return camera.Publish(subject, []byte("x")) }) {
			t.Errorf("it can %s: publish %s", what, subject)
		}
	}
	for what, subject := range map[string]string{
		"hear what is said to the robot":    bus.Address{Robot: "rover", Device: "voice"}.In("speaker"),
		"hear the microphone":               bus.Address{Robot: "rover", Device: "voice"}.Out("audio"),
		"get calls of the motors":           motors.RPC("waldo.serial.v1.SerialService", "WriteMessage"),
		"get all calls":                     "waldo.v1.rover.*.rpc.>",
		"read answers for the gateway":      gateway + ".>",
		"read answers for everybody":        "_INBOX.>",
		"read answers of a kind":            "_INBOX.*.*",
		"read everything":                   ">",
		"read everything of its robot":      "waldo.v1.rover.>",
		"read what another camera captures": bus.Address{Robot: "rover", Device: "rear"}.Out("captures"),
		"read topics":                       bus.Topic("rover", "chat"),
		"pose as another kind":              "$SRV.INFO.waldo-serial",
	} {
		for _, queue := range []string{"", "q"} {
			if allowed(t, camera, func() error { _, err := camera.QueueSubscribeSync(subject, queue); return err }) {
				t.Errorf("it can %s: subscribe %s", what, subject)
			}
		}
	}
	if err := spy.Flush(); err != nil {
		t.Fatal(err)
	}
	for m, err := all.NextMsg(0); err == nil; m, err = all.NextMsg(0) {
		if !strings.HasPrefix(m.Subject, "$") { // of the server itself
			t.Errorf("%s has arrived", m.Subject)
		}
	}
	// What it is for still works.
	front := bus.Address{Robot: "rover", Device: "front"}
	for _, subject := range []string{front.Out("video"), front.State(), front.Work("faces")} {
		if !allowed(t, camera, func() error { return camera.Publish(subject, nil) }) {
			t.Errorf("it cannot publish %s", subject)
		}
	}
	if n := r.log.count("refused on the bus"); n < 25 || r.log.count("who=rover/front") != n {
		t.Errorf("the server has logged %d refusals", n)
	}
}

// TestAnswersWhatItIsAsked: a device may answer its callers, as often as it takes, and nobody else.
func TestAnswersWhatItIsAsked(t *testing.T) {
	r := startRover(t, nil)
	camera, gateway, motors := r.raw(t, "front"), r.raw(t, "gateway"), r.raw(t, "motors")
	subject := bus.Address{Robot: "rover", Device: "front"}.RPC("a.B", "C")
	calls, err := camera.SubscribeSync(subject)
	if err != nil {
		t.Fatal(err)
	}
	if err := camera.Flush(); err != nil {
		t.Fatal(err)
	}
	inbox := gateway.NewInbox()
	answers, err := gateway.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	if err := gateway.PublishRequest(subject, inbox, nil); err != nil {
		t.Fatal(err)
	}
	call, err := calls.NextMsg(patience)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 { // a large answer has many parts
		if !allowed(t, camera, func() error { return camera.Publish(call.Reply, nil) }) {
			t.Fatal("the camera cannot answer")
		}
		if _, err := answers.NextMsg(patience); err != nil {
			t.Fatal(err)
		}
	}
	if allowed(t, camera, func() error { return camera.Publish(gateway.NewInbox(), nil) }) {
		t.Error("the camera can answer what it was not asked")
	}
	if allowed(t, motors, func() error { return motors.Publish(call.Reply, nil) }) {
		t.Error("the motors can answer what the camera was asked")
	}
	// A caller cannot have the camera send a command in place of an answer: what serves calls does not answer there.
	if allowed(t, motors, func() error { return motors.PublishRequest(subject, call.Reply, nil) }) {
		t.Error("the motors can call the camera")
	}
}

// TestServiceSendsNoCommands: a caller names a subject of calls as the place for its answer, and gets none.
func TestServiceSendsNoCommands(t *testing.T) {
	r := startRover(t, nil)
	serve(t, r.as(t, "front", nil), "front")
	admin := r.admin(t)
	front := bus.Address{Robot: "rover", Device: "front"}
	command := bus.Address{Robot: "rover", Device: "motors"}.RPC("a.B", "C")
	commands, err := admin.SubscribeSync(command)
	if err != nil {
		t.Fatal(err)
	}
	get := front.RPC("waldo.device.v1.DeviceService", "GetDevice")
	if err := admin.PublishRequest(get, command, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Request(get, nil, patience); err != nil { // answered after the other would have been
		t.Fatal(err)
	}
	if m, err := commands.NextMsg(50 * time.Millisecond); err == nil {
		t.Errorf("the camera has sent %q to the motors", m.Data)
	}
}

// TestRefusedCalls: a call that is not allowed fails at once, with what to do, and is logged once.
func TestRefusedCalls(t *testing.T) {
	r := startRover(t, nil)
	serve(t, r.as(t, "motors", nil), "motors")
	log := &lines{}
	camera := r.as(t, "front", log.logger())
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client := devicev1.NewDeviceServiceClient(camera.Client(bus.Address{Robot: "rover", Device: "motors"}))
	for range 3 {
		_, err := client.GetDevice(ctx, &devicev1.GetDeviceRequest{})
		if status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), "may:") {
			t.Fatalf("the error is %v", err)
		}
	}
	if n := log.count("the bus does not allow this process to publish"); n != 1 || log.count("GetDevice") != 1 ||
		log.count("waldo token") != 1 {
		t.Errorf("logged %d times: %s", n, log.text.String())
	}
	if _, err := camera.Devices(ctx); !errors.Is(err, bus.ErrRefused) {
		t.Errorf("a search ends with %v", err)
	}
	if _, err := camera.Keep(ctx, "waldo.v1.rover.motors.in.x", "g", 0); !errors.Is(err, bus.ErrRefused) {
		t.Errorf("keeping ends with %v", err)
	}
}

// TestRobotWorks: under its permissions a robot does all that it does.
func TestRobotWorks(t *testing.T) {
	r := startRover(t, nil)
	log := &lines{}
	conns := map[string]*bus.ConnCloser{}
	for name := range r.seeds {
		conns[name] = r.as(t, name, log.logger())
		if name != "gateway" && name != "launcher" {
			serve(t, conns[name], name)
		}
	}
	front := bus.Address{Robot: "rover", Device: "front"}
	for _, caller := range []string{"gateway", "launcher"} {
		for _, device := range []string{"front", "motors", "voice"} {
			client := devicev1.NewDeviceServiceClient(conns[caller].Client(bus.Address{Robot: "rover", Device: device}))
			if got, err := client.GetDevice(t.Context(), &devicev1.GetDeviceRequest{}); err != nil ||
				got.GetDevice().GetName() != device {
				t.Errorf("%s asks %s: %v, %v", caller, device, got, err)
			}
		}
	}
	// The motors hold the captures of the camera, and read them.
	hold := conns["motors"].Hold(front, "captures", "motors")
	defer hold.Close()
	for _, reader := range []string{"motors", "gateway"} {
		sub, err := bus.Subscribe[*devicev1.Device](conns[reader].Conn, front.Out("captures"), stream.Latest())
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		if err := conns[reader].Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := conns["front"].Publish(front.Out("captures"), &devicev1.Device{Name: "x"}); err != nil {
			t.Fatal(err)
		}
		if m, err := sub.Next(t.Context()); err != nil || m.GetName() != "x" {
			t.Errorf("%s reads %v, %v", reader, m, err)
		}
	}
	for hold.Epoch() != 7 {
		time.Sleep(time.Millisecond)
	}
	found, err := conns["gateway"].Devices(t.Context())
	if err != nil || len(found) != 3 {
		t.Errorf("the gateway finds %v, %v", found, err)
	}
	if log.count("allow") != 0 || r.log.count("refused") != 0 {
		t.Errorf("refused: %s%s", log.text.String(), r.log.text.String())
	}
}

// TestKeysChange: a key that is taken away ends its connection, and one whose holder may do something else now has it
// made again.
func TestKeysChange(t *testing.T) {
	r := startRover(t, nil)
	camera, motors, voice := r.raw(t, "front"), r.raw(t, "motors"), r.as(t, "voice", nil)
	again := make(chan struct{}, 1)
	defer voice.OnConnect(func() { again <- struct{}{} })()
	ended := make(chan struct{})
	camera.SetClosedHandler(func(*nats.Conn) { close(ended) })
	next := permissions.Keys{}
	for key, holder := range r.known {
		switch holder.Name {
		case "rover/front":
			continue
		case "rover/voice":
			holder.Permissions.Publish = append(holder.Permissions.Publish, "waldo.v1.rover.msg.chat")
		}
		next[key] = holder
	}
	r.SetKeys(next)
	for what, event := range map[string]chan struct{}{"the camera is cut off": ended, "the voice is back": again} {
		select {
		case <-event:
		case <-time.After(patience):
			t.Fatal("not so:", what)
		}
	}
	if _, err := nats.Connect(r.URL(), nats.Nkey(r.seeds["front"].Public(), r.seeds["front"].Sign)); err == nil {
		t.Error("the camera is back")
	}
	if err := motors.Flush(); err != nil {
		t.Error("the motors were cut off, too:", err)
	}
	before := r.log.count("refused")
	if err := voice.Publish("waldo.v1.rover.msg.chat", &devicev1.Device{}); err != nil {
		t.Error(err)
	}
	if err := voice.Flush(t.Context()); err != nil || r.log.count("refused") != before {
		t.Errorf("the voice cannot use what it may use now: %v", err)
	}
}

// TestWrongProofs: who has only the public key, another seed, or an old signature, does not get in.
func TestWrongProofs(t *testing.T) {
	r := startRover(t, nil)
	front, motors := r.seeds["front"], r.seeds["motors"]
	stranger, err := keys.New()
	if err != nil {
		t.Fatal(err)
	}
	old, err := front.Sign([]byte("of another connection"))
	if err != nil {
		t.Fatal(err)
	}
	var trying sync.WaitGroup // their refusals wait
	for what, option := range map[string]nats.Option{
		"nothing":           nats.Name("x"),
		"another's seed":    nats.Nkey(front.Public(), motors.Sign),
		"an old signature":  nats.Nkey(front.Public(), func([]byte) ([]byte, error) { return old, nil }),
		"no signature":      nats.Nkey(front.Public(), func([]byte) ([]byte, error) { return nil, nil }),
		"an unknown key":    nats.Nkey(stranger.Public(), stranger.Sign),
		"a wrong token":     nats.Token("wrong"),
		"the verifier":      nats.Token("sha256:0000000000000000000000000000000000000000000000000000000000000000"),
		"a user":            nats.UserInfo("admin", shared),
		"a token of nobody": nats.Token("waldo_abcdefghij_ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
	} {
		trying.Go(func() {
			if nc, err := nats.Connect(r.URL(), option, nats.Timeout(patience)); err == nil {
				nc.Close()
				t.Errorf("%s opens the bus", what)
			}
		})
	}
	trying.Wait()
	if r.log.count("level=WARN") == 0 || r.log.count(shared) != 0 {
		t.Errorf("logged is %s", r.log.text.String())
	}
}

// TestKeysWithoutToken: with keys alone, who has none may do everything, as before.
func TestKeysWithoutToken(t *testing.T) {
	seed, err := keys.New()
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, embedded.Config{Keys: permissions.Keys{seed.Public(): {Name: "rover/front"}}})
	anybody, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer anybody.Close()
	if !allowed(t, anybody, func() error { return anybody.Publish("x", nil) }) {
		t.Error("who has no key may not publish")
	}
	front, err := nats.Connect(s.URL(), nats.Nkey(seed.Public(), seed.Sign),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	defer front.Close()
	if allowed(t, front, func() error { return front.Publish("x", nil) }) {
		t.Error("who may do nothing may publish")
	}
}
