package permissions_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/bus/permissions"
	"github.com/waldo-robot/waldo/pkg/robot"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	devices = "waldo.v1.rover."
	hold    = ".rpc.waldo.device.v1.DeviceService.HoldStream"
	// getPlayer asks a player where it is.
	getPlayer = ".rpc.waldo.player.v1.PlayerService.GetPlayer"
)

// file has a device of every kind, with all that makes one read what others produce.
const file = `
robot: rover
devices:
  front: {kind: camera, source: /dev/video0}
  map: {kind: camera, source: sim}
  other: {kind: camera, source: sim, follow: arm}
  lost: {kind: camera, source: sim, follow: nobody}
  motors: {kind: serial, control: {safe: {x: 0}}}
  arm: {kind: serial, control: {safe: {x: 0}, see: map}}
  dome: {kind: rtsp-ingest, ptz: {onvif: "http://10.0.0.7", see: front}}
  voice: {kind: audio}
  pad: {kind: input}
  guest: {kind: peer}
  bot: {kind: peer, call: "http://10.0.0.8/connect", topic: chat}
  plain: {kind: peer, call: "http://10.0.0.8/connect"}
  link: {kind: uplink}
  deck: {kind: player}
  yesterday: {kind: replay, as: front, player: deck}
  astray: {kind: replay}
  box: {kind: recorder}
  mind: {kind: mind, may: {read: [front/video-jpeg, arm], write: [voice/speaker], call: [motors], topics: [chat]}}
  free: {kind: mind}
drive: {device: motors, see: front}
`

