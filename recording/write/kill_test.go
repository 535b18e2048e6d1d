package write_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/recording/read"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/repair"
	"github.com/waldo-robot/waldo/recording/write"
)

// recordForever turns the test into a program that records four cameras and 1,000 structs a second until it is killed.
const recordForever = "WALDO_TEST_RECORD"

// sent is the file beside a recording in which its program notes what it has handed over: it outlives the program.
func sent(path string) string { return path + ".sent" }

// recordUntilKilled is the program.
func recordUntilKilled(path string) error {
	f, err := write.Create(path, write.Head{}, write.Config{})
	if err != nil {
		return err
	}
	notes, err := os.Create(sent(path))
	if err != nil {
		return err
	}
	var channels [5]write.Channel
	for i, name := range []string{"a", "b", "c", "d"} {
		if channels[i], err = f.Add(recordingtest.Video(name)); err != nil {
			return err
		}
	}
	if channels[4], err = f.Add(recordingtest.State("motors")); err != nil {
		return err
	}
	begin := time.Now()
	for n, pictures := 0, 0; ; time.Sleep(time.Millisecond) {
		for now := time.Since(begin); time.Duration(n)*time.Millisecond < now; n++ {
			at := begin.Add(time.Duration(n) * time.Millisecond)
			if err := f.Write(channels[4], write.Message{Logged: at, Sequence: uint32(n), Data: make([]byte, 40)}); err != nil {
				return err
			}
			if pictures*1000/30 <= n {
				for _, c := range channels[:4] {
					m := write.Message{Logged: at, Sequence: uint32(pictures), Key: pictures%30 == 0, Data: make([]byte, 8333)}
					if err := f.Write(c, m); err != nil {
						return err
					}
				}
				pictures++
			}
			note := binary.LittleEndian.AppendUint64(nil, uint64(begin.UnixNano()))
			if _, err := notes.WriteAt(binary.LittleEndian.AppendUint64(note, uint64(at.UnixNano())), 0); err != nil {
				return err
			}
		}
	}
}

// kill starts the program, kills it at a random moment of three seconds, repairs what it left behind, and checks that.
// It returns how much is missing at the end.
func kill(t testing.TB, path string) (missing time.Duration, err error) {
	program, err := os.Executable()
	if err != nil {
		return 0, err
	}
	c := exec.CommandContext(t.Context(), program)
	c.Env = append(os.Environ(), recordForever+"="+path)
	if err := c.Start(); err != nil {
		return 0, err
	}
	for t.Context().Err() == nil {
		if about, err := os.Stat(sent(path)); err == nil && about.Size() > 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	time.Sleep(rand.N(3 * time.Second))
	_ = c.Process.Kill() // it fails only if it has ended
	_ = c.Wait()         // it was killed
	notes, err := os.ReadFile(sent(path))
	if err != nil || len(notes) < 16 {
		return 0, fmt.Errorf("%d bytes of notes: %w", len(notes), err)
	}
	first, last := time.Unix(0, int64(binary.LittleEndian.Uint64(notes))),
		time.Unix(0, int64(binary.LittleEndian.Uint64(notes[8:])))
	_, err = repair.File(path + write.PartSuffix)
	if errors.Is(err, repair.ErrEmpty) {
		return last.Sub(first), nil
	}
	if err != nil {
		return 0, err
	}
	end, err := checkKilled(path)
	return last.Sub(end), err
}

// checkKilled checks that the messages of each channel are the first ones, each once and in order, and returns the time
// of the last one.
func checkKilled(path string) (end time.Time, err error) {
	f, err := read.Open(path)
	if err != nil {
		return end, err
	}
	defer func() { _ = f.Close() }() // it was read only
	next := map[uint16]uint32{}
	messages := f.Messages(read.Query{})
	for {
		m, err := messages.Next()
		if errors.Is(err, io.EOF) {
			return end, errors.Join(f.Damage(), messages.Damage())
		}
		if err != nil {
			return end, err
		}
		if m.Sequence != next[m.Channel.ID] {
			return end, fmt.Errorf("%s: message %d of %s where %d is next", path, m.Sequence, m.Channel.Record.Topic,
				next[m.Channel.ID])
		}
		next[m.Channel.ID]++
		end = m.Logged
	}
}

// killMany does it so many times, a few at once, and returns the longest that was missing.
func killMany(t testing.TB, times, atOnce int) (most time.Duration) {
	t.Helper()
	folder := t.TempDir()
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for n := range times {
		slots <- struct{}{}
		wg.Go(func() {
			path := filepath.Join(folder, fmt.Sprintf("%d.mcap", n))
			missing, err := kill(t, path)
			if err != nil {
				t.Error(err)
			}
			_ = os.Remove(path) // the folder is removed anyway
			mu.Lock()
			most = max(most, missing)
			mu.Unlock()
			<-slots
		})
	}
	wg.Wait()
	return most
}

// TestKill: a recording whose program was killed can be read after a repair, and has each message once.
func TestKill(t *testing.T) { killMany(t, 5, 5) }

// BenchmarkRecordKill kills 200 times, and reports the longest time that is missing at the end of a recording.
func BenchmarkRecordKill(b *testing.B) {
	for b.Loop() {
		most := killMany(b, 200, 4)
		b.ReportMetric(most.Seconds(), "missing_s_max")
		b.ReportMetric(0, "ns/op")
	}
}
