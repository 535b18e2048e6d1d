package shared

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/logtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newMemory(t *testing.T) *Memory {
	m := New(logtest.New(t, slog.LevelDebug), prometheus.NewRegistry())
	t.Cleanup(func() {
		if m.bytes != 0 || len(m.users) != 0 {
			t.Errorf("%d bytes and %d users are left", m.bytes, len(m.users))
		}
	})
	return m
}

// frame has bytes that are all the same, and tell its sequence.
func frame(sequence int64, size int) *mediav1.VideoFrame {
	return &mediav1.VideoFrame{Epoch: 7, Sequence: sequence, Data: bytes.Repeat([]byte{byte(sequence)}, size)}
}

// step is what a reader is sent for a frame.
func step(t *testing.T, s *Share, f *mediav1.VideoFrame) *camerav1.StreamFramesResponse {
	t.Helper()
	p := s.Place(f)
	if p == nil {
		t.Fatalf("frame %d of %d bytes got no place", f.GetSequence(), len(f.GetData()))
	}
	return &camerav1.StreamFramesResponse{Frame: WithData(f, nil), Shared: p}
}

func expect(t *testing.T, r *Reader, s *camerav1.StreamFramesResponse, want *mediav1.VideoFrame) {
	t.Helper()
	if got, err := r.Read(s, nil); err != nil || !proto.Equal(got, want) {
		t.Fatalf("frame %d: got %d of %d bytes, %v", want.GetSequence(), got.GetSequence(), len(got.GetData()), err)
	}
}

func TestEachFrameIsWrittenOnce(t *testing.T) {
	m := newMemory(t)
	a, b, other := m.Join("bgr"), m.Join("bgr"), m.Join("yuyv")
	defer a.Close()
	defer b.Close()
	defer other.Close()
	var ofA, ofB, ofOther Reader
	defer ofA.Close()
	defer ofB.Close()
	defer ofOther.Close()
	for i := range int64(3 * maxSlots) {
		f := frame(i, 1000)
		expect(t, &ofA, step(t, a, f), f)
		expect(t, &ofB, step(t, b, f), f)
		if i%2 == 0 {
			expect(t, &ofOther, step(t, other, f), f)
		}
	}
	if w, h := testutil.ToFloat64(m.written), testutil.ToFloat64(m.handed); w != 4.5*maxSlots || h != 7.5*maxSlots {
		t.Errorf("%v pictures written and %v handed over, want %v and %v", w, h, 4.5*maxSlots, 7.5*maxSlots)
	}
	if a.Place(&mediav1.VideoFrame{}) != nil {
		t.Error("a frame without data got a place")
	}
}

func TestASlowReaderLosesWhatWasReplaced(t *testing.T) {
	m := newMemory(t)
	s := m.Join("bgr")
	defer s.Close()
	var r Reader
	defer r.Close()
	var steps []*camerav1.StreamFramesResponse
	for i := range int64(maxSlots + 2) {
		steps = append(steps, step(t, s, frame(i, 5000)))
	}
	for i, one := range steps {
		if i < 2 {
			if f, err := r.Read(one, nil); !errors.Is(err, ErrLost) {
				t.Errorf("frame %d was replaced, and read as %v, %v", i, f, err)
			}
			continue
		}
		expect(t, &r, one, frame(int64(i), 5000))
	}
}

func TestPicturesChangeSize(t *testing.T) {
	m := newMemory(t)
	s := m.Join("bgr")
	defer s.Close()
	var r Reader
	defer r.Close()
	paths := map[string]bool{}
	var late *camerav1.StreamFramesResponse
	for i, size := range []int{1000, 90_000, 1000, 1001} {
		f := frame(int64(i), size)
		one := step(t, s, f)
		if i > 0 && one.GetShared().GetPath() == late.GetShared().GetPath() {
			t.Error("the memory has changed, and its path has not")
		}
		late = one
		paths[one.GetShared().GetPath()] = true
		expect(t, &r, one, f)
	}
	if len(m.users) != 1 || m.bytes != maxSlots*slotSize(1001) {
		t.Errorf("%d bytes are shared, want one ring of %d", m.bytes, maxSlots*slotSize(1001))
	}
}

