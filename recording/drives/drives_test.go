package drives

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	"github.com/waldo-robot/waldo/pkg/audit"
)

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
			tape.command("motors", 7, 1, late, 6*s,
				func(r *controlv1.CommandRecord) { r.Report.Sight = &controlv1.Sight{Camera: "front"} })
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
		if got.Accepted != 5 || got.Slowed != 1 ||
			!maps.Equal(got.Refused, map[string]int64{"expired": 2, "malformed": 1, "verdict_99": 1}) ||
			got.Strangers != 1 || got.Missing != 3 || got.OldestPicture != .4 || got.Unseen != 1 ||
			got.First.Sub(r.begin) != s || got.Last.Sub(r.begin) != 10*s {
			t.Errorf("%+v", got)
		}
		if arm.Logged || arm.Who != "bob" || arm.Token != "t9" || arm.From != "10.0.0.9" || arm.Tally.Accepted != 1 ||
			arm.Begin.Sub(r.begin) != 62*s || !arm.End.Equal(arm.Begin) {
			t.Errorf("of the recording alone: %+v", arm)
		}
		for _, want := range []string{"none.mcap", "no audit log tells of drive 2",
			"1 command to motors belonged to no drive"} {
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
			if i == 0 &&
				(c.Camera != "front" || c.SeenAge != .09 || c.Age != .02 || c.Factor != 1 || c.Message != `{"left":0}` ||
					c.Sequence != 100 || c.Stranger != "" || c.Time.Sub(r.begin) != 950*time.Millisecond) {
				t.Errorf("%+v", c)
			}
			if i == 4 { // the stranger's comes before what the board says next
				continue
			}
			if i < 19 &&
				(len(c.Reports) != 3 || c.MoreReports != 7 || c.Reports[0].Message != fmt.Sprintf(`{"said":%d}`, round+1)) {
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
	b := &Book{config: Config{Where: "in /a, /b"}, covered: coverage{key: {{at(0), at(10)}, {at(10), at(20)}, {at(30), at(40)}}}}
	for i, d := range []struct {
		device   string
		from, to int
		recorded bool
	}{{"motors", 0, 10, true}, {"motors", 5, 15, true}, {"motors", 15, 31, false}, {"motors", 32, 40, true},
		{"motors", 32, 41, false},
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
	b.Drives = append(b.Drives,
		&Drive{Number: 8, Device: "motors", Begin: at(15), End: at(31), Logged: true, Tally: &Tally{}})
	b.cover()
	if want := []string{"no recording of the commands of drive 3, 5-7 was found in /a, /b",
		"the commands of drive 8 are known in part: it is longer than the recording of it"}; !slices.Equal(b.Missing, want) {
		t.Errorf("%q", b.Missing)
	}
}

func TestFind(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 11, 30, 7, minute, 0, 500_000_000, time.UTC) }
	b := &Book{Drives: []*Drive{{Number: 1, Begin: at(0), End: at(10)}, {Number: 2, Begin: at(20), End: at(30)},
		{Number: 3, Begin: at(25)}}}
	for text, want := range map[string]int{
		"1": 1, "3": 3, "2026-11-30T07:00:00Z": 1, "2026-11-30T07:05:00Z": 1, "2026-11-30T07:15:00Z": 1,
		"2026-11-30T08:21:00+01:00": 2,
		"2026-11-30T07:40:00Z":      3, "0": 0, "4": 0, "2026-11-30T06:59:00Z": 0, "yesterday": 0, "": 0,
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
