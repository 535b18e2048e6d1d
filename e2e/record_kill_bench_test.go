package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/recording/folder"
	"github.com/waldo-robot/waldo/recording/read"
	"github.com/waldo-robot/waldo/recording/write"
)

// life is that of one process of a recorder.
type life struct {
	began  time.Time // its first file
	killed time.Time // zero: it was not
}

// BenchmarkRecordKills kills the recorder 200 times, at random moments of three seconds, while it records four cameras,
// sound and 1,000 structs a second. Afterwards every file has to open, the messages of each stream have to be there
// once and in order, without a hole but for the crashes, and all of it has to be one recording. It reports how much is
// missing before a crash and around it, and how late messages come to the recorder: on a busy machine that, and the
// disk, are what more than the time of a chunk is missing for. WALDO_RECORD_KILLS=20 kills less often.
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
	lives := []life{r.awaitLife(b, 0)}
	for n := range kills {
		time.Sleep(rand.N(3 * time.Second)) // a random moment
		q, err := r.about.GetDevice(b.Context(), &devicev1.GetDeviceRequest{})
		if err != nil {
			b.Fatal(err)
		}
		lives[n].killed = time.Now()
		harness.Crash(b, int(q.GetDevice().GetPid()))
		lives = append(lives, r.awaitLife(b, q.GetDevice().GetEpoch()))
	}
	time.Sleep(2 * time.Second) // so that something is recorded after the last one
	one := r.stop(b)
	list, err := folder.New(r.folder).List()
	if err != nil || len(list) != 1 || len(list[0].GetFiles()) != len(one.GetFiles()) ||
		strings.Contains(list[0].GetProblem(), "the file before") {
		b.Errorf("%d recordings, %v: %v", len(list), err, list)
	}
	times, late := r.once(b, one)
	before, around := missingOf(lives, times)
	for what, found := range map[string][]float64{"missing": before, "gap": around, "late": late} {
		slices.Sort(found)
		for name, q := range map[string]float64{"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1} {
			b.ReportMetric(harness.Quantile(found, q), what+"_s_"+name)
		}
	}
	b.ReportMetric(float64(len(one.GetFiles())), "files")
	b.ReportMetric(0, "ns/op")
	over, _ := slices.BinarySearch(before, 1)
	load, _ := os.ReadFile("/proc/loadavg") // for people
	b.Logf("more than 1 s is missing before %d of %d crashes, %.2f s at most; load %s", len(before)-over, len(before),
		before[len(before)-1], load)
}

// awaitLife waits until another process than that of an epoch records.
func (r *recordRig) awaitLife(b *testing.B, before int64) life {
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
	open, err := filepath.Glob(filepath.Join(r.folder, "*"+write.PartSuffix))
	if err != nil || len(open) != 1 {
		b.Fatalf("files are open: %v, %v", open, err)
	}
	var about unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, open[0], 0, unix.STATX_BTIME, &about); err != nil ||
		about.Mask&unix.STATX_BTIME == 0 {
		b.Fatalf("the file system does not say when a file began: %v", err)
	}
	return life{began: time.Unix(about.Btime.Sec, int64(about.Btime.Nsec))}
}

// once checks that the messages of each stream are there once, in order, and without holes in a file. It returns their
// times, and how many seconds after their capture those are.
func (r *recordRig) once(b *testing.B, one *recorderv1.Recording) (times []time.Time, late []float64) {
	b.Helper()
	last := map[string]int64{}
	for _, name := range one.GetFiles() {
		in := map[string]bool{}
		r.numbered(b, name, func(m read.Message) {
			of, at := m.Channel.Record.Topic, int64(m.Sequence)
			if before, has := last[of]; has && (at <= before || in[of] && at != before+1) {
				b.Errorf("%s: message %d of %s comes after %d", name, at, of, before)
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
	return times, late
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
