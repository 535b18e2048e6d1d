package foxglove

import (
	"context"
	"log/slog"
	"sync"
	"time"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	playerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/player/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
)

const (
	// playerKind is the kind of device that plays a recording, playerStream its stream of states.
	playerKind, playerStream = "player", "player"
	// playerTimeout is how long a player may take to say where it is.
	playerTimeout = 2 * time.Second
	playerQueue   = 64
	// minSpeed and maxSpeed are what players take.
	minSpeed, maxSpeed = 0.1, 10
)

// player follows the player of a robot that is replayed; other robots have none. It is safe for concurrent use.
type player struct {
	conn      *bus.Conn
	robot     string
	directory Directory
	log       *slog.Logger
	settled   chan struct{} // closed when it is known whether there is a player

	mu      sync.Mutex
	device  string // empty: none
	state   *playerv1.PlayerState
	heard   time.Time
	changed chan struct{} // closed and replaced at each change
}

func newPlayer(conn *bus.Conn, robot string, d Directory, log *slog.Logger) *player {
	return &player{conn: conn, robot: robot, directory: d, log: log, settled: make(chan struct{}),
		changed: make(chan struct{})}
}

// run follows the player until ctx ends.
func (p *player) run(ctx context.Context) {
	settle := sync.OnceFunc(func() { close(p.settled) })
	defer settle()
	for ctx.Err() == nil {
		device, changed := p.find()
		if device != "" {
			p.runOne(ctx, device, changed, settle)
			continue
		}
		settle()
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
}

// runOne follows a player until it is not there any more.
func (p *player) runOne(ctx context.Context, device string, changed <-chan struct{}, settle func()) {
	ctx, stop := context.WithCancel(ctx)
	var following sync.WaitGroup
	defer p.set("", nil)
	defer following.Wait()
	defer stop()
	following.Go(func() { p.follow(ctx, device, settle) })
	for still := device; still == device; still, changed = p.find() {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// find returns the player that is ready; empty if there is none.
func (p *player) find() (device string, changed <-chan struct{}) {
	list, changed := p.directory.List()
	for _, s := range list.GetDevices() {
		d := s.GetDevice()
		if d.GetKind() == playerKind && !s.GetGone() && d.GetState() == devicev1.DeviceState_DEVICE_STATE_READY {
			return d.GetName(), changed
		}
	}
	return "", changed
}

// follow keeps the state of a player until ctx ends, and tells when it is known for the first time, or has not come.
func (p *player) follow(ctx context.Context, device string, settle func()) {
	defer settle()
	address := bus.Address{Robot: p.robot, Device: device}
	states, err := bus.Subscribe[*playerv1.PlayerState](p.conn, address.Out(playerStream), stream.DropOldest(playerQueue))
	if err != nil {
		p.log.Warn("the player is not followed", "error", err)
		return
	}
	defer states.Close()
	defer p.conn.Hold(address, playerStream, "foxglove").Close()
	asked, cancel := context.WithTimeout(ctx, playerTimeout)
	r, err := playerv1.NewPlayerServiceClient(p.conn.Client(address)).GetPlayer(asked, &playerv1.GetPlayerRequest{})
	cancel()
	if err == nil {
		p.set(device, r.GetState())
	}
	settle()
	for state, err := range states.All(ctx) {
		if err != nil {
			return
		}
		p.set(device, state)
	}
}

// set takes over a state, unless a newer one of the same life is known: a call's answer may overtake the stream.
func (p *player) set(device string, s *playerv1.PlayerState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s != nil && p.device == device && p.state.GetEpoch() == s.GetEpoch() &&
		s.GetClock().AsDuration() < p.state.GetClock().AsDuration() {
		return
	}
	p.device, p.state, p.heard = device, s, time.Now()
	close(p.changed)
	p.changed = make(chan struct{})
}

// place is where a player is in its recording.
type place struct {
	device     string // empty: there is no player
	name       string // of the recording
	start, end time.Time
	at         time.Time
	jump       int64
	epoch      int64
	status     playbackStatus
	speed      float64
}

// sameRecording reports whether two places are in the same recording.
func (p place) sameRecording(o place) bool {
	return p.device == o.device && p.name == o.name && p.start.Equal(o.start) && p.end.Equal(o.end)
}

// now returns the time in the recording at a time by the clock here, or that itself if there is no player.
func (p *player) now(now time.Time) time.Time {
	at, _ := p.place(now)
	if at.device == "" {
		return now
	}
	return at.at
}

// place returns where the player is, and a channel that is closed when that is no longer so.
func (p *player) place(now time.Time) (place, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return placeOf(p.device, p.state, now.Sub(p.heard)), p.changed
}

// placeOf returns where a player is that said so some time ago. Its clock is that of another machine, perhaps, and does
// not count here.
func placeOf(device string, s *playerv1.PlayerState, ago time.Duration) place {
	if s == nil {
		return place{}
	}
	offset, length := s.GetOffset().AsDuration(), max(s.GetDuration().AsDuration(), 0)
	at := place{device: device, name: s.GetName(), start: s.GetStartTime().AsTime(), jump: s.GetJump(),
		epoch: s.GetEpoch(), status: paused, speed: s.GetSpeed()}
	at.end = at.start.Add(length)
	switch {
	case s.GetEnded():
		at.status = ended
	case s.GetPlaying():
		at.status = playing
		offset += time.Duration(float64(max(ago, 0)) * min(max(s.GetSpeed(), 0), maxSpeed))
	}
	at.at = at.start.Add(min(max(offset, 0), length))
	return at
}
