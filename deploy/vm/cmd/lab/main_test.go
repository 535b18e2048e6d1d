package main

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args string
		want options
		err  string // part of the error; empty: none
	}{
		"program": {"-image i run prog -test.v x", options{image: "i", timeout: 10 * time.Minute,
			command: []string{"prog", "-test.v", "x"}}, ""},
		"shell": {"-image i -timeout 1s shell", options{image: "i", timeout: time.Second}, ""},
		"files": {"-image i -with a -with b -keep k run p", options{image: "i", keep: "k", timeout: 10 * time.Minute,
			with: []string{"a", "b"}, command: []string{"p"}}, ""},
		"disk": {"-image i boot d", options{image: "i", timeout: 10 * time.Minute, disk: "d"}, ""},

		"no image":        {"run p", options{}, "-image"},
		"no verb":         {"-image i", options{}, "run PROGRAM"},
		"no program":      {"-image i run", options{}, "run PROGRAM"},
		"shell with more": {"-image i shell x", options{}, "run PROGRAM"},
		"boot without":    {"-image i boot", options{}, "boot DISK"},
		"bad timeout":     {"-image i -timeout soon shell", options{}, "timeout"},
	} {
		got, err := parse(strings.Fields(c.args))
		switch {
		case c.err == "" && (err != nil || !reflect.DeepEqual(got, c.want)):
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, c.want)
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%s: error %v, want one about %q", name, err, c.err)
		}
	}
}
