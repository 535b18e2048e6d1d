package ptz

import (
	"encoding/json"
	"testing"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/onvif"
)

// TestMotion: a command is as fast as its fastest axis, and all are slowed alike.
func TestMotion(t *testing.T) {
	for name, tt := range map[string]struct {
		v     onvif.Velocity
		scale map[string]float64
		want  float64
	}{
		"standing still": {onvif.Velocity{}, nil, 0},
		"one axis":       {onvif.Velocity{Pan: -0.5}, nil, 0.5},
		"the fastest":    {onvif.Velocity{Pan: 0.2, Tilt: 0.75, Zoom: -0.1}, nil, 0.75},
		"of what drivers give at most": {onvif.Velocity{Pan: 0.2, Zoom: 0.3}, map[string]float64{"pan": 0.25, "zoom": 0.5},
			0.8},
	} {
		m := motion{&Service{Mover: New(Config{}), FullScale: tt.scale}, tt.v}
		if share, ok := m.Speed(); share != tt.want || !ok || m.Neutral() != (tt.want == 0) {
			t.Errorf("%s: %v, %v; want %v", name, share, ok, tt.want)
		}
		m.CarryOut(0.5, later())
		want := onvif.Velocity{Pan: tt.v.Pan / 2, Tilt: tt.v.Tilt / 2, Zoom: tt.v.Zoom / 2}
		switch c := m.Mover.pending; {
		case tt.want == 0 && c != nil, tt.want > 0 && (c == nil || c.velocity != want):
			t.Errorf("%s: %+v is to be sent, want %v", name, c, want)
		}
		m.CarryOut(0, later())
		if m.Mover.pending != nil {
			t.Errorf("%s: slowed to nothing, it is to move: %+v", name, m.Mover.pending)
		}
	}
}

// TestMotionAsJSON: a command says what it is in the form of the neutral one.
func TestMotionAsJSON(t *testing.T) {
	for want, v := range map[string]onvif.Velocity{
		Neutral: {}, `{"pan":-0.25,"tilt":1,"zoom":1e-07}`: {Pan: -0.25, Tilt: 1, Zoom: 1e-7},
	} {
		got := motion{velocity: v}.JSON()
		if got != want || !json.Valid([]byte(got)) {
			t.Errorf("%v is %s, want %s", v, got, want)
		}
	}
}
