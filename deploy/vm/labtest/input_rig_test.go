package labtest

import (
	"context"
	"maps"
	"os"
	"testing"

	"google.golang.org/grpc"

	inputv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/input/v1"
	"github.com/waldo-robot/waldo/deploy/vm/padsim"
)

// plugPad plugs in a simulated input device, and returns it with its device file.
func plugPad(t *testing.T, d padsim.Description) (pad *padsim.Device, path string) {
	t.Helper()
	command(t, "modprobe", "-a", "uinput", "evdev", "joydev")
	pad, err := d.Plug()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pad.Unplug() }) // it would disappear with the process anyway
	eventually(t, d.Name+" there", func() bool {
		path, err = pad.Path()
		return err == nil
	})
	command(t, "udevadm", "settle")
	return pad, path
}

// unplugPad unplugs a device, and returns when its device file is gone.
func unplugPad(t *testing.T, pad *padsim.Device, path string) {
	t.Helper()
	if err := pad.Unplug(); err != nil {
		t.Error(err)
	}
	eventually(t, path+" gone", func() bool { _, err := os.Stat(path); return os.IsNotExist(err) })
}

// report makes a device report events that belong together.
func report(t *testing.T, pad *padsim.Device, events ...padsim.Event) {
	t.Helper()
	if err := pad.Report(events...); err != nil {
		t.Fatal(err)
	}
}

// input is a waldo-input.
type input struct {
	*process
	inputs inputv1.InputServiceClient
}

// startInput starts the program with --key value flags and stops it at the end of the test.
func startInput(t *testing.T, grpcAddress string, flags ...string) *input {
	t.Helper()
	p := start(t, "input", grpcAddress, flags...)
	return &input{p, inputv1.NewInputServiceClient(p.conn)}
}

// device is what the service reports about the device and its axes, by their names.
func (i *input) device() (*inputv1.InputInfo, map[string]*inputv1.Axis) {
	i.t.Helper()
	response, err := i.inputs.GetInput(i.context(), &inputv1.GetInputRequest{})
	if err != nil {
		i.t.Fatal(err)
	}
	axes := map[string]*inputv1.Axis{}
	for _, a := range response.GetAxes() {
		axes[a.GetName()] = a
	}
	return response.GetInput(), axes
}

func (i *input) state() *inputv1.State {
	i.t.Helper()
	response, err := i.inputs.GetState(i.context(), &inputv1.GetStateRequest{})
	if err != nil {
		i.t.Fatal(err)
	}
	return response.GetState()
}

// reports reads one StreamReports call. It checks that no report is missing, and derives the state from the reports.
type reports struct {
	*messages[inputv1.StreamReportsResponse]
	state *inputv1.State // the first step of the call
	last  int64          // sequence of the last report
	keys  map[string]bool
	axes  map[string]int32
}

func (i *input) read() *reports {
	i.t.Helper()
	r := &reports{keys: map[string]bool{}, axes: map[string]int32{}}
	r.messages = read(i.t, func(ctx context.Context) (grpc.ServerStreamingClient[inputv1.StreamReportsResponse], error) {
		return i.inputs.StreamReports(ctx, &inputv1.StreamReportsRequest{})
	})
	if r.state = r.messages.next().GetState(); r.state == nil {
		i.t.Fatal("the call does not begin with the state")
	}
	r.last = r.state.GetSequence()
	r.apply(r.state.GetKeys())
	r.apply(r.state.GetAxes())
	return r
}

func (r *reports) next() *inputv1.Report {
	r.t.Helper()
	report, err := r.receive()
	if err != nil {
		r.t.Fatalf("the stream ended: %v (%v)", err, context.Cause(r.ctx))
	}
	return report
}

// receive returns the next report, or why the call ended.
func (r *reports) receive() (*inputv1.Report, error) {
	r.t.Helper()
	response, err := r.messages.receive()
	if err != nil {
		return nil, err
	}
	report := response.GetReport()
	if report.GetEpoch() != r.state.GetEpoch() || report.GetSequence() != r.last+1 {
		r.t.Fatalf("report %d of epoch %d came after %d of %d", report.GetSequence(), report.GetEpoch(), r.last,
			r.state.GetEpoch())
	}
	r.last = report.GetSequence()
	r.apply(report.GetEvents())
	return report, nil
}

func (r *reports) apply(events []*inputv1.Event) {
	for _, e := range events {
		switch {
		case e.GetKind() == absolute:
			r.axes[e.GetName()] = e.GetValue()
		case e.GetKind() == key && e.GetValue() == 0:
			delete(r.keys, e.GetName())
		case e.GetKind() == key:
			r.keys[e.GetName()] = true
		}
	}
}

// until reads up to the report with an event of that name and value, and returns it.
func (r *reports) until(name string, value int32) *inputv1.Report {
	r.t.Helper()
	for {
		report := r.next()
		if e := find(report.GetEvents(), name); e != nil && e.GetValue() == value {
			return report
		}
	}
}

// checkState compares the state derived from the reports with the service's state. No report may be under way.
func (r *reports) checkState(p *input) {
	r.t.Helper()
	said := &reports{keys: map[string]bool{}, axes: map[string]int32{}}
	state := p.state()
	said.apply(state.GetKeys())
	said.apply(state.GetAxes())
	if !maps.Equal(r.keys, said.keys) || !maps.Equal(r.axes, said.axes) || state.GetSequence() != r.last {
		r.t.Errorf("the reports up to %d give %v %v; the state of report %d is %v %v",
			r.last, r.keys, r.axes, state.GetSequence(), said.keys, said.axes)
	}
}

// find returns the last event of that name, or nil.
func find(events []*inputv1.Event, name string) (found *inputv1.Event) {
	for _, e := range events {
		if e.GetName() == name {
			found = e
		}
	}
	return found
}
