package shared

import (
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
)

const (
	maxSlots, minSlots = 8, 3
	maxBytes           = 256 << 20
)

// Memory is what a device shares with its readers. Use [New].
type Memory struct {
	log     *slog.Logger
	written prometheus.Counter
	handed  prometheus.Counter
	create  func(epoch int64, size, slots int) (*ring, error)

	mu    sync.Mutex
	users map[any]*user
	bytes int  // of all rings
	told  bool // that the kernel gives no memory
}

// user is what the readers of the same frames have in common.
type user struct {
	shares int // guarded by Memory.mu

	mu   sync.Mutex
	ring *ring // nil while nothing has been written; for pictures of the present size
}

// Share is one reader's part.
type Share struct {
	memory *Memory
	key    any
	user   *user
	once   sync.Once
}

// New returns a memory without rings. Both log and metrics are required.
func New(log *slog.Logger, metrics prometheus.Registerer) *Memory {
	m := &Memory{
		log: log, users: map[any]*user{}, create: newRing,
		written: prometheus.NewCounter(prometheus.CounterOpts{Name: "waldo_camera_shared_written_total",
			Help: "Pictures written to memory that is shared with readers on this machine, once for all who want the same."}),
		handed: prometheus.NewCounter(prometheus.CounterOpts{Name: "waldo_camera_shared_handed_total",
			Help: "Pictures that readers were sent to take from shared memory."}),
	}
	metrics.MustRegister(m.written, m.handed)
	return m
}

// Join adds a reader. Readers with the same key, which must be comparable, get the same frames. Close the share.
func (m *Memory) Join(key any) *Share {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.users[key]
	if u == nil {
		u = &user{}
		m.users[key] = u
	}
	u.shares++
	return &Share{memory: m, key: key, user: u}
}

// Place returns where the reader finds the data of a frame; nil if it has to be in the message. Frames of readers with
// the same key are told apart by their sequence.
func (s *Share) Place(f *mediav1.VideoFrame) *camerav1.SharedPicture {
	data := f.GetData()
	if len(data) == 0 {
		return nil
	}
	s.user.mu.Lock()
	defer s.user.mu.Unlock()
	if !s.memory.fit(s.user, f.GetEpoch(), len(data)) {
		return nil
	}
	p, written := s.user.ring.put(f.GetSequence(), data)
	if written {
		s.memory.written.Inc()
	}
	s.memory.handed.Inc()
	return p
}

// fit makes a ring for pictures of a size, if there is none. The caller holds the user's mu. The old ring is closed
// after the new one was opened, so that within a call the same path is always the same memory.
func (m *Memory) fit(u *user, epoch int64, size int) bool {
	if u.ring != nil && u.ring.size == size {
		return true
	}
	old := u.ring
	u.ring = m.open(epoch, size)
	m.end(old)
	return u.ring != nil
}

// open returns a ring, or nil.
func (m *Memory) open(epoch int64, size int) *ring {
	m.mu.Lock()
	defer m.mu.Unlock()
	slots := min(maxSlots, (maxBytes-m.bytes)/slotSize(size))
	if slots < minSlots {
		return nil
	}
	r, err := m.create(epoch, size, slots)
	if err != nil {
		if !m.told {
			m.told = true
			m.log.Warn("memory cannot be shared, so readers on this machine get pictures in messages", "error", err)
		}
		return nil
	}
	m.bytes += len(r.memory)
	return r
}

// end ends a ring, if there is one.
func (m *Memory) end(r *ring) {
	if r == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bytes -= len(r.memory)
	r.close()
}

// Close removes the reader. The last one with its key ends the ring.
func (s *Share) Close() {
	s.once.Do(func() {
		if !s.memory.leave(s) {
			return
		}
		s.user.mu.Lock()
		defer s.user.mu.Unlock()
		s.memory.end(s.user.ring)
		s.user.ring = nil
	})
}

// leave reports whether a share was the last of its key.
func (m *Memory) leave(s *Share) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.user.shares--; s.user.shares > 0 {
		return false
	}
	delete(m.users, s.key)
	return true
}
