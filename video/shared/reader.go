package shared

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/text"
)

// Errors of a [Reader].
var (
	// ErrLost says that the slot was used again before the picture was read: the reader was slow. The next response has
	// a newer one.
	ErrLost = errors.New("the picture in shared memory was replaced before it was read")
	// ErrNotShared says that the memory cannot be opened, because the device is on another machine, in a container, or
	// belongs to another user, or that it is not what it should be. Call StreamFrames again without shared_memory.
	ErrNotShared = errors.New("the memory of the device cannot be read here")
)

// maxLength bounds what a reader maps.
const maxLength = 1 << 30

var memoryPath = text.Pattern(`^/proc/[1-9][0-9]{0,9}/fd/[0-9]{1,9}$`)

// Reader takes pictures of one call of StreamFrames, for programs in Go. The zero value is ready to use, by one
// goroutine. Close it.
type Reader struct {
	path   string
	memory []byte
	fence  atomic.Uint32
}

// Read returns the frame of a response with its data, which it appends to buffer[:0] if they are in shared memory. The
// errors are ErrLost, or wrap ErrNotShared.
func (r *Reader) Read(response *camerav1.StreamFramesResponse, buffer []byte) (*mediav1.VideoFrame, error) {
	f, p := response.GetFrame(), response.GetShared()
	if p == nil {
		return f, nil
	}
	if err := check(p); err != nil {
		return nil, err
	}
	if mapped := p.GetPath() == r.path && p.GetLength() == int64(len(r.memory)); !mapped || r.ended(p) {
		if err := r.open(p, f.GetEpoch()); err != nil && mapped {
			return nil, ErrLost
		} else if err != nil {
			return nil, err
		}
	}
	version, want := word(r.memory, int(p.GetVersionOffset())), littleEndian(uint64(p.GetVersion()))
	if atomic.LoadUint64(version) != want {
		return nil, ErrLost
	}
	buffer = append(buffer[:0], r.memory[p.GetDataOffset():p.GetDataOffset()+p.GetDataLength()]...)
	r.fence.Store(0) // the picture is read before this, and the version after it; see ring.write
	if atomic.LoadUint64(version) != want {
		return nil, ErrLost
	}
	return WithData(f, buffer), nil
}

// WithData returns a frame with other data.
func WithData(f *mediav1.VideoFrame, data []byte) *mediav1.VideoFrame {
	return &mediav1.VideoFrame{
		Epoch: f.GetEpoch(), Sequence: f.GetSequence(), CaptureTime: f.GetCaptureTime(), Format: f.GetFormat(),
		KeyFrame: f.GetKeyFrame(), Data: data, Metadata: f.GetMetadata(), ReplayTime: f.GetReplayTime(),
	}
}

// check checks numbers that come from outside.
func check(p *camerav1.SharedPicture) error {
	length := p.GetLength()
	switch {
	case !memoryPath().MatchString(p.GetPath()):
		return fmt.Errorf("%w: path %q is not /proc/<pid>/fd/<n>", ErrNotShared, p.GetPath())
	case length <= 0 || length > maxLength:
		return fmt.Errorf("%w: length is %d, must be 1 to %d", ErrNotShared, length, maxLength)
	case p.GetVersionOffset() < 0 || p.GetVersionOffset() > length-8 || p.GetVersionOffset()%8 != 0:
		return fmt.Errorf("%w: version_offset is %d of %d", ErrNotShared, p.GetVersionOffset(), length)
	case p.GetVersion() <= 0 || p.GetVersion()%2 != 0:
		return fmt.Errorf("%w: version is %d, must be even", ErrNotShared, p.GetVersion())
	case p.GetDataLength() < 0 || p.GetDataLength() > length:
		return fmt.Errorf("%w: data_length is %d of %d", ErrNotShared, p.GetDataLength(), length)
	case p.GetDataOffset() < 0 || p.GetDataOffset() > length-p.GetDataLength():
		return fmt.Errorf("%w: data_offset is %d of %d", ErrNotShared, p.GetDataOffset(), length)
	}
	return nil
}

// ended reports whether memory that is mapped has been given back. Another may have its path since: when pictures have
// changed their size twice, and the reader was sent none in between.
func (r *Reader) ended(p *camerav1.SharedPicture) bool {
	return atomic.LoadUint64(word(r.memory, int(p.GetVersionOffset()))) == 0
}

// open maps the memory of a device with an epoch, instead of what was mapped before. What has another name belongs to
// somebody else: a process id means another process in another container.
func (r *Reader) open(p *camerav1.SharedPicture, epoch int64) error {
	if target, err := os.Readlink(p.GetPath()); err != nil || target != "/memfd:"+name(epoch)+" (deleted)" {
		return fmt.Errorf("%w: %s is %q: %w", ErrNotShared, p.GetPath(), target, cmp.Or(err, os.ErrNotExist))
	}
	fd, err := unix.Open(p.GetPath(), unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrNotShared, p.GetPath(), err)
	}
	defer func() { _ = unix.Close(fd) }()
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil || stat.Size != p.GetLength() {
		return fmt.Errorf("%w: %s has %d bytes, not %d", ErrNotShared, p.GetPath(), stat.Size, p.GetLength())
	}
	if set, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0); err != nil || set&unix.F_SEAL_SHRINK == 0 {
		return fmt.Errorf("%w: %s may shrink", ErrNotShared, p.GetPath())
	}
	memory, err := unix.Mmap(fd, 0, int(p.GetLength()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrNotShared, p.GetPath(), err)
	}
	r.Close()
	r.path, r.memory = p.GetPath(), memory
	return nil
}

// Close gives the mapping back. It may be called more than once.
func (r *Reader) Close() {
	if r.memory != nil {
		_ = unix.Munmap(r.memory) // cannot fail for what Mmap returned
	}
	r.path, r.memory = "", nil
}
