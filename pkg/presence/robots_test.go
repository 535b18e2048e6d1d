package presence

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	fleetv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/fleet/v1"
	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
)

const timeout = 20 * time.Second

// connect starts a server, and returns what makes connections to it.
func connect(t testing.TB) func() *bus.Conn {
	t.Helper()
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return func() *bus.Conn {
		conn, err := bus.Connect(bus.Config{URL: server.URL()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Close)
		return conn.Conn
	}
}

func follow(t testing.TB, conn *bus.Conn) *Robots {
	t.Helper()
	r, err := FollowRobots(conn, RobotsConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// await returns the status of a robot once it is as it should be.
func await(t *testing.T, r *Robots, name, what string, ok func(*fleetv1.RobotStatus) bool) *fleetv1.RobotStatus {
	t.Helper()
	deadline := time.After(timeout)
	for {
		status, changed := r.Get(name)
		if ok(status) {
			return status
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("not within %v: %s: %v", timeout, what, status)
		}
	}
}

func here(s *fleetv1.RobotStatus) bool { return s != nil && !s.GetAway() }

func TestRobotsComeAndGo(t *testing.T) {
	dial := connect(t)
	early := follow(t, dial())
	conn := dial()
	a, err := Announce(conn, AnnouncerConfig{Robot: "rover", Version: "1.2.3",
		Expected: []*devicev1.Device{{Name: "front", Kind: "camera"}}, Drive: &signalingv1.Drive{Device: "motors"}})
	if err != nil {
		t.Fatal(err)
	}
	status := await(t, early, "rover", "the robot is listed", here)
	if d := status.GetState().GetDevices(); len(d) != 1 || d[0].GetName() != "front" || !d[0].GetGone() ||
		status.GetState().GetVersion() != "1.2.3" || status.GetSince() == nil {
		t.Errorf("it is listed as %v", status)
	}
	// One that begins later asks, and need not wait for the next regular message.
	late := follow(t, dial())
	await(t, late, "rover", "who begins later knows the robot", here)

	err = conn.Publish((bus.Address{Robot: "rover", Device: "front"}).State(), &devicev1.Device{Robot: "rover",
		Name: "front", Kind: "camera", State: devicev1.DeviceState_DEVICE_STATE_AWAY, StateReason: strings.Repeat("ä", 200)})
	if err != nil {
		t.Fatal(err)
	}
	await(t, early, "rover", "the device is there, and then gone", func(s *fleetv1.RobotStatus) bool {
		d := s.GetState().GetDevices()
		return len(d) == 1 && d[0].GetGone() && d[0].GetState() == devicev1.DeviceState_DEVICE_STATE_AWAY &&
			len(d[0].GetStateReason()) == maxReason
	})
	address := bus.Address{Robot: "rover", Device: bus.RobotDevice}
	got, err := fleetv1.NewRobotServiceClient(dial().Client(address)).GetRobot(t.Context(), &fleetv1.GetRobotRequest{})
	if err != nil || got.GetDrive().GetDevice() != "motors" || got.GetState().GetRobot() != "rover" {
		t.Errorf("it says of itself %v, %v", got, err)
	}
	a.Change([]*devicev1.Device{{Name: "rear"}}, nil)
	await(t, early, "rover", "the new file is told", func(s *fleetv1.RobotStatus) bool {
		return len(s.GetState().GetDevices()) == 2
	})
	a.Close()
	status = await(t, early, "rover", "the robot is away", (*fleetv1.RobotStatus).GetAway)
	if away := early.Away("rover"); !strings.Contains(away, "rover is away: it was switched off") {
		t.Errorf("it is away because %q, %v", away, status)
	}
	if early.Away("other") != "" {
		t.Error("a robot that nobody knows is away")
	}
}

// TestManyRobotsAtOnce: one that begins to follow knows all robots that are there.
func TestManyRobotsAtOnce(t *testing.T) {
	dial := connect(t)
	conn := dial()
	const many = 50
	for i := range many {
		a, err := Announce(conn, AnnouncerConfig{Robot: fmt.Sprintf("r%d", i), Version: "1.0.0"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(a.Close)
	}
	r := follow(t, dial())
	deadline := time.After(timeout)
	for {
		list, revision, changed := r.Since(0)
		if len(list) == many {
			if rest, _, _ := r.Since(revision); len(rest) != 0 {
				t.Errorf("%d have changed since", len(rest))
			}
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("%d of %d robots are known", len(list), many)
		}
	}
}

// TestSilence: who cannot have been heard is not away, and who could have been is.
func TestSilence(t *testing.T) {
	r := follow(t, connect(t)())
	now := time.Now()
	r.heard(stateSubject("rover"), &fleetv1.RobotState{Robot: "rover", Epoch: 1}, now)
	r.check(now.Add(silentAfter))
	if status, _ := r.Get("rover"); status.GetAway() {
		t.Error("it is away too early")
	}
	r.mu.Lock()
	r.deaf = now.Add(2 * silentAfter)
	r.mu.Unlock()
	r.check(now.Add(silentAfter + 1))
	if status, _ := r.Get("rover"); status.GetAway() {
		t.Error("it is away although it could not have been heard")
	}
	r.check(now.Add(2*silentAfter + 1))
	if status, _ := r.Get("rover"); !status.GetAway() || !strings.Contains(status.GetReason(), "nothing is heard") {
		t.Errorf("after silence: %v", status)
	}
	r.Reached(&fleetv1.RobotState{Robot: "rover", Epoch: 1})
	if status, _ := r.Get("rover"); status.GetAway() || status.GetReason() != "" {
		t.Errorf("after an answer: %v", status)
	}
	r.Unreachable("rover", "its link is down")
	r.Unreachable("nobody", "its link is down")
	if got := r.Away("rover"); got != "robot rover is away: its link is down" {
		t.Error(got)
	}
}

func stateSubject(name string) string {
	return (bus.Address{Robot: name, Device: bus.RobotDevice}).State()
}

// TestWatching: robots that are not heard while somebody watches are away soon, but not because of what was before.
func TestWatching(t *testing.T) {
	dial := connect(t)
	r := follow(t, dial())
	a, err := Announce(dial(), AnnouncerConfig{Robot: "rover", Version: "1.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	await(t, r, "rover", "the robot is listed", here)
	r.mu.Lock()
	r.known["rover"].heard = time.Now().Add(-silentAfter + time.Second)
	before := r.known["rover"].heard
	r.mu.Unlock()
	defer r.Watch()()
	deadline := time.Now().Add(timeout)
	for time.Now().Before(deadline) {
		r.mu.Lock()
		again := r.known["rover"].heard.After(before)
		r.mu.Unlock()
		if again {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the robot was not asked")
}

// TestTwoOfOneName: a restart is none, two that speak in turns are.
func TestTwoOfOneName(t *testing.T) {
	r := follow(t, connect(t)())
	now := time.Now()
	say := func(epoch int64, leaving bool, after time.Duration) string {
		r.heard(stateSubject("rover"), &fleetv1.RobotState{Robot: "rover", Epoch: epoch, Leaving: leaving}, now.Add(after))
		status, _ := r.Get("rover")
		return status.GetReason()
	}
	for i, step := range []struct {
		epoch   int64
		leaving bool
		after   time.Duration
		reason  string
	}{
		{1, false, 0, ""},
		{2, false, 1, ""}, // a restart
		{1, true, 1, ""},  // a late goodbye
		{2, false, 2, ""}, // goes on
		{1, false, 3, "two robots"},
		{2, false, 4, "two robots"},
		{2, false, 4 + conflictLasts, ""}, // it is alone again
		{2, true, 5 + conflictLasts, "switched off"},
	} {
		if got := say(step.epoch, step.leaving, step.after); !strings.Contains(got, step.reason) || step.reason == "" &&
			got != "" {
			t.Errorf("step %d: %q, want %q", i, got, step.reason)
		}
	}
}

// impossible are messages that count for nothing, with the subject they come on.
func impossible() map[string]*fleetv1.RobotState {
	long := &fleetv1.RobotState{Robot: "rover"}
	for i := range maxTold + 1 {
		long.Devices = append(long.Devices, &fleetv1.RobotDevice{Name: fmt.Sprintf("d%d", i)})
	}
	return map[string]*fleetv1.RobotState{
		"no name":         {},
		"another's name":  {Robot: "other"},
		"no robot's name": {Robot: "Rover!"},
		"wildcard":        {Robot: "*"},
		"too many":        long,
		"too large":       {Robot: "rover", Version: strings.Repeat("v", maxState)},
		"device":          {Robot: "rover", Devices: []*fleetv1.RobotDevice{{Name: "<b>"}}},
		"kind":            {Robot: "rover", Devices: []*fleetv1.RobotDevice{{Name: "front", Kind: "a b"}}},
		"reason":          {Robot: "rover", Devices: []*fleetv1.RobotDevice{{Name: "front", StateReason: "\u202e"}}},
		"long reason": {Robot: "rover",
			Devices: []*fleetv1.RobotDevice{{Name: "front", StateReason: strings.Repeat("r", 201)}}},
		"version":           {Robot: "rover", Version: "\x1b[2J"},
		"goodbye of nobody": {Robot: "rover", Leaving: true},
	}
}

func TestImpossible(t *testing.T) {
	r := follow(t, connect(t)())
	for what, state := range impossible() {
		r.heard(stateSubject("rover"), state, time.Now())
		if list, _, _ := r.Since(0); len(list) != 0 {
			t.Fatalf("%s: %v is listed", what, list)
		}
	}
	r.heard(stateSubject(bus.Fleet), &fleetv1.RobotState{Robot: bus.Fleet}, time.Now())
	for i := range maxRobots + 1 {
		name := fmt.Sprintf("r%d", i)
		r.heard(stateSubject(name), &fleetv1.RobotState{Robot: name}, time.Now())
	}
	if list, _, _ := r.Since(0); len(list) != maxRobots {
		t.Errorf("%d robots are listed", len(list))
	}
}

func FuzzRobotState(f *testing.F) {
	for _, state := range impossible() {
		data, err := proto.Marshal(state)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	data, err := proto.Marshal(&fleetv1.RobotState{Robot: "rover", Epoch: 7, Devices: []*fleetv1.RobotDevice{{Name: "a"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	r := follow(f, connect(f)())
	f.Fuzz(func(t *testing.T, data []byte) {
		state := &fleetv1.RobotState{}
		if proto.Unmarshal(data, state) != nil {
			return
		}
		r.heard(stateSubject("rover"), state, time.Now())
		list, _, _ := r.Since(0)
		for _, s := range list {
			if s.GetState().GetRobot() != "rover" || proto.Size(s) > 2*maxState {
				t.Errorf("listed is %v", s)
			}
		}
	})
}
