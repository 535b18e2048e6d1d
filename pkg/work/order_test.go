package work

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	workv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/work/v1"
)

var start = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// result is one of a device whose epochs last a million frames at 1000 frames a second.
func result(epoch, sequence int64) *workv1.Result {
	captured := start.Add(time.Duration(epoch*1e6+sequence) * time.Millisecond)
	return &workv1.Result{Epoch: epoch, Sequence: sequence, CaptureTime: timestamppb.New(captured),
		Outcome: workv1.Outcome_OUTCOME_DONE}
}

// play puts results, as epoch:sequence, into an order that waits 100 ms and keeps at most 4 results or 1000
// bytes. "+n" lets n milliseconds pass; a result ends with "*" if it has 600 bytes. It returns what is taken,
// each as soon as it can be.
func play(t *testing.T, script string) (taken string, stats Stats) {
	t.Helper()
	o := newOrder(100*time.Millisecond, 4, 1000)
	now := start
	var all []string
	takeAll := func() {
		for r := o.take(now); r != nil; r = o.take(now) {
			all = append(all, fmt.Sprintf("%d:%d", r.GetEpoch(), r.GetSequence()))
		}
	}
	for _, step := range strings.Fields(script) {
		var epoch, sequence, ms int64
		if _, err := fmt.Sscanf(step, "+%d", &ms); err == nil {
			end := now.Add(time.Duration(ms) * time.Millisecond)
			for due, waits := o.due(); waits && !due.After(end); due, waits = o.due() {
				now = due
				takeAll()
			}
			now = end
			takeAll()
			continue
		}
		if _, err := fmt.Sscanf(step, "%d:%d", &epoch, &sequence); err != nil {
			t.Fatalf("step %q: %v", step, err)
		}
		size := 10
		if strings.HasSuffix(step, "*") {
			size = 600
		}
		o.put(result(epoch, sequence), size, now)
		takeAll()
	}
	return strings.Join(all, " "), o.stats
}

func TestOrder(t *testing.T) {
	for name, tt := range map[string]struct {
		script, want string
		stats        Stats
	}{
		"in order":                   {"1:0 1:1 1:2", "1:0 1:1 1:2", Stats{}},
		"out of order":               {"1:0 1:2 1:3 1:1", "1:0 1:1 1:2 1:3", Stats{}},
		"never":                      {"1:0 1:2 +99", "1:0", Stats{}},
		"never, and the time is up":  {"1:0 1:2 1:3 +100 1:4", "1:0 1:2 1:3 1:4", Stats{Missing: 1}},
		"late":                       {"1:0 1:2 +100 1:1 1:3", "1:0 1:2 1:3", Stats{Late: 1}},
		"late, twice":                {"1:0 1:2 +100 1:1 1:1", "1:0 1:2", Stats{Late: 1, Duplicate: 1}},
		"twice":                      {"1:0 1:0 1:1 1:0", "1:0 1:1", Stats{Duplicate: 2}},
		"twice while waiting":        {"1:0 1:2 1:2 1:1", "1:0 1:1 1:2", Stats{Duplicate: 1}},
		"the time of the later ends": {"1:0 1:4 +60 1:2 +40", "1:0 1:2 1:4", Stats{Missing: 2}},
		"each waits its own time":    {"1:0 1:2 +60 1:4 +40", "1:0 1:2", Stats{Missing: 1}},
		"too many wait":              {"1:0 1:2 1:3 1:4 1:5 1:6 1:1", "1:0 1:2 1:3 1:4 1:5 1:6", Stats{Late: 1}},
		"too much waits":             {"1:0 1:2* 1:3* 1:4", "1:0 1:2 1:3 1:4", Stats{Missing: 1}},
		"joined in the middle":       {"1:7 1:6 +100 1:8", "1:6 1:7 1:8", Stats{}},
		"before the beginning":       {"1:7 +100 1:6 1:8", "1:7 1:8", Stats{Late: 1}},
		"a restart":                  {"1:7 +100 2:0 2:1", "1:7 2:0 2:1", Stats{}},
		"a restart with some to go":  {"1:0 1:2 1:4 2:0", "1:0 1:2 1:4 2:0", Stats{Missing: 2}},
		"late for the life before":   {"1:0 1:2 2:0 1:1 2:1", "1:0 1:2 2:0 2:1", Stats{Missing: 1, Late: 1}},
		"after a wrong epoch":        {"1:0 0:1 1:1", "1:0 1:1", Stats{Invalid: 1}},
		"after a wrong number":       {"1:0 1:9 +100 1:10 1:11", "1:0 1:9 1:10 1:11", Stats{Missing: 8}},
	} {
		t.Run(name, func(t *testing.T) {
			got, stats := play(t, tt.script)
			if got != tt.want || stats != tt.stats {
				t.Errorf("%s: took %s with %+v, want %s with %+v", tt.script, got, stats, tt.want, tt.stats)
			}
		})
	}
}

