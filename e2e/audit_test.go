package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/pkg/lease"
	"github.com/waldo-robot/waldo/recording/drives"
)

// bearer puts a token into each call.
type bearer string

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (bearer) RequireTransportSecurity() bool { return false }

// dialWith connects to a device with a token.
func dialWith(t *testing.T, address, token string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithPerRPCCredentials(bearer(token)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// audited is a robot that records, and whose motors want to know what their driver sees.
type audited struct {
	*harness.Robot
	state, motors, front string
	anna, olga           string // tokens
}

func startAudited(t *testing.T) *audited {
	t.Helper()
	a := &audited{state: t.TempDir(), motors: harness.FreeAddress(t), front: harness.FreeAddress(t)}
	file := filepath.Join(a.state, "access.json")
	create := func(name, role string) string {
		out := harness.Run(t, nil, harness.Bin(t, "waldo"), "token", "create", name, "--role", role, "--access-file", file)
		return strings.TrimSpace(out)
	}
	a.anna, a.olga = create("anna", "driver"), create("olga", "operator")
	at := func(device, address string) string { return strings.Replace(device, "{", `{grpc: "`+address+`", `, 1) }
	a.Robot = harness.StartRobot(t, harness.Options{
		Name: "rover", Drive: seeFront, Env: []string{"STATE_DIRECTORY=" + a.state, "WALDO_TOKEN=" + harness.Token},
		Devices: at("front: {kind: camera, source: test, width: 320, height: 240, fps: 30}", a.front) + "\n" +
			at(harness.BoardAt("sim"), a.motors) + "\nrecorder: {kind: recorder, when: always, keep: {free: 0}}",
	})
	return a
}

// awaitHeld waits until streams of a device are recorded.
func awaitHeld(t *testing.T, conn *grpc.ClientConn, streams ...string) *devicev1.Device {
	t.Helper()
	var found *devicev1.Device
	harness.Until(t, fmt.Sprint(streams, " are recorded"), func() error {
		ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
		defer cancel()
		r, err := devicev1.NewDeviceServiceClient(conn).GetDevice(ctx, &devicev1.GetDeviceRequest{})
		if err != nil {
			return err
		}
		held := map[string]int32{}
		for _, s := range r.GetDevice().GetStreams() {
			held[s.GetName()] = s.GetHolderCount()
		}
		for _, s := range streams {
			if held[s] == 0 {
				return fmt.Errorf("%s is not held: %v", s, held)
			}
		}
		found = r.GetDevice()
		return nil
	})
	return found
}

// drive drives with pictures in view, sends a command of long ago, and one while an e-stop of somebody else is pressed.
// It returns how many commands it sent.
func (a *audited) drive(t *testing.T, motors *grpc.ClientConn,
	pictures grpc.ServerStreamingClient[camerav1.StreamFramesResponse]) (
	sent int) {
	t.Helper()
	ctx := t.Context()
	l, err := lease.Acquire(ctx, motors, "test")
	if err != nil {
		t.Fatal(err)
	}
	board := serialv1.NewSerialServiceClient(motors)
	send := func(text string, change func(*controlv1.CommandHeader)) *controlv1.CommandReport {
		t.Helper()
		h, err := l.Header(ctx)
		if err != nil {
			t.Fatal(err)
		}
		h.Life = durationpb.New(time.Second) // on a busy machine
		if change != nil {
			h = proto.CloneOf(h)
			change(h)
		}
		sent++
		r, err := board.WriteMessage(ctx,
			&serialv1.WriteMessageRequest{Control: h, Body: &serialv1.WriteMessageRequest_Json{Json: text}})
		l.Heard(r.GetReport(), err)
		if err != nil {
			return lease.Report(err)
		}
		return r.GetReport()
	}
	for accepted := 0; accepted < 10; {
		r, err := pictures.Recv()
		if err != nil {
			t.Fatal(err)
		}
		l.Saw(r.GetFrame().GetCaptureTime())
		text := `{"left":50,"right":50}`
		if accepted == 0 {
			text = l.Neutral()
		}
		if send(text, nil).GetVerdict() == controlv1.CommandVerdict_COMMAND_VERDICT_ACCEPTED {
			accepted++
		}
	}
	expired := send(l.Neutral(), func(h *controlv1.CommandHeader) { h.Heard, h.Life = durationpb.New(0), nil })
	if expired.GetVerdict() != controlv1.CommandVerdict_COMMAND_VERDICT_EXPIRED {
		t.Errorf("a command of long ago: %v", expired)
	}
	control := controlv1.NewControlServiceClient(dialWith(t, a.motors, a.olga))
	pressed, err := control.EStop(ctx, &controlv1.EStopRequest{By: "test", Reason: "a cat"})
	if err != nil {
		t.Fatal(err)
	}
	if r := send(l.Neutral(), nil); r.GetVerdict() != controlv1.CommandVerdict_COMMAND_VERDICT_E_STOPPED {
		t.Errorf("a command while the e-stop is pressed: %v", r)
	}
	if _, err := control.ClearEStop(ctx,
		&controlv1.ClearEStopRequest{Id: pressed.GetState().GetEStop().GetId()}); err != nil {
		t.Fatal(err)
	}
	l.Close()
	return sent
}

// TestAudit: what two people did with a robot is told afterwards, each command with the picture that its driver had
// seen, and a byte that is changed in a log or a recording is found.
func TestAudit(t *testing.T) {
	a := startAudited(t)
	motors, front := dialWith(t, a.motors, a.anna), dialWith(t, a.front, a.anna)
	camera := awaitHeld(t, front, "video")
	board := awaitHeld(t, motors, "commands", "rx")
	pictures, err := camerav1.NewCameraServiceClient(front).StreamFrames(t.Context(), &camerav1.StreamFramesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	sent := a.drive(t, motors, pictures)
	if l, err := lease.Acquire(t.Context(), dialWith(t, a.motors, a.olga), "test"); err != nil {
		t.Error(err)
	} else {
		l.Close()
	}
	a.Stop(t) // the recording is completed
	waldo := func(args ...string) string {
		t.Helper()
		return harness.Run(t, []string{"STATE_DIRECTORY=" + a.state}, harness.Bin(t, "waldo"),
			append([]string{"audit"}, args...)...)
	}

	var book drives.Book
	if err := json.Unmarshal([]byte(waldo("--json")), &book); err != nil || len(book.Drives) != 2 ||
		len(book.Missing) != 0 {
		t.Fatalf("%v: %s", err, waldo("--json"))
	}
	d := book.Drives[0]
	if d.Who != "anna (test)" || d.Token == "" || !strings.HasPrefix(d.From, "127.0.0.1:") || d.Device != "motors" ||
		d.Epoch != board.GetEpoch() || d.Ended != "lease_released" || d.Tally == nil || d.Tally.Accepted < 10 ||
		d.Tally.Refused["expired"] < 1 || d.Tally.Refused["e_stopped"] != 1 || d.Tally.Missing != 0 ||
		d.Tally.OldestPicture <= 0 || len(d.EStops) != 1 || d.EStops[0].By != "olga (test)" ||
		d.EStops[0].Reason != "a cat" || d.EStops[0].Cleared.IsZero() {
		t.Errorf("the first drive: %+v, %+v, %+v", d, d.Tally, d.EStops)
	}
	if o := book.Drives[1]; o.Who != "olga (test)" || o.Tally == nil || o.Tally.Accepted != 0 {
		t.Errorf("the second drive: %+v", o)
	}
	lines := strings.Split(strings.TrimSpace(waldo("--json", "1")), "\n")[1:]
	if len(lines) != sent {
		t.Errorf("%d commands were sent, and %d are told", sent, len(lines))
	}
	reported := false
	for i, line := range lines {
		var c drives.Command
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatal(err)
		}
		if c.Frame == nil || c.Frame.Camera != "front" || c.Frame.Epoch != camera.GetEpoch() || c.Message == "" ||
			c.Sequence <= 0 || (c.Error == "") != (c.Verdict == "accepted") {
			t.Errorf("command %d: %s", i, line)
		}
		reported = reported || len(c.Reports) > 0
	}
	if !reported {
		t.Error("the board said nothing")
	}
	a.verify(t)
}

// documented returns the Python program in the documentation of the audit log.
func documented(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "```python\n")
	code, _, found := strings.Cut(after, "```")
	if !found {
		t.Fatal("docs/audit.md has no program")
	}
	return harness.WriteFile(t, "check.py", code)
}

// verify changes a byte of the log, and one of the recording, and wants both to be found.
func (a *audited) verify(t *testing.T) {
	t.Helper()
	run := func() (string, error) {
		return harness.TryRun([]string{"STATE_DIRECTORY=" + a.state}, harness.Bin(t, "waldo"), "audit", "verify")
	}
	if out, err := run(); err != nil {
		t.Fatalf("nothing was altered: %v\n%s", err, out)
	}
	check := func() string {
		return harness.Run(t, nil, "python3", documented(t), audit.Path(a.state, "rover", "motors"))
	}
	if out, err := run(); err != nil ||
		!strings.Contains(out, strings.TrimPrefix(strings.TrimSpace(check()), "the head is ")) {
		t.Errorf("Python says %s", check())
	}
	files, err := filepath.Glob(filepath.Join(a.state, "recordings", "*.mcap"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	for path, want := range map[string]string{
		audit.Path(a.state, "rover", "motors"): "ALTERED: " + audit.Path(a.state, "rover", "motors"),
		files[0]:                               "it is not what it was",
	} {
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		after := append([]byte(nil), before...)
		after[len(after)/3] ^= 1
		if err := os.WriteFile(path, after, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := run(); err == nil || !strings.Contains(out, want) {
			t.Errorf("a byte of %s was changed: %v\n%s", path, err, out)
		}
		if strings.HasSuffix(path, ".jsonl") && !strings.Contains(check(), "does not follow from the line before it") {
			t.Errorf("Python says %s", check())
		}
		if err := os.WriteFile(path, before, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
