package launch

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	launcherv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/launcher/v1"
	"github.com/waldo-robot/waldo/pkg/robot"
)

// TestReloadWithoutFile: a robot that is not a file's says so, and what to do instead.
func TestReloadWithoutFile(t *testing.T) {
	for file, want := range map[string]string{
		robot.Builtin:  "start waldo up with one",
		robot.Replayed: "stop waldo replay, and start it",
	} {
		s := newServer(t, installed(t))
		s.plan.robot.File = file
		_, err := s.Reload(t.Context(), &launcherv1.ReloadRequest{})
		if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", file, err)
		}
	}
}
