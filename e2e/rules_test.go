package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// step is something a driver does, and the expected result.
type step struct {
	what string
	// method and request of the call; %[1]s in the request stands for the lease, %[2]s for the last clock received,
	// %[3]s for the e-stop.
	method, request string
	code, reason    string
	// message is part of the error's text.
	message string
}

const (
	writeMessage = "waldo.serial.v1.SerialService/WriteMessage"
	acquire      = "waldo.control.v1.ControlService/Acquire"
	take         = "waldo.control.v1.ControlService/Take"
	keepAlive    = "waldo.control.v1.ControlService/KeepAlive"
	release      = "waldo.control.v1.ControlService/Release"
	getControl   = "waldo.control.v1.ControlService/GetControl"
	eStop        = "waldo.control.v1.ControlService/EStop"
	clearEStop   = "waldo.control.v1.ControlService/ClearEStop"
)

const (
	stand = `{\"left\":0,\"right\":0}`
	slow  = `{\"left\":20,\"right\":20}`
)

// command is a request of WriteMessage in time.
func command(sequence int, message string) string {
	return fmt.Sprintf(`{"json": "%s", "control": {"leaseEpoch": "%%[1]s", "sequence": "%d", "heard": "%%[2]s", "life": "1s"}}`, message, sequence)
}

// foreign is a command under a lease that nobody holds.
func foreign(epoch string) string { return strings.Replace(command(1, slow), "%[1]s", epoch, 1) }

// at sets the clock of a command.
func at(clock, request string) string { return strings.Replace(request, "%[2]s", clock, 1) }

var rules = []step{
	{"a command without a lease", writeMessage, `{"json": "` + slow + `"}`, "FAILED_PRECONDITION", "NO_LEASE",
		"acquire it"},
	{"a command with an invented lease", writeMessage, foreign("123456789"), "FAILED_PRECONDITION", "NO_LEASE",
		"acquire it"},
	{"a lease without a holder", acquire, `{}`, "INVALID_ARGUMENT", "", "holder"},
	{"a lease", acquire, `{"holder": "driver"}`, "", "", ""},
	{"a second lease", acquire, `{"holder": "another"}`, "FAILED_PRECONDITION", "", "driver"},
	{"a command that moves first", writeMessage, command(1, slow), "FAILED_PRECONDITION", "NOT_NEUTRAL", "neutral"},
	{"a neutral one", writeMessage, command(2, stand), "", "", ""},
	{"one that moves", writeMessage, command(3, slow), "", "", ""},
	{"the same again", writeMessage, command(3, slow), "ABORTED", "OUT_OF_ORDER", "sequence"},
	{"an older one", writeMessage, command(1, slow), "ABORTED", "OUT_OF_ORDER", "sequence"},
	{"one without a sequence", writeMessage, command(0, slow), "INVALID_ARGUMENT", "", "control.sequence"},
	{"one that heard the future", writeMessage, at("3600s", command(4, slow)), "ABORTED", "UNKNOWN_CLOCK", "never told"},
	{"one that heard nothing for long", writeMessage, at("0.000001s", command(4, slow)), "ABORTED", "EXPIRED", "too late"},
	{"an unknown key", writeMessage, command(4, `{\"left\":1,\"right\":1,\"up\":1}`), "INVALID_ARGUMENT", "", "up"},
	{"a missing key", writeMessage, command(4, `{\"left\":1}`), "INVALID_ARGUMENT", "", "right"},
	{"a value out of range", writeMessage, command(4, `{\"left\":40000,\"right\":1}`), "INVALID_ARGUMENT", "", "left"},
	{"a value of a wrong type", writeMessage, command(4, `{\"left\":\"fast\",\"right\":1}`), "INVALID_ARGUMENT", "",
		"left"},
	{"invalid JSON", writeMessage, command(4, `{\"left\":`), "INVALID_ARGUMENT", "", "json"},
	{"still in time after all that", keepAlive, `{"leaseEpoch": "%[1]s"}`, "", "", ""},
	{"an e-stop", eStop, `{"by": "driver", "reason": "test"}`, "", "", ""},
	{"a neutral command while it is latched", writeMessage, command(5, stand), "FAILED_PRECONDITION", "E_STOPPED",
		"clear"},
	{"another e-stop cleared", clearEStop, `{"by": "driver", "id": "1"}`, "ABORTED", "", "id"},
	{"the e-stop cleared", clearEStop, `{"by": "driver", "id": "%[3]s"}`, "", "", ""},
	{"a command that moves first after it", writeMessage, command(6, slow), "FAILED_PRECONDITION", "NOT_NEUTRAL",
		"neutral"},
	{"a neutral one after it", writeMessage, command(7, stand), "", "", ""},
	{"the lease is taken", take, `{"holder": "another"}`, "", "", ""},
	{"the lease is given back", release, `{"leaseEpoch": "%[1]s"}`, "", "", ""},
	{"a command after it", writeMessage, command(8, stand), "FAILED_PRECONDITION", "NO_LEASE", "acquire it"},
	{"a sign of life after it", keepAlive, `{"leaseEpoch": "%[1]s"}`, "FAILED_PRECONDITION", "", "lease_epoch"},
}

