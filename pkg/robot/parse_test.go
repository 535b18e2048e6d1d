package robot_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/robot"
)

const good = `robot: demo
devices:
  rear: {kind: camera, source: test}
  front:
    kind: camera
    width: 640
    grpc: 127.0.0.1:7102
  motors: {kind: serial}
gateway: {http: ":8080"}
nats: {url: "nats://10.0.0.2:4222"}
`

// bad lists what must be refused, and what the error must say. It feeds the fuzz test too.
var bad = []struct {
	name, yaml string
	want       []string // the lines of the error
}{
	{"empty", "", []string{"r: is empty: begin with `robot: <name>` and `devices:`"}},
	{"comment only", "# hello\n", []string{"r: is empty: begin with `robot: <name>` and `devices:`"}},
	{"not a mapping", "- a\n- b\n", []string{"r: does not describe a robot: begin with `robot: <name>` and `devices:`"}},
	{"two documents", good + "---\nrobot: other\n",
		[]string{"r: holds more than one document: remove what follows the second `---`"}},
	{"syntax", "robot: demo\ndevices: {\n", []string{
		"r:2: did not find expected node content (a value or a closing bracket is missing, or text with special " +
			"characters needs quotes)"}},
	{"tab", "robot: demo\ndevices:\n\tfront: {}\n", []string{
		"r:3: found character that cannot start any token (indent with spaces, not with tabs; quote text that begins with " +
			"a special character)"}},
	{"nothing in it", "{}", []string{
		"r:1: robot: is missing: add `robot: <name>`",
		"r:1: devices: is missing: a robot has at least one device, like `front: {kind: camera, source: test}`"}},
	{"unknown key", "robot: a\ndevice:\n  f: {kind: camera}\n", []string{
		`r:2: unknown key "device" (did you mean "devices"?)`,
		"r:1: devices: is missing: a robot has at least one device, like `front: {kind: camera, source: test}`"}},
	{"unknown key unlike any", "robot: a\ndevices: {f: {kind: camera}}\nwheels: 4\n", []string{
		`r:3: unknown key "wheels" (known: devices, drive, fleet, gateway, nats, robot, tls)`}},
	{"key twice", "robot: a\nrobot: b\ndevices: {f: {kind: camera}}\n",
		[]string{`r:2: "robot" is given twice; the first is on line 1`}},
	{"device twice", "robot: a\ndevices:\n  f: {kind: camera}\n  f: {kind: camera}\n", []string{
		`r:4: devices: "f" is given twice; the first is on line 3`}},
	{"key of a device twice", "robot: a\ndevices: {f: {kind: camera, width: 1, width: 2}}\n", []string{
		`r:2: devices.f: "width" is given twice; the first is on line 2`}},
	{"names", "robot: Demo\ndevices:\n  Front: {kind: camera}\n  -x: {kind: camera}\n  gateway: {kind: camera}\n  msg: " +
		"{kind: a}\n" +
		"  \"\": {kind: a}\n  " + strings.Repeat("n", 64) + ": {kind: a}\n  ok: {kind: a/b}\n", []string{
		`r:1: robot: "Demo" is not a name: use lower-case letters, digits and hyphens, at most 63, and no hyphen at the ends`,
		`r:3: devices: "Front" is not a name: use lower-case letters, digits and hyphens, at most 63, and no hyphen at the ends`,
		`r:4: devices: "-x" is not a name: use lower-case letters, digits and hyphens, at most 63, and no hyphen at the ends`,
		`r:5: devices: the name "gateway" is taken by Waldo itself: use another`,
		`r:6: devices: the name "msg" is taken by Waldo itself: use another`,
		`r:7: devices: has no name: use lower-case letters, digits and hyphens, at most 63`,
		`r:8: devices: "` + strings.Repeat("n", 64) +
			`" is not a name: use lower-case letters, digits and hyphens, at most 63, and no hyphen at the ends`,
		`r:9: devices.ok.kind: "a/b" is not a name: use lower-case letters, digits and hyphens, at most 63, and no hyphen at the ends`}},
	{"robot is a list", "robot: [a]\ndevices: {f: {kind: camera}}\n",
		[]string{`r:1: robot: found a list where a name is wanted`}},
	{"no devices", "robot: a\ndevices:\n", []string{
		"r:2: devices: a robot has at least one device, like `front: {kind: camera, source: test}`"}},
	{"device is text", "robot: a\ndevices: {f: camera}\n", []string{
		`r:2: devices.f: found "camera" where keys with values are wanted, like {key: value}`,
		"r:2: devices.f: has no kind: add for example `kind: camera`"}},
	{"no kind", "robot: a\ndevices:\n  f: {}\n  g: {kind: }\n  h: {kind: [a]}\n", []string{
		"r:3: devices.f: has no kind: add for example `kind: camera`",
		"r:4: devices.g.kind: has no name: use lower-case letters, digits and hyphens, at most 63",
		"r:5: devices.h.kind: found a list where a name is wanted"}},
	{"grpc", "robot: a\ndevices:\n  f: {kind: a, grpc: 7101}\n  g: {kind: a, grpc: \"h:70000\"}\n  h: {kind: a, grpc: " +
		"{}}\n", []string{
		`r:3: devices.f.grpc: "7101" is not an address: write host:port, like 127.0.0.1:7101`,
		`r:4: devices.g.grpc: "h:70000" is not an address: write host:port, like 127.0.0.1:7101`,
		`r:5: devices.h.grpc: found keys with values where an address is wanted, like 127.0.0.1:7101`}},
	{"no space behind a colon", "robot: a\ndevices:\n  f: {kind:a, x: 1}\n  g: {kind: a, token:secret, \"u:v\": 1}\n",
		[]string{
			"r:3: devices.f: kind needs a space behind its colon, like `kind: value`",
			"r:3: devices.f: has no kind: add for example `kind: camera`",
			"r:4: devices.g: token needs a space behind its colon, like `token: value`"}},
	{"quotation mark not closed", "robot: a\ndevices:\n  f: {kind: a, source: \"/dev/video0}\n", []string{
		`r:3: the value of source needs quotes, like source: "…", since it has characters with a meaning in YAML; it begins with a quotation mark that is not closed, or goes on behind the closing one`}},
	{"text behind a quotation", "robot: a\ndevices:\n  f: {kind: a, source: 'it' s}\n", []string{
		`r:3: the value of source needs quotes, like source: "…", since it has characters with a meaning in YAML; it begins with a quotation mark that is not closed, or goes on behind the closing one`}},
	{"grpc twice", "robot: a\ndevices:\n  f: {kind: a, grpc: \":7105\"}\n  g: {kind: a, grpc: \":7105\"}\n", []string{
		`r:4: devices.g.grpc: :7105 is already used by devices.f.grpc: choose another port`}},
	{"gateway is text", "robot: a\ndevices: {f: {kind: a}}\ngateway: on\n", []string{
		`r:3: gateway: found "on" where keys with values are wanted, like {key: value}`}},
	{"nats", "robot: a\ndevices: {f: {kind: a}}\nnats: {url: somewhere}\n", []string{
		`r:3: nats.url: is not the URL of a NATS server: write nats://host:4222; ` +
			"in a user, password or token before the host write / as %2F, : as %3A, ? as %3F, # as %23, % as %25, a comma as " +
			"%2C and the at sign as %40"}},
	{"password not escaped", "robot: a\ndevices: {f: {kind: a}}\nnats: {url: nats://bob:hunter2/x@h:4222}\n", []string{
		"r:3: nats.url: is not the URL of a NATS server: write nats://host:4222; " +
			"in a user, password or token before the host write / as %2F, : as %3A, ? as %3F, # as %23, % as %25, a comma as " +
			"%2C and the at sign as %40"}},
	{"URL in the wrong place", "robot: a\ndevices: {f: {kind: a}}\nnats: nats://bob:hunter2/x@h:4222\n", []string{
		`r:3: nats: found "nats://***@h:4222" where keys with values are wanted, like {key: value}`}},
	{"URL as a key", "robot: a\ndevices: {f: {kind: a}}\nnats: {\"nats://bob:" + strings.Repeat("hunter2/", 20) +
		"@h:4222\": 1}\n", []string{
		`r:3: nats: unknown key "nats://***@h:4222" (known: listen, url)`}},
	{"nats listens nowhere", "robot: a\ndevices: {f: {kind: a}}\nnats: {listen: 4222}\n", []string{
		`r:3: nats.listen: "4222" is not an address: write host:port, like 127.0.0.1:7101`}},
	{"nats both", "robot: a\ndevices: {f: {kind: a}}\nnats:\n  url: nats://h:1\n  listen: h:1\n", []string{
		`r:5: nats.listen: has no meaning together with url: leave one of them out`}},
	{"fleet", "robot: fleet\ndevices: {robot: {kind: a}}\nnats: {url: nats://h}\nfleet: {media: http://h, kay: x}\n",
		[]string{
			`r:4: fleet: unknown key "kay" (did you mean "key"?)`,
			"r:4: fleet: a robot of a fleet cannot be called fleet: gateways speak to all robots under that name",
			"r:4: fleet: no device of a robot of a fleet can be called robot: the robot as a whole speaks under that name",
			"r:4: fleet: has no effect together with nats.url, as the server there would have to connect to the hub: leave " +
				"nats.url out, or connect that server to the hub (docs/fleet.md)"}},
	{"fleet without a hub", "robot: a\ndevices: {f: {kind: a}}\nfleet: {media: http://h}\n", []string{
		"r:3: fleet.hub: is missing: write the address of the hub, like tls://hub.example.org:7422",
		"r:3: fleet.media: is not the address of a hub: write tls://hub.example.org:7422, or nats:// without encryption"}},
	{"fleet with a secret", "robot: a\ndevices: {f: {kind: a}}\nfleet: {hub: \"tls://bob:hunter2@h\"}\n", []string{
		"r:3: fleet.hub: is not the address of a hub: write tls://hub.example.org:7422, or nats:// without encryption"}},
	{"nats key", "robot: a\ndevices: {f: {kind: a}}\nnats: {lisen: 4222, token: x}\n", []string{
		`r:3: nats: unknown key "lisen" (did you mean "listen"?)`,
		`r:3: nats: unknown key "token" (known: listen, url)`}},
	{"alias", "robot: a\ndevices:\n  f: &f {kind: a}\n  g: *f\n", []string{
		"r:3: anchors and aliases (& and *) are not supported: write the values out",
		"r:4: anchors and aliases (& and *) are not supported: write the values out"}},
	{"tag", "robot: !!binary aGk=\ndevices: {f: {kind: a}}\n", []string{
		"r:1: tags (!!binary) are not supported: leave it out, and quote what is text"}},
	{"complex key", "robot: a\ndevices: {f: {kind: a}, [x]: {kind: a}}\n",
		[]string{"r:2: devices: found a list cannot be a key"}},
	{"too many devices", "robot: a\ndevices: {" + manyDevices() + "}\n",
		[]string{"r:2: devices: a robot has at most 256 devices"}},
	{"too large", "#" + strings.Repeat(" ", 1<<20), []string{"r: is larger than 1 MiB, which no robot.yaml is"}},
}

