package drives

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/read"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a robot's folder of state and a recording of it, by the clock of a synctest bubble.
type rig struct {
	*testing.T
	state string
	begin time.Time
	logs  map[string]*audit.Log
}

func newRig(t *testing.T) *rig {
	r := &rig{t, t.TempDir(), time.Now(), map[string]*audit.Log{}}
	t.Cleanup(r.close)
	return r
}

// log writes an event of a device, at a time after the beginning.
func (r *rig) log(device string, after time.Duration, e audit.Event) {
	r.Helper()
	time.Sleep(time.Until(r.begin.Add(after)))
	if r.logs[device] == nil {
		r.logs[device] = audit.Open(audit.Path(r.state, "rover", device), nil)
	}
	e.Device = device
	r.logs[device].Write(e)
	synctest.Wait()
}

func (r *rig) close() {
	for _, l := range r.logs {
		l.Close()
	}
}

// tape is a recording.
type tape struct {
	*rig
	path     string
	file     *write.File
	channels map[string]write.Channel
	sequence int64
}

func (r *rig) record(name string) *tape {
	r.Helper()
	path := filepath.Join(r.TempDir(), name)
	f, err := write.Create(path, write.Head{Metadata: map[string]string{"robot": "rover"}}, write.Config{})
	if err != nil {
		r.Fatal(err)
	}
	return &tape{r, path, f, map[string]write.Channel{}, 0}
}

