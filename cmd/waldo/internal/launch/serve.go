package launch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	launcherv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/launcher/v1"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/supervise"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/keys"
	"github.com/waldo-robot/waldo/pkg/bus/permissions"
	"github.com/waldo-robot/waldo/pkg/device/vital"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/pkg/version"
)

const (
	// launcherName is the launcher's name on the bus, beside the devices of its robot.
	launcherName = permissions.LauncherName
	// LauncherKind is the kind by which launchers are found on the bus.
	LauncherKind = "launcher"
	// maxText bounds the text of an error: gRPC clients lose longer ones.
	maxText = 7000
)

// server serves the LauncherService of a running robot.
type server struct {
	launcherv1.UnimplementedLauncherServiceServer
	supervisor *supervise.Supervisor
	printer    *supervise.Printer
	conn       *bus.Conn
	natsURL    string
	ring       *ring
	audit      *audit.Log
	instance   string // by which the gateway is known that this process runs
	// announcement is what the hub is told.
	announcement *Announcement

	reloading sync.Mutex    // held while a file is checked and applied
	wake      chan struct{} // holds a token when slots have changed

	mu    sync.Mutex // also held while what runs is changed
	plan  *Plan
	slots map[string]*slot // by name
}

func (s *server) serve() error {
	service, err := s.conn.Serve(bus.ServiceConfig{
		Address: bus.Address{Robot: s.plan.robot.Name, Device: launcherName}, Kind: LauncherKind, Version: version.Version,
	})
	if err != nil {
		return err
	}
	return service.RegisterService(&launcherv1.LauncherService_ServiceDesc, s)
}

// processes returns those of the plan and the slots, with everything they need to run. The caller holds mu.
func (s *server) processes() []supervise.Process {
	list := slices.Clone(s.plan.processes)
	for _, name := range slices.Sorted(maps.Keys(s.slots)) {
		list = append(list, s.slots[name].process(s.plan, name))
	}
	for i, process := range list {
		process.Env = append(process.Env[:len(process.Env):len(process.Env)], "WALDO_NATS="+s.natsURL)
		if process.Name == gatewayKind {
			process.Env = append(process.Env, vital.Instance+"="+s.instance)
		}
		process.Secret, process.SecretFD = s.ring.secret(process.Name), keys.HandedFD
		process.NewProbe = s.newProbe(s.plan, process.Name)
		list[i] = process
	}
	return list
}

// first is what runs at first.
func (s *server) first() []supervise.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.processes()
}

func (s *server) current() *Plan {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.plan
}

func (s *server) ListProcesses(
	context.Context, *launcherv1.ListProcessesRequest,
) (*launcherv1.ListProcessesResponse, error) {
	response := &launcherv1.ListProcessesResponse{}
	for _, p := range s.supervisor.Status() {
		process := &launcherv1.Process{Name: p.Name, Kind: gatewayKind, Reason: p.Reason, Pid: int32(p.PID)}
		s.describe(process)
		switch {
		case p.Ended:
			process.State = launcherv1.ProcessState_PROCESS_STATE_ENDED
		case p.PID == 0:
			process.State = launcherv1.ProcessState_PROCESS_STATE_WAITING
		default:
			process.State = launcherv1.ProcessState_PROCESS_STATE_RUNNING
		}
		response.Processes = append(response.Processes, process)
	}
	return response, nil
}

func (s *server) RestartProcess(
	ctx context.Context, r *launcherv1.RestartProcessRequest,
) (*launcherv1.RestartProcessResponse, error) {
	if err := s.failure(ctx, r.GetName(), s.supervisor.Restart(ctx, r.GetName()), codes.Unavailable); err != nil {
		return nil, err
	}
	s.record(ctx, audit.Event{Kind: audit.Restarted, What: r.GetName()})
	return &launcherv1.RestartProcessResponse{}, nil
}

// record keeps what somebody had the launcher do. Who it was is what their call says, or by whose token they got the
// answer.
func (s *server) record(ctx context.Context, e audit.Event) {
	e.Who, e.Token = access.User(ctx), access.TokenID(ctx)
	if store := storeOf(os.Getenv); e.Who == "" && e.Token != "" && store != nil {
		if grant, err := store.Renew(e.Token); err == nil {
			e = e.By(grant)
		}
	}
	s.audit.Write(e)
}

