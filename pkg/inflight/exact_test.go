package inflight

import (
	"testing"

	"google.golang.org/grpc/metadata"
)

// TestExact: a proxy sends its own window updates, so the server must not wait for those of a C core
// behind it.
func TestExact(t *testing.T) {
	const python = "grpc-python/1.76.0 grpc-c/51.0.0 (linux; chttp2)"
	for _, tt := range []struct {
		name string
		md   metadata.MD
		want bool
	}{
		{"Python", metadata.Pairs("user-agent", python), true},
		{"Go", metadata.Pairs("user-agent", "grpc-go/1.85.0"), false},
		{"no user agent", nil, false},
		{"Python behind Envoy", metadata.Pairs("user-agent", python, "x-request-id", "1"), false},
		{"Python behind nginx", metadata.Pairs("user-agent", python, "x-forwarded-for", "10.0.0.2"), false},
	} {
		if got := exact(tt.md); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