func (t *tape) put(c recording.Channel, after time.Duration, m proto.Message) {
	t.Helper()
	id, there := t.channels[c.Name()]
	if !there {
		id = recordingtest.Add(t.T, t.file, c)
		t.channels[c.Name()] = id
	}
	data, err := proto.Marshal(m)
	if err == nil {
		err = t.file.Write(id, write.Message{Logged: t.begin.Add(after), Data: data})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (t *tape) close() string {
	t.Helper()
	if err := t.file.Close(); err != nil {
		t.Fatal(err)
	}
	return t.path
}

// picture records a picture that was captured 40 ms before.
func (t *tape) picture(camera, stream string, sequence int64, after time.Duration) {
	t.Helper()
	t.put(recording.Channel{Device: camera, Kind: "camera", Stream: stream, Direction: recording.Out,
		Type: videoType, Files: recordingtest.Files(&mediav1.VideoFrame{}), Media: media.H264}, after,
		&mediav1.VideoFrame{Epoch: 5, Sequence: sequence, CaptureTime: timestamppb.New(t.begin.Add(after - 40*time.Millisecond)),
			Format: &mediav1.VideoFormat{MediaType: media.H264}, Data: make([]byte, 100)})
}

func (t *tape) says(device, json string, after time.Duration) {
	t.Helper()
	t.put(recording.Channel{Device: device, Kind: "serial", Stream: "rx", Direction: recording.Out, Type: serialType,
		Files: recordingtest.Files(&serialv1.SerialMessage{})}, after, &serialv1.SerialMessage{Json: json})
}

// command records a command to a device of an epoch, under a lease.
func (t *tape) command(device string, epoch, lease int64, verdict controlv1.CommandVerdict, after time.Duration,
	change func(*controlv1.CommandRecord)) {
	t.Helper()
	r := &controlv1.CommandRecord{Epoch: epoch, Sequence: t.sequence, JudgeTime: timestamppb.New(t.begin.Add(after)),
		Report: &controlv1.CommandReport{Sequence: 100 + t.sequence, Verdict: verdict, Age: durationpb.New(20 * time.Millisecond)},
		Lease:  lease, Holder: "anna (page)", Caller: "anna", MessageJson: fmt.Sprintf(`{"left":%d}`, t.sequence)}
	if verdict == yes {
		r.Factor = 1
	}
	t.sequence++
	if change != nil {
		change(r)
	}
	t.put(recording.Channel{Device: device, Kind: "serial", Stream: "commands", Direction: recording.Out, Type: recordType,
		Files: recordingtest.Files(&controlv1.CommandRecord{})}, after, r)
}

const (
	yes     = controlv1.CommandVerdict_COMMAND_VERDICT_ACCEPTED
	late    = controlv1.CommandVerdict_COMMAND_VERDICT_EXPIRED
	noLease = controlv1.CommandVerdict_COMMAND_VERDICT_NO_LEASE
)

// sight is what a driver saw that was captured some time before a command.
func sight(at time.Time, age time.Duration, speed float64) func(*controlv1.CommandRecord) {
	return func(r *controlv1.CommandRecord) {
		r.Report.Sight = &controlv1.Sight{Camera: "front", Age: durationpb.New(age), Speed: speed}
		r.Seen = timestamppb.New(at)
	}
}

func open(t testing.TB, c Config) *Book {
	t.Helper()
	b, err := Open(context.WithoutCancel(t.Context()), c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestLogs: what the audit logs alone tell of drives.
func TestLogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		const s = time.Second
		r.log("motors", 0, audit.Event{Kind: audit.EStop, Who: "nobody's", Reason: "before"})
		r.log("motors", 1*s, audit.Event{Kind: audit.Started})
		r.log("motors", 2*s, audit.Event{Kind: audit.LeaseAcquired, Who: "anna (page)", Token: "t1", From: "10.0.0.7:1", What: "7/1"})
		r.log("arm", 3*s, audit.Event{Kind: audit.LeaseAcquired, Who: "bob", What: "9/1"})
		r.log("motors", 4*s, audit.Event{Kind: audit.EStop, Who: "ben", Token: "t2", Reason: "smoke"})
		r.log("motors", 5*s, audit.Event{Kind: audit.EStopCleared, Who: "ben"})
		r.log("motors", 6*s, audit.Event{Kind: audit.LeaseEnded, What: "7/1", Reason: "lease_released"})
		r.log("motors", 7*s, audit.Event{Kind: audit.LeaseAcquired, Who: "carl", What: "7/2"})
		r.log("motors", 8*s, audit.Event{Kind: audit.LeaseTaken, Who: "dora", What: "7/3", Reason: "carl"})
		r.log("motors", 9*s, audit.Event{Kind: audit.Started})
		r.log("motors", 10*s, audit.Event{Kind: audit.LeaseEnded, What: "7/3", Reason: "device_stopped"}) // of the process before
		r.log("motors", 11*s, audit.Event{Kind: audit.LeaseAcquired, Who: "eve", What: "8/1"})
		r.log("arm", 12*s, audit.Event{Kind: audit.Started}) // it had crashed
		r.log("motors", 13*s, audit.Event{Kind: audit.LeaseEnded, What: "8/1", Reason: "lease_lapsed"})
		r.log("motors", 14*s, audit.Event{Kind: audit.LeaseAcquired, Who: "an old version's"})
		r.close()
		b := open(t, Config{State: r.state})
		var got []string
		for _, d := range b.Drives {
			end := "-"
			if !d.End.IsZero() {
				end = d.End.Sub(r.begin).String()
			}
			got = append(got, fmt.Sprintf("%d %s %s %d/%d %v-%s %s %s %d", d.Number, d.Device, d.Who, d.Epoch, d.Lease,
				d.Begin.Sub(r.begin), end, d.Ended, d.Took, len(d.EStops)))
		}
		want := []string{
			"1 motors anna (page) 7/1 2s-6s lease_released  1",
			"2 arm bob 9/1 3s-12s process_ended  0",
			"3 motors carl 7/2 7s-8s taken  0",
			"4 motors dora 7/3 8s-10s device_stopped carl 0",
			"5 motors eve 8/1 11s-13s lease_lapsed  0",
			"6 motors an old version's 0/0 14s--   0",
		}
		if !slices.Equal(got, want) {
			t.Errorf("drives\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if d := b.Drives[0]; d.Token != "t1" || d.From != "10.0.0.7:1" || !d.Logged || d.EStops[0].By != "ben" ||
			d.EStops[0].Cleared.Sub(r.begin) != 5*s || d.EStops[0].Reason != "smoke" {
			t.Errorf("%+v", d)
		}
		if len(b.EStops) != 1 || b.EStops[0].Reason != "before" || !b.EStops[0].Cleared.IsZero() {
			t.Errorf("e-stops while nobody drove: %+v", b.EStops)
		}
		if !slices.Equal(b.Missing, []string{"the commands of drive 1-6 were not recorded"}) {
			t.Errorf("missing: %q", b.Missing)
		}
		if b := open(t, Config{State: r.state, Device: "arm", Robot: "rover"}); len(b.Drives) != 1 || b.Drives[0].Who != "bob" {
			t.Errorf("of arm: %+v", b.Drives)
		}
		if b := open(t, Config{State: r.state, Robot: "other"}); len(b.Drives) != 0 {
			t.Errorf("of another robot: %+v", b.Drives)
		}
		if err := b.Commands(t.Context(), b.Drives[0], nil); err != nil {
			t.Errorf("commands of a drive that was not recorded: %v", err)
		}
	})
}

// TestClockJumps: drives of a device stay in the order of its log, whatever its clock did.
func TestClockJumps(t *testing.T) {
	at := func(second int) *Drive { return &Drive{Begin: time.Unix(int64(second), 0)} }
	a, b, c, x, y := at(100), at(50), at(60), at(55), at(70)
	got := merge([][]*Drive{{a, b, c}, {x, y}})
	if !slices.Equal(got, []*Drive{x, y, a, b, c}) {
		t.Errorf("%v", got)
	}
}

// TestRecorded: recordings tell what became of commands; two of the same time count once.
func TestRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		const s = time.Second
		r.log("motors", 0, audit.Event{Kind: audit.LeaseAcquired, Who: "anna (page)", What: "7/1"})
		r.log("motors", 60*s, audit.Event{Kind: audit.LeaseEnded, What: "7/1", Reason: "lease_released"})
		r.close()
		var files []string
		for _, name := range []string{"a.mcap", "b.mcap"} { // of two recorders
			tape := r.record(name)
			seen := r.begin.Add(time.Second)
			tape.command("motors", 7, 1, yes, 1*s, sight(seen, 100*time.Millisecond, 1))
			tape.command("motors", 7, 1, yes, 2*s, sight(seen, 400*time.Millisecond, .5))
			tape.command("motors", 7, 1, yes, 3*s, sight(seen, 900*time.Millisecond, 0)) // neutral, as nobody may move then
			tape.command("motors", 7, 1, yes, 4*s, func(r *controlv1.CommandRecord) { r.Factor = .5 })
			tape.command("motors", 7, 1, late, 5*s, nil)
			tape.command("motors", 7, 1, late, 6*s, func(r *controlv1.CommandRecord) { r.Report.Sight = &controlv1.Sight{Camera: "front"} })
			tape.command("motors", 7, 1, 0, 7*s, nil)
			tape.command("motors", 7, 1, 99, 8*s, nil)
			tape.command("motors", 7, 0, noLease, 9*s, nil)
			tape.sequence += 3
			tape.command("motors", 7, 1, yes, 10*s, nil)
			tape.command("motors", 7, 0, noLease, 61*s, func(r *controlv1.CommandRecord) { r.Holder = "" })
			tape.command("arm", 9, 4, yes, 62*s, func(r *controlv1.CommandRecord) {
				r.Sequence, r.Holder, r.CallerToken, r.CallerAddress = 0, "bob", "t9", "10.0.0.9"
			})
			files = append(files, tape.close())
		}
		files = append(files, filepath.Join(t.TempDir(), "none.mcap"))
		b := open(t, Config{State: r.state, Files: files})
		if len(b.Drives) != 2 {
			t.Fatalf("%+v", b.Drives)
		}
		got, arm := b.Drives[0].Tally, b.Drives[1]
		if got.Accepted != 5 || got.Slowed != 1 || !maps.Equal(got.Refused, map[string]int64{"expired": 2, "malformed": 1, "verdict_99": 1}) ||
			got.Strangers != 1 || got.Missing != 3 || got.OldestPicture != .4 || got.Unseen != 1 ||
			got.First.Sub(r.begin) != s || got.Last.Sub(r.begin) != 10*s {
			t.Errorf("%+v", got)
		}
		if arm.Logged || arm.Who != "bob" || arm.Token != "t9" || arm.From != "10.0.0.9" || arm.Tally.Accepted != 1 ||
			arm.Begin.Sub(r.begin) != 62*s || !arm.End.Equal(arm.Begin) {
			t.Errorf("of the recording alone: %+v", arm)
		}
		for _, want := range []string{"none.mcap", "no audit log tells of drive 2", "1 commands to motors belong to no drive"} {
			if !slices.ContainsFunc(b.Missing, func(m string) bool { return strings.Contains(m, want) }) {
				t.Errorf("%q is not in %q", want, b.Missing)
			}
		}
		if b := open(t, Config{Files: files[:2], Device: "motors"}); len(b.Drives) != 1 || b.Drives[0].Tally.Accepted != 5 {
			t.Errorf("without a log: %+v", b.Drives)
		}
	})
}

