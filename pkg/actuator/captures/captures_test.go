package captures_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/actuator/captures"
	"github.com/waldo-robot/waldo/pkg/control"
)

const ms = time.Millisecond

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// capture is an announcement: captured at a time of the camera's clock, and sent so much later.
func capture(epoch int64, at, age time.Duration) *mediav1.Capture {
	return &mediav1.Capture{Epoch: epoch, CaptureTime: timestamppb.New(noon.Add(at)), Age: durationpb.New(age)}
}

func TestFind(t *testing.T) {
	type heard struct {
		now       control.Clock
		epoch     int64
		time, age time.Duration
	}
	for name, tt := range map[string]struct {
		heard []heard
		now   control.Clock
		seen  time.Duration
		want  control.Clock
		known bool
	}{
		"nothing":              {nil, 0, 0, 0, false},
		"one":                  {[]heard{{100 * ms, 1, 5 * ms, 20 * ms}}, 200 * ms, 5 * ms, 80 * ms, true},
		"before the process":   {[]heard{{10 * ms, 1, 0, 20 * ms}}, 200 * ms, 0, -10 * ms, true},
		"rounded down":         {[]heard{{100 * ms, 1, 5 * ms, 20 * ms}}, 200 * ms, 4 * ms, 80 * ms, true},
		"rounded up":           {[]heard{{100 * ms, 1, 5 * ms, 20 * ms}}, 200 * ms, 6 * ms, 80 * ms, true},
		"another":              {[]heard{{100 * ms, 1, 5 * ms, 20 * ms}}, 200 * ms, 6*ms + 1, 0, false},
		"too old":              {[]heard{{0, 1, 0, 0}}, captures.Kept + 1, 0, 0, false},
		"old enough to matter": {[]heard{{0, 1, 0, 0}}, captures.Kept, 0, 0, true},
		"the clock was set back: the older one counts": {[]heard{{100 * ms, 1, 0, 0}, {1100 * ms, 1, 1 * ms, 0}}, 1200 * ms,
			1 * ms, 100 * ms, true},
		"the other end of the bus stalled": {[]heard{{100 * ms, 1, 0, 0}, {900 * ms, 1, 33 * ms, 0}}, 900 * ms, 33 * ms,
			133 * ms, true},
		"it has always been so slow": {[]heard{{900 * ms, 1, 33 * ms, 0}, {933 * ms, 1, 66 * ms, 0}}, 940 * ms, 33 * ms,
			900 * ms, true},
		"the first announcement was late": {[]heard{{900 * ms, 1, 33 * ms, 0}, {910 * ms, 1, 66 * ms, 0}}, 910 * ms, 33 * ms,
			877 * ms, true},
		"late, and another life is not": {[]heard{{900 * ms, 1, 33 * ms, 0}, {910 * ms, 2, 66 * ms, 0}}, 910 * ms, 33 * ms,
			900 * ms, true},
		"the clock was set forward since": {[]heard{{0, 1, 0, 0}, {33 * ms, 1, time.Hour, 0}}, 40 * ms, 0, 33*ms - time.Hour,
			true},
		"it was faster long ago": {[]heard{{0, 1, 0, 0}, {captures.Window + 900*ms, 1, captures.Window, 0}},
			captures.Window + 900*ms, captures.Window, captures.Window + 900*ms, true},
		"it was faster in another life": {[]heard{{0, 1, 0, 0}, {900 * ms, 2, 33 * ms, 0}}, 900 * ms, 33 * ms, 900 * ms,
			true},
		"the clock was set forward": {[]heard{{0, 1, 0, 0}, {33 * ms, 1, time.Hour, 0}}, 40 * ms, time.Hour, 33 * ms, true},
		"an age that is to come":    {[]heard{{100 * ms, 1, 0, -time.Hour}}, 200 * ms, 0, 100 * ms, true},
	} {
		t.Run(name, func(t *testing.T) {
			var r captures.Ring
			for _, h := range tt.heard {
				if !r.Add(h.now, capture(h.epoch, h.time, h.age)) {
					t.Errorf("%+v makes no sense", h)
				}
			}
			at, known := r.Find(tt.now, timestamppb.New(noon.Add(tt.seen)))
			if at != tt.want || known != tt.known {
				t.Errorf("%v, %v; want %v, %v", at, known, tt.want, tt.known)
			}
		})
	}
}

func senseless() map[string]*mediav1.Capture {
	return map[string]*mediav1.Capture{
		"empty":               {},
		"no time":             {CaptureTime: &timestamppb.Timestamp{Nanos: -1}},
		"no age":              {CaptureTime: timestamppb.New(noon)},
		"no valid age":        {CaptureTime: timestamppb.New(noon), Age: &durationpb.Duration{Seconds: 1, Nanos: -1}},
		"an age of an hour":   {CaptureTime: timestamppb.New(noon), Age: durationpb.New(time.Hour)},
		"the year 9999":       {CaptureTime: timestamppb.New(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))},
		"the year 1":          {CaptureTime: timestamppb.New(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC))},
		"an age for ever":     {CaptureTime: timestamppb.New(noon), Age: &durationpb.Duration{Seconds: 315_576_000_000}},
		"a negative for ever": {CaptureTime: timestamppb.New(noon), Age: &durationpb.Duration{Seconds: math.MinInt64}},
	}
}

