package presence

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	fleetv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/fleet/v1"
	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/pkg/text"
)

const (
	// announceEvery is how long an announcer is silent at most.
	announceEvery = 10 * time.Second
	// announceGap is how long it is silent at least: changes, and questions, in that time are answered together.
	announceGap = time.Second
	// maxTold is how many devices a robot tells of.
	maxTold = 256
	// maxReason bounds the reason of a device's state, in bytes.
	maxReason = 200
	// kind is the kind under which announcers serve on the bus.
	kind = "robot"
)

// AnnouncerConfig describes a robot.
type AnnouncerConfig struct {
	// Robot is its name.
	Robot string
	// Version of the program, in the form 1.2.3.
	Version string
	// Expected are the devices of robot.yaml: name, and kind if known.
	Expected []*devicev1.Device
	// Drive is how the robot is driven; nil: that is not configured.
	Drive *signalingv1.Drive
	// Log may be nil.
	Log *slog.Logger
}

// Announcer tells a hub about its robot.
type Announcer struct {
	fleetv1.UnimplementedRobotServiceServer

	conn    *bus.Conn
	subject string
	begun   *fleetv1.RobotState // without devices
	drive   atomic.Pointer[signalingv1.Drive]
	devices *Devices
	service *bus.Service
	asked   *bus.Subscription[*fleetv1.Ask]
	forget  func()
	wake    chan struct{} // holds a token when the state is to be told
	cancel  context.CancelFunc
	ended   sync.WaitGroup
}

// Announce starts to tell of a robot on its own bus, from which the hub gets what it wants.
func Announce(conn *bus.Conn, c AnnouncerConfig) (*Announcer, error) {
	address := bus.Address{Robot: c.Robot, Device: bus.RobotDevice}
	a := &Announcer{
		conn: conn, subject: address.State(), wake: make(chan struct{}, 1),
		begun: &fleetv1.RobotState{
			Robot: c.Robot, Epoch: access.NewID(), Version: c.Version, StartTime: timestamppb.Now(),
		},
	}
	a.drive.Store(c.Drive)
	if err := a.open(address, c); err != nil {
		a.close()
		return nil, err
	}
	a.forget = conn.OnConnect(a.tell)
	ctx, cancel := context.WithCancel(context.Background())
	a.cancel = cancel
	a.ended.Go(func() { a.listen(ctx) })
	a.ended.Go(func() { a.run(ctx) })
	return a, nil
}

// open opens everything on the bus.
func (a *Announcer) open(address bus.Address, c AnnouncerConfig) (err error) {
	a.devices, err = FollowDevices(a.conn, c.Robot, DevicesConfig{Expected: c.Expected, Log: c.Log})
	if err != nil {
		return err
	}
	if a.asked, err = bus.Subscribe[*fleetv1.Ask](a.conn, bus.AskRobots, stream.Latest()); err != nil {
		return err
	}
	a.service, err = a.conn.Serve(bus.ServiceConfig{
		Address: address, Kind: kind, Version: c.Version, Epoch: a.begun.GetEpoch(),
	})
	if err != nil {
		return err
	}
	return a.service.RegisterService(&fleetv1.RobotService_ServiceDesc, a)
}

// Change replaces what robot.yaml says: the devices that are expected, and how the robot is driven.
func (a *Announcer) Change(expected []*devicev1.Device, drive *signalingv1.Drive) {
	a.drive.Store(drive)
	a.devices.Expect(expected)
	a.tell()
}

// Close says goodbye and ends the announcer.
func (a *Announcer) Close() {
	a.forget()
	a.cancel()
	a.asked.Close()
	a.ended.Wait()
	last := a.state()
	last.Leaving = true
	_ = a.conn.Publish(a.subject, last) // without a bus the silence says it
	a.close()
}

func (a *Announcer) close() {
	if a.service != nil {
		a.service.Close()
	}
	if a.asked != nil {
		a.asked.Close()
	}
	if a.devices != nil {
		a.devices.Close()
	}
}

// tell has the state published soon.
func (a *Announcer) tell() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func (a *Announcer) listen(ctx context.Context) {
	for _, err := range a.asked.All(ctx) {
		if err != nil {
			return
		}
		a.tell()
	}
}

// run publishes the state until ctx ends.
func (a *Announcer) run(ctx context.Context) {
	regular := time.NewTicker(announceEvery)
	defer regular.Stop()
	var told *fleetv1.RobotState
	for {
		_, changed := a.devices.List()
		state := a.state()
		if told == nil || !proto.Equal(state, told) {
			a.tell()
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
			continue // other changes of devices are none of a robot's
		case <-regular.C:
		case <-a.wake:
		}
		told = a.state()
		_ = a.conn.Publish(a.subject, told) // it is published again when the bus is back
		gap := time.NewTimer(announceGap)
		select {
		case <-ctx.Done():
			gap.Stop()
			return
		case <-gap.C:
		}
	}
}

// state is what there is to tell now.
func (a *Announcer) state() *fleetv1.RobotState {
	state := proto.CloneOf(a.begun)
	list, _ := a.devices.List()
	for _, s := range list.GetDevices() {
		if len(state.Devices) == maxTold {
			break
		}
		d := s.GetDevice()
		state.Devices = append(state.Devices, &fleetv1.RobotDevice{
			Name: d.GetName(), Kind: nameOrNone(d.GetKind()), State: d.GetState(), Gone: s.GetGone(),
			StateReason: short(text.Printable(d.GetStateReason())),
		})
	}
	return state
}

func nameOrNone(kind string) string {
	if text.IsName(kind) {
		return kind
	}
	return ""
}

// short cuts a reason to what may be told.
func short(reason string) string {
	if len(reason) > maxReason {
		reason = reason[:maxReason]
	}
	return strings.ToValidUTF8(reason, "")
}

// GetRobot implements fleetv1.RobotServiceServer.
func (a *Announcer) GetRobot(context.Context, *fleetv1.GetRobotRequest) (*fleetv1.GetRobotResponse, error) {
	return &fleetv1.GetRobotResponse{State: a.state(), Drive: a.drive.Load()}, nil
}