// TestSameRulesForAll makes every kind of client take the same steps, right ones and wrong ones: all get the same
// answers, to the letter.
func TestSameRulesForAll(t *testing.T) {
	wire := harness.StartWire(t)
	robot := harness.StartRobot(t, harness.Options{Devices: wire.Device(), Drive: harness.RoverDrive})
	address := robot.Device(t, "motors").GRPCAddress
	page := harness.StartBrowser(t).Open(t, robot.URL)
	page.Until(t, "window.waldo.robot.state === 'live'")
	callers := []struct {
		name string
		call caller
	}{
		{"Go, gRPC", throughGRPC(t, address)},
		{"Go, bus", throughBus(t, robot)},
		{"Python, gRPC", throughPython(t, address)},
		{"browser, WebSocket", throughPage(page, false)},
		{"browser, data channel", throughPage(page, true)},
	}
	var first []outcome
	for _, c := range callers {
		t.Run(c.name, func(t *testing.T) {
			got := play(t, c.call)
			if first == nil {
				first = got
			}
			if !slices.EqualFunc(got, first, func(a, b outcome) bool {
				return a.Message == b.Message && a.Code == b.Code &&
					a.Reason == b.Reason
			}) {
				t.Errorf("%v, but %s got %v", got, callers[0].name, first)
			}
		})
	}
	if n := wire.Broken(); n > 0 {
		t.Errorf("%d bytes on the wire belong to no command", n)
	}
}

// play takes all the steps and returns the errors.
func play(t *testing.T, call caller) (outcomes []outcome) {
	t.Helper()
	var lease, clock, stop string
	for _, s := range rules {
		if s.method == writeMessage { // use the newest clock
			clock = find(call(t, getControl, `{}`).Answer, "clock", clock)
		}
		request := s.request
		for placeholder, value := range map[string]string{"%[1]s": lease, "%[2]s": clock, "%[3]s": stop} {
			request = strings.ReplaceAll(request, placeholder, value)
		}
		o := call(t, s.method, request)
		if o.Code != s.code || o.Reason != s.reason || !strings.Contains(o.Message, s.message) {
			t.Errorf("%s: %+v; want %s %s with %q", s.what, o, s.code, s.reason, s.message)
		}
		if s.method == acquire || s.method == take {
			lease = find(o.Answer, "epoch", lease)
		}
		clock, stop = find(o.Answer, "clock", clock), find(o.Answer, "id", stop)
		outcomes = append(outcomes, outcome{Code: o.Code, Message: o.Message, Reason: o.Reason})
	}
	return outcomes
}

// find returns a value of an answer by its key, from the message `lease` or the one nearest to the top; before without
// one.
func find(answer map[string]any, key, before string) string {
	for _, inner := range []string{"lease", "state", "report", "eStop"} {
		if m, ok := answer[inner].(map[string]any); ok {
			before = find(m, key, before)
			if v, ok := m[key]; ok && !(key == "epoch" && inner == "state") {
				text, _ := json.Marshal(v)
				return strings.Trim(string(text), `"`)
			}
		}
	}
	return before
}