// A reader that maps a ring for ever keeps nothing of it, and reads nothing from it.
// TestMemoryWithThePathOfAnother: a reader that was sent nothing while pictures had another size notices that the
// memory it knows is not that of the same path any more.
func TestMemoryWithThePathOfAnother(t *testing.T) {
	m := newMemory(t)
	s := m.Join("bgr")
	defer s.Close()
	var r Reader
	defer r.Close()
	sizes := []int{1000, 200000, 1000}
	before := step(t, s, frame(0, sizes[0]))
	expect(t, &r, before, frame(0, sizes[0]))
	step(t, s, frame(1, sizes[1]))
	if f, err := r.Read(before, nil); !errors.Is(err, ErrLost) {
		t.Errorf("from memory that has ended: %v, %v", f, err)
	}
	after := step(t, s, frame(2, sizes[2]))
	if before.GetShared().GetPath() != after.GetShared().GetPath() {
		t.Skip("another goroutine has taken the descriptor")
	}
	expect(t, &r, after, frame(2, sizes[2]))
}

func TestARingThatHasEndedIsGone(t *testing.T) {
	m := newMemory(t)
	s := m.Join("bgr")
	one := step(t, s, frame(1, 100_000))
	var r Reader
	defer r.Close()
	expect(t, &r, one, frame(1, 100_000))
	kept, err := os.Open(one.GetShared().GetPath())
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	s.Close()
	s.Close()
	var stat unix.Stat_t
	if err := unix.Fstat(int(kept.Fd()), &stat); err != nil || stat.Blocks != 0 || stat.Size == 0 {
		t.Errorf("a ring that has ended has %d blocks and %d bytes, %v", stat.Blocks, stat.Size, err)
	}
	if f, err := r.Read(one, nil); !errors.Is(err, ErrLost) {
		t.Errorf("a ring that has ended gave %v, %v", f, err)
	}
	if err := os.Truncate(one.GetShared().GetPath(), 0); err == nil {
		t.Error("the memory could be truncated under its readers")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	m := newMemory(t)
	const size = maxBytes / 2 / maxSlots // with its pages a little more than that
	a, b, c := m.Join("a"), m.Join("b"), m.Join("c")
	step(t, a, frame(0, size))
	p := b.Place(frame(0, size))
	if slots := p.GetLength() / int64(slotSize(size)); slots != maxSlots-1 {
		t.Errorf("the second ring has %d slots, want what is left, %d", slots, maxSlots-1)
	}
	if m.bytes > maxBytes {
		t.Errorf("%d bytes are shared, and %d are the limit", m.bytes, maxBytes)
	}
	if p := c.Place(frame(0, size)); p != nil {
		t.Errorf("there is no room, and the picture is at %v", p)
	}
	a.Close()
	step(t, c, frame(1, size))
	b.Close()
	c.Close()
}

func TestWithoutSharedMemoryPicturesGoInMessages(t *testing.T) {
	var log logtest.Text
	m := newMemory(t)
	m.log = slog.New(slog.NewTextHandler(&log, nil))
	m.create = func(int64, int, int) (*ring, error) { return nil, unix.ENOSYS }
	s := m.Join("bgr")
	defer s.Close()
	for i := range int64(3) {
		if p := s.Place(frame(i, 10)); p != nil {
			t.Fatalf("frame %d is at %v", i, p)
		}
	}
	if n := strings.Count(log.String(), "cannot be shared"); n != 1 {
		t.Errorf("reported %d times, want once:\n%s", n, log.String())
	}
}

// A writer that never waits, and readers that check every byte.
func TestNoPictureIsTorn(t *testing.T) {
	m := newMemory(t)
	const size, readers = 200_000, 3
	shares := make([]*Share, readers)
	for i := range shares {
		shares[i] = m.Join("bgr")
		defer shares[i].Close()
	}
	latest := make(chan *camerav1.StreamFramesResponse)
	writer, done := m.Join("bgr"), make(chan struct{})
	defer writer.Close()
	var owned sync.WaitGroup
	defer owned.Wait()
	owned.Go(func() {
		for i := int64(0); ; i++ {
			f := frame(i%251, size)
			f.Sequence = i
			one := step(t, writer, f)
			select {
			case latest <- one:
			case <-done:
				return
			default:
			}
		}
	})
	var reading sync.WaitGroup
	for range readers {
		reading.Go(func() {
			var r Reader
			defer r.Close()
			var buffer []byte
			for whole := 0; whole < 50; {
				one := <-latest
				f, err := r.Read(one, buffer)
				if errors.Is(err, ErrLost) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				want := byte(f.GetSequence() % 251)
				if n := bytes.Count(f.GetData(), []byte{want}); n != size {
					t.Errorf("frame %d: %d of %d bytes are its own", f.GetSequence(), n, size)
					return
				}
				buffer, whole = f.GetData(), whole+1
			}
		})
	}
	reading.Wait()
	close(done)
}

// places are what a device, or whoever says it is one, may send.
func places(good *camerav1.SharedPicture) map[string]*camerav1.SharedPicture {
	change := func(f func(*camerav1.SharedPicture)) *camerav1.SharedPicture {
		p := proto.CloneOf(good)
		f(p)
		return p
	}
	return map[string]*camerav1.SharedPicture{
		"a file":            change(func(p *camerav1.SharedPicture) { p.Path = "/etc/passwd" }),
		"a path with more":  change(func(p *camerav1.SharedPicture) { p.Path = "/proc/1/fd/1/../../mem" }),
		"nothing there":     change(func(p *camerav1.SharedPicture) { p.Path = "/proc/1/fd/987654" }),
		"no memory":         change(func(p *camerav1.SharedPicture) { p.Path = fmt.Sprintf("/proc/%d/fd/0", os.Getpid()) }),
		"longer":            change(func(p *camerav1.SharedPicture) { p.Length += 4096 }),
		"shorter":           change(func(p *camerav1.SharedPicture) { p.Length -= 4096 }),
		"huge":              change(func(p *camerav1.SharedPicture) { p.Length = 1 << 62 }),
		"no length":         change(func(p *camerav1.SharedPicture) { p.Length = 0 }),
		"version before":    change(func(p *camerav1.SharedPicture) { p.VersionOffset = -8 }),
		"version behind":    change(func(p *camerav1.SharedPicture) { p.VersionOffset = p.Length }),
		"version off":       change(func(p *camerav1.SharedPicture) { p.VersionOffset = 4 }),
		"version odd":       change(func(p *camerav1.SharedPicture) { p.Version = 3 }),
		"data before":       change(func(p *camerav1.SharedPicture) { p.DataOffset = -1 }),
		"data behind":       change(func(p *camerav1.SharedPicture) { p.DataOffset = p.Length }),
		"data too long":     change(func(p *camerav1.SharedPicture) { p.DataLength = p.Length + 1 }),
		"data far too long": change(func(p *camerav1.SharedPicture) { p.DataLength = 1<<63 - 1 }),
		"less than no data": change(func(p *camerav1.SharedPicture) { p.DataLength = -1 }),
	}
}

func TestReaderRefusesWhatCannotBe(t *testing.T) {
	m := newMemory(t)
	s := m.Join("bgr")
	defer s.Close()
	good := step(t, s, frame(1, 1000))
	for name, p := range places(good.GetShared()) {
		var r Reader
		f, err := r.Read(&camerav1.StreamFramesResponse{Frame: good.GetFrame(), Shared: p}, nil)
		if !errors.Is(err, ErrNotShared) {
			t.Errorf("%s: got %v, %v", name, f, err)
		}
		r.Close()
	}
	elsewhere := proto.CloneOf(good)
	elsewhere.Frame.Epoch = 8 // the same process id in another container
	var r Reader
	defer r.Close()
	if _, err := r.Read(elsewhere, nil); !errors.Is(err, ErrNotShared) {
		t.Errorf("the memory of another device was read: %v", err)
	}
	inside := &camerav1.StreamFramesResponse{Frame: frame(2, 10)}
	expect(t, &r, inside, inside.GetFrame())
}

func FuzzCheck(f *testing.F) {
	good := &camerav1.SharedPicture{Path: "/proc/1/fd/3", Length: 8192, Version: 2, DataOffset: 64, DataLength: 1000}
	for _, p := range places(good) {
		f.Add(p.GetPath(), p.GetLength(), p.GetVersionOffset(), p.GetVersion(), p.GetDataOffset(), p.GetDataLength())
	}
	memory := make([]byte, 1<<16)
	f.Fuzz(func(t *testing.T, path string, length, versionOffset, version, dataOffset, dataLength int64) {
		p := &camerav1.SharedPicture{Path: path, Length: length, VersionOffset: versionOffset, Version: version,
			DataOffset: dataOffset, DataLength: dataLength}
		if check(p) != nil || length > int64(len(memory)) {
			return
		}
		mapping := memory[:length]
		_ = word(mapping, int(versionOffset))
		_ = mapping[dataOffset : dataOffset+dataLength]
	})
}
