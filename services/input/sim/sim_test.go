package sim

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	linux "github.com/holoplot/go-evdev"
	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/services/input/source"
	"github.com/waldo-robot/waldo/services/input/source/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	quick, err := Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	for name, script := range map[string]Script{"figure eight": nil, "script": quick} {
		t.Run(name, func(t *testing.T) {
			sourcetest.Run(t, func(*testing.T) source.Source { return New(script) })
		})
	}
}

const good = `{"after": "0s", "events": [{"code": "BTN_SOUTH", "value": 1}, {"code": "ABS_X", "value": -32768}]}

  {"events":[{"value":5,"code":"REL_WHEEL"}],"after":"1.5ms"}
{"after": "1ms", "events": [{"code": "BTN_A", "value": 0}, {"code": "KEY_Q", "value": 2}, {"code": "ABS_RZ", "value": 255}]}`

func line(s string) string { return good + "\n" + s + "\n" }

// bad scripts, with the text of the error.
var bad = map[string]string{
	"":         "empty",
	"\n \r\n ": "empty",
	`{"after": "0s", "events": [{"code": "ABS_X", "value": 1}]}`:         "takes 0s",
	line(`{"after": "-1ms", "events": [{"code": "ABS_X", "value": 1}]}`): "line 5: after: -1ms is out of range",
	line(`{"after": "61m", "events": [{"code": "ABS_X", "value": 1}]}`):  "line 5: after: 1h1m0s is out of range",
	line(`{"after": "20", "events": [{"code": "ABS_X", "value": 1}]}`):   "with its unit",
	line(`{"after": 20, "events": [{"code": "ABS_X", "value": 1}]}`):     "line 5: after: 20 does not fit",
	line(`{"after": null, "events": [{"code": "ABS_X", "value": 1}]}`):   "after: has no value",
	line(`{"events": [{"code": "ABS_X", "value": 1}]}`):                  "line 5: after: is missing",
	line(`{"after": "1ms"}`):               "events: is missing",
	line(`{"after": "1ms", "events": []}`): "events: there are 0",
	line(`{"after": "1ms", "events": {}}`): "events: {} does not fit",
	line(`{"after": "1ms", "events": [` + strings.Repeat(`{"code": "REL_X", "value": 1},`, 256) +
		`{"code": "REL_X", "value": 1}]}`): "there are 257",
	line(`{"after": "1ms", "events": [{"code": "ABS_X"}]}`):                              "events[0]: value: is missing",
	line(`{"after": "1ms", "events": [{"value": 1}]}`):                                   "events[0]: code: is missing",
	line(`{"after": "1ms", "events": [{"code": "ABS_X", "value": 1}, 7]}`):               "events[1]: is not a JSON object",
	line(`{"after": "1ms", "events": [{"code": "ABS_X", "value": 32768}]}`):              "out of range: use -32768 to 32767",
	line(`{"after": "1ms", "events": [{"code": "ABS_Z", "value": -1}]}`):                 "out of range: use 0 to 255",
	line(`{"after": "1ms", "events": [{"code": "ABS_X", "value": 1.5}]}`):                "value: 1.5 does not fit",
	line(`{"after": "1ms", "events": [{"code": "REL_X", "value": 3000000000}]}`):         "value: 3000000000 does not fit",
	line(`{"after": "1ms", "events": [{"code": "BTN_SOUTH", "value": 3}]}`):              "use 0 for released",
	line(`{"after": "1ms", "events": [{"code": "ABS_WHEEL", "value": 1}]}`):              "has no ABS_WHEEL: use ABS_X, ",
	line(`{"after": "1ms", "events": [{"code": "abs_x", "value": 1}]}`):                  `"abs_x" is not a Linux key`,
	line(`{"after": "1ms", "events": [{"code": "MSC_SCAN", "value": 1}]}`):               `"MSC_SCAN" is not a Linux key`,
	line(`{"after": "1ms", "events": [{"code": "ABS_X", "value": 1, "code": "ABS_Y"}]}`): `repeated key "code"`,
	line(`{"after": "1ms", "After": "2ms", "events": [{"code": "ABS_X", "value": 1}]}`):  `unknown or repeated key "After"`,
	line(`{"after": "1ms", "events": [{"code": "ABS_X", "value": 1}]} {}`):               "there is text",
	line(`{"after": "1ms", "events": [{"code": "ABS_X", "value": 1}]`):                   "line 5: ",
	line(`{"after": "1ms", "events": [{"code": "ABS_X" "value": 1}]}`):                   "line 5: ",
	line(`[]`):                      "is not a JSON object",
	line(`# a remark`):              "is not a JSON object",
	strings.Repeat(" ", maxBytes+1): "more than 4 MiB",
}

