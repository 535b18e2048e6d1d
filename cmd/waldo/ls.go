package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/text"
)

type lsCommand struct {
	remote `embed:""`
	JSON   bool   `name:"json" xor:"form" help:"Print JSON: a list of objects, the same keys as the columns."`
	PID    string `name:"pid" xor:"form" placeholder:"NAME" help:"Print only the process id of a device, or of the gateway if waldo up runs it."`
}

// Help explains the command.
func (*lsCommand) Help() string {
	return `STATE is starting, ready, away (the hardware is missing; the next column gives the reason), stopping, or
missing: waldo up should be running it, but it is not on the bus. The last column also says who sends to a device of
the kind peer. EPOCH changes when a device process is restarted.
GRPC is for programs (grpcurl, Python …), METRICS for Prometheus and pprof. For scripts:

  kill -9 $(waldo ls --pid front)                          # it comes back
  waldo ls --json | jq -r '.[] | select(.state == "away") | .name'`
}

// listed is a device as `waldo ls --json` prints it.
type listed struct {
	Robot          string            `json:"robot"`
	Name           string            `json:"name"`
	Kind           string            `json:"kind"`
	Version        string            `json:"version"`
	State          string            `json:"state"`
	StateReason    string            `json:"state_reason,omitempty"`
	PID            int32             `json:"pid"`
	GRPCAddress    string            `json:"grpc_address"`
	MetricsAddress string            `json:"metrics_address"`
	Epoch          string            `json:"epoch"` // a string: JSON readers that know only floats would round it
	UptimeSeconds  float64           `json:"uptime_seconds"`
	Attributes     map[string]string `json:"attributes,omitempty"`
}

func list(d *devicev1.Device, now time.Time) listed {
	l := listed{
		Robot: d.GetRobot(), Name: d.GetName(), Kind: d.GetKind(), Version: d.GetVersion(),
		State:       strings.ToLower(strings.TrimPrefix(d.GetState().String(), "DEVICE_STATE_")),
		StateReason: d.GetStateReason(), PID: d.GetPid(), GRPCAddress: d.GetGrpcAddress(),
		MetricsAddress: d.GetMetricsAddress(),
		Epoch:          strconv.FormatInt(d.GetEpoch(), 10), Attributes: d.GetAttributes(),
	}
	if d.GetStartTime() != nil {
		l.UptimeSeconds = max(0, now.Sub(d.GetStartTime().AsTime()).Seconds())
	}
	return l
}

// Run prints the devices.
func (l *lsCommand) Run(ctx context.Context, c console) error {
	c = c.plain()
	return l.session(ctx, func(ctx context.Context, conn *bus.Conn) error {
		all, others, err := l.all(ctx, conn)
		switch {
		case err != nil:
			return err
		case l.PID != "":
			return printPID(c.out, l.PID, append(all, others...))
		case l.JSON:
			e := json.NewEncoder(c.out)
			e.SetIndent("", "  ")
			return e.Encode(all)
		case len(all) == 0:
			_, err = fmt.Fprintf(c.err, "no devices on %s\n", access.RedactURL(l.NATS))
			return err
		}
		return printTable(c.out, all)
	})
}

// all returns the devices on the bus and those that are missing, and what launchers run beside devices.
func (l *lsCommand) all(ctx context.Context, conn *bus.Conn) (all, others []listed, err error) {
	var plan []planned
	var planErr error
	var asking sync.WaitGroup
	asking.Go(func() { plan, planErr = l.planned(ctx, conn) })
	devices, err := l.devices(ctx, conn)
	asking.Wait()
	if err := errors.Join(err, planErr); err != nil {
		return nil, nil, err
	}
	all = []listed{} // for JSON
	for _, d := range devices {
		all = append(all, list(d, time.Now()))
	}
	for _, p := range plan {
		one := listed{Robot: p.robot, Name: p.GetName(), Kind: p.GetKind(), State: "missing", StateReason: missing(p),
			PID: p.GetPid()}
		switch {
		case slices.ContainsFunc(devices, func(d *devicev1.Device) bool {
			return d.GetRobot() == one.Robot && d.GetName() == one.Name
		}):
		case one.Name == gateway:
			others = append(others, one)
		default:
			all = append(all, one)
		}
	}
	slices.SortStableFunc(all, func(a, b listed) int {
		return cmp.Or(strings.Compare(a.Robot, b.Robot), strings.Compare(a.Name, b.Name))
	})
	return all, others, nil
}

// gateway is a process of the launcher other than a device.
const gateway = "gateway"

// missing tells why a device that should be running is not on the bus.
func missing(p planned) string {
	if p.GetPid() != 0 {
		return "its process is running, but does not answer on the bus"
	}
	return p.GetReason()
}

// printPID prints the process id of one device.
func printPID(to io.Writer, name string, all []listed) error {
	found := slices.DeleteFunc(slices.Clone(all), func(l listed) bool {
		return name != l.Name && name != l.Robot+"/"+l.Name
	})
	switch {
	case len(found) == 0:
		return fmt.Errorf("there is no device %q on the bus", name)
	case len(found) > 1:
		return fmt.Errorf("several robots have a device %q: choose one with --robot", name)
	case found[0].PID == 0:
		return fmt.Errorf("%s has no process: %s", name, found[0].StateReason)
	}
	_, err := fmt.Fprintln(to, found[0].PID)
	return err
}

func printTable(to io.Writer, all []listed) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "ROBOT\tDEVICE\tKIND\tSTATE\tPID\tGRPC\tMETRICS\tEPOCH\tUPTIME\t") // Flush reports errors
	for _, d := range all {
		uptime := time.Duration(d.UptimeSeconds * float64(time.Second)).Round(time.Second)
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\n", d.Robot, d.Name, d.Kind, d.State, d.PID,
			d.GRPCAddress,
			d.MetricsAddress, d.Epoch, uptime, text.Printable(d.note()))
	}
	return w.Flush()
}

// note is what the last column says: the reason for the state, or who sends to a device of the kind peer.
func (l *listed) note() string {
	publisher := l.Attributes["publisher"]
	if l.StateReason != "" || publisher == "" {
		return l.StateReason
	}
	how := slices.DeleteFunc([]string{l.Attributes["program"], l.Attributes["via"], l.Attributes["address"]},
		func(s string) bool { return s == "" })
	return fmt.Sprintf("%s sends (%s)", publisher, strings.Join(how, ", "))
}
