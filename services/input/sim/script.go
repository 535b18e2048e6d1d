package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	linux "github.com/holoplot/go-evdev"

	"github.com/waldo-robot/waldo/services/input/codes"
	"github.com/waldo-robot/waldo/services/input/source"
)

// Bounds of a script.
const (
	maxBytes  = 4 << 20
	maxEvents = 256 // of one step
	maxDelay  = time.Hour
	minRound  = time.Millisecond
)

// Step is one line of a script: events that belong together, and how long after the previous step they come.
type Step struct {
	After  time.Duration
	Events []source.Event
}

// Script is what the pad does, over and over.
type Script []Step

// Load reads a script from a file. The errors name the file and the line.
func Load(path string) (Script, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read: nothing can be lost
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return nil, err
	}
	script, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return script, nil
}

// Parse reads a script; see the package comment for its format. The error names the first bad line.
func Parse(data []byte) (Script, error) {
	if len(data) > maxBytes {
		return nil, fmt.Errorf("the script has more than %d MiB", maxBytes>>20)
	}
	var script Script
	var round time.Duration
	number := 0
	for line := range bytes.Lines(data) {
		number++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		step, err := parseStep(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		script, round = append(script, step), round+step.After
	}
	switch {
	case len(script) == 0:
		return nil,
			errors.New(`the script is empty: give it lines like {"after": "20ms", "events": [{"code": "ABS_X", "value": 9000}]}`)
	case round < minRound:
		return nil, fmt.Errorf("the whole script takes %v: it is repeated forever, so it must take %v or more (see after)",
			round, minRound)
	}
	return script, nil
}

func parseStep(line []byte) (step Step, err error) {
	var after string
	var events []json.RawMessage
	if err := object(line, map[string]any{"after": &after, "events": &events}); err != nil {
		return step, err
	}
	step.After, err = time.ParseDuration(after)
	switch {
	case err != nil:
		return step, fmt.Errorf("after: %.40q is not a duration: write a number with its unit, like 20ms or 1.5s", after)
	case step.After < 0 || step.After > maxDelay:
		return step, fmt.Errorf("after: %v is out of range: use 0s to %v", step.After, maxDelay)
	case len(events) == 0 || len(events) > maxEvents:
		return step, fmt.Errorf("events: there are %d: use 1 to %d", len(events), maxEvents)
	}
	for i, raw := range events {
		e, err := parseEvent(raw)
		if err != nil {
			return step, fmt.Errorf("events[%d]: %w", i, err)
		}
		step.Events = append(step.Events, e)
	}
	return step, nil
}

func parseEvent(raw []byte) (e source.Event, err error) {
	var name string
	if err := object(raw, map[string]any{"code": &name, "value": &e.Value}); err != nil {
		return e, err
	}
	known := false
	if e.Type, e.Code, known = codes.Parse(name); !known {
		return e, fmt.Errorf("code: %.40q is not a Linux key, button or axis: use names like BTN_SOUTH, KEY_A, "+
			"ABS_X or REL_X", name)
	}
	return e, possible(e)
}

// possible checks that the pad can send an event.
func possible(e source.Event) error {
	switch e.Type {
	case linux.EV_KEY:
		if e.Value < 0 || e.Value > 2 {
			return fmt.Errorf("value: is %d: use 0 for released, 1 for pressed, 2 for repeated", e.Value)
		}
	case linux.EV_ABS:
		i := slices.IndexFunc(padAxes(), func(a source.Axis) bool { return a.Code == e.Code })
		if i < 0 {
			return fmt.Errorf("code: the simulated pad has no %s: use %s", codes.Name(e.Type, e.Code), axisNames())
		}
		if a := padAxes()[i]; e.Value < a.Minimum || e.Value > a.Maximum {
			return fmt.Errorf("value: %s is %d, out of range: use %d to %d", codes.Name(e.Type, e.Code), e.Value, a.Minimum,
				a.Maximum)
		}
	}
	return nil
}

func axisNames() string {
	var names []string
	for _, a := range padAxes() {
		names = append(names, codes.Name(linux.EV_ABS, a.Code))
	}
	return strings.Join(names, ", ")
}

// object reads a JSON object that has each of the keys once, and no others.
func object(data []byte, keys map[string]any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New(`is not a JSON object: write it like {"key": value}`)
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return fmt.Errorf("is not valid JSON: %w", err)
		}
		key, _ := t.(string) // a decoder takes nothing else here
		into, ok := keys[key]
		if !ok {
			return fmt.Errorf("unknown or repeated key %.40q", key)
		}
		delete(keys, key)
		if err := value(d, into); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	if _, err := d.Token(); err != nil {
		return errors.New("is not valid JSON: a bracket is missing at the end")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is text after the closing bracket: use one object per line")
	}
	for key := range keys {
		return fmt.Errorf("%s: is missing", key)
	}
	return nil
}

// value reads one value of an object; null does not count.
func value(d *json.Decoder, into any) error {
	var raw json.RawMessage
	if err := d.Decode(&raw); err != nil {
		return fmt.Errorf("is not valid JSON: %w", err)
	}
	if string(raw) == "null" {
		return errors.New("has no value")
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%.40s does not fit: %w", raw, err)
	}
	return nil
}