func TestParse(t *testing.T) {
	got, err := Parse([]byte(good))
	want := Script{
		{0, []source.Event{{Type: linux.EV_KEY, Code: linux.BTN_SOUTH, Value: 1},
			{Type: linux.EV_ABS, Code: linux.ABS_X, Value: -32768}}},
		{1500 * time.Microsecond, []source.Event{{Type: linux.EV_REL, Code: linux.REL_WHEEL, Value: 5}}},
		{time.Millisecond, []source.Event{{Type: linux.EV_KEY, Code: linux.BTN_SOUTH},
			{Type: linux.EV_KEY, Code: linux.KEY_Q, Value: 2},
			{Type: linux.EV_ABS, Code: linux.ABS_RZ, Value: 255}}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v %v, want %v", got, err, want)
	}
	for text, says := range bad {
		if s, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.200s: got %v %v, want %q", text, s, err, says)
		} else if len(err.Error()) > 300 {
			t.Errorf("an error of %d bytes: %v", len(err.Error()), err)
		}
	}
}

func TestLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pad.jsonl")
	if err := os.WriteFile(file, []byte(good+"\n{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file); err == nil || !strings.Contains(err.Error(), file+": line 5: ") {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(file, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := Load(file); err != nil || len(s) != 3 {
		t.Errorf("got %v %v", s, err)
	}
	if _, err := Load(file + "x"); err == nil {
		t.Error("a script that there is not was loaded")
	}
}

// FuzzParse checks that nothing panics, and that an accepted script can be played: bounded, with time
// passing, and possible for the pad.
func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	for text := range bad {
		if len(text) < maxBytes {
			f.Add([]byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		script, err := Parse(data)
		if err != nil {
			return
		}
		var round time.Duration
		for _, step := range script {
			round += step.After
			if step.After < 0 || len(step.Events) == 0 || len(step.Events) > maxEvents {
				t.Errorf("a step takes %v and has %d events", step.After, len(step.Events))
			}
			for _, e := range step.Events {
				if err := possible(e); err != nil {
					t.Error(err)
				}
			}
		}
		if round < minRound {
			t.Errorf("a round takes %v", round)
		}
	})
}

// told is a sink that records when each change is reported.
type told struct {
	at     []time.Duration
	events [][]source.Event
	since  time.Time
	each   func() // called for every change
}

func (s *told) Opened(source.Info, source.State) { s.since = time.Now() }

func (s *told) Changed(_ time.Time, events []source.Event) {
	s.at, s.events = append(s.at, time.Since(s.since)), append(s.events, events)
	if s.each != nil {
		s.each()
	}
}

func (s *told) Resynced(time.Time, source.State) {}

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script, err := Parse([]byte(good))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 6*time.Millisecond)
		defer cancel()
		var s told
		if err := New(script).Run(ctx, &s); err != nil {
			t.Fatal(err)
		}
		want := []time.Duration{0, 1500 * time.Microsecond, 2500 * time.Microsecond,
			2500 * time.Microsecond, 4 * time.Millisecond, 5 * time.Millisecond, 5 * time.Millisecond}
		if !reflect.DeepEqual(s.at, want) {
			t.Errorf("reported at %v, want %v", s.at, want)
		}
	})
}

// TestLate stops the world for a minute, after which the pad resumes and does not catch up.
func TestLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 61*time.Second)
		defer cancel()
		s := &told{}
		s.each = func() {
			if len(s.at) == 5 {
				time.Sleep(time.Minute)
			}
		}
		if err := New(nil).Run(ctx, s); err != nil {
			t.Fatal(err)
		}
		if n := len(s.at); n < 40 || n > 60 {
			t.Errorf("reported %d times in the remaining second", n)
		}
	})
}

func TestFigureEight(t *testing.T) {
	script := FigureEight()
	var round time.Duration
	var turn, left, right int64
	keys := 0
	for _, step := range script {
		round += step.After
		for _, e := range step.Events {
			if err := possible(e); err != nil {
				t.Error(err)
			}
			switch {
			case e.Type == linux.EV_KEY:
				keys += int(e.Value)*2 - 1
			case e.Code == linux.ABS_X:
				turn += int64(e.Value)
				left, right = min(left, int64(e.Value)), max(right, int64(e.Value))
			case e.Code == linux.ABS_Y && e.Value >= 0:
				t.Errorf("it drives backwards: %d", e.Value)
			}
		}
	}
	if round != 8*time.Second || keys != 0 {
		t.Errorf("a round takes %v, and %d keys stay pressed", round, keys)
	}
	if turn > 400 || turn < -400 || left > -20000 || right < 20000 {
		t.Errorf("it turns by %d in all, from %d to %d", turn, left, right)
	}
}
