package robot_test

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/robot"
)

type common struct {
	Source string `yaml:"source" help:"where pictures come from"`
}

type config struct {
	common  `yaml:"-"`
	Common  common            `yaml:",inline"`
	Width   int               `yaml:"width" help:"pixels"`
	Small   int8              `yaml:"small"`
	Count   uint16            `yaml:"count"`
	Rate    float64           `yaml:"rate"`
	Flip    bool              `yaml:"flip"`
	Dead    time.Duration     `yaml:"dead"`
	Address netip.Addr        `yaml:"address"`
	Control control           `yaml:"control"`
	Maybe   *control          `yaml:"maybe"`
	Tags    []string          `yaml:"tags"`
	Sizes   []int             `yaml:"sizes"`
	Labels  map[string]string `yaml:"labels"`
	Free    any               `yaml:"free"`
	Private int
}

type control struct {
	Safe int `yaml:"safe"`
}

func allTypes() config { return config{Width: 640, Rate: 30} }

func (c *config) Validate() error {
	var errs []error
	if c.Width < 16 || c.Width > 7680 {
		errs = append(errs, robot.BadField("width", "%d is out of range: use 16 to 7680", c.Width))
	}
	if c.Control.Safe > 9 {
		errs = append(errs, robot.BadField("control.safe", "is too safe"))
	}
	return errors.Join(errs...)
}

// device parses a robot with one device that has the given keys on line 3 and following.
func device(t *testing.T, keys string) *robot.Device {
	t.Helper()
	r, err := robot.Parse("r", []byte("robot: a\ndevices:\n  f: {kind: a, "+keys+"}\n"))
	if err != nil {
		t.Fatal(err)
	}
	return &r.Devices[0]
}

func TestDecodeGood(t *testing.T) {
	d := device(t, `source: 007, width: 0x280, small: -128, count: 65535, flip: true, dead: 200ms, address: 10.0.0.2,
     control: {safe: 3}, maybe: {safe: 4}, tags: [a, 1, yes], sizes: [1, 2], labels: {a: b}, free: {x: [1, z]}`)
	c := allTypes()
	if err := d.Decode(&c); err != nil {
		t.Fatal(err)
	}
	want := config{Common: common{"007"}, Width: 640, Small: -128, Count: 65535, Rate: 30, Flip: true,
		Dead:    200 * time.Millisecond,
		Address: netip.MustParseAddr("10.0.0.2"), Control: control{3}, Maybe: &control{4}, Tags: []string{"a", "1", "yes"},
		Sizes: []int{1, 2}, Labels: map[string]string{"a": "b"}, Free: map[string]any{"x": []any{1, "z"}}}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got\n%+v, want\n%+v", c, want)
	}
}

func TestDecodeBad(t *testing.T) {
	for _, tt := range []struct{ keys, want string }{
		{"widht: 3", `r:3: devices.f: unknown key "widht" (did you mean "width"?)`},
		{"Width: 3", `r:3: devices.f: unknown key "Width" (did you mean "width"?)`},
		{"Private: 3",
			`r:3: devices.f: unknown key "Private" (known: address, control, count, dead, flip, free, labels, maybe, rate, sizes, small, source, tags, width)`},
		{"width: wide", `r:3: devices.f.width: "wide" is not a whole number`},
		{"width: 29.97", `r:3: devices.f.width: "29.97" is not a whole number`},
		{`width: "640"`, `r:3: devices.f.width: "640" is text: leave out the quotes`},
		{"width: ", `r:3: devices.f.width: has no value: give one or leave the key out`},
		{"source: ", `r:3: devices.f.source: has no value: give one or leave the key out`},
		{"width: [1]", `r:3: devices.f.width: found a list where a single value is wanted`},
		{"width: 99999999999999999999", `r:3: devices.f.width: "99999999999999999999" is not a whole number`},
		{"small: 128", `r:3: devices.f.small: "128" is out of range for a whole number here`},
		{"count: -1", `r:3: devices.f.count: "-1" is out of range for a whole number here`},
		{"rate: .inf", `r:3: devices.f.rate: ".inf" is not a number`},
		{"rate: fast", `r:3: devices.f.rate: "fast" is not a number`},
		{"flip: maybe", `r:3: devices.f.flip: "maybe" is neither true nor false`},
		{"dead: 200", `r:3: devices.f.dead: "200" is not a duration: write a number with its unit, like 200ms, 1.5s, 2m`},
		{"address: here", `r:3: devices.f.address: ParseAddr("here"): unable to parse IP`},
		{"tags: a", `r:3: devices.f.tags: found "a" where a list is wanted, like [a, b]`},
		{"sizes: [1, x]", `r:3: devices.f.sizes[1]: "x" is not a whole number`},
		{"labels: [a]", `r:3: devices.f.labels: found a list where keys with values are wanted, like {key: value}`},
		{"control: {save: 1}", `r:3: devices.f.control: unknown key "save" (did you mean "safe"?)`},
		{"control:\n      {safe: x}", `r:4: devices.f.control.safe: "x" is not a whole number`},
		{"flip: 1, width: x,\n    rate: y", "r:3: devices.f.flip: \"1\" is neither true nor false\n" +
			"r:3: devices.f.width: \"x\" is not a whole number\nr:4: devices.f.rate: \"y\" is not a number"},
		{"source: a,\n    width: 99999,\n    control: {\n     safe: 10}",
			"r:4: devices.f.width: 99999 is out of range: use 16 to 7680\n" +
				"r:6: devices.f.control.safe: is too safe"},
	} {
		c := allTypes()
		if err := device(t, tt.keys).Decode(&c); err == nil || err.Error() != tt.want {
			t.Errorf("%s: got\n%v, want\n%s", tt.keys, err, tt.want)
		}
	}
}

