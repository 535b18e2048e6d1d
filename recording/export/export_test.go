package export_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/export"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(noRoom); path != "" {
		os.Exit(exportWithoutRoom(path))
	}
	goleak.VerifyTestMain(m)
}

// rover is a recording of a camera, a microphone and a board.
type rover struct {
	path    string
	clip    [][]byte // of the camera
	packets [][]byte // of the microphone
}

// record records three seconds. The microphone is silent, and sends nothing, from 1 s to 2 s.
func record(t *testing.T) rover {
	t.Helper()
	r := rover{path: filepath.Join(t.TempDir(), "drive.mcap"), clip: recordingtest.Clip(t, "320x240", "3", "30")}
	f, err := write.Create(r.path, write.Head{}, write.Config{ChunkBytes: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Abandon)
	add := func(c recording.Channel) write.Channel {
		channel, err := f.Add(c)
		if err != nil {
			t.Fatal(err)
		}
		return channel
	}
	video, sound, board := add(recordingtest.Video("front")), add(recordingtest.Sound("voice")), add(rx())
	var all []timed
	for n, unit := range r.clip {
		m := recordingtest.VideoMessage(n, at(n, 30), recordingtest.H264(320, 240), annexb.IsKeyFrame(unit), unit)
		all = append(all, timed{video, m})
	}
	for n := range 150 {
		if n >= 50 && n < 100 {
			continue
		}
		packet := []byte{0xf8, byte(n), 0x17, 0x2a} // what it sounds like does not matter
		r.packets = append(r.packets, packet)
		all = append(all, timed{sound, recordingtest.AudioMessage(n, at(n, 50), 1, packet)})
	}
	for n := range 30 {
		all = append(all,
			timed{board, write.Message{Logged: at(n, 10).Add(time.Millisecond), Published: at(n, 10), Data: reading(n)}})
	}
	slices.SortStableFunc(all, func(a, b timed) int { return a.Logged.Compare(b.Logged) })
	for _, m := range all {
		if err := f.Write(m.channel, m.Message); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return r
}

type timed struct {
	channel write.Channel
	write.Message
}

func at(n, rate int) time.Time {
	return recordingtest.Begin.Add(time.Duration(n) * time.Second / time.Duration(rate))
}

func rx() recording.Channel {
	return recording.Channel{Device: "motors", Kind: "serial", Stream: "rx", Direction: recording.Out,
		Type: "waldo.serial.v1.SerialMessage", Files: recordingtest.Files(&serialv1.SerialMessage{})}
}

func reading(n int) []byte {
	data, _ := proto.Marshal(&serialv1.SerialMessage{ // it always can be
		Epoch: 3, Sequence: int64(n), Json: `{"left":` + strconv.Itoa(n) + `,"note":"a \"b\", c"}`,
		Body: &serialv1.SerialMessage_Record{Record: &serialv1.Record{Fields: []*serialv1.Field{
			{Key: "left", Value: &serialv1.Value{Kind: &serialv1.Value_Integer{Integer: int64(n)}}},
		}}},
	})
	return data
}

func open(t *testing.T, path string) *export.Recording {
	t.Helper()
	r, err := export.Open([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func ffprobe(t *testing.T, path string, arguments ...string) []string {
	t.Helper()
	out, err := exec.Command("ffprobe",
		append([]string{"-v", "error", "-of", "csv=p=0"}, append(arguments, path)...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(strings.ReplaceAll(string(out), ",\n", "\n"))
}

// pictures returns the pictures of an MP4 file, as a stream of units.
func pictures(t *testing.T, path string) (units [][]byte) {
	t.Helper()
	for unit := range annexb.AccessUnits(recordingtest.Encode(t, "-i", path, "-map", "v:0", "-c", "copy", "-f", "h264",
		"-")) {
		units = append(units, unit)
	}
	return units
}

func plain(units [][]byte) (all []byte) {
	for _, unit := range units {
		for nal := range annexb.NALs(unit) {
			all = annexb.Append(all, nal)
		}
	}
	return all
}

// TestMP4: the pictures are those that were recorded, picture and sound are in step, and sound that was not recorded is
// silence.
func TestMP4(t *testing.T) {
	r := record(t)
	to := filepath.Join(t.TempDir(), "drive.mp4")
	result, err := open(t, r.path).MP4(context.Background(), to, export.Choice{})
	if err != nil || len(result.Files) != 1 || len(result.Notes) != 0 {
		t.Fatalf("%+v, %v", result, err)
	}
	if got := plain(pictures(t, to)); !bytes.Equal(got, plain(r.clip)) {
		t.Error("the pictures differ")
	}
	video := ffprobe(t, to, "-select_streams", "v", "-show_entries", "packet=pts_time")
	if len(video) != 90 || video[0] != "0.000000" || video[89] != "2.966667" {
		t.Errorf("%d pictures, %v", len(video), video)
	}
	sound := ffprobe(t, to, "-select_streams", "a", "-show_entries", "packet=pts_time")
	if len(sound) != 150 || sound[0] != "0.000000" || sound[149] != "2.980000" {
		t.Errorf("%d packets, %v", len(sound), sound)
	}
	format := ffprobe(t, to, "-show_entries", "format=duration")
	if d, err := strconv.ParseFloat(format[0], 64); err != nil || math.Abs(d-3) > 0.01 {
		t.Errorf("duration %v", format)
	}
}

// TestMP4Choice: from the key frame before the time; a file for each camera in a folder.
func TestMP4Choice(t *testing.T) {
	r := record(t)
	to := t.TempDir()
	shares := 0.0
	result, err := open(t, r.path).MP4(context.Background(), to, export.Choice{
		Devices: []string{"front"}, From: 1500 * time.Millisecond, To: 2200 * time.Millisecond,
		Progress: func(share float64) { shares = max(shares, share) },
	})
	if want := []string{filepath.Join(to, "front.mp4")}; err != nil || !slices.Equal(result.Files, want) {
		t.Fatalf("%+v, %v", result, err)
	}
	if got := pictures(t, result.Files[0]); !bytes.Equal(plain(got), plain(r.clip[30:66])) {
		t.Errorf("%d pictures", len(got))
	}
	if shares < 0.9 || shares > 1 {
		t.Errorf("progress up to %v", shares)
	}
	if left, _ := os.ReadDir(to); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

// TestCSV: a row for each message, with what boards send as columns.
func TestCSV(t *testing.T) {
	r := record(t)
	to := filepath.Join(t.TempDir(), "new")
	result, err := open(t, r.path).CSV(context.Background(), to, export.Choice{})
	if want := []string{filepath.Join(to, "motors_rx.csv")}; err != nil || !slices.Equal(result.Files, want) {
		t.Fatalf("%+v, %v", result, err)
	}
	data, err := os.ReadFile(result.Files[0])
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte("\r\n")) {
		t.Error("lines do not end as RFC 4180 says")
	}
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil || len(rows) != 31 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	row := map[string]string{}
	for i, name := range rows[0] {
		row[name] = rows[6][i]
	}
	for name, want := range map[string]string{
		"log_time": "2026-11-30T07:00:00.501000000Z", "capture_time": "2026-11-30T07:00:00.500000000Z",
		"sequence": "5", "json.left": "5", "json.note": `a "b", c`, "line": "",
		"record.fields": `[{"key":"left","value":{"integer":"5"}}]`,
	} {
		if got, there := row[name]; !there || got != want {
			t.Errorf("%s: %q, not %q (there: %v)", name, got, want, there)
		}
	}
}

// TestRefused: what cannot be done is told with what can, and leaves nothing behind.
func TestRefused(t *testing.T) {
	r := record(t)
	there := filepath.Join(t.TempDir(), "there.mp4")
	if err := os.WriteFile(there, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, to string
		csv      bool
		choice   export.Choice
		want     string
	}{
		{"unknown device", t.TempDir(), false, export.Choice{Devices: []string{"rear"}},
			`there is no "rear" in the recording, but front, motors, voice`},
		{"no pictures", t.TempDir(), false, export.Choice{Devices: []string{"motors"}},
			"neither pictures nor sound of motors"},
		{"no messages", t.TempDir(), true, export.Choice{Devices: []string{"front"}},
			"no messages but pictures and sound of front"},
		{"after the end", t.TempDir(), false, export.Choice{From: time.Hour}, "--from is 1h0m0s, and the recording has 2.9"},
		{"backwards", t.TempDir(), false, export.Choice{From: 2 * time.Second, To: time.Second},
			"--until is 1s, not after --from"},
		{"a file that is there", there, false, export.Choice{}, "is there already"},
		{"in a file", filepath.Join(there, "where.mp4"), false, export.Choice{}, "is not a folder"},
		{"a file as a folder", there, true, export.Choice{}, "is not a folder"},
		{"one CSV file", "a.csv", true, export.Choice{}, "name a folder"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run := open(t, r.path).MP4
			if tt.csv {
				run = open(t, r.path).CSV
			}
			if _, err := run(context.Background(), tt.to, tt.choice); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v", err)
			}
		})
	}
	if data, err := os.ReadFile(there); err != nil || string(data) != "mine" {
		t.Errorf("%q, %v", data, err)
	}
	if left, _ := os.ReadDir(filepath.Dir(there)); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

// TestMissingFolder: the folder of a file is made, as that of several is.
func TestMissingFolder(t *testing.T) {
	to := filepath.Join(t.TempDir(), "no", "where.mp4")
	if _, err := open(t, record(t).path).MP4(t.Context(), to, export.Choice{}); err != nil {
		t.Fatal(err)
	}
	if about, err := os.Stat(to); err != nil || about.Size() == 0 {
		t.Errorf("%v", err)
	}
}

// TestStopped: an export that is interrupted leaves nothing behind.
func TestStopped(t *testing.T) {
	r := record(t)
	ctx, stop := context.WithCancel(context.Background())
	to := t.TempDir()
	_, err := open(t, r.path).MP4(ctx, filepath.Join(to, "a.mp4"), export.Choice{Progress: func(float64) { stop() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if left, _ := os.ReadDir(to); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
