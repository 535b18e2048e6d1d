package rtsp

import (
	"fmt"
	"testing"
	"time"
)

func TestMethodsOfKeepalives(t *testing.T) {
	for _, tt := range []struct {
		public, refused string
		other           bool
		fatal, want     string
	}{
		{"", "", false, "", "[OPTIONS]"},
		{"OPTIONS, PLAY", "", false, "", "[OPTIONS]"},
		{"OPTIONS, GET_PARAMETER", "", false, "", "[OPTIONS GET_PARAMETER]"},
		{"OPTIONS, GET_PARAMETER", "", true, "", "[OPTIONS]"},
		{"", "", true, "", "[GET_PARAMETER]"},
		{"", "OPTIONS", false, "", "[GET_PARAMETER]"},
		{"GET_PARAMETER", "GET_PARAMETER", false, "", "[OPTIONS]"},
		{"GET_PARAMETER", "", false, "OPTIONS", "[GET_PARAMETER]"},
		{"GET_PARAMETER", "GET_PARAMETER", false, "OPTIONS", "[OPTIONS]"},
	} {
		m := &methods{public: tt.public}
		if tt.refused != "" {
			m.refuse(tt.refused)
		}
		var fatal []string
		if tt.fatal != "" {
			fatal = append(fatal, tt.fatal)
		}
		if got := fmt.Sprint(m.list(tt.other, fatal)); got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
}

// TestExpiries: twice in a row the session of a camera ended as if nothing had kept it alive.
func TestExpiries(t *testing.T) {
	for _, tt := range []struct {
		played []time.Duration
		want   bool
	}{
		{[]time.Duration{time.Minute}, false},
		{[]time.Duration{time.Minute, 55 * time.Second}, true},
		{[]time.Duration{time.Minute, time.Hour, time.Minute}, false},
		{[]time.Duration{time.Second, 2 * time.Second, time.Hour}, false},
		{[]time.Duration{time.Minute, time.Minute, time.Minute, time.Minute}, false}, // neither helps: back
	} {
		m := &Memory{}
		for _, played := range tt.played {
			m.ended(played, time.Minute)
		}
		if other, _ := m.keepAlive(); other != tt.want {
			t.Errorf("%v: %v", tt.played, other)
		}
	}
}

func TestMemoryOfTransport(t *testing.T) {
	m := &Memory{}
	if got := m.transport(overUDP); got != overUDP {
		t.Error(got)
	}
	if m.worked(overTCP); m.transport(overUDP) != overTCP {
		t.Error("it does not remember what worked")
	}
}