func TestSenseless(t *testing.T) {
	var r captures.Ring
	for name, c := range senseless() {
		if r.Add(0, c) {
			t.Errorf("%s is taken: %v", name, c)
		}
	}
	for _, seen := range []*timestamppb.Timestamp{nil, {}, {Seconds: math.MaxInt64}, {Nanos: -1}} {
		if _, known := r.Find(0, seen); known {
			t.Errorf("%v is known", seen)
		}
	}
}

// TestBounds has a camera that announces far too much.
func TestBounds(t *testing.T) {
	var r captures.Ring
	for i := range 3 * captures.Size {
		r.Add(control.Clock(i)*ms, capture(1, time.Duration(i)*10*ms, 0))
	}
	if at, ever := r.Heard(); !ever || at != control.Clock(3*captures.Size-1)*ms {
		t.Errorf("the last one came at %v, %v", at, ever)
	}
	now, known := control.Clock(3*captures.Size)*ms, 0
	for i := range 3 * captures.Size {
		if at, ok := r.Find(now, timestamppb.New(noon.Add(time.Duration(i)*10*ms))); ok {
			known++
			if i < 2*captures.Size || at > control.Clock(i)*ms {
				t.Fatalf("picture %d was captured at %v", i, at)
			}
		}
	}
	if known != captures.Size {
		t.Errorf("%d are known", known)
	}
}

// TestNeverNewer plays random histories of a camera whose clock is set and which restarts, on a bus that loses, delays
// and reorders: no picture ever looks newer than it is by more than the least delay that the bus has had, from the
// window before its announcement until now, with a clock that was not set back since.
func TestNeverNewer(t *testing.T) {
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 0))
		var r captures.Ring
		type message struct {
			c                 *mediav1.Capture
			captured, arrives control.Clock
			sent              control.Clock
			clock             time.Duration // of the camera, as it was set
		}
		var flying []message
		var arrived []message
		clock, epoch, stall := time.Duration(random.Int64N(int64(time.Hour))), int64(1), control.Clock(0)
		for now := control.Clock(0); now < 12*time.Second; now += 33 * ms {
			switch random.IntN(60) {
			case 0:
				clock += time.Duration(random.Int64N(int64(4*time.Second))) - 2*time.Second // it is set
			case 1:
				epoch++
			case 2:
				stall = now + time.Duration(random.Int64N(int64(2*time.Second)))
			}
			age := time.Duration(random.IntN(30)) * ms
			sent := now + age
			m := message{capture(epoch, clock+now, age), now, max(sent+time.Duration(random.IntN(20))*ms, stall), sent,
				clock}
			if random.IntN(20) > 0 {
				flying = append(flying, m)
			}
			slices.SortStableFunc(flying, func(a, b message) int { return cmp.Compare(a.arrives, b.arrives) })
			for len(flying) > 0 && flying[0].arrives <= now {
				r.Add(flying[0].arrives, flying[0].c)
				arrived, flying = append(arrived, flying[0]), flying[1:]
			}
			if len(arrived) == 0 {
				continue
			}
			number := random.IntN(len(arrived))
			asked := arrived[number]
			if asked.arrives < now-captures.Kept {
				continue // its time may be that of another by now
			}
			at, known := r.Find(now, asked.c.GetCaptureTime())
			if !known {
				t.Fatalf("history %d: a picture of %v ago is not known", seed, now-asked.captured)
			}
			least := time.Hour
			for _, m := range arrived {
				if m.c.GetEpoch() == asked.c.GetEpoch() && m.arrives >= asked.arrives-captures.Window && m.clock >= asked.clock {
					least = min(least, m.arrives-m.sent)
				}
			}
			if newer := at - asked.captured; newer > least {
				t.Fatalf("history %d: a picture looks %v newer than it is; the least delay was %v", seed, newer, least)
			}
		}
	}
}

// FuzzAdd takes announcements as they come from the bus, and times as they come with commands.
func FuzzAdd(f *testing.F) {
	for _, c := range senseless() {
		data, err := proto.Marshal(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, int64(5), int64(0), int32(0))
	}
	data, err := proto.Marshal(capture(1, 0, 20*ms))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data, int64(time.Second), noon.Unix(), int32(0))
	f.Fuzz(func(t *testing.T, data []byte, now, seconds int64, nanos int32) {
		var c mediav1.Capture
		if now < 0 || now > int64(100*365*24*time.Hour) || proto.Unmarshal(data, &c) != nil {
			return
		}
		var r captures.Ring
		took := r.Add(control.Clock(now), &c)
		at, known := r.Find(control.Clock(now), &timestamppb.Timestamp{Seconds: seconds, Nanos: nanos})
		if known && (!took || at > control.Clock(now) || at < control.Clock(now)-time.Minute) {
			t.Errorf("captured at %v, told at %v", at, now)
		}
		if at, known := r.Find(control.Clock(now), c.GetCaptureTime()); known != took || at > control.Clock(now) {
			t.Errorf("taken: %v; known: %v, %v", took, at, known)
		}
	})
}