func manyDevices() string {
	var b strings.Builder
	for i := range 257 {
		fmt.Fprintf(&b, "d%d: {kind: a}, ", i)
	}
	return b.String()
}

func TestParseGood(t *testing.T) {
	r, err := robot.Parse("r", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if r.Name != "demo" || r.File != "r" || r.NATS.URL != "nats://10.0.0.2:4222" {
		t.Errorf("got %+v", r)
	}
	var got []string
	for _, d := range r.Devices {
		got = append(got, d.Name+" "+d.Kind+" "+d.GRPC)
	}
	want := "[rear camera 127.0.0.1:7101 front camera 127.0.0.1:7102 motors serial 127.0.0.1:7103]"
	if fmt.Sprint(got) != want {
		t.Errorf("devices are %v, want %s", got, want)
	}
	var gateway struct {
		HTTP string `yaml:"http"`
	}
	if err := r.Gateway.Decode(&gateway); err != nil || gateway.HTTP != ":8080" {
		t.Errorf("gateway is %+v, %v", gateway, err)
	}
}

func TestParseBad(t *testing.T) {
	for _, tt := range bad {
		t.Run(tt.name, func(t *testing.T) {
			r, err := robot.Parse("r", []byte(tt.yaml))
			if err == nil {
				t.Fatalf("accepted as %+v", r)
			}
			if r != nil {
				t.Errorf("a robot was returned together with an error")
			}
			if want := strings.Join(tt.want, "\n"); err.Error() != want {
				t.Errorf("got:\n%s\nwant:\n%s", err, want)
			}
		})
	}
}

func TestPortsAvoidThoseGiven(t *testing.T) {
	r, err := robot.Parse("r", []byte("robot: a\ndevices: {f: {kind: a}, g: {kind: a}, h: {kind: a, grpc: "+
		"\"0.0.0.0:7101\"}, i: {kind: a, grpc: \":0\"}}"))
	if err != nil {
		t.Fatal(err)
	}
	if f, g := r.Devices[0].GRPC, r.Devices[1].GRPC; f != "127.0.0.1:7102" || g != "127.0.0.1:7103" {
		t.Errorf("got %s and %s", f, g)
	}
}

func TestDefaultRobot(t *testing.T) {
	r, err := robot.Default()
	if err != nil {
		t.Fatal(err)
	}
	again, err := robot.Load(r.File)
	if err != nil || again.Name != r.Name {
		t.Errorf("the built-in robot cannot be loaded by its name %q: %v", r.File, err)
	}
	if d, err := r.Device("front"); err != nil || d.Kind != "camera" {
		t.Errorf("front is %+v, %v", d, err)
	}
}

func TestDeviceUnknown(t *testing.T) {
	r, err := robot.Default()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"frnt":  `builtin:demo: robot "demo" has no device "frnt" (did you mean "front"?)`,
		"radio": `builtin:demo: robot "demo" has no device "radio" (known: front, guest, map, motors, recorder, voice)`,
	} {
		if _, err := r.Device(name); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "robot.yaml")
	if _, err := robot.Load(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if err := os.WriteFile(path, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := robot.Load(path); err != nil || r.File != path {
		t.Errorf("got %+v, %v", r, err)
	}
	if _, err := robot.Load(filepath.Dir(path)); err == nil {
		t.Error("a directory was accepted")
	}
}

// FuzzParse feeds anything at all: there must be either a robot that keeps its promises or an error.
func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	for _, tt := range tlsSections {
		f.Add([]byte("robot: rover\ndevices: {front: {kind: camera}}\n" + tt.text))
	}
	for _, tt := range broken {
		f.Add([]byte(tt.yaml))
	}
	for _, tt := range bad {
		if len(tt.yaml) < 1<<16 {
			f.Add([]byte(tt.yaml))
		}
	}
	for may := range mays {
		f.Add([]byte("robot: a\ndevices: {d: {kind: k, may: " + may + "}}\n"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := robot.Parse("r", data)
		if err != nil {
			if r != nil || err.Error() == "" {
				t.Fatalf("robot %v with error %q", r, err)
			}
			return
		}
		if robot.CheckName(r.Name) != nil || len(r.Devices) == 0 {
			t.Fatalf("accepted %+v", r)
		}
		for i := range r.Devices {
			d := &r.Devices[i]
			if robot.CheckDeviceName(d.Name) != nil || robot.CheckName(d.Kind) != nil || d.GRPC == "" {
				t.Fatalf("accepted %+v", d)
			}
			config := allTypes()
			_ = d.Decode(&config)
		}
	})
}
