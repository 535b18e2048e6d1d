package units

import (
	"strings"
	"testing"
)

// statuses are what `systemctl show` prints of a unit.
var statuses = map[string]Status{
	"Id=waldo-device@front.service\nMainPID=7\nActiveState=active\nStatusText=ready\n": {Name: "front", PID: 7,
		Active: true, Reason: "ready"},
	"Id=waldo-gateway.service\nMainPID=7\nActiveState=activating\nStatusText=\nResult=success\n": {Name: "gateway", PID: 7,
		Moving: true, Reason: "it does not get ready: journalctl -u waldo-gateway.service tells why"},
	"Id=waldo-bus.service\nMainPID=0\nActiveState=inactive\nResult=success\n": {Name: "bus",
		Reason: "its unit is inactive"},
	"Id=waldo-bus.service\nMainPID=x=\nActiveState=failed\nResult=exit-code\nExecMainStatus=78\n": {Name: "bus",
		Reason: "its configuration is wrong: journalctl -u waldo-bus.service tells why"},
	"MainPID=7": {}, "": {}, "\n\n=": {},
}

func TestParseStatus(t *testing.T) {
	for block, want := range statuses {
		if got, ok := parseStatus(block); got != want || ok != (want.Name != "") {
			t.Errorf("%q: %+v, %v, want %+v", block, got, ok, want)
		}
	}
}

// FuzzParseStatus: whatever systemctl prints, a unit without a process has a reason.
func FuzzParseStatus(f *testing.F) {
	for block := range statuses {
		f.Add(block)
	}
	f.Fuzz(func(t *testing.T, block string) {
		s, ok := parseStatus(block)
		if !ok && s != (Status{}) {
			t.Errorf("%+v of no unit", s)
		}
		if ok && s.PID == 0 && s.Reason == "" {
			t.Errorf("%q: no reason", block)
		}
		if strings.Contains(s.Name, "\n") {
			t.Errorf("name %q", s.Name)
		}
	})
}
