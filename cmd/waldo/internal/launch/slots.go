package launch

import (
	"context"
	"maps"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	launcherv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/launcher/v1"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/supervise"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/robot"
)

const (
	// maxSlots is how many slots programs may have open.
	maxSlots = 16
	// maxTTL is how long a slot may stay without being renewed.
	maxTTL = time.Minute
	// lookTime is how long a device of the same name may take to show itself.
	lookTime = 500 * time.Millisecond
	// slotKind is the kind of device that is a slot.
	slotKind = "peer"
)

// contents are the values of the key `carries` of a slot.
var contents = map[launcherv1.SlotContent]string{
	launcherv1.SlotContent_SLOT_CONTENT_VIDEO:    "video",
	launcherv1.SlotContent_SLOT_CONTENT_MESSAGES: "messages",
}

// slot is a device that a program has opened, beside those of robot.yaml.
type slot struct {
	content launcherv1.SlotContent
	path    string    // of its program
	ends    time.Time // unless it is renewed
}

// process is what runs a slot.
func (s *slot) process(plan *Plan, name string) supervise.Process {
	return supervise.Process{
		Name: name, Path: s.path,
		Args: []string{"--robot", plan.robot.Name, "--device", name, "--carries", contents[s.content]},
		// It has no robot file, and what an operator has set for one device is not meant for it.
		Env: []string{"WALDO_ROBOT_FILE=", "WALDO_GRPC=", "WALDO_METRICS=", "WALDO_HTTP=", "WALDO_CALL=",
			"WALDO_TOKEN=" + plan.deviceToken(&robot.Device{Name: name, Kind: slotKind}), "WALDO_TOKEN_FILE=", noSeedFile},
	}
}

// OpenSlot implements LauncherService.
func (s *server) OpenSlot(ctx context.Context, r *launcherv1.OpenSlotRequest) (*launcherv1.OpenSlotResponse, error) {
	ttl, err := checkSlot(r)
	if err != nil {
		return nil, err
	}
	name := r.GetName()
	known, err := s.renew(name, r.GetContent(), ttl)
	switch {
	case err != nil:
		return nil, err
	case !known && ttl > 0:
		if err := s.look(ctx, name); err != nil {
			return nil, err
		}
		if err := s.open(name, r.GetContent(), ttl); err != nil {
			return nil, err
		}
	case ttl == 0:
		return &launcherv1.OpenSlotResponse{}, nil
	}
	if err := s.supervisor.Running(ctx, name); err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	return &launcherv1.OpenSlotResponse{}, nil
}

// checkSlot checks the fields of a request. The errors name them.
func checkSlot(r *launcherv1.OpenSlotRequest) (ttl time.Duration, err error) {
	if err := robot.CheckDeviceName(r.GetName()); err != nil {
		return 0, status.Errorf(codes.InvalidArgument, "name: %v", err)
	}
	if contents[r.GetContent()] == "" {
		return 0, status.Errorf(codes.InvalidArgument, "content: %v is not known: use SLOT_CONTENT_VIDEO or "+
			"SLOT_CONTENT_MESSAGES", r.GetContent())
	}
	if r.GetTtl() == nil || r.GetTtl().CheckValid() != nil {
		return 0, status.Errorf(codes.InvalidArgument, "ttl: is missing or not a duration: use 0 to %v", maxTTL)
	}
	ttl = r.GetTtl().AsDuration()
	if ttl < 0 || ttl > maxTTL {
		return 0, status.Errorf(codes.InvalidArgument, "ttl: %v is out of range: use 0 to %v", ttl, maxTTL)
	}
	return ttl, nil
}

// renew prolongs an open slot, or removes it at once if ttl is 0; false if there is none.
func (s *server) renew(name string, content launcherv1.SlotContent, ttl time.Duration) (known bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.renewed(name, content, ttl)
}

