package foxglove

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	playerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/player/v1"
	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
)

func TestInterest(t *testing.T) {
	tell := func(list []parameter) string {
		var all []string
		for _, p := range list {
			value := "gone"
			if p.Value != nil {
				value = *p.Value
			}
			all = append(all, p.Name+"="+value)
		}
		return strings.Join(all, " ")
	}
	now := parameters{"a": "1", "b": "2"}
	i := newInterest()
	check := func(what, want string) {
		t.Helper()
		if got := tell(i.news(now)); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	if !i.empty() {
		t.Error("it is not empty at the beginning")
	}
	if err := i.add([]string{"a", "x"}, now); err != nil {
		t.Fatal(err)
	}
	check("nothing has changed", "")
	now = parameters{"a": "3", "b": "4", "x": "5"}
	check("those it wants", "a=3 x=5")
	delete(now, "a")
	check("one is gone", "a=gone")
	check("it is told once", "")
	if err := i.add(nil, now); err != nil {
		t.Fatal(err)
	}
	now["b"], now["new"] = "6", "7"
	check("all of them", "b=6 new=7")
	i.remove(nil)
	now["b"] = "8"
	if check("none of them", ""); !i.empty() {
		t.Error("it is not empty at the end")
	}
	var names []string
	for n := range maxNamed + 1 {
		names = append(names, fmt.Sprint("p", n))
	}
	if err := i.add(names, now); err == nil || !strings.Contains(err.Error(), "1000") {
		t.Errorf("too many: %v", err)
	}
	if got := tell(now.named([]string{"x", "no", "b"})); got != "b=8 x=5" {
		t.Errorf("by name: %q", got)
	}
}

func TestParametersOfADevice(t *testing.T) {
	p := parameters{}
	p.device(&signalingv1.DeviceStatus{Device: &devicev1.Device{Name: "front", Kind: "camera", Version: "1.0",
		State: devicev1.DeviceState_DEVICE_STATE_AWAY, StateReason: "unplugged",
		Attributes: map[string]string{"driver": "uvc", "state": "x"}}})
	p.device(&signalingv1.DeviceStatus{Device: &devicev1.Device{Name: "rear"}, Gone: true})
	p.device(&signalingv1.DeviceStatus{Device: &devicev1.Device{Name: "new", Kind: "camera"}})
	var got []string
	for name, value := range p {
		got = append(got, name+"="+value)
	}
	slices.Sort(got)
	want := "front.attributes.driver=uvc front.attributes.state=x front.kind=camera front.reason=unplugged " +
		"front.state=away front.version=1.0 new.kind=camera rear.state=gone"
	if strings.Join(got, " ") != want {
		t.Errorf("%v", got)
	}
}

func TestTellControl(t *testing.T) {
	state := func(phase controlv1.ControlPhase, cause controlv1.SafeCause, holder string, stop *controlv1.EStop,
	) *controlv1.ControlState {
		return &controlv1.ControlState{Phase: phase, Cause: cause, Holder: holder, EStop: stop}
	}
	free := state(controlv1.ControlPhase_CONTROL_PHASE_FREE, 0, "", nil)
	driving := state(controlv1.ControlPhase_CONTROL_PHASE_DRIVING, 0, "anna", nil)
	pressed := &controlv1.EStop{Id: 5, By: "bob", Reason: "lunch"}
	for _, tt := range []struct {
		name     string
		was, now *controlv1.ControlState
		want     string
	}{
		{"free at the beginning", nil, free, ""},
		{"driven at the beginning", nil, driving, "2 anna drives"},
		{"stopped at the beginning", nil, state(controlv1.ControlPhase_CONTROL_PHASE_E_STOPPED, 0, "", pressed),
			"4 e-stop by bob: lunch"},
		{"nothing new", driving, driving, ""},
		{"taken", driving, state(controlv1.ControlPhase_CONTROL_PHASE_DRIVING, 0, "bob", nil), "2 bob drives"},
		{"released", driving, free, "2 nobody drives; before: anna"},
		{"blind", driving,
			state(controlv1.ControlPhase_CONTROL_PHASE_SAFE, controlv1.SafeCause_SAFE_CAUSE_BLIND, "anna", nil),
			"3 stopped: the driver saw no picture that is new enough"},
		{"e-stop", driving,
			state(controlv1.ControlPhase_CONTROL_PHASE_E_STOPPED, controlv1.SafeCause_SAFE_CAUSE_E_STOP, "anna",
				&controlv1.EStop{Id: 6, By: "bob"}), "4 e-stop by bob"},
		{"another e-stop", state(controlv1.ControlPhase_CONTROL_PHASE_E_STOPPED, 0, "", pressed),
			state(controlv1.ControlPhase_CONTROL_PHASE_E_STOPPED, 0, "", &controlv1.EStop{Id: 7, By: "eve"}), "4 e-stop by eve"},
		{"cleared", state(controlv1.ControlPhase_CONTROL_PHASE_E_STOPPED, 0, "", pressed), free, "2 the e-stop is cleared"},
	} {
		var got []string
		tellControl(tt.was, tt.now, func(l logLevel, text string) { got = append(got, fmt.Sprint(l, " ", text)) })
		if strings.Join(got, "; ") != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestPlaceOf(t *testing.T) {
	begin := time.Unix(1_700_000_000, 0)
	state := func(offset time.Duration, playing, ended bool, speed float64) *playerv1.PlayerState {
		return &playerv1.PlayerState{Offset: durationpb.New(offset), Playing: playing, Ended: ended, Speed: speed,
			Duration: durationpb.New(time.Minute), StartTime: timestamppb.New(begin), Name: "drive"}
	}
	for _, tt := range []struct {
		name   string
		state  *playerv1.PlayerState
		ago    time.Duration
		at     time.Duration
		status playbackStatus
	}{
		{"paused", state(10*time.Second, false, false, 2), time.Second, 10 * time.Second, paused},
		{"playing", state(10*time.Second, true, false, 2), time.Second, 12 * time.Second, playing},
		{"beyond the end", state(59*time.Second, true, false, 10), time.Second, time.Minute, playing},
		{"ended", state(time.Minute, false, true, 1), time.Second, time.Minute, ended},
		{"before the beginning", state(-time.Second, false, false, 1), 0, 0, paused},
		{"a clock that goes back", state(time.Second, true, false, 1), -time.Second, time.Second, playing},
		{"an absurd speed", state(time.Second, true, false, 1e300), time.Second, 11 * time.Second, playing},
	} {
		got := placeOf("player", tt.state, tt.ago)
		if got.at.Sub(begin) != tt.at || got.status != tt.status || !got.end.Equal(begin.Add(time.Minute)) {
			t.Errorf("%s: %v, %d", tt.name, got.at.Sub(begin), got.status)
		}
	}
	if got := placeOf("", nil, 0); got != (place{}) {
		t.Errorf("none: %+v", got)
	}
}

// A state that comes late does not take the place of a newer one of the same life.
func TestLateState(t *testing.T) {
	p := newPlayer(nil, "rover", nil, nil)
	state := func(epoch int64, clock time.Duration, speed float64) *playerv1.PlayerState {
		return &playerv1.PlayerState{Epoch: epoch, Clock: durationpb.New(clock), Speed: speed}
	}
	for _, tt := range []struct {
		state *playerv1.PlayerState
		want  float64
	}{
		{state(1, 10, 1), 1}, {state(1, 12, 2), 2}, {state(1, 11, 1), 2}, {state(1, 12, 3), 3}, {state(2, 1, 4), 4},
	} {
		p.set("player", tt.state)
		if now, _ := p.place(time.Now()); now.speed != tt.want {
			t.Errorf("after %v the speed is %v", tt.state, now.speed)
		}
	}
	p.set("", nil)
	if now, _ := p.place(time.Now()); now.device != "" {
		t.Error("a player that is gone stays")
	}
}

func TestShort(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"short", "short"},
		{strings.Repeat("x", 123), strings.Repeat("x", 123)},
		{strings.Repeat("x", 124), strings.Repeat("x", 120) + "…"},
		{strings.Repeat("ä", 100), strings.Repeat("ä", 60) + "…"},
	} {
		if got := short(tt.text); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
