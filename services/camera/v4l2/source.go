package v4l2

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/source"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
)

// Config is what to request from the camera. The zero value leaves everything as it is.
type Config struct {
	Width, Height int              // 0: the driver's current setting
	FrameRate     float64          // 0: the driver's current setting
	Format        string           // MJPEG, H264, YUYV, NV12, I420, BGR24; empty or auto: the cheapest
	Controls      map[string]int64 // set when the camera is opened
}

// probeInterval is how often an idle camera is checked for being unplugged.
const probeInterval = 500 * time.Millisecond

// node is the V4L2 layer, one open device node. Tests replace it. Errors are those of package source.
type node interface {
	identity() (identity, error)
	modes() ([]mode, error) // what the hardware lists
	current() (mode, error) // the present setting
	set(mode) error         // a request; current returns the outcome
	streamer
	controls() ([]control, error)
	setControl(id uint32, value int64) error
	close() error
}

// streamer is the part of a node that delivers pictures.
type streamer interface {
	// stream calls deliver for each picture until ctx ends. When it returns, streaming is off and no buffers are held.
	stream(ctx context.Context, deliver func(buffer)) error
}

// identity is what a device node reports about itself.
type identity struct {
	driver, card, bus string
	capture           bool // single-planar video capture by streaming
	planar            bool // multi-planar capture only
}

// buffer is a filled buffer of the driver. Its data is valid only during the call it was given to.
type buffer struct {
	data     []byte
	damaged  bool
	sequence uint32
	time     time.Time // wall clock
}

// control is a setting, with the driver's number for it.
type control struct {
	id uint32
	source.Control
}

// Source is a V4L2 camera. See package source.
type Source struct {
	path  string
	node  node
	mode  mode
	info  source.Info
	ended chan struct{}

	mu     sync.Mutex // orders the use of node and its closing
	users  sync.WaitGroup
	closed bool
}

// Open opens a device node, also by one of the names under /dev/v4l, and configures it. Where one of them is the
// reason, the error wraps device.ErrAway, ErrBusy or ErrNotCamera.
func Open(_ context.Context, path string, config Config) (*Source, error) {
	n, err := openKernel(path)
	if err != nil {
		return nil, err
	}
	return open(path, n, config)
}

func open(path string, n node, config Config) (*Source, error) {
	s := &Source{path: path, node: n, ended: make(chan struct{})}
	if err := s.setUp(config); err != nil {
		_ = n.close() // the first error counts
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func (s *Source) setUp(config Config) error {
	id, err := s.node.identity()
	switch {
	case err != nil:
		return err
	case id.planar:
		return fmt.Errorf("%w: it captures in several planes, which Waldo does not support", source.ErrNotCamera)
	case !id.capture:
		return fmt.Errorf("%w: use another device of %q, for example one under /dev/v4l/by-id that ends in index0",
			source.ErrNotCamera, id.card)
	}
	listed, err := s.node.modes()
	if err != nil {
		return err
	}
	offers := offers(listed)
	now, err := s.node.current()
	if err != nil {
		return err
	}
	if !offers.have(config.Format) {
		return fmt.Errorf("format: the camera does not offer %s: remove the key, or use one of %s", config.Format,
			offers.names())
	}
	if err := s.node.set(choose(offers, config, now)); err != nil {
		return err
	}
	if s.mode, err = s.node.current(); err != nil {
		return err
	}
	if _, known := layoutOf(s.mode.fourcc); !known {
		return fmt.Errorf("%w: the driver chose the pixel format %s, which Waldo does not support; it offers %s",
			source.ErrNotCamera, fourccName(s.mode.fourcc), offers)
	}
	if len(config.Controls) > 0 {
		if err := s.SetControls(config.Controls); err != nil {
			return err
		}
	}
	s.info = s.describe(id, offers)
	return nil
}

func (s *Source) describe(id identity, offers offers) source.Info {
	info := source.Info{
		Current: s.mode.format(),
		Attributes: map[string]string{
			"driver": id.driver, "card": id.card, "bus": id.bus, "path": s.path, "fourcc": fourccName(s.mode.fourcc),
		},
	}
	for _, l := range layouts {
		for _, o := range offers {
			if f := o.format(); o.fourcc == l.fourcc && media.Validate(f) == nil {
				info.Native = append(info.Native, f)
			}
		}
	}
	if len(info.Native) == 0 { // a driver that lists nothing still has its present setting
		info.Native = []*mediav1.VideoFormat{info.Current}
	}
	return info
}

// Info describes the camera as its driver does.
func (s *Source) Info() source.Info { return s.info }

// use keeps the node open until the function it returns is called.
func (s *Source) use() (done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("%s: %w: closed", s.path, device.ErrAway)
	}
	s.users.Add(1)
	return s.users.Done, nil
}

// Capture implements source.Source.
func (s *Source) Capture(ctx context.Context, deliver func(source.Frame)) error {
	if ctx.Err() != nil {
		return nil
	}
	done, err := s.use()
	if err != nil {
		return err
	}
	defer done()
	streaming, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-s.ended:
			cancel()
		case <-streaming.Done():
		}
	}()
	intake := intake{mode: s.mode, format: s.info.Current, deliver: deliver}
	err = s.node.stream(streaming, intake.take)
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		return fmt.Errorf("%s: %w", s.path, err)
	}
	return fmt.Errorf("%s: %w: closed", s.path, device.ErrAway)
}

// Watch implements source.Watcher. It asks the driver for its name, which costs one system call and fails once the
// device is gone.
func (s *Source) Watch(ctx context.Context) error {
	probe := time.NewTicker(probeInterval)
	defer probe.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.ended:
			return nil
		case <-probe.C:
		}
		if err := s.probe(); err != nil {
			return err
		}
	}
}

func (s *Source) probe() error {
	done, err := s.use()
	if err != nil {
		return nil // closed on purpose
	}
	defer done()
	if _, err := s.node.identity(); err != nil {
		return fmt.Errorf("%s: %w: it was unplugged", s.path, device.ErrAway)
	}
	return nil
}

// Close implements source.Source.
func (s *Source) Close() error {
	s.mu.Lock()
	first := !s.closed
	if first {
		s.closed = true
		close(s.ended)
	}
	s.mu.Unlock()
	s.users.Wait()
	if !first {
		return nil
	}
	return s.node.close()
}

// Controls implements source.Controller.
func (s *Source) Controls() ([]source.Control, error) {
	done, err := s.use()
	if err != nil {
		return nil, err
	}
	defer done()
	all, err := s.node.controls()
	if err != nil {
		return nil, err
	}
	return plain(all), nil
}

func plain(all []control) []source.Control {
	out := make([]source.Control, 0, len(all))
	for _, c := range all {
		out = append(out, c.Control)
	}
	return out
}

// SetControls implements source.Controller. Values are set in the driver's order, in which switches (automatic
// exposure) come before what they govern.
func (s *Source) SetControls(values map[string]int64) error {
	done, err := s.use()
	if err != nil {
		return err
	}
	defer done()
	all, err := s.node.controls()
	if err != nil {
		return err
	}
	if err := source.CheckValues(plain(all), values); err != nil {
		return err
	}
	for _, c := range all {
		if v, wanted := values[c.Name]; wanted {
			if err := s.node.setControl(c.id, v); err != nil {
				return fmt.Errorf("control %q: %w", c.Name, err)
			}
		}
	}
	return nil
}
