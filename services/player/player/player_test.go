package player_test

import (
	"context"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	messagev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/message/v1"
	playerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/player/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
	"github.com/waldo-robot/waldo/services/player/player"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// record makes a recording of a minute with one message on the topic chat, after half a second.
func record(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "drive.mcap")
	f, err := write.Create(path, write.Head{}, write.Config{})
	if err != nil {
		t.Fatal(err)
	}
	video, err := f.Add(recordingtest.Video("front"))
	if err != nil {
		t.Fatal(err)
	}
	chat, err := f.Add(recording.Channel{Stream: "chat", Direction: recording.Topic, Type: "waldo.message.v1.Message",
		Files: recordingtest.Files(&messagev1.Message{})})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 60 * 30 {
		if err := f.Write(video, recordingtest.Picture(n, 10)); err != nil {
			t.Fatal(err)
		}
		if n != 15 {
			continue
		}
		data, _ := proto.Marshal(&messagev1.Message{Topic: "chat", Body: &messagev1.Message_Text{Text: "hello"}})
		if err := f.Write(chat, write.Message{Logged: recordingtest.Begin.Add(second / 2), Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

const second = time.Second

// start starts a player, and returns what calls it and what ends it.
func start(t *testing.T, c player.Config, url string) (playerv1.PlayerServiceClient, *device.Process) {
	t.Helper()
	if c.State == "" {
		c.State = t.TempDir()
	}
	if c.Speed == 0 {
		c.Speed = 1
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	p, err := device.Start(player.Kind(), device.Settings{Robot: "rover", Device: "player", NATS: url}, c,
		logtest.New(t, slog.LevelInfo))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	conn, err := grpc.NewClient(p.GRPCAddress(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return playerv1.NewPlayerServiceClient(conn), p
}

// connect starts a bus, and connects to it.
func connect(t *testing.T) (conn *bus.ConnCloser, url string) {
	t.Helper()
	hub, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hub.Close)
	if conn, err = bus.Connect(bus.Config{URL: hub.URL()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn, hub.URL()
}

// TestService presses all buttons; a watcher and the bus hear of it.
func TestService(t *testing.T) {
	conn, url := connect(t)
	c, p := start(t, player.Config{Files: []string{record(t)}, Paused: true}, url)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	states, err := bus.Subscribe[*playerv1.PlayerState](conn.Conn, p.Kit().Address().Out("player"), stream.DropOldest(100))
	if err != nil {
		t.Fatal(err)
	}
	defer states.Close()
	defer conn.Hold(p.Kit().Address(), "player", "test").Close()
	watch, err := c.WatchPlayer(ctx, &playerv1.WatchPlayerRequest{})
	if err != nil {
		t.Fatal(err)
	}
	first, err := watch.Recv()
	if s := first.GetState(); err != nil || s.GetPlaying() || s.GetName() != "drive.mcap" || s.GetSpeed() != 1 ||
		s.GetDuration().AsDuration() < 59*second || !s.GetStartTime().AsTime().Equal(recordingtest.Begin) {
		t.Fatalf("it begins with %v, %v", s, err)
	}
	seek, err := c.Seek(ctx, &playerv1.SeekRequest{Offset: durationpb.New(30 * second)})
	if err != nil || seek.GetState().GetOffset().AsDuration() != 30*second ||
		seek.GetState().GetJump() != first.GetState().GetJump()+1 {
		t.Errorf("seek: %v, %v", seek, err)
	}
	_, errSpeed := c.SetSpeed(ctx, &playerv1.SetSpeedRequest{Speed: 10})
	_, errLoop := c.SetLoop(ctx, &playerv1.SetLoopRequest{Loop: true})
	_, errPlay := c.Play(ctx, &playerv1.PlayRequest{})
	if errSpeed != nil || errLoop != nil || errPlay != nil {
		t.Error(errSpeed, errLoop, errPlay)
	}
	loops := func(s *playerv1.PlayerState) bool { return s.GetPlaying() && s.GetJump() > seek.GetState().GetJump() }
	for s := first.GetState(); !loops(s); {
		r, err := watch.Recv()
		if err != nil {
			t.Fatal(err)
		}
		s = r.GetState()
	}
	for s := first.GetState(); !loops(s); {
		if s, err = states.Next(ctx); err != nil {
			t.Fatal(err)
		}
	}
	paused, err := c.Pause(ctx, &playerv1.PauseRequest{})
	again, errAgain := c.GetPlayer(ctx, &playerv1.GetPlayerRequest{})
	if err != nil || errAgain != nil || paused.GetState().GetPlaying() ||
		again.GetState().GetOffset().AsDuration() != paused.GetState().GetOffset().AsDuration() {
		t.Errorf("paused at %v, then %v: %v, %v", paused, again, err, errAgain)
	}
}

func TestBadCalls(t *testing.T) {
	c, _ := start(t, player.Config{Files: []string{record(t)}}, "nats://127.0.0.1:1")
	_, err := c.Seek(t.Context(), &playerv1.SeekRequest{Offset: durationpb.New(-9 * second)})
	if err == nil || !strings.Contains(err.Error(), "offset: -9s is not a place") {
		t.Error(err)
	}
	for name, call := range map[string]func() error{
		"before": func() error {
			_, err := c.Seek(t.Context(), &playerv1.SeekRequest{Offset: durationpb.New(-1)})
			return err
		},
		"no duration": func() error {
			_, err := c.Seek(t.Context(), &playerv1.SeekRequest{Offset: &durationpb.Duration{Seconds: 1, Nanos: -1}})
			return err
		},
		"too slow": func() error {
			_, err := c.SetSpeed(t.Context(), &playerv1.SetSpeedRequest{})
			return err
		},
		"too fast": func() error {
			_, err := c.SetSpeed(t.Context(), &playerv1.SetSpeedRequest{Speed: 11})
			return err
		},
		"no number": func() error {
			_, err := c.SetSpeed(t.Context(), &playerv1.SetSpeedRequest{Speed: math.NaN()})
			return err
		},
		"infinitely fast": func() error {
			_, err := c.SetSpeed(t.Context(), &playerv1.SetSpeedRequest{Speed: math.Inf(1)})
			return err
		},
		"further than durations go": func() error {
			_, err := c.Seek(t.Context(), &playerv1.SeekRequest{Offset: &durationpb.Duration{Seconds: math.MaxInt64}})
			return err
		},
	} {
		if err := call(); status.Code(err) != codes.OutOfRange {
			t.Errorf("%s: %v", name, err)
		}
	}
	far, err := c.Seek(t.Context(), &playerv1.SeekRequest{Offset: &durationpb.Duration{Seconds: 315_576_000_000}})
	if s := far.GetState(); err != nil || s.GetOffset().AsDuration() != s.GetDuration().AsDuration() {
		t.Errorf("10 000 years later it is at %v, %v", s, err)
	}
}

// TestGoesOn: the next process is where the one before would be, after the same jumps; one with other files is not.
func TestGoesOn(t *testing.T) {
	config := player.Config{Files: []string{record(t)}, State: t.TempDir()}
	c, p := start(t, config, "nats://127.0.0.1:1")
	before, err := c.Seek(t.Context(), &playerv1.SeekRequest{Offset: durationpb.New(20 * second)})
	if err != nil {
		t.Fatal(err)
	}
	p.Stop() // what is kept was written when it changed, so a crash leaves the same
	c, p = start(t, config, "nats://127.0.0.1:1")
	after, err := c.GetPlayer(t.Context(), &playerv1.GetPlayerRequest{})
	if err != nil {
		t.Fatal(err)
	}
	b, a := before.GetState(), after.GetState()
	gone := a.GetClock().AsDuration() - b.GetClock().AsDuration()
	if off := a.GetOffset().AsDuration() - b.GetOffset().AsDuration() - gone; off.Abs() > time.Millisecond ||
		a.GetJump() != b.GetJump() || a.GetEpoch() == b.GetEpoch() {
		t.Errorf("it was %v and is %v", b, a)
	}
	p.Stop()
	config.Files = []string{record(t)}
	c, _ = start(t, config, "nats://127.0.0.1:1")
	other, err := c.GetPlayer(t.Context(), &playerv1.GetPlayerRequest{})
	if err != nil || other.GetState().GetJump() == a.GetJump() || other.GetState().GetOffset().AsDuration() > 19*second {
		t.Errorf("another recording begins with %v, %v", other, err)
	}
}

// TestMessages: what was said on a topic is said again, if that is wanted.
func TestMessages(t *testing.T) {
	conn, url := connect(t)
	topic, err := bus.Subscribe[*messagev1.Message](conn.Conn, bus.Topic("rover", "chat"), stream.DropOldest(10))
	if err != nil {
		t.Fatal(err)
	}
	defer topic.Close()
	if err := conn.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	start(t, player.Config{Files: []string{record(t)}, Messages: true}, url)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if m, err := topic.Next(ctx); err != nil || m.GetText() != "hello" {
		t.Errorf("%v, %v", m, err)
	}
}

func TestValidate(t *testing.T) {
	good := record(t)
	empty := filepath.Join(t.TempDir(), "empty.mcap")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		config player.Config
		want   string
	}{
		"good":    {player.Config{Files: []string{good}, Speed: 0.1}, ""},
		"no file": {player.Config{Speed: 1}, "files: is missing"},
		"missing": {player.Config{Files: []string{good + "x"}, Speed: 1}, "no such file"},
		"empty": {player.Config{Files: []string{good, empty}, Speed: 1},
			"empty.mcap: this is not an MCAP file: it is empty"},
		"too fast": {player.Config{Files: []string{good}, Speed: 11}, "speed"},
		"before":   {player.Config{Files: []string{good}, Speed: 1, Start: -1}, "start"},
	} {
		err := c.config.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
