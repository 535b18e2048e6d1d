package access_test

import (
	"testing"

	"github.com/waldo-robot/waldo/pkg/access"
)

func TestAddress(t *testing.T) {
	tests := []struct {
		configured, token string
		want              string
		narrowed, fails   bool
	}{
		{"127.0.0.1:8080", "", "127.0.0.1:8080", false, false},
		{"127.9.9.9:0", "", "127.9.9.9:0", false, false},
		{"[::1]:8080", "", "[::1]:8080", false, false},
		{"localhost:8080", "", "localhost:8080", false, false},
		{":8080", "", "127.0.0.1:8080", true, false},
		{":8080", "secret", ":8080", false, false},
		{"0.0.0.0:8080", "", "", false, true},
		{"[::]:8080", "", "", false, true},
		{"192.168.1.5:8080", "", "", false, true},
		{"192.168.1.5:8080", "secret", "192.168.1.5:8080", false, false},
		{"robot.example:8080", "", "", false, true},
		{"8080", "", "", false, true},
		{"", "", "", false, true},
	}
	for _, tt := range tests {
		got, narrowed, err := access.Address(tt.configured, tt.token)
		if got != tt.want || narrowed != tt.narrowed || (err != nil) != tt.fails {
			t.Errorf("Address(%q, %q) = %q, %v, %v", tt.configured, tt.token, got, narrowed, err)
		}
	}
}

func TestAllowed(t *testing.T) {
	for _, tt := range []struct {
		token, header string
		want          bool
	}{
		{"secret", "Bearer secret", true},
		{"secret", "bearer  secret ", true},
		{"secret", "Bearer wrong", false},
		{"secret", "Basic secret", false},
		{"secret", "secret", false},
		{"secret", "", false},
	} {
		if got := access.Allowed(tt.token, access.Bearer(tt.header)); got != tt.want {
			t.Errorf("token %q, header %q: %v", tt.token, tt.header, got)
		}
	}
}