func TestOverride(t *testing.T) {
	d := device(t, "width: 320, tags: [x]")
	for key, value := range map[string]string{
		"width": "1280", "tags": "a, b", "sizes": "[1, 2]", "control.safe": "2", "maybe.safe": "5", "source": "",
		"dead":   "1s",
		"labels": "{a: b}", "flip": "true", "address": "::1", "free": "text",
	} {
		d.Override(key, value, "--"+key)
	}
	c := allTypes()
	if err := d.Decode(&c); err != nil {
		t.Fatal(err)
	}
	want := config{Width: 1280, Rate: 30, Tags: []string{"a", "b"}, Sizes: []int{1, 2}, Control: control{2},
		Maybe: &control{5},
		Dead:  time.Second, Labels: map[string]string{"a": "b"},
		Flip: true, Address: netip.MustParseAddr("::1"), Free: "text"}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got\n%+v, want\n%+v", c, want)
	}
}

func TestOverrideBad(t *testing.T) {
	for _, tt := range []struct{ key, value, want string }{
		{"widht", "3", `o: unknown key "widht" (did you mean "width"?)`},
		{"width", "wide", `o: "wide" is not a whole number`},
		{"width", "", `o: has no value: give one or leave the key out`},
		{"width", "99999", `o: 99999 is out of range: use 16 to 7680`},
		{"width.x", "1", `o: there is no key "width.x"`},
		{"control.x", "1", `o: unknown key "x" (known: safe)`},
		{"control", "{x: 1}", `o: unknown key "x" (known: safe)`},
		{"control", "{", `o: "{" cannot be read: write it like [a, b] or {key: value}`},
		{"labels", "a", `o: found "a" where keys with values are wanted, like {key: value}`},
		{"labels", "&a {a: b}", `o: anchors and aliases (& and *) are not supported: write the values out`},
		{"sizes", "1,x", `o: "x" is not a whole number`},
	} {
		var s robot.Section
		s.Override(tt.key, tt.value, "o")
		c := allTypes()
		if err := s.Decode(&c); err == nil || err.Error() != tt.want {
			t.Errorf("%s=%s: got\n%v, want\n%s", tt.key, tt.value, err, tt.want)
		}
	}
}

// TestOverrideOfPointer: a section that may be missing can be given as a whole.
func TestOverrideOfPointer(t *testing.T) {
	var s robot.Section
	s.Override("maybe", "{safe: 7}", "--maybe")
	c := allTypes()
	if err := s.Decode(&c); err != nil || c.Maybe == nil || c.Maybe.Safe != 7 {
		t.Errorf("got %+v, %v", c.Maybe, err)
	}
}

// TestOverrideOrder: the last one wins, also in what an error says.
func TestOverrideOrder(t *testing.T) {
	d := device(t, "width: 320")
	d.Override("width", "800", "WALDO_WIDTH")
	d.Override("width", "5", "--width")
	c := allTypes()
	if err := d.Decode(&c); err == nil || err.Error() != "--width: 5 is out of range: use 16 to 7680" {
		t.Errorf("got %v", err)
	}
}

// TestOverrideOfCopy: a copy of a section does not share what is set later.
func TestOverrideOfCopy(t *testing.T) {
	var a robot.Section
	a.Override("width", "100", "o")
	b := a
	a.Override("width", "200", "o")
	b.Override("width", "300", "o")
	var ca, cb config
	if err := errors.Join(a.Decode(&ca), b.Decode(&cb)); err != nil || ca.Width != 200 || cb.Width != 300 {
		t.Errorf("got %d and %d, %v", ca.Width, cb.Width, err)
	}
}

