package main

import (
	"net"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/device"
)

func TestExitCodes(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	tests := []struct {
		name string
		args []string
		code int
		says string
	}{
		{"help", []string{"--help"}, device.ExitStopped, "--http"},
		{"version", []string{"--version"}, device.ExitStopped, "waldo-gateway"},
		{"check", []string{"--check", "--http", ":8080"}, device.ExitStopped, ""},
		{"check of a fleet without tokens", []string{"--check", "--fleet", "--http", ":8080"}, device.ExitStopped,
			"token: there is none"},
		{"check of a fleet without a key", []string{"--check", "--fleet"}, device.ExitStopped, "bus-seed-file: is missing"},
		{"check of a key", []string{"--check", "--fleet", "--bus-seed-file", "/nowhere"}, device.ExitConfiguration,
			"/nowhere"},
		{"bad configuration", []string{"--check", "--http", "0.0.0.0:8080"}, device.ExitConfiguration, "token"},
		{"port in use", []string{"--http", taken.Addr().String()}, device.ExitAddress, "--http"},
		{"bad bus", []string{"--http", "127.0.0.1:0", "--ice", "127.0.0.1:0", "--nats", "nats://%zz"},
			device.ExitConfiguration, "nats"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			if code := run(tt.args, func(string) string { return "" }, &out); code != tt.code ||
				!strings.Contains(out.String(), tt.says) {
				t.Errorf("exit code %d, want %d: %s", code, tt.code, out.String())
			}
		})
	}
}
