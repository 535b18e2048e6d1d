package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/drives"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
)

// auditRecording is the recording of an auditState.
const auditRecording = "2026-11-30T07-10-00.000Z_rover_001.mcap"

// auditState makes a folder of state with a drive that was recorded, and one that was not.
func auditState(t *testing.T) string {
	t.Helper()
	state := t.TempDir()
	recordings := filepath.Join(state, "recordings")
	if err := os.Mkdir(recordings, 0o700); err != nil {
		t.Fatal(err)
	}
	motors := audit.Open(audit.Path(state, "rover", "motors"), nil)
	for _, e := range []audit.Event{
		{Kind: audit.EStop, Who: "carl", Device: "motors", Reason: "test"},
		{Kind: audit.Started, Device: "motors"},
		{Kind: audit.LeaseAcquired, Who: "anna (page)", Token: "t1", From: "10.0.0.7:1", Device: "motors", What: "77/1"},
		{Kind: audit.EStop, Who: "ben", Device: "motors", Reason: "smoke \x1b[2J"},
		{Kind: audit.EStopCleared, Who: "anna", Device: "motors"},
		{Kind: audit.LeaseEnded, Who: "anna (page)", Device: "motors", What: "77/1", Reason: "lease_released"},
		{Kind: audit.LeaseTaken, Who: "dora", Device: "motors", What: "77/2", Reason: "carl"},
	} {
		motors.Write(e)
	}
	motors.Close()
	path := filepath.Join(recordings, auditRecording)
	recordDrive(t, path)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	recorder := audit.Open(audit.Path(state, "rover", "recorder"), nil)
	recorder.Write(audit.Event{Kind: audit.RecordingFinished, Device: "recorder", What: auditRecording,
		SHA256: hex.EncodeToString(sum[:])})
	recorder.Close()
	return state
}

