package units

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/robot"
)

// everything is a robot.yaml that uses what a robot.yaml can say, apart from what belongs to the kinds of devices.
const everything = `robot: rover
devices:
  front: {kind: camera, grpc: "127.0.0.1:7200", source: test, may: {read: [gps/rx]}}
  gps: {kind: serial, port: sim}
  motors: {kind: serial, port: sim, control: {safe: {left: 0, right: 0}}}
drive: {device: motors, keys: {left: {left: 1}}}
gateway: {http: "127.0.0.1:8090"}
nats: {listen: "127.0.0.1:4300"}
tls: {names: [rover.lan]}
`

// keysOf lists the keys of a structure of robot.yaml.
func keysOf(of any) (keys []string) {
	t := reflect.TypeOf(of)
	for i := range t.NumField() {
		if key, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// TestEveryField: units honour whatever robot.yaml says: a change of it changes the unit that it is about. A field that
// is new has to be added here.
func TestEveryField(t *testing.T) {
	for field, tt := range map[string]struct {
		from, to string
		want     []string // changed, added or removed
	}{
		"robot": {"robot: rover", "robot: mole", []string{"bus", "front", "gateway", "gps", "motors"}},
		// The devices after it have other addresses.
		"devices": {"  motors: {kind: serial, port: sim, ",
			"  arm: {kind: serial}\n  motors: {kind: serial, port: sim, ", []string{"arm", "gateway", "motors"}},
		"devices.kind": {"{kind: camera,", "{kind: lidar,", []string{"front", "gateway"}},
		"devices.grpc": {"127.0.0.1:7200", "127.0.0.1:7201", []string{"front"}},
		"devices.may":  {"[gps/rx]", "[gps/state]", nil}, // the bus reads its keys again without a restart
		"devices.*":    {"source: test", "source: /dev/video0", []string{"front"}},
		"drive":        {"left: {left: 1}", "left: {left: 0.5}", []string{"gateway"}},
		"gateway":      {"127.0.0.1:8090", "127.0.0.1:8091", []string{"gateway"}},
		"nats.listen":  {"127.0.0.1:4300", "127.0.0.1:4301", []string{"bus", "front", "gateway", "gps", "motors"}},
		// The bus is elsewhere, and somebody has to issue the certificate all the same.
		"nats.url": {`listen: "127.0.0.1:4300"`, `url: "nats://10.0.0.2:4222"`,
			[]string{"bus", "front", "gateway", "gps", "motors"}},
		"fleet": {"nats:", "fleet: {hub: \"tls://hub.example:7422\"}\nnats:", []string{"bus"}},
		"fleet.media": {"nats:", "fleet: {hub: \"tls://hub.example:7422\", media: \"tls://hub.example:4222\"}\nnats:",
			[]string{"bus"}},
		"tls.names": {"rover.lan", "rover.example", []string{"bus", "front", "gateway", "gps", "motors"}},
		"tls.auto":  {"{names: [rover.lan]}", "auto", []string{"bus", "front", "gateway", "gps", "motors"}},
		"tls.acme": {"{names: [rover.lan]}", "{acme: {domain: rover.example.org, email: a@example.org}}",
			[]string{"bus", "front", "gateway", "gps", "motors"}},
		"tls.cert": {"{names: [rover.lan]}", "off", []string{"bus", "front", "gateway", "gps", "motors"}},
	} {
		t.Run(field, func(t *testing.T) {
			i := newSystem(t)
			install(t, i, everything)
			keys, err := os.ReadFile(i.host(keysFile))
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.Replace(everything, tt.from, tt.to, 1)
			if changed == everything {
				t.Fatal("nothing is changed")
			}
			got := install(t, i, changed)
			units := slices.Sorted(slices.Values(slices.Concat(got.Added, got.Changed, got.Removed)))
			if !slices.Equal(units, tt.want) {
				t.Errorf("it changes %q, want %q", units, tt.want)
			}
			if now, _ := os.ReadFile(i.host(keysFile)); tt.want == nil && string(now) == string(keys) {
				t.Error("it changes nothing")
			}
		})
	}
	known := []string{"Name", "Devices", "Drive", "Gateway", "NATS", "Fleet", "TLS", "File", "Text"}
	for i := range reflect.TypeFor[robot.Robot]().NumField() {
		if name := reflect.TypeFor[robot.Robot]().Field(i).Name; !slices.Contains(known, name) {
			t.Errorf("%s of robot.yaml is not in this test", name)
		}
	}
	for of, want := range map[any][]string{robot.NATS{}: {"url", "listen"}, robot.Fleet{}: {"hub", "media", "key", "ca"}} {
		if got := keysOf(of); !slices.Equal(got, want) {
			t.Errorf("%T has the keys %q; this test knows %q", of, got, want)
		}
	}
	if got, want := keysOf(robot.TLS{}), []string{"auto", "names", "cert", "key", "acme"}; !slices.Equal(got, want) {
		t.Errorf("tls has the keys %q; this test knows %q", got, want)
	}
}
