package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/nats-io/nats.go/micro"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
)

func TestDevices(t *testing.T) {
	s := startServer(t, embedded.Config{})
	c := connect(t, bus.Config{URL: s.URL()})
	find := func() (names []string) {
		t.Helper()
		devices, err := c.Devices(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range devices {
			names = append(names, d.GetRobot()+"/"+d.GetName())
		}
		return names
	}
	if got := find(); got != nil {
		t.Errorf("found %v on an empty bus", got)
	}
	want := []string{"alpha/zoom", "demo/back", "demo/front"}
	for _, a := range []bus.Address{{Robot: "demo", Device: "front"}, {Robot: "alpha", Device: "zoom"},
		{Robot: "demo", Device: "back"}} {
		serve(t, connect(t, bus.Config{URL: s.URL()}), bus.ServiceConfig{Address: a}, &fakeDevice{get: named(a)})
	}
	// Other people's services, one that only looks like ours, and a device that does not describe itself.
	for name, metadata := range map[string]map[string]string{
		"foreign":      {"robot": "demo", "device": "foreign"},
		"waldo-nobody": nil,
		"waldo-wrong":  {"robot": "demo", "device": "*"},
	} {
		if _, err := micro.AddService(rawClient(t, s), micro.Config{Name: name, Version: "1.0.0",
			Metadata: metadata}); err != nil {
			t.Fatal(err)
		}
	}
	serve(t, c, bus.ServiceConfig{Address: bus.Address{Robot: "demo", Device: "dumb"}}, &fakeDevice{})
	if got := find(); !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Devices(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestServiceIsShownByMicro(t *testing.T) {
	s := startServer(t, embedded.Config{})
	serve(t, connect(t, bus.Config{URL: s.URL()}), bus.ServiceConfig{
		Metadata: map[string]string{"grpc_address": "127.0.0.1:7101", "robot": "may not be overwritten"},
	}, &fakeDevice{})
	m, err := rawClient(t, s).Request("$SRV.INFO.waldo-camera", nil, patience)
	if err != nil {
		t.Fatal(err)
	}
	var info micro.Info
	if err := json.Unmarshal(m.Data, &info); err != nil {
		t.Fatal(err)
	}
	if info.Version != "1.2.3" || len(info.Endpoints) != len(devicev1.DeviceService_ServiceDesc.Methods) {
		t.Errorf("got %s", m.Data)
	}
	for key, want := range map[string]string{"robot": "demo", "device": "front", "kind": "camera",
		"grpc_address": "127.0.0.1:7101"} {
		if info.Metadata[key] != want {
			t.Errorf("%s is %q, want %q", key, info.Metadata[key], want)
		}
	}
}

func TestServeRefuses(t *testing.T) {
	a, _ := pair(t)
	for name, cfg := range map[string]bus.ServiceConfig{
		"address": {Address: bus.Address{Robot: "demo", Device: "*"}, Kind: "camera", Version: "1.0.0"},
		"kind":    {Address: front, Kind: "no kind", Version: "1.0.0"},
		"version": {Address: front, Kind: "camera", Version: "new"},
	} {
		if _, err := a.Serve(cfg); err == nil {
			t.Errorf("bad %s is accepted", name)
		}
	}
	within(t, "Close", a.Close)
}