// TestOrderRecovers: an epoch or a number that a broken worker made up, and a device whose numbers start over, delay
// what is right at most once.
func TestOrderRecovers(t *testing.T) {
	o := newOrder(100*time.Millisecond, 4, 1000)
	now, taken := start, 0
	put := func(epoch, sequence, at int64) {
		r := result(1, at)
		r.Epoch, r.Sequence = epoch, sequence
		o.put(r, 1, now)
		for now = now.Add(100 * time.Millisecond); o.take(now) != nil; {
			taken++
		}
	}
	put(1, 0, 0)
	put(99, 0, 0) // made up
	put(1, 1, 1)
	put(1, 1<<62, 1) // made up
	put(1, 2, 2)
	put(1, 3, 3)
	put(1, 0, 4) // starts over
	put(1, 1, 5)
	if taken != 8 || o.stats.Late+o.stats.Duplicate+o.stats.Invalid != 0 {
		t.Errorf("took %d of 8: %+v", taken, o.stats)
	}
}

// TestOrderBegins: the very first result does not wait for long, the first of a new life does.
func TestOrderBegins(t *testing.T) {
	o := newOrder(time.Hour, 4, 1000)
	o.put(result(1, 7), 1, start)
	if r := o.take(start.Add(joining)); r.GetSequence() != 7 {
		t.Errorf("first comes %v", r)
	}
	o.put(result(2, 1), 1, start)
	if r := o.take(start.Add(joining)); r != nil {
		t.Errorf("after a restart comes %v before the first", r)
	}
}

func TestOrderRefuses(t *testing.T) {
	o := newOrder(time.Second, 4, 1000)
	for name, spoil := range map[string]func(*workv1.Result){
		"no epoch":           func(r *workv1.Result) { r.Epoch = 0 },
		"a negative epoch":   func(r *workv1.Result) { r.Epoch = -1 },
		"a negative number":  func(r *workv1.Result) { r.Sequence = -1 },
		"no capture time":    func(r *workv1.Result) { r.CaptureTime = nil },
		"a wrong time":       func(r *workv1.Result) { r.CaptureTime.Nanos = -1 },
		"no outcome":         func(r *workv1.Result) { r.Outcome = workv1.Outcome_OUTCOME_UNSPECIFIED },
		"nothing whatsoever": func(r *workv1.Result) { *r = workv1.Result{} },
	} {
		before := o.stats.Invalid
		r := result(1, 0)
		spoil(r)
		o.put(r, 1, start)
		if o.stats.Invalid != before+1 || o.held() != 0 {
			t.Errorf("%s is accepted", name)
		}
	}
}

// checkOrder fails unless results come in order, none twice, and all are accounted for.
func checkOrder(t *testing.T, seed uint64, steps []byte) {
	random := rand.New(rand.NewPCG(seed, 0))
	o := newOrder(50*time.Millisecond, 8, 100)
	now := start
	put := uint64(0)
	var taken, lastEpoch, lastSequence int64
	take := func() {
		for r := o.take(now); r != nil; r = o.take(now) {
			if r.GetEpoch() < lastEpoch || r.GetEpoch() == lastEpoch && r.GetSequence() <= lastSequence {
				t.Fatalf("%d:%d after %d:%d", r.GetEpoch(), r.GetSequence(), lastEpoch, lastSequence)
			}
			lastEpoch, lastSequence = r.GetEpoch(), r.GetSequence()
			taken++
		}
	}
	epoch, sequence := int64(1), int64(0)
	for _, s := range steps {
		switch {
		case s < 200:
			o.put(result(epoch, max(0, sequence-int64(s%16))), int(s%32), now)
			put++
			sequence += random.Int64N(3)
		case s < 250:
			now = now.Add(time.Duration(s-199) * time.Millisecond)
		default:
			epoch, sequence = epoch+1, random.Int64N(5)
		}
		take()
		if o.held() > 9 || len(o.gaps) > 2*keptGaps {
			t.Fatalf("%d are held, %d gaps", o.held(), len(o.gaps))
		}
	}
	now = now.Add(time.Second)
	take()
	if all := uint64(taken) + o.stats.Late + o.stats.Duplicate; all != put || o.stats.Invalid != 0 {
		t.Fatalf("%d were put, %d came out: %+v", put, all, o.stats)
	}
}

func FuzzOrder(f *testing.F) {
	f.Add(uint64(1), []byte{0, 0, 0, 1, 3, 2, 240, 0, 255, 0, 1, 0})
	f.Add(uint64(2), []byte{5, 4, 3, 2, 1, 0, 249, 5, 4, 3, 255, 254, 0})
	f.Fuzz(func(t *testing.T, seed uint64, steps []byte) { checkOrder(t, seed, steps[:min(len(steps), 4096)]) })
}