// TestCommands: each command is told with what its driver had seen, and what the board said next.
func TestCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.log("motors", 0, audit.Event{Kind: audit.LeaseAcquired, Who: "anna (page)", What: "7/1"})
		r.log("motors", time.Minute, audit.Event{Kind: audit.LeaseEnded, What: "7/1", Reason: "lease_released"})
		r.close()
		var files []string
		tape := r.record("a.mcap")
		for i := range int64(200) { // 20 s in two files, in which two cameras, the board and the driver do something
			at := time.Duration(i) * 100 * time.Millisecond
			if i == 100 {
				files = append(files, tape.close())
				next := r.record("b.mcap")
				next.sequence, tape = tape.sequence, next
			}
			tape.picture("front", "video", i, at)
			tape.picture("front", "video-small", i/2, at)
			tape.picture("rear", "video", i, at)
			tape.says("motors", fmt.Sprintf(`{"said":%d}`, i), at+10*time.Millisecond)
			if i%10 != 9 {
				continue
			}
			seen := r.begin.Add(at - 40*time.Millisecond + 700*time.Microsecond) // the picture of this round, to a millisecond
			change := sight(seen, 90*time.Millisecond, 1)
			switch i {
			case 19:
				change = func(r *controlv1.CommandRecord) { r.Seen = timestamppb.New(seen) } // of which camera, it does not say
			case 29:
				change = sight(r.begin.Add(time.Hour), 0, 0) // no such picture
			case 39:
				change = nil
			}
			tape.command("motors", 7, 1, yes, at+50*time.Millisecond, change)
			if i == 49 {
				tape.command("motors", 7, 0, noLease, at+60*time.Millisecond, func(r *controlv1.CommandRecord) {
					r.Caller, r.CallerAddress = "eve", "10.0.0.66"
				})
				tape.command("motors", 7, 2, yes, at+70*time.Millisecond, nil) // of another drive
			}
		}
		files = append(files, tape.close())
		b := open(t, Config{State: r.state, Files: files})
		d, err := b.Find("1")
		if err != nil {
			t.Fatal(err)
		}
		var got []*Command
		if err := b.Commands(t.Context(), d, func(c *Command) error { got = append(got, c); return nil }); err != nil {
			t.Fatal(err)
		}
		if len(got) != 21 {
			t.Fatalf("%d commands", len(got))
		}
		stranger := got[5]
		if stranger.Stranger != "eve" || stranger.From != "10.0.0.66" || stranger.Verdict != "no_lease" {
			t.Errorf("a stranger's: %+v", stranger)
		}
		got = slices.Delete(got, 5, 6)
		for i, c := range got {
			round := int64(10*i + 9)
			want := &Frame{"front", "video", 5, round}
			if i >= 1 && i <= 3 {
				want = nil // either camera; no such picture; none named
			}
			if (c.Frame == nil) != (want == nil) || want != nil && *c.Frame != *want {
				t.Errorf("command %d: %+v, want %+v", i, c.Frame, want)
			}
			if i == 0 && (c.Camera != "front" || c.SeenAge != .09 || c.Age != .02 || c.Factor != 1 || c.Message != `{"left":0}` ||
				c.Sequence != 100 || c.Stranger != "" || c.Time.Sub(r.begin) != 950*time.Millisecond) {
				t.Errorf("%+v", c)
			}
			if i == 4 { // the stranger's comes before what the board says next
				continue
			}
			if i < 19 && (len(c.Reports) != 3 || c.MoreReports != 7 || c.Reports[0].Message != fmt.Sprintf(`{"said":%d}`, round+1)) {
				t.Errorf("after command %d the board said %+v and %d more", i, c.Reports, c.MoreReports)
			}
		}
		full := errors.New("full")
		if err := b.Commands(t.Context(), d, func(*Command) error { return full }); !errors.Is(err, full) {
			t.Errorf("%v", err)
		}
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		if err := b.Commands(canceled, d, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}