// failure is the status for an error about a process.
func (s *server) failure(ctx context.Context, name string, err error, other codes.Code) error {
	switch {
	case err == nil:
		return nil
	case supervise.IsUnknown(err):
		return status.Errorf(codes.NotFound, "name: robot %s does not run %.80q; it runs: %s",
			s.current().robot.Name, name, strings.Join(s.running(), ", "))
	case ctx.Err() != nil:
		return status.FromContextError(ctx.Err()).Err()
	}
	return status.Error(other, bounded(err.Error()))
}

func (s *server) UpgradeProcess(
	ctx context.Context, r *launcherv1.UpgradeProcessRequest,
) (*launcherv1.UpgradeProcessResponse, error) {
	name, code := r.GetName(), codes.Aborted
	err := s.supervisor.Upgrade(ctx, name, r.GetForce())
	response := &launcherv1.UpgradeProcessResponse{Restarted: errors.Is(err, supervise.ErrCannotHandOver)}
	switch {
	case response.Restarted:
		err, code = s.supervisor.Restart(ctx, name), codes.Unavailable
	case errors.Is(err, supervise.ErrNotRunning):
		code = codes.Unavailable
	}
	if err := s.failure(ctx, name, err, code); err != nil {
		return nil, err
	}
	kind := audit.Upgraded
	if response.Restarted {
		kind = audit.Restarted
	}
	s.record(ctx, audit.Event{Kind: kind, What: name})
	return response, nil
}

func (s *server) Reload(ctx context.Context, _ *launcherv1.ReloadRequest) (*launcherv1.ReloadResponse, error) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	next, err := s.current().reread(ctx)
	var fixed *fixedError
	switch {
	case errors.As(err, &fixed):
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	case err != nil:
		return nil, status.Error(codes.InvalidArgument, bounded(err.Error()))
	}
	changes, err := s.replace(next)
	if err != nil {
		return nil, err
	}
	s.printer.Printf("waldo", "%s was read again; restarted: %s; started: %s; stopped: %s", next.robot.File,
		listed(changes.Restarted), listed(changes.Started), listed(changes.Stopped))
	s.record(ctx, audit.Event{Kind: audit.Reloaded, Reason: "restarted: " + listed(changes.Restarted) + "; started: " +
		listed(changes.Started) + "; stopped: " + listed(changes.Stopped)})
	response := &launcherv1.ReloadResponse{Restarted: changes.Restarted, Started: changes.Started,
		Stopped: changes.Stopped}
	for _, warning := range next.warnings {
		s.printer.Printf("waldo", "warning: %s", warning)
		response.Warnings = append(response.Warnings, bounded(warning))
	}
	return response, nil
}

// replace makes another plan the present one. Slots stay, unless it has their names.
func (s *server) replace(next *Plan) (supervise.Changes, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept(next)
	s.plan = next
	s.announcement.Change(next.robot)
	return s.apply()
}

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func bounded(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + "…"
}

// fixedError reports a change that is impossible while a robot runs.
type fixedError struct{ text string }

func (e *fixedError) Error() string { return e.text }

// reread returns the plan for the current file, fully checked.
func (p *Plan) reread(ctx context.Context) (*Plan, error) {
	switch p.robot.File {
	case robot.Builtin:
		return nil, &fixedError{"this is the built-in robot, so there is no file to read again: start waldo up with one"}
	case robot.Replayed:
		return nil, &fixedError{"this robot is made of a recording, so there is no file to read again: stop waldo replay, " +
			"and start it with other files or options"}
	}
	r, err := robot.Load(p.robot.File)
	if err != nil {
		return nil, err
	}
	switch {
	case r.Name != p.robot.Name:
		return nil, &fixedError{fmt.Sprintf("%s: robot: cannot change from %s to %s while the robot runs: restart "+
			"waldo up", r.File, p.robot.Name, r.Name)}
	case !r.TLS.Equal(&p.robot.TLS):
		return nil, &fixedError{r.File +
			": tls: cannot change while the robot runs: restart waldo up. A new certificate in " +
			"the same files, or of the robot's own authority, needs no restart"}
	case r.NATS != p.robot.NATS:
		return nil, &fixedError{r.File + ": nats: cannot change while the robot runs: restart waldo up"}
	case r.Fleet != p.robot.Fleet:
		return nil, &fixedError{r.File + ": fleet: cannot change while the robot runs: restart waldo up"}
	}
	next, missing := New(r, p.programs, p.config)
	return next, errors.Join(missing, next.check(ctx, p))
}