func rover(t *testing.T) *robot.Robot {
	t.Helper()
	r, err := robot.Parse("r", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// ofOthers returns the subjects of a device that are not its own, or of discovery.
func ofOthers(t *testing.T, r *robot.Robot, name string) (publish, subscribe []string) {
	t.Helper()
	d, err := r.Device(name)
	if err != nil {
		t.Fatal(err)
	}
	p := permissions.Of(permissions.Device(r, d), true)
	other := func(s string) bool {
		return !strings.HasPrefix(s, devices+name+".") && !strings.HasPrefix(s, "$SRV.")
	}
	keep := func(list []string) (kept []string) {
		for _, s := range list {
			if other(s) {
				kept = append(kept, strings.TrimPrefix(s, devices))
			}
		}
		slices.Sort(kept)
		return kept
	}
	return keep(p.Publish), keep(p.Subscribe)
}

func TestDevicesReadWhatTheyNeed(t *testing.T) {
	r := rover(t)
	sees := func(camera string) [2][]string {
		return [2][]string{{camera + hold}, {camera + ".out.captures", camera + ".state"}}
	}
	follows := func(board string) [2][]string {
		return [2][]string{{board + hold}, {board + ".out.rx", board + ".state"}}
	}
	for name, want := range map[string][2][]string{
		"front": {}, "lost": {}, "voice": {}, "pad": {}, "guest": {}, "free": {},
		"map": follows("motors"), "other": follows("arm"),
		"motors": sees("front"), "arm": sees("map"), "dome": sees("front"),
		"bot":   {{"msg.chat"}, {"msg.chat"}},
		"plain": {{"msg.default"}, {"msg.default"}},
		"link": {{"*.in.>", "*" + hold, "*.rpc.waldo.camera.v1.CameraService.LimitBitrate",
			"*.rpc.waldo.camera.v1.CameraService.RequestKeyFrame"}, {"*.out.>", "*.state"}},
		"deck": {{"msg.*"}, nil}, "astray": {},
		"yesterday": {{"deck" + hold, "deck" + getPlayer}, {"deck.out.player", "deck.state"}},
		"mind": {{"arm" + hold, "front" + hold, "motors.rpc.>", "msg.chat", "voice.in.speaker"},
			{"arm.out.>", "arm.state", "front.out.video-jpeg", "front.state", "msg.chat"}},
	} {
		slices.Sort(want[0])
		publish, subscribe := ofOthers(t, r, name)
		if !slices.Equal(publish, want[0]) || !slices.Equal(subscribe, want[1]) {
			t.Errorf("%s publishes %q and subscribes %q", name, publish, subscribe)
		}
	}
}

// TestCallsAsADriver: `may: {call: …}` is not more than a driver may.
func TestCallsAsADriver(t *testing.T) {
	r := rover(t)
	mind, err := r.Device("mind")
	if err != nil {
		t.Fatal(err)
	}
	refused := permissions.Of(permissions.Device(r, mind), true).Refuse
	if !slices.Contains(refused, devices+"motors.rpc.waldo.control.v1.ControlService.ClearEStop") ||
		slices.Contains(refused, devices+"motors.rpc.waldo.control.v1.ControlService.Acquire") {
		t.Errorf("refused are %q", refused)
	}
}

func TestConfined(t *testing.T) {
	r := rover(t)
	for i := range r.Devices {
		d := &r.Devices[i]
		if got := permissions.Confined(d); got != (d.Name != "free") {
			t.Errorf("%s: %v", d.Name, got)
		}
	}
}

// TestNobodySpeaksForOthers: no holder of a key but the gateway may publish anything but holds, and questions where a
// player is, to a device of another name, and nobody may publish answers or the state and the streams of another.
func TestNobodySpeaksForOthers(t *testing.T) {
	r := rover(t)
	all := map[string][]permissions.Rule{
		"gateway": permissions.Gateway("rover"), "launcher": permissions.Launcher("rover"),
		"slot": permissions.Slot("rover", "slot", "peer"),
	}
	for i := range r.Devices {
		if d := &r.Devices[i]; d.Name != "mind" && d.Kind != "uplink" && d.Kind != "recorder" {
			all[d.Name] = permissions.Device(r, d)
		}
	}
	foreign := regexp.MustCompile(`\.(out|state|work)(\.|$)`)
	for name, rules := range all {
		p := permissions.Of(rules, true)
		for _, s := range p.Publish {
			own := strings.HasPrefix(s, devices+name+".") || name == "launcher" && s == devices+"robot.state"
			switch {
			case own, strings.HasPrefix(s, devices+"msg."):
			case foreign.MatchString(s):
				t.Errorf("%s may publish %s", name, s)
			case name != "gateway" && name != "launcher" && !strings.HasSuffix(s, hold) && !strings.HasSuffix(s, getPlayer):
				t.Errorf("%s may publish %s", name, s)
			}
		}
		for _, s := range append(p.Publish, p.Subscribe...) {
			if strings.HasPrefix(s, "_INBOX") || s == ">" || s == "*.>" || strings.HasPrefix(s, "$JS") ||
				strings.HasPrefix(s, "$SYS") {
				t.Errorf("%s may use %s", name, s)
			}
		}
		for _, s := range p.Subscribe {
			if name != "gateway" && strings.Contains(s, ".in.") && !strings.HasPrefix(s, devices+name+".") {
				t.Errorf("%s may hear %s", name, s)
			}
		}
	}
}

func TestRoles(t *testing.T) {
	const (
		everybody = "waldo.v1.rover.*"
		estop     = ".rpc.waldo.control.v1.ControlService.EStop"
		acquire   = ".rpc.waldo.control.v1.ControlService.Acquire"
		take      = ".rpc.waldo.control.v1.ControlService.Take"
		controls  = ".rpc.waldo.camera.v1.CameraService.SetControls"
	)
	for _, tt := range []struct {
		role              roles.Role
		device            string
		may, mayNot       []string // publish
		hears, hearsNever []string
	}{
		{roles.Viewer, "", []string{everybody + estop, everybody + hold, "$SRV.>"},
			[]string{everybody + ".rpc.>", everybody + acquire, everybody + ".in.>", "waldo.v1.rover.msg.*"},
			[]string{everybody + ".out.>", everybody + ".state", "waldo.v1.rover.msg.*"}, []string{everybody + ".in.>"}},
		{roles.Driver, "", []string{everybody + acquire, everybody + estop, everybody + ".in.>", "waldo.v1.rover.msg.*"},
			[]string{everybody + ".out.>", everybody + ".state", everybody + ".rpc.>", everybody + take, everybody + controls},
			[]string{everybody + ".out.>"}, []string{everybody + ".rpc.>"}},
		{roles.Operator, "", []string{everybody + take, everybody + acquire}, []string{everybody + controls}, nil, nil},
		{roles.Service, "motors", []string{"waldo.v1.rover.motors" + acquire, "waldo.v1.rover.motors.in.>"},
			[]string{everybody + estop, "waldo.v1.rover.motors" + take, "waldo.v1.rover.msg.*"},
			[]string{"waldo.v1.rover.motors.out.>"}, []string{everybody + ".out.>", everybody + ".state"}},
		{roles.None, "", nil, []string{everybody + estop}, nil, []string{everybody + ".out.>"}},
	} {
		p := permissions.Of(permissions.Role(tt.role, "rover", tt.device), false)
		has := func(list, want []string, is bool) {
			for _, s := range want {
				if slices.Contains(list, s) != is {
					t.Errorf("%v: %s: %v", tt.role, s, !is)
				}
			}
		}
		has(p.Publish, tt.may, true)
		has(p.Publish, tt.mayNot, false)
		has(p.Subscribe, tt.hears, true)
		has(p.Subscribe, tt.hearsNever, false)
		// What is not named is nobody's: methods of kinds of one's own, and of Waldo to come.
		if i := slices.IndexFunc(p.Publish, func(s string) bool {
			_, method, isCall := strings.Cut(s, ".rpc.")
			return isCall && strings.ContainsAny(method, "*>")
		}); i >= 0 {
			t.Errorf("%v: calls all of %s", tt.role, p.Publish[i])
		}
	}
	if p := permissions.Of(permissions.Role(roles.Viewer, "", ""), false); !slices.Contains(p.Subscribe,
		"waldo.v1.*.*.out.>") {
		t.Errorf("a token for any robot hears %q", p.Subscribe)
	}
}

// TestKnowsAllMethods: a method that is not known here could be called by admins only.
func TestKnowsAllMethods(t *testing.T) {
	files, err := filepath.Glob("../../../api/proto/waldo/*/v1/*.proto")
	if err != nil || len(files) == 0 {
		t.Fatal("no definitions", err)
	}
	service, rpc := regexp.MustCompile(`(?m)^service (\w+) `),
		regexp.MustCompile(`(?m)^  rpc (\w+)\((stream )?\w+\) returns \((stream )?`)
	may := map[roles.Role][]string{}
	for _, role := range []roles.Role{roles.Viewer, roles.Driver, roles.Operator} {
		may[role] = permissions.Of(permissions.Role(role, "r", ""), false).Publish
	}
	known := 0
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range service.FindAllStringSubmatchIndex(string(text), -1) {
			name := "waldo." + filepath.Base(filepath.Dir(filepath.Dir(path))) + ".v1." + string(text[s[2]:s[3]])
			body, _, _ := strings.Cut(string(text[s[0]:]), "\n}")
			for _, m := range rpc.FindAllStringSubmatch(body, -1) {
				if m[2] != "" || m[3] != "" {
					continue
				}
				known++
				subject := "waldo.v1.r.*.rpc." + name + "." + m[1]
				role := roles.NeededFor("/"+name+"/"+m[1], false)
				for has, subjects := range may {
					if slices.Contains(subjects, subject) != has.Allows(role) {
						t.Errorf("%s needs %v, and %v has it: %v", subject, role, has, !has.Allows(role))
					}
				}
			}
		}
	}
	if known < 20 {
		t.Errorf("found %d methods", known)
	}
}