// TestCoverage: a drive without commands was recorded if the recording is longer than it, also in several files.
func TestCoverage(t *testing.T) {
	at := func(second int) time.Time { return time.Unix(int64(second), 0) }
	key := life{device: "motors"}
	b := &Book{covered: coverage{key: {{at(0), at(10)}, {at(10), at(20)}, {at(30), at(40)}}}}
	for i, d := range []struct {
		device   string
		from, to int
		recorded bool
	}{{"motors", 0, 10, true}, {"motors", 5, 15, true}, {"motors", 15, 31, false}, {"motors", 32, 40, true}, {"motors", 32, 41, false},
		{"arm", 1, 2, false}, {"motors", 35, 0, false}} {
		drive := &Drive{Number: i + 1, Device: d.device, Begin: at(d.from), Logged: true}
		if d.to > 0 {
			drive.End = at(d.to)
		}
		b.Drives = append(b.Drives, drive)
		defer func() {
			if (drive.Tally != nil) != d.recorded {
				t.Errorf("drive %d: %+v", drive.Number, drive.Tally)
			}
		}()
	}
	b.Drives = append(b.Drives, &Drive{Number: 8, Device: "motors", Begin: at(15), End: at(31), Logged: true, Tally: &Tally{}})
	b.cover()
	if want := []string{"the commands of drive 3, 5-7 were not recorded",
		"the commands of drive 8 were recorded in part: it is longer than the recording"}; !slices.Equal(b.Missing, want) {
		t.Errorf("%q", b.Missing)
	}
}