func TestLocateDefault(t *testing.T) {
	r, err := robot.Parse("r", []byte("robot: a\ndevices: {f: {kind: a}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	other := errors.New("another thing")
	err = r.Gateway.Locate(fmt.Errorf("wrapped: %w", robot.BadField("http", "is bad: %w", other)))
	if got := err.Error(); got != "r: gateway.http: is bad: another thing" || !errors.Is(err, other) {
		t.Errorf("got %s", got)
	}
	if err := r.Gateway.Locate(other); !errors.Is(err, other) {
		t.Errorf("got %v", err)
	}
	if err := r.Gateway.Locate(nil); err != nil {
		t.Errorf("got %v", err)
	}
	var empty robot.Section
	if got := empty.Locate(robot.BadField("width", "is bad")).Error(); got != "width: is bad" {
		t.Errorf("got %s", got)
	}
}

// TestLocateCommon: what every device has is found where it stands, too.
func TestLocateCommon(t *testing.T) {
	r, err := robot.Parse("r", []byte("robot: a\ndevices:\n  f:\n    width: 3\n    kind: a\n"))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"kind": "r:5: devices.f.kind: no", "width": "r:4: devices.f.width: no", "width.x": "r:4: devices.f.width.x: no",
		"grpc": "r:3: devices.f.grpc: no",
	} {
		if got := r.Devices[0].Locate(robot.BadField(key, "no")).Error(); got != want {
			t.Errorf("%s: got %s, want %s", key, got, want)
		}
	}
}

func TestText(t *testing.T) {
	d := device(t, "width: 320, tags: [a], source: ")
	for key, want := range map[string]string{"width": "320", "tags": "", "source": "", "kind": "", "": "", "width.x": ""} {
		if got := d.Text(key); got != want {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
	d.Override("width", "640", "--width")
	if got := d.Text("width"); got != "640" {
		t.Errorf("got %q", got)
	}
	var empty robot.Section
	if got := empty.Text("width"); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestDecodeIntoWrongType(t *testing.T) {
	var s robot.Section
	for _, into := range []any{nil, config{}, (*config)(nil), new(int)} {
		if err := s.Decode(into); err == nil || !strings.HasPrefix(err.Error(), "robot: cannot decode into") {
			t.Errorf("%T: got %v", into, err)
		}
	}
	var unsupported struct {
		C chan int       `yaml:"c"`
		M map[int]string `yaml:"m"`
	}
	s.Override("c", "1", "o")
	s.Override("m", "{1: a}", "o")
	if err := s.Decode(&unsupported); err == nil || !strings.Contains(err.Error(), "chan int are not supported") {
		t.Errorf("got %v", err)
	}
}

func TestFields(t *testing.T) {
	c := allTypes()
	var got []string
	for _, f := range robot.Fields(&c) {
		got = append(got, fmt.Sprintf("%s=%s(%s)%v", f.Key, f.Default, f.Help, f.Bool))
	}
	want := "source=(where pictures come from)false width=640(pixels)false small=()false count=()false rate=30()false " +
		"flip=()true " +
		"dead=()false address=()false control.safe=()false maybe=()false tags=()false sizes=()false labels=()false " +
		"free=()false"
	if strings.Join(got, " ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
	}
	if robot.Fields(3) != nil {
		t.Error("an int has fields")
	}
}

func ExampleSection_Decode() {
	r, err := robot.Parse("robot.yaml", []byte(`
robot: demo
devices:
  front: {kind: camera, widht: 640}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	camera := struct {
		Width int `yaml:"width"`
	}{Width: 1280}
	front := r.Devices[0]
	front.Override("width", "wide", "--width")
	fmt.Println(front.Decode(&camera))
	// Output:
	// robot.yaml:4: devices.front: unknown key "widht" (did you mean "width"?)
	// --width: "wide" is not a whole number
}

// FuzzOverride feeds any key and value, as a command line could.
func FuzzOverride(f *testing.F) {
	for _, seed := range [][2]string{{"width", "640"}, {"control.safe", "1"}, {"labels", "{a: b}"}, {"tags", "a,b"},
		{"free", "[1, {}]"}, {"maybe", "~"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		var s robot.Section
		s.Override(key, value, "--flag")
		c := allTypes()
		if err := s.Decode(&c); err != nil && !strings.Contains(err.Error(), "--flag: ") {
			t.Fatalf("error without its origin: %v", err)
		}
	})
}
