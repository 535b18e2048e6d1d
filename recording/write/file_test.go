package write_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/foxglove/mcap/go/mcap"
	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/recording/index"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/repair"
	"github.com/waldo-robot/waldo/recording/write"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(fullDisk); path != "" {
		os.Exit(fillDisk(path))
	}
	if path := os.Getenv(recordForever); path != "" {
		fmt.Println(recordUntilKilled(path))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// memory is a disk in memory.
type memory struct {
	mu   sync.Mutex
	data []byte
	room int // bytes that fit; 0: any number
	slow chan struct{}
}

var errNoRoom = errors.New("no room")

// Write implements io.Writer.
func (m *memory) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(p)
	if m.room > 0 {
		n = min(n, m.room-len(m.data))
	}
	m.data = append(m.data, p[:n]...)
	if n < len(p) {
		return n, errNoRoom
	}
	return n, nil
}

// Sync takes until somebody sends to slow, if there is one.
func (m *memory) Sync() error {
	if m.slow != nil {
		<-m.slow
	}
	return nil
}

// Close implements io.Closer.
func (m *memory) Close() error { return nil }

func (m *memory) index(t *testing.T) *index.Index {
	t.Helper()
	x, err := index.Load(bytes.NewReader(m.data), int64(len(m.data)))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// perChunk returns how many messages each chunk has.
func (m *memory) perChunk(t *testing.T) (counts []int) {
	t.Helper()
	x := m.index(t)
	for _, c := range x.Chunks {
		n := 0
		for _, at := range c.MessageIndexOffsets {
			n += int(m.data[at+9+2])/16 + int(m.data[at+9+3])<<4
		}
		counts = append(counts, n)
	}
	return counts
}

// TestChunks: chunks end by size and by time, and rather before a key frame.
func TestChunks(t *testing.T) {
	type step struct {
		wait time.Duration // before it
		size int
		key  bool
	}
	small, key := step{size: 10}, step{size: 10, key: true}
	after := func(s step, wait time.Duration) step { s.wait = wait; return s }
	for _, tt := range []struct {
		what  string
		steps []step
		want  []int
	}{
		{"nothing", nil, nil},
		{"one", []step{small}, []int{1}},
		{"a second", []step{small, after(small, 700*time.Millisecond), after(small, 200*time.Millisecond)}, []int{2, 1}},
		{"a second, from the first message", []step{after(small, 5*time.Second), after(small, 700*time.Millisecond)},
			[]int{2}},
		{"size", []step{{size: 6000}, {size: 6000}, {size: 6000}}, []int{2, 1}},
		{"larger than a chunk", []step{small, {size: 50_000}, small}, []int{2, 1}},
		{"a key frame soon after another", []step{key, after(key, 100*time.Millisecond)}, []int{2}},
		{"a key frame after half a second", []step{key, small, after(key, 600*time.Millisecond), small}, []int{2, 2}},
		{"a key frame after half a chunk", []step{{size: 6000}, small, key, small}, []int{2, 2}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				disk := &memory{}
				f, err := write.CreateOn(disk, write.Config{ChunkBytes: 11_000})
				if err != nil {
					t.Fatal(err)
				}
				c := recordingtest.Add(t, f, recordingtest.State("motors"))
				for _, s := range tt.steps {
					time.Sleep(s.wait)
					synctest.Wait()
					if err := f.Write(c, write.Message{Logged: time.Now(), Data: make([]byte, s.size), Key: s.key}); err != nil {
						t.Fatal(err)
					}
				}
				if err := f.Complete(); err != nil {
					t.Fatal(err)
				}
				got := disk.perChunk(t)
				if len(tt.steps) == 0 && len(got) == 1 && got[0] == 0 {
					got = nil // it only defines the channel
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("%v", got)
				}
			})
		})
	}
}

// TestDurable: what was written a second ago is on the disk, whole, without a later message.
func TestDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &memory{}
		f, err := write.CreateOn(disk, write.Config{})
		if err != nil {
			t.Fatal(err)
		}
		c := recordingtest.Add(t, f, recordingtest.State("motors"))
		before := f.Written()
		if err := f.Write(c, write.Message{Logged: time.Now(), Data: []byte("hello")}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if f.Written() <= before || f.Written() != int64(len(disk.data)) {
			t.Errorf("%d of %d bytes", f.Written(), len(disk.data))
		}
		x := disk.index(t)
		if x.Statistics.MessageCount != 1 || x.Whole || x.End != f.Written() {
			t.Errorf("%d messages, to %d", x.Statistics.MessageCount, x.End)
		}
		if err := f.Complete(); err != nil {
			t.Fatal(err)
		}
		if x := disk.index(t); !x.Whole || !x.Indexed || x.Damage != nil {
			t.Errorf("%+v", x)
		}
	})
}