func TestFind(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 11, 30, 7, minute, 0, 500_000_000, time.UTC) }
	b := &Book{Drives: []*Drive{{Number: 1, Begin: at(0), End: at(10)}, {Number: 2, Begin: at(20), End: at(30)}, {Number: 3, Begin: at(25)}}}
	for text, want := range map[string]int{
		"1": 1, "3": 3, "2026-11-30T07:00:00Z": 1, "2026-11-30T07:05:00Z": 1, "2026-11-30T07:15:00Z": 1, "2026-11-30T08:21:00+01:00": 2,
		"2026-11-30T07:40:00Z": 3, "0": 0, "4": 0, "2026-11-30T06:59:00Z": 0, "yesterday": 0, "": 0,
	} {
		d, err := b.Find(text)
		if (err == nil) != (want > 0) || want > 0 && d.Number != want {
			t.Errorf("%q: %+v, %v", text, d, err)
		}
	}
}

func TestNumbers(t *testing.T) {
	var all []*Drive
	for _, n := range []int{1, 2, 3, 5, 7, 8} {
		all = append(all, &Drive{Number: n})
	}
	if got := numbers(all); got != "1-3, 5, 7-8" {
		t.Error(got)
	}
}

// FuzzEpoch: whatever a picture has for its epoch, the reader takes what protobuf takes.
func FuzzEpoch(f *testing.F) {
	for _, epoch := range []int64{0, 1, -1, 1 << 62} {
		data, _ := proto.Marshal(&mediav1.VideoFrame{Epoch: epoch, Sequence: 7}) // it always can be
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got := epochOf(data)
		var frame mediav1.VideoFrame
		if proto.Unmarshal(data, &frame) == nil && got != frame.GetEpoch() {
			t.Errorf("%d of % x, want %d", got, data, frame.GetEpoch())
		}
	})
}

// FuzzRecords: whatever a record of a command has, what it tells can be printed.
func FuzzRecords(f *testing.F) {
	for _, r := range []*controlv1.CommandRecord{
		{}, {Epoch: 7, Sequence: 1, Lease: 1, JudgeTime: timestamppb.Now(), Factor: .5, Report: &controlv1.CommandReport{
			Verdict: yes, Sight: &controlv1.Sight{Camera: "front", Age: durationpb.New(time.Second), Speed: 1}}},
		{Epoch: -1, Sequence: -1, Lease: -1, JudgeTime: &timestamppb.Timestamp{Seconds: 1 << 62}, Factor: math.NaN(),
			Seen: &timestamppb.Timestamp{Nanos: -1}, Report: &controlv1.CommandReport{Verdict: -1,
				Age: &durationpb.Duration{Seconds: -1 << 62}, Sight: &controlv1.Sight{Speed: math.Inf(1)}}},
		{Epoch: 7, Sequence: 1 << 62, Holder: "anna", JudgeTime: timestamppb.Now()},
	} {
		data, err := proto.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, data)
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		b := newBook(Config{})
		found := map[life][]*Drive{}
		channel := &read.Channel{Waldo: recording.Channel{Device: "motors"}}
		for _, data := range [][]byte{first, second} {
			r := &controlv1.CommandRecord{}
			if proto.Unmarshal(data, r) != nil {
				return
			}
			b.countRecord(part{path: "x"}, read.Message{Channel: channel, Logged: time.Unix(1, 0)}, r, found)
		}
		for _, list := range found {
			b.Drives = append(b.Drives, list...)
		}
		b.number()
		b.missing()
		if _, err := json.Marshal(b); err != nil {
			t.Error(err)
		}
		for _, d := range b.Drives {
			teller := &teller{book: b, drive: d, yield: func(c *Command) error {
				_, err := json.Marshal(c)
				return err
			}}
			for _, data := range [][]byte{first, second} {
				teller.command(read.Message{Channel: channel, Logged: time.Unix(1, 0), Data: data})
			}
			if err := teller.tell(time.Time{}); err != nil {
				t.Error(err)
			}
		}
	})
}
