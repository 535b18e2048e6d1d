package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	inputv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/input/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/services/input/reports"
	"github.com/waldo-robot/waldo/services/input/source"
)

func TestStatus(t *testing.T) {
	for want, err := range map[codes.Code]error{
		codes.Unavailable:       fmt.Errorf("%w: %w", device.ErrAway, context.Canceled),
		codes.ResourceExhausted: reports.ErrTooSlow,
		codes.PermissionDenied:  &fs.PathError{Op: "open", Path: "/dev/input", Err: fs.ErrPermission},
		codes.Canceled:          context.Canceled,
		codes.DeadlineExceeded:  context.DeadlineExceeded,
		codes.Internal:          errors.New("something else"),
	} {
		if got := status.Code(statusOf(err)); got != want {
			t.Errorf("%v: got %v, want %v", err, got, want)
		}
	}
	if got := status.Code(statusOf(reports.ErrClosed)); got != codes.Unavailable {
		t.Errorf("closed: got %v", got)
	}
}

func TestListInputs(t *testing.T) {
	infos := []source.Info{{Path: "/dev/input/event0", Name: "a", Kind: source.Keyboard, ID: "0001:0002"},
		{Path: "/dev/input/event10"}}
	var fails error
	s := New(reports.New(1, reports.Config{}), func() ([]source.Info, error) { return infos, fails })
	got, err := s.ListInputs(t.Context(), &inputv1.ListInputsRequest{})
	if err != nil || len(got.GetInputs()) != 2 || got.GetInputs()[0].GetKind() != "keyboard" ||
		got.GetInputs()[1].GetPath() != "/dev/input/event10" {
		t.Errorf("got %v %v", got, err)
	}
	fails = errors.New("no")
	if _, err := s.ListInputs(t.Context(), &inputv1.ListInputsRequest{}); status.Code(err) != codes.Internal {
		t.Errorf("got %v", err)
	}
}
