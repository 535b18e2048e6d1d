package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/bus"
)

type lsCommand struct {
	remote `embed:""`
	JSON   bool `name:"json" help:"Print JSON: a list of objects, the same keys as the columns."`
}

// Help explains the command.
func (*lsCommand) Help() string {
	return `STATE is starting, ready, away (the hardware is missing; the column behind says why) or stopping.
EPOCH changes when a device process is started again. GRPC is for programs (grpcurl, Python …), METRICS for
Prometheus and pprof. For scripts:

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
	Epoch          string            `json:"epoch"` // text: JSON readers that know only floats would round it
	UptimeSeconds  float64           `json:"uptime_seconds"`
	Attributes     map[string]string `json:"attributes,omitempty"`
}

func list(d *devicev1.Device, now time.Time) listed {
	l := listed{
		Robot: d.GetRobot(), Name: d.GetName(), Kind: d.GetKind(), Version: d.GetVersion(),
		State:       strings.ToLower(strings.TrimPrefix(d.GetState().String(), "DEVICE_STATE_")),
		StateReason: d.GetStateReason(), PID: d.GetPid(), GRPCAddress: d.GetGrpcAddress(), MetricsAddress: d.GetMetricsAddress(),
		Epoch: strconv.FormatInt(d.GetEpoch(), 10), Attributes: d.GetAttributes(),
	}
	if d.GetStartTime() != nil {
		l.UptimeSeconds = max(0, now.Sub(d.GetStartTime().AsTime()).Seconds())
	}
	return l
}

// Run prints the devices.
func (l *lsCommand) Run(ctx context.Context, c console) error {
	return l.session(ctx, func(ctx context.Context, conn *bus.Conn) error {
		devices, err := l.devices(ctx, conn)
		if err != nil {
			return err
		}
		all := make([]listed, len(devices))
		for i, d := range devices {
			all[i] = list(d, time.Now())
		}
		if l.JSON {
			e := json.NewEncoder(c.out)
			e.SetIndent("", "  ")
			return e.Encode(all)
		}
		if len(all) == 0 {
			_, err = fmt.Fprintf(c.err, "no devices on %s\n", access.RedactURL(l.NATS))
			return err
		}
		return printTable(c.out, all)
	})
}

func printTable(to io.Writer, all []listed) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "ROBOT\tDEVICE\tKIND\tSTATE\tPID\tGRPC\tMETRICS\tEPOCH\tUPTIME\t") // Flush reports errors
	for _, d := range all {
		uptime := time.Duration(d.UptimeSeconds * float64(time.Second)).Round(time.Second)
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\n", d.Robot, d.Name, d.Kind, d.State, d.PID, d.GRPCAddress,
			d.MetricsAddress, d.Epoch, uptime, d.StateReason)
	}
	return w.Flush()
}
