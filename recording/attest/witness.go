package attest

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"slices"

	"google.golang.org/protobuf/proto"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/read"
)

// witnesses are heads that logs had at other times.
type witnesses map[audit.Name]map[audit.Head]bool

func (w witnesses) add(of audit.Name, h audit.Head) {
	if w[of] == nil {
		w[of] = map[audit.Head]bool{}
	}
	w[of][h] = true
}

var stateType = string((*devicev1.Device)(nil).ProtoReflect().Descriptor().FullName())

// read adds what the devices in a recording told. A file that is no recording is no witness, and what of one cannot be
// read tells nothing.
func (w witnesses) read(ctx context.Context, path string) error {
	f, err := read.Open(path)
	if err != nil {
		if fault := new(fs.PathError); errors.As(err, &fault) {
			return err
		}
		return nil
	}
	defer func() { _ = f.Close() }()
	messages := f.Messages(read.Query{Sparse: true, Channels: func(c *read.Channel) bool {
		return c.Waldo.Direction == recording.State && c.Waldo.Type == stateType
	}})
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		m, err := messages.Next()
		if err != nil {
			return nil
		}
		var d devicev1.Device
		if proto.Unmarshal(m.Data, &d) != nil || robot.CheckName(d.GetRobot()) != nil || robot.CheckName(d.GetName()) != nil {
			continue
		}
		if head, err := audit.ParseHead(d.GetAuditHead()); err == nil {
			w.add(audit.Name{Robot: d.GetRobot(), Process: d.GetName()}, head)
		}
	}
}

// gone returns the logs that are not among those that are there, although somebody kept a head of them, or a recording
// has one.
func (w witnesses) gone(there []audit.Name) (names []audit.Name) {
	for n := range w {
		if !slices.Contains(there, n) {
			names = append(names, n)
		}
	}
	slices.SortFunc(names, func(a, b audit.Name) int {
		return cmp.Or(cmp.Compare(a.Robot, b.Robot), cmp.Compare(a.Process, b.Process))
	})
	return names
}
