package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/recording/folder"
	"github.com/waldo-robot/waldo/recording/read"
)

// life is that of one process of a recorder.
type life struct {
	began  time.Time // nothing had come before that
	killed time.Time // zero: it was not
}

// BenchmarkRecordKills kills the recorder 200 times, at random moments of three seconds, while it records four cameras,
// sound and 1,000 structs a second. Afterwards every file has to open, the messages of each stream have to be there
// once and in order, and all of it has to be one recording. It reports how much is missing before a crash and around
// it, how many messages are missing elsewhere, and how late messages come to the recorder: on a busy machine that, and
// the disk, are what more than the time of a chunk is missing for. WALDO_RECORD_KILLS=20 kills less often.
func BenchmarkRecordKills(b *testing.B) {
	kills := short(200, 10)
	if text := os.Getenv("WALDO_RECORD_KILLS"); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			b.Fatalf("WALDO_RECORD_KILLS: %v", err)
		}
	}
	r := startRecordRig(b)
	r.start(b)
	r.awaitLife(b, 0)
	lives := []life{{}}
	for n := range kills {
		r.live(b, &lives[n], rand.N(3*time.Second))
		q, err := r.about.GetDevice(b.Context(), &devicev1.GetDeviceRequest{})
		if err != nil {
			b.Fatal(err)
		}
		lives[n].killed = time.Now()
		harness.Crash(b, int(q.GetDevice().GetPid()))
		r.awaitLife(b, q.GetDevice().GetEpoch())
		lives = append(lives, life{})
	}
	time.Sleep(2 * time.Second) // so that something is recorded after the last one
	one := r.stop(b)
	list, err := folder.New(r.folder).List()
	if err != nil || len(list) != 1 || len(list[0].GetFiles()) != len(one.GetFiles()) ||
		strings.Contains(list[0].GetProblem(), "the file before") {
		b.Errorf("%d recordings, %v: %v", len(list), err, list)
	}
	times, late, lost := r.once(b, one)
	before, around := missingOf(lives, times)
	for what, found := range map[string][]float64{"missing": before, "gap": around, "late": late} {
		slices.Sort(found)
		for name, q := range map[string]float64{"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1} {
			b.ReportMetric(harness.Quantile(found, q), what+"_s_"+name)
		}
	}
	b.ReportMetric(float64(len(one.GetFiles())), "files")
	b.ReportMetric(float64(lost), "lost")
	b.ReportMetric(0, "ns/op")
	over, _ := slices.BinarySearch(before, 1)
	load, _ := os.ReadFile("/proc/loadavg") // for people
	b.Logf("more than 1 s is missing before %d of %d crashes, %.2f s at most; load %s", len(before)-over, len(before),
		before[len(before)-1], load)
}

// awaitLife waits until another process than that of an epoch records.
func (r *recordRig) awaitLife(b *testing.B, before int64) {
	b.Helper()
	harness.Until(b, "the recorder records", func() error {
		ctx, cancel := context.WithTimeout(b.Context(), time.Second) // nobody answers what reached the one that was killed
		defer cancel()
		q, err := r.client.GetRecorder(ctx, &recorderv1.GetRecorderRequest{})
		if s := q.GetState(); err == nil &&
			(s.GetEpoch() == before || s.GetPhase() != recorderv1.RecorderPhase_RECORDER_PHASE_RECORDING) {
			err = fmt.Errorf("the state is %v", s)
		}
		return err
	})
}

// live lets a recorder live for a time, and looks when messages begin to come to it.
func (r *recordRig) live(b *testing.B, l *life, d time.Duration) {
	b.Helper()
	const few = 50 // states come before the streams are open
	first := int64(-1)
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(min(10*time.Millisecond, max(time.Until(end), 0))) {
		asked := time.Now()
		q, err := r.client.GetRecorder(b.Context(), &recorderv1.GetRecorderRequest{})
		if err != nil {
			b.Fatal(err)
		}
		count := q.GetState().GetRecording().GetMessageCount()
		if first < 0 {
			first = count
		}
		if count > first+few {
			time.Sleep(time.Until(end))
			return
		}
		l.began = asked
	}
	l.began = time.Now()
}

// once checks that the messages of each stream are there once and in order. It returns their times, how many seconds
// after their capture those are, and how many messages are missing in the middle of a file.
func (r *recordRig) once(b *testing.B, one *recorderv1.Recording) (times []time.Time, late []float64, lost int64) {
	b.Helper()
	last := map[string]int64{}
	for _, name := range one.GetFiles() {
		in, begin := map[string]bool{}, time.Time{}
		r.numbered(b, name, func(m read.Message) {
			of, at := m.Channel.Record.Topic, int64(m.Sequence)
			if begin.IsZero() {
				begin = m.Logged
			}
			before, has := last[of]
			switch {
			case has && at <= before:
				b.Errorf("%s: message %d of %s comes after %d", name, at, of, before)
			case in[of] && at != before+1:
				lost += at - before - 1
				b.Logf("%s: %d of %s are missing %v after it begins", name, at-before-1, of,
					m.Logged.Sub(begin).Round(time.Millisecond))
			}
			last[of], in[of] = at, true
			if n := len(times); n > 0 && m.Logged.Before(times[n-1]) {
				b.Errorf("%s: the time goes back from %v to %v", name, times[n-1], m.Logged)
			}
			times, late = append(times, m.Logged), append(late, m.Logged.Sub(m.Published).Seconds())
		})
	}
	if len(last) != recordedCameras+2 {
		b.Errorf("%d streams are recorded", len(last))
	}
	return times, late, lost
}

// missingOf returns of each crash how much of what was recorded is missing, in seconds, and from when to when nothing
// is there.
func missingOf(lives []life, times []time.Time) (before, around []float64) {
	for _, l := range lives {
		if l.killed.IsZero() {
			continue
		}
		n, _ := slices.BinarySearchFunc(times, l.killed, time.Time.Compare)
		last := l.began
		if n > 0 && times[n-1].After(last) {
			last = times[n-1]
		}
		before = append(before, l.killed.Sub(last).Seconds())
		if n > 0 && n < len(times) {
			around = append(around, times[n].Sub(times[n-1]).Seconds())
		}
	}
	return before, around
}
