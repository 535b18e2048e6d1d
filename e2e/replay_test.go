package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	playerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/player/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
)

// recordDrive runs a robot with a camera, a board and a recorder, which records some seconds. The robot goes on.
func recordDrive(t *testing.T, span time.Duration) (file string) {
	t.Helper()
	folder := t.TempDir()
	robot := harness.StartRobot(t, harness.Options{Name: "rover", Devices: `
		front: {kind: camera, source: test, width: 640, height: 480, fps: 30}
		motors: {kind: serial, port: sim, read: "<IhhiihHB", startByte: 0x5A, checksum: crc8, control: {safe: {left: 0, right: 0}}, write: "<hh", writeKeys: [left, right]}
		log: {kind: recorder, folder: ` + folder + `}
	`})
	for _, name := range []string{"front", "motors", "log"} {
		robot.Device(t, name)
	}
	robot.Waldo(t, "call", "log", "StartRecording")
	harness.Until(t, "enough is recorded", func() error {
		var now struct {
			State struct {
				Recording struct{ Duration string }
			}
		}
		if err := json.Unmarshal([]byte(robot.Waldo(t, "call", "log", "GetRecorder")), &now); err != nil {
			return err
		}
		if d, err := time.ParseDuration(now.State.Recording.Duration); err != nil || d < span {
			return fmt.Errorf("there are %q", now.State.Recording.Duration)
		}
		return nil
	})
	robot.Waldo(t, "call", "log", "StopRecording")
	files, err := filepath.Glob(filepath.Join(folder, "*_rover_001.mcap"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the recorder has made %v, %v", files, err)
	}
	return files[0]
}

// startReplay runs `waldo replay`, and returns when its page is served.
func startReplay(t testing.TB, args ...string) *harness.Robot {
	t.Helper()
	r := &harness.Robot{Process: harness.Start(t, nil, harness.Bin(t, "waldo"), append([]string{"replay"}, args...)...)}
	page, bus := regexp.MustCompile(`(?m)^(http://.*)/$`), regexp.MustCompile(`bus (nats://\S+)`)
	harness.Until(t, "the page of the replay is there", func() error {
		p, b := page.FindStringSubmatch(r.Output()), bus.FindStringSubmatch(r.Output())
		if p == nil || b == nil {
			return errors.New("it is not told")
		}
		r.URL, r.NATS = p[1], b[1]
		return nil
	})
	r.WaitServing(t)
	return r
}

// player calls the player of a replay.
func player(t testing.TB, r *harness.Robot, method string, request ...string) *playerv1.PlayerState {
	t.Helper()
	var answer playerv1.GetPlayerResponse // all answers look like it
	out := r.Waldo(t, append([]string{"call", "player", method}, request...)...)
	if err := protojson.Unmarshal([]byte(out), &answer); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return answer.GetState()
}

// TestReplay records a robot and replays it beside that robot: the page shows the recorded pictures, and jumps;
// programs read the board over gRPC and cannot drive it; what is killed comes back at its place. The file stays as it
// is.
func TestReplay(t *testing.T) {
	file := recordDrive(t, 6*time.Second)
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	replay := startReplay(t, "--loop", file)
	state := player(t, replay, "GetPlayer")
	if !state.GetPlaying() || !state.GetLoop() || state.GetDuration().AsDuration() < 5*time.Second {
		t.Errorf("it begins with %v", state)
	}
	begun := state.GetStartTime().AsTime()
	browser := harness.StartBrowser(t)
	page := browser.Open(t, replay.URL)
	tile := page.Tile(t, "front")
	page.Watch(t, `[data-device="front"][data-picture] video`)
	shows := func(what string, from, to time.Duration) {
		t.Helper()
		harness.Until(t, what, func() error {
			for _, p := range page.Watched(t) {
				if at := time.UnixMicro(int64(p.Captured * 1000)).Sub(begun); p.Captured != 0 && at >= from && at <= to {
					return nil
				}
			}
			return errors.New("no such picture is shown")
		})
	}
	shows("the recorded pictures are shown", 0, state.GetDuration().AsDuration())
	player(t, replay, "Pause")
	for _, place := range []time.Duration{4 * time.Second, time.Second} {
		player(t, replay, "Seek", fmt.Sprintf(`{"offset": "%gs"}`, place.Seconds()))
		shows(fmt.Sprintf("the picture at %v is shown", place), place-300*time.Millisecond, place)
	}
	browser.Open(t, replay.URL).Until(t, `document.querySelector('[data-device="front"] video')?.readyState >= 2`)
	page.Watched(t)
	address := replay.Device(t, "front").GRPCAddress
	harness.Crash(t, replay.Device(t, "front").PID)
	shows("the picture at which it stands still is back", time.Second-300*time.Millisecond, time.Second)
	if now := replay.Device(t, "front").GRPCAddress; now != address { // who calls again would find nobody
		t.Errorf("it served gRPC at %s, and does at %s", address, now)
	}
	player(t, replay, "SetSpeed", `{"speed": 0.1}`)
	player(t, replay, "Play")
	shows("it goes on slowly", time.Second+10*time.Millisecond, 3*time.Second)
	fast := player(t, replay, "SetSpeed", `{"speed": 10}`)
	harness.Until(t, "it loops", func() error {
		if now := player(t, replay, "GetPlayer"); now.GetJump() < fast.GetJump()+2 {
			return fmt.Errorf("there were %d jumps", now.GetJump()-fast.GetJump())
		}
		return nil
	})
	tile.WaitFrames(t, 10)
	player(t, replay, "SetSpeed", `{"speed": 1}`)
	readAndDrive(t, replay, begun)
	others := []int{replay.Device(t, "player").PID, replay.Device(t, "motors").PID, replay.Gateway(t)}
	harness.Crash(t, replay.Device(t, "front").PID)
	tile.WaitFrames(t, 30)
	if now := []int{replay.Device(t, "player").PID, replay.Device(t, "motors").PID,
		replay.Gateway(t)}; fmt.Sprint(now) != fmt.Sprint(others) {
		t.Errorf("one process was killed, and others have restarted: %v, then %v", others, now)
	}
	jumped := player(t, replay, "Seek", `{"offset": "2s"}`)
	harness.Crash(t, replay.Device(t, "player").PID)
	tile.WaitFrames(t, 10)
	harness.Until(t, "another process is the player", func() error {
		if replay.Device(t, "player").Epoch == fmt.Sprint(jumped.GetEpoch()) {
			return errors.New("it is the same process")
		}
		return nil
	})
	if now := player(t, replay, "GetPlayer"); now.GetJump() < jumped.GetJump() || now.GetJump() > jumped.GetJump()+100 {
		t.Errorf("it was at %v, and begins anew with %v", jumped, now)
	}
	if after, err := os.ReadFile(file); err != nil || string(after) != string(before) {
		t.Error("the file has changed", err)
	}
}

// readAndDrive reads the board of a replay over gRPC, and tries to drive it.
func readAndDrive(t *testing.T, replay *harness.Robot, begun time.Time) {
	t.Helper()
	motors := replay.Device(t, "motors")
	if motors.Kind != "serial" || motors.Attributes["replay"] == "" {
		t.Errorf("the board is %v", motors)
	}
	conn, err := grpc.NewClient(motors.GRPCAddress, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	messages, err := serialv1.NewSerialServiceClient(conn).StreamMessages(t.Context(), &serialv1.StreamMessagesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		r, err := messages.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if at := r.GetMessage().GetReadTime().AsTime().Sub(begun); at < -time.Second || at > time.Minute ||
			len(r.GetMessage().GetRecord().GetFields()) == 0 {
			t.Errorf("the board says %v, %v after the beginning", r.GetMessage(), at)
		}
	}
	port, err := serialv1.NewSerialServiceClient(conn).GetPort(t.Context(), &serialv1.GetPortRequest{})
	if err != nil || !port.GetPort().GetActuator() || len(port.GetPort().GetWriteFields()) != 2 {
		t.Errorf("its port is %v, %v", port, err)
	}
	if out := replay.Waldo(t, "watch", "motors", "--stream", "rx", "--count", "2"); !strings.Contains(out, `"sequence"`) {
		t.Errorf("waldo watch prints %q", out)
	}
	control := controlv1.NewControlServiceClient(conn)
	_, acquire := control.Acquire(t.Context(), &controlv1.AcquireRequest{})
	_, stop := control.EStop(t.Context(), &controlv1.EStopRequest{})
	for what, err := range map[string]error{"acquire": acquire, "e-stop": stop} {
		if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "cannot be driven") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