// recordDrive records three commands of the drive 77/1.
func recordDrive(t *testing.T, path string) {
	t.Helper()
	f, err := write.Create(path, write.Head{Metadata: map[string]string{"robot": "rover"}}, write.Config{})
	if err != nil {
		t.Fatal(err)
	}
	channel := recordingtest.Add(t, f, recording.Channel{Device: "motors", Kind: "serial", Stream: "commands",
		Direction: recording.Out, Type: "waldo.control.v1.CommandRecord",
		Files: recordingtest.Files(&controlv1.CommandRecord{})})
	video := recordingtest.Add(t, f, recordingtest.Video("front"))
	now := time.Now()
	for i, verdict := range []controlv1.CommandVerdict{controlv1.CommandVerdict_COMMAND_VERDICT_ACCEPTED,
		controlv1.CommandVerdict_COMMAND_VERDICT_ACCEPTED, controlv1.CommandVerdict_COMMAND_VERDICT_EXPIRED} {
		at := now.Add(time.Duration(i) * 20 * time.Millisecond)
		picture := recordingtest.VideoMessage(i, at.Add(-50*time.Millisecond), nil, true, []byte("x"))
		r := &controlv1.CommandRecord{Epoch: 77, Sequence: int64(i), JudgeTime: timestamppb.New(at), Lease: 1,
			Holder: "anna (page)",
			Report: &controlv1.CommandReport{Sequence: int64(i) + 1, Verdict: verdict, Sight: &controlv1.Sight{Camera: "front",
				Age: durationpb.New(55 * time.Millisecond), Speed: 1}}, Factor: 1 / float64(i+1),
			Seen: timestamppb.New(at.Add(-50 * time.Millisecond)), MessageJson: fmt.Sprintf(`{"left":%d}`, i)}
		if i == 2 {
			r.Factor, r.Error, r.Seen = 0, "the command is refused: it came too late", timestamppb.New(at.Add(time.Hour))
		}
		data, err := proto.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		picture.Logged = at.Add(-30 * time.Millisecond)
		if err := f.Write(video, picture); err != nil {
			t.Fatal(err)
		}
		if err := f.Write(channel, write.Message{Logged: at, Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// squeeze makes runs of spaces one.
func squeeze(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = strings.Join(strings.Fields(l), " ")
	}
	return strings.Join(lines, "\n")
}

// contain wants a text to contain parts, in any order.
func contain(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is not in\n%s", p, text)
		}
	}
}

func TestAuditDrives(t *testing.T) {
	state := auditState(t)
	code, out, problems := waldo(t, "audit", "--state", state)
	if code != 0 {
		t.Fatal(code, problems)
	}
	contain(t, squeeze(out), "rover/motors anna (page) t1 10.0.0.7:1 lease_released 2 (1 slowed) 1 expired 1 55ms",
		"rover/motors dora - - - ? ? 0 ?", "E-stops while nobody drove:", "by carl: test")
	nowhere := "in " + filepath.Join(state, "recordings") + " (--recordings names other folders)"
	contain(t, problems, "no recording of the commands of drive 2 was found "+nowhere)

	code, out, problems = waldo(t, "audit", "--state", state, "1")
	if code != 0 {
		t.Fatal(code, problems)
	}
	contain(t, squeeze(out), "who anna (page), token t1, from 10.0.0.7:1",
		"device rover/motors, lease 1 of the process 77",
		`by ben: smoke \u001b[2J; cleared`, "page /recordings#at=20", `1 accepted {"left":0} saw front/video 7/0, 55ms old`,
		`2 accepted {"left":1} at 50 % saw front/video 7/1`,
		`3 expired {"left":2} saw a picture of front that was not recorded, 55ms old the command is refused: it came too late`)
	if strings.Contains(out, "\x1b") {
		t.Error("what others said acts on the terminal")
	}
	_, out, _ = waldo(t, "audit", "--state", state, "2")
	contain(t, squeeze(out), "commands no recording of them was found "+nowhere)

	var book drives.Book
	if code, out, problems = waldo(t, "audit", "--state", state, "--json", "--device", "motors", "--robot",
		"rover"); code != 0 || json.Unmarshal([]byte(out), &book) != nil || len(book.Drives) != 2 ||
		book.Drives[0].Tally.Accepted != 2 {
		t.Errorf("%d %s %s", code, out, problems)
	}
	code, out, _ = waldo(t, "audit", "--state", state, "--json", book.Drives[0].Begin.Format(time.RFC3339Nano))
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var last drives.Command
	if code != 0 || len(lines) != 4 || json.Unmarshal([]byte(lines[3]), &last) != nil || last.Sequence != 3 {
		t.Errorf("%d %s", code, out)
	}
	if code, out, _ := waldo(t, "audit", "--state", state, "--json", "--device", "none"); code != 0 ||
		!strings.Contains(out, `"drives": []`) {
		t.Errorf("%d %s", code, out)
	}
	for _, args := range [][]string{{"3"}, {"yesterday"}, {"--recordings", filepath.Join(state, "none")}} {
		if code, _, _ := waldo(t, append([]string{"audit", "--state", state}, args...)...); code == 0 {
			t.Errorf("%q succeeds", args)
		}
	}
	if code, _, problems := waldo(t, "audit", "--state", filepath.Join(state, "none")); code != 78 {
		t.Errorf("%d %s", code, problems)
	}
}

// TestAuditOwnFolder: recordings in a folder that only the log names are found. What is in one that cannot be read is not
// called unrecorded.
func TestAuditOwnFolder(t *testing.T) {
	state, own := auditState(t), filepath.Join(t.TempDir(), "rec")
	if err := os.Rename(filepath.Join(state, "recordings"), own); err != nil {
		t.Fatal(err)
	}
	recorder := audit.Open(audit.Path(state, "rover", "recorder"), nil)
	recorder.Write(audit.Event{Kind: audit.RecordingFinished, Device: "recorder", What: auditRecording, Folder: own,
		SHA256: strings.Repeat("0", 64)})
	recorder.Close()
	t.Setenv("STATE_DIRECTORY", state)
	code, out, problems := waldo(t, "audit")
	contain(t, squeeze(out), "lease_released 2 (1 slowed) 1 expired 1 55ms")
	if code != 0 || strings.Count(out, "lease_released") != 1 {
		t.Error(code, out, problems)
	}
	contain(t, problems, "no recording of the commands of drive 2 was found in "+own+" (--recordings names other folders)")
	if code, out, problems := waldo(t, "audit", "1"); code != 0 || !strings.Contains(out, `{"left":2}`) {
		t.Error(code, out, problems)
	}
	if _, _, problems := waldo(t, "audit", "--state", state); !strings.Contains(problems,
		"no recording of the commands of drive 1-2 was found in "+filepath.Join(state, "recordings")+" (--recordings") {
		t.Errorf("of a copy: %s", problems)
	}
	if err := os.Rename(own, own+"-away"); err != nil {
		t.Fatal(err)
	}
	code, _, problems = waldo(t, "audit")
	contain(t, problems, "no recording of the commands of drive 1-2 was found in ",
		"a log tells of recordings in "+own+", which cannot be read: ")
	if code != 0 {
		t.Error(code, problems)
	}
}

// TestAuditVerify: a byte that changes in a log or a recording is found, and a cut end by what was printed before.
func TestAuditVerify(t *testing.T) {
	state := auditState(t)
	code, before, problems := waldo(t, "audit", "verify", "--state", state)
	if code != 0 {
		t.Fatal(code, before, problems)
	}
	contain(t, squeeze(before), "rover/motors 6:", " 7 0 ok", "rover/recorder 0:",
		auditRecording+" attested by event 0 of rover/recorder")
	heads := filepath.Join(t.TempDir(), "heads.txt")
	if err := os.WriteFile(heads, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, problems := waldo(t, "audit", "verify", "--state", state, "--expect", heads); code != 0 {
		t.Error(code, out, problems)
	}
	motors, recorded := audit.Path(state, "rover", "motors"), filepath.Join(state, "recordings", auditRecording)
	for _, tt := range []struct {
		path   string
		change func(data []byte) []byte
		want   string
	}{
		{motors, func(data []byte) []byte { data[slices.Index(data, 'n')] = 'm'; return data }, "ALTERED: " + motors + ":"},
		{motors, func(data []byte) []byte { return data[:strings.LastIndex(string(data[:len(data)-1]), "\n")+1] },
			"a witness saw event 6, and the log ends with event 5"},
		{recorded, func(data []byte) []byte { data[len(data)/2]++; return data },
			auditRecording + " changed it is not what it was"},
	} {
		data, err := os.ReadFile(tt.path)
		if err != nil {
			t.Fatal(err)
		}
		write := func(data []byte) {
			if err := os.WriteFile(tt.path, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write(tt.change(slices.Clone(data)))
		code, out, problems := waldo(t, "audit", "verify", "--state", state, "--expect", heads)
		if code != 1 || !strings.Contains(problems, "are not what they were") {
			t.Errorf("%d %s", code, problems)
		}
		contain(t, squeeze(out), tt.want)
		var v verified
		if code, out, _ := waldo(t, "audit", "verify", "--state", state, "--expect", heads, "--json"); code != 1 ||
			json.Unmarshal([]byte(out), &v) != nil || !v.Altered || len(v.Logs) != 2 || len(v.Recordings) != 1 {
			t.Errorf("%d %s", code, out)
		}
		write(data)
	}
	if err := os.WriteFile(heads, []byte("nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, problems := waldo(t, "audit", "verify", "--state", state, "--expect", heads); code != 78 ||
		!strings.Contains(problems, "has no heads") {
		t.Errorf("%d %s", code, problems)
	}
	if code, _, problems := waldo(t, "audit", "verify", "--state", state, "--recordings", recorded); code != 78 ||
		!strings.Contains(problems, "is not a folder") {
		t.Errorf("%d %s", code, problems)
	}
}

// TestAuditVerifyWithoutEvents: a log without a single event is not called right, and its first line is named.
func TestAuditVerifyWithoutEvents(t *testing.T) {
	state := t.TempDir()
	log := filepath.Join(state, "audit", "rover", "motors.jsonl")
	if err := os.MkdirAll(filepath.Dir(log), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(log, []byte("\x1f\x8b\x08\n\xff"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, problems := waldo(t, "audit", "verify", "--state", state)
	if all := out + problems; code != 0 || !strings.Contains(all, "no events") ||
		!strings.Contains(all, log+":1: this is no event") {
		t.Errorf("%d: %s%s", code, out, problems)
	}
}

// TestAuditVerifyNothing: where nothing can be checked, that is an error; where files are that no log tells of, it is
// not.
func TestAuditVerifyNothing(t *testing.T) {
	elsewhere := filepath.Join(auditState(t), "recordings")
	for name, tt := range map[string]struct {
		make func(state string) error
		args []string
		code int
		says string
	}{
		"nothing": {func(string) error { return nil }, nil, 78, "with --state"},
		"an empty folder": {func(s string) error { return os.Mkdir(filepath.Join(s, "recordings"), 0o700) }, nil, 78,
			"with --recordings"},
		"only a recording":   {func(string) error { return nil }, []string{"--recordings", elsewhere}, 0, "unknown"},
		"a folder elsewhere": {elsewhereLog, nil, 0, "name its folder with --recordings"},
	} {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			if err := tt.make(state); err != nil {
				t.Fatal(err)
			}
			code, out, problems := waldo(t, append([]string{"audit", "verify", "--state", state}, tt.args...)...)
			if code != tt.code || !strings.Contains(out+problems, tt.says) || code != 0 && !strings.Contains(problems, state) {
				t.Errorf("%d %s %s", code, out, problems)
			}
		})
	}
}

// elsewhereLog makes a log that tells of a recording in a folder that the command does not know.
func elsewhereLog(state string) error {
	log := audit.Open(audit.Path(state, "rover", "recorder"), nil)
	defer log.Close()
	log.Write(audit.Event{Kind: audit.RecordingFinished, What: auditRecording, Folder: "/srv/drives",
		SHA256: strings.Repeat("0", 64)})
	return nil
}