// TestSlowDisk: a disk that is too slow costs whole chunks, which are counted, and never holds up who writes; what a
// lost chunk defined is not lost.
func TestSlowDisk(t *testing.T) {
	disk := &memory{slow: make(chan struct{}, 1)}
	disk.slow <- struct{}{} // for what the file begins with
	f, err := write.CreateOn(disk, write.Config{ChunkBytes: 1000, QueueBytes: 2500, ChunkTime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	a := recordingtest.Add(t, f, recordingtest.State("a"))
	for range 20 { // 3 of them wait, all of 20 messages
		for range 20 {
			if err := f.Write(a, write.Message{Logged: recordingtest.Begin, Data: make([]byte, 50)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	lost := f.Lost()
	if lost < 300 {
		t.Errorf("%d are lost", lost)
	}
	b := recordingtest.Add(t, f, recordingtest.State("b"))
	for range 20 {
		if err := f.Write(b, write.Message{Logged: recordingtest.Begin, Data: make([]byte, 50)}); err != nil {
			t.Fatal(err)
		}
	}
	close(disk.slow)
	for f.Stats().Bytes > f.Written()+2000 { // until there is room again
		time.Sleep(time.Millisecond)
	}
	if err := f.Write(b, write.Message{Logged: recordingtest.Begin, Data: []byte("last")}); err != nil {
		t.Fatal(err)
	}
	stats := f.Stats()
	if err := f.Complete(); err != nil {
		t.Fatal(err)
	}
	x := disk.index(t)
	if x.Damage != nil || len(x.Channels) != 2 || x.Statistics.MessageCount != stats.Messages ||
		stats.Messages+stats.Lost != 421 || x.Statistics.ChannelMessageCounts[1] == 0 {
		t.Errorf("%+v, %+v, %v", stats, x.Statistics, x.Damage)
	}
}

// TestFullDisk: the first error is kept, nothing is taken after it, and what was written before stays whole.
func TestFullDisk(t *testing.T) {
	disk := &memory{room: 30_000}
	f, err := write.CreateOn(disk, write.Config{ChunkBytes: 4000})
	if err != nil {
		t.Fatal(err)
	}
	c := recordingtest.Add(t, f, recordingtest.State("motors"))
	written := uint64(0)
	for {
		if err = f.Write(c, write.Message{Logged: recordingtest.Begin, Data: make([]byte, 100)}); err != nil {
			break
		}
		written++
		time.Sleep(10 * time.Microsecond) // as long as it is not full
	}
	<-f.Failed()
	if !errors.Is(err, errNoRoom) || !errors.Is(f.Err(), errNoRoom) {
		t.Errorf("%v, %v", err, f.Err())
	}
	if _, err := f.Add(recordingtest.State("b")); !errors.Is(err, errNoRoom) {
		t.Errorf("another channel: %v", err)
	}
	if err := f.Complete(); !errors.Is(err, errNoRoom) {
		t.Errorf("at the end: %v", err)
	}
	x, stats := disk.index(t), f.Stats()
	if err := x.CheckLast(bytes.NewReader(disk.data), int64(len(disk.data))); err != nil {
		t.Fatal(err)
	}
	if got := x.Statistics.MessageCount; got == 0 || got > stats.Messages || stats.Messages+stats.Lost != written {
		t.Errorf("%d messages are whole, %+v of %d", got, stats, written)
	}
}

// TestNoRoomAtAll: what a file begins with does not fit.
func TestNoRoomAtAll(t *testing.T) {
	if _, err := write.CreateOn(&memory{room: 20}, write.Config{}); !errors.Is(err, errNoRoom) {
		t.Error(err)
	}
}

// TestClock: times never go back in a file, and those that cannot be are not believed.
func TestClock(t *testing.T) {
	disk := &memory{}
	f, err := write.CreateOn(disk, write.Config{})
	if err != nil {
		t.Fatal(err)
	}
	c := recordingtest.Add(t, f, recordingtest.State("motors"))
	begin := recordingtest.Begin
	for _, at := range []time.Time{begin, begin.Add(-time.Hour), begin.Add(time.Second), {},
		time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if err := f.Write(c, write.Message{Logged: at, Published: at}); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Complete(); err != nil {
		t.Fatal(err)
	}
	s := disk.index(t).Statistics
	if s.MessageStartTime != uint64(begin.UnixNano()) || s.MessageEndTime != uint64(begin.Add(time.Second).UnixNano()) {
		t.Errorf("from %d to %d", s.MessageStartTime, s.MessageEndTime)
	}
	if stats := f.Stats(); !stats.First.Equal(begin) || !stats.Last.Equal(begin.Add(time.Second)) || stats.Messages != 5 {
		t.Errorf("%+v", stats)
	}
}

// TestEmptyChunk: what defines channels without messages changes nothing of the times of a file.
func TestEmptyChunk(t *testing.T) {
	disk := &memory{}
	f, err := write.CreateOn(disk, write.Config{ChunkBytes: 100})
	if err != nil {
		t.Fatal(err)
	}
	a := recordingtest.Add(t, f, recordingtest.State("a"))
	if err := f.Write(a, write.Message{Logged: recordingtest.Begin, Data: make([]byte, 200)}); err != nil {
		t.Fatal(err)
	}
	recordingtest.Add(t, f, recordingtest.State("b"))
	if err := f.Complete(); err != nil {
		t.Fatal(err)
	}
	r, err := mcap.NewReader(bytes.NewReader(disk.data))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	info, err := r.Info()
	if err != nil {
		t.Fatal(err)
	}
	if s := info.Statistics; s.ChunkCount != 2 || s.ChannelCount != 2 || s.MessageStartTime != s.MessageEndTime ||
		s.MessageStartTime != uint64(recordingtest.Begin.UnixNano()) {
		t.Errorf("%+v", s)
	}
}

// TestSum: the checksum is that of the file.
func TestSum(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drive.mcap")
	f := recordingtest.Record(t, path, 100, 1000, write.Config{ChunkBytes: 20_000})
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := sha256.Sum256(data); f.Sum() != want {
		t.Errorf("%x, not %x", f.Sum(), want)
	}
}

// TestRefused: what cannot be written, and when.
func TestRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drive.mcap")
	f := recordingtest.Record(t, path, 2, 1000, write.Config{})
	if _, err := write.Create(path, write.Head{}, write.Config{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the same file again: %v", err)
	}
	if _, err := repair.File(path + write.PartSuffix); !errors.Is(err, repair.ErrInUse) {
		t.Errorf("repair of what is being written: %v", err)
	}
	if err := f.Write(99, write.Message{}); err == nil || !strings.Contains(err.Error(), "no channel 99") {
		t.Error(err)
	}
	if err := f.Write(0, write.Message{Data: make([]byte, write.MaxMessage+1)}); err == nil ||
		!strings.Contains(err.Error(), "more than") {
		t.Error(err)
	}
	large := write.Attachment{Name: "a", Data: make([]byte, write.MaxAttachment+1)}
	if err := f.Attach(large); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Error(err)
	}
	if _, err := write.Create(path+"2", write.Head{Attachments: []write.Attachment{large}}, write.Config{}); err == nil {
		t.Error("a large attachment")
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Write(0, write.Message{}); !errors.Is(err, write.ErrClosed) {
		t.Error(err)
	}
	if _, err := f.Add(recordingtest.State("b")); !errors.Is(err, write.ErrClosed) {
		t.Error(err)
	}
	f.Abandon() // does nothing any more
	if _, err := write.Create(path, write.Head{}, write.Config{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a whole file: %v", err)
	}
	if _, err := write.Create(filepath.Join(path, "x"), write.Head{}, write.Config{}); err == nil {
		t.Error("a file in a file")
	}
}

// TestAllocations: messages cost no memory of their own.
func TestAllocations(t *testing.T) {
	f, err := write.CreateOn(&memory{}, write.Config{ChunkBytes: 1 << 30, ChunkTime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	c := recordingtest.Add(t, f, recordingtest.Video("front"))
	m := recordingtest.Picture(1, 100)
	for range 100_000 { // the chunk grows
		_ = f.Write(c, m) // it cannot fail
	}
	if n := testing.AllocsPerRun(10_000, func() { _ = f.Write(c, m) }); n > 0 {
		t.Errorf("%v allocations for a message", n)
	}
	f.Abandon()
}
