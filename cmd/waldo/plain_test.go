package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/text"
)

// TestTerminalIsLeftAlone by devices' descriptions of themselves, and by errors that quote them.
func TestTerminalIsLeftAlone(t *testing.T) {
	const evil = "x\x1b[2J\u202e\u009b31m\nrobot  fake  camera  ready"
	var b strings.Builder
	c := console{&b, &b}
	if err := printTable(c.plain().out, []listed{list(&devicev1.Device{Robot: "demo", Name: "front",
		StateReason: evil}, time.Now())}); err != nil {
		t.Fatal(err)
	}
	if strings.Count(b.String(), "\n") != 2 {
		t.Errorf("one device has several lines: %q", b.String())
	}
	c.fail(errors.New(evil))
	_, _ = fmt.Fprint(c.plain().err, evil)
	if rest := strings.ReplaceAll(b.String(), "\n", ""); !text.IsPrintable(rest) || !strings.Contains(rest, `\u202e`) {
		t.Errorf("printed %q", rest)
	}
}
