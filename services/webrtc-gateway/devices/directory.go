package devices

import (
	"crypto/rand"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/presence"
	"github.com/waldo-robot/waldo/pkg/turns"
)

// Config adjusts a directory; the zero value works.
type Config struct {
	// Expected are the devices that robot.yaml names: name, and kind if known.
	Expected []*devicev1.Device
	// Log may be nil.
	Log *slog.Logger
}

// Directory knows the devices of one robot.
type Directory struct {
	*presence.Devices

	conn   *bus.Conn
	robot  string
	holder string // of limits, see Limit

	mu     sync.Mutex
	stills map[string]*turns.Queue[size, *mediav1.VideoFrame]
}

// New returns a directory that follows the bus. Open feeds must be closed separately.
func New(conn *bus.Conn, robot string, c Config) (*Directory, error) {
	d := &Directory{
		conn: conn, robot: robot, holder: "gateway " + rand.Text()[:8],
		stills: make(map[string]*turns.Queue[size, *mediav1.VideoFrame]),
	}
	var err error
	d.Devices, err = presence.FollowDevices(conn, robot,
		presence.DevicesConfig{Expected: c.Expected, Forgot: d.forgot, Log: c.Log})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// forgot drops what is kept of a device.
func (d *Directory) forgot(device string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.stills, device)
}

// Check returns nil for a known device, present or not. For others it returns codes.NotFound with the known ones.
func (d *Directory) Check(device string) error {
	if known, _, _ := d.Get(device); known != nil {
		return nil
	}
	names := d.Names()
	if len(names) == 0 {
		return status.Errorf(codes.NotFound, "there is no device %q; no device of robot %q has announced itself yet: is "+
			"it running?", device, d.robot)
	}
	return status.Errorf(codes.NotFound, "there is no device %q; there are: %s", device, strings.Join(names, ", "))
}

// CheckAccepts returns nil for a device that accepts a stream, or that has not announced itself yet. For others it
// returns codes.FailedPrecondition.
func (d *Directory) CheckAccepts(device, name string) error {
	_, known, _ := d.Get(device)
	if info := d.streamInfo(device, name); known && info.GetDirection() != devicev1.StreamDirection_STREAM_DIRECTION_IN {
		return status.Errorf(codes.FailedPrecondition, "%s accepts no stream %q", device, name)
	}
	return nil
}

// CheckHas returns nil for a device that produces one of these streams, or that has not announced itself yet. For
// others it returns codes.FailedPrecondition.
func (d *Directory) CheckHas(device string, names ...string) error {
	known, heard, _ := d.Get(device)
	if !heard {
		return nil
	}
	for _, s := range known.GetDevice().GetStreams() {
		if s.GetDirection() == devicev1.StreamDirection_STREAM_DIRECTION_OUT && slices.Contains(names, s.GetName()) {
			return nil
		}
	}
	return status.Errorf(codes.FailedPrecondition, "%s has no %s", device, strings.Join(names, " and no "))
}

// streamInfo returns the description of a device's stream, nil if there is none.
func (d *Directory) streamInfo(device, name string) *devicev1.StreamInfo {
	known, _, _ := d.Get(device)
	for _, s := range known.GetDevice().GetStreams() {
		if s.GetName() == name {
			return s
		}
	}
	return nil
}