// renewed is renew for a caller that holds mu.
func (s *server) renewed(name string, content launcherv1.SlotContent, ttl time.Duration) (known bool, err error) {
	if d := s.plan.device(name); d != nil {
		return false, status.Errorf(codes.AlreadyExists, "name: %q is a device of the kind %s in %s: if that is peer, call "+
			"its Publish, otherwise use another name", name, d.Kind, s.plan.robot.File)
	}
	open := s.slots[name]
	switch {
	case open == nil:
		return false, nil
	case open.content != content:
		return true, status.Errorf(codes.AlreadyExists, "content: the slot %q is open and carries %s: use another name", name,
			contents[open.content])
	case ttl == 0:
		return true, s.remove(name)
	}
	open.ends = time.Now().Add(ttl)
	s.poke()
	return true, nil
}

// look fails if a device of that name is on the bus, started by somebody else.
func (s *server) look(ctx context.Context, name string) error {
	if s.supervisor.Leaving(name) { // ours, which is waited for
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	address := bus.Address{Robot: s.current().robot.Name, Device: name}
	found, err := devicev1.NewDeviceServiceClient(s.conn.Client(address)).GetDevice(ctx, &devicev1.GetDeviceRequest{})
	if err != nil { // nobody answers
		return nil // that is what is hoped for
	}
	return status.Errorf(codes.AlreadyExists,
		"name: a device %q is on the bus already, of the kind %s, process %d: if that is peer, call its Publish, "+
			"otherwise use another name", name, found.GetDevice().GetKind(), found.GetDevice().GetPid())
}

// open adds a slot. Another caller may have added it meanwhile.
func (s *server) open(name string, content launcherv1.SlotContent, ttl time.Duration) error {
	path, err := s.current().programs.Find(slotKind)
	if err != nil {
		return status.Error(codes.FailedPrecondition, err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, err := s.renewed(name, content, ttl); known || err != nil {
		return err
	}
	if len(s.slots) >= maxSlots {
		return status.Errorf(codes.ResourceExhausted, "there are %d slots already (%s): end a program that has one, or add "+
			"%s: {kind: peer} to robot.yaml", maxSlots, listed(slices.Sorted(maps.Keys(s.slots))), name)
	}
	s.slots[name] = &slot{content: content, path: path, ends: time.Now().Add(ttl)}
	s.poke()
	_, err = s.apply()
	return err
}

// remove ends a slot. The caller holds mu.
func (s *server) remove(name string) error {
	delete(s.slots, name)
	_, err := s.apply()
	return err
}

// apply has all that is wanted run, and nothing else. The caller holds mu.
func (s *server) apply() (supervise.Changes, error) {
	if err := s.ring.issue(s.plan.robot, slices.Collect(maps.Keys(s.slots)), s.supervisor.Leaving); err != nil {
		return supervise.Changes{}, status.Error(codes.Unavailable, err.Error())
	}
	changes, err := s.supervisor.Change(s.processes())
	if err != nil {
		return changes, status.Error(codes.Unavailable, err.Error())
	}
	return changes, nil
}

// poke has expire look at the slots again.
func (s *server) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// expire removes slots that are not renewed, until ctx ends.
func (s *server) expire(ctx context.Context) {
	timer := time.NewTimer(maxTTL)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-timer.C:
		}
		timer.Reset(s.sweep())
	}
}

// sweep removes slots whose time is over, and returns when to look again.
func (s *server) sweep() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := maxTTL
	for name, slot := range s.slots {
		left := time.Until(slot.ends)
		if left > 0 {
			next = min(next, left)
			continue
		}
		s.printer.Printf("waldo", "the slot %s was not renewed and is closed", name)
		_ = s.remove(name) // fails when the launcher is stopping
	}
	return next
}

// running names all devices and what else runs.
func (s *server) running() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append(s.plan.names(), slices.Sorted(maps.Keys(s.slots))...)
}

// kept drops slots whose names a new plan has. The caller holds mu.
func (s *server) kept(next *Plan) {
	for name := range s.slots {
		if next.device(name) != nil {
			s.printer.Printf("waldo", "the slot %s is now a device of %s", name, next.robot.File)
			delete(s.slots, name)
		}
	}
}

// describe says what is known of a process beside its state.
func (s *server) describe(p *launcherv1.Process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.plan.device(p.GetName()); d != nil {
		p.Kind, p.Actuator = d.Kind, d.Has("control")
	} else if s.slots[p.GetName()] != nil {
		p.Kind = slotKind
	}
}
