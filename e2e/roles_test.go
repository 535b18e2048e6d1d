package e2e

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
)

// users is a robot with a token for each of several people.
type users struct {
	*harness.Robot
	file   string // of the tokens
	motors string // where they serve gRPC
}

func startUsers(t *testing.T) *users {
	t.Helper()
	u := &users{file: filepath.Join(t.TempDir(), "access.json"), motors: harness.FreeAddress(t)}
	u.create(t, "anna", "viewer") // before the robot starts: it asks for tokens from the beginning
	u.Robot = harness.StartRobot(t, harness.Options{
		Name: "rover", Drive: harness.RoverDrive,
		Env: []string{"WALDO_ACCESS_FILE=" + u.file, "WALDO_TOKEN=" + harness.Token},
		Devices: `front: {kind: camera, source: test, width: 320, height: 240, fps: 30}
		` + strings.Replace(harness.BoardAt("sim"), "{", `{grpc: "`+u.motors+`", `, 1),
	})
	return u
}

func (u *users) run(t *testing.T, args ...string) string {
	t.Helper()
	return harness.Run(t, []string{"WALDO_ACCESS_FILE=" + u.file}, harness.Bin(t, "waldo"),
		append([]string{"token"}, args...)...)
}

// create makes a token, and returns it.
func (u *users) create(t *testing.T, name, role string) string {
	t.Helper()
	for line := range strings.Lines(u.run(t, "create", name, "--role", role)) {
		if strings.HasPrefix(line, "waldo_") {
			return strings.TrimSpace(line)
		}
	}
	t.Fatal("no token was printed")
	return ""
}

// TestRoles: a viewer sees, may press the e-stop, and cannot drive; a driver drives and cannot clear it; an operator
// clears it; and a token that is revoked ends what is open with it.
func TestRoles(t *testing.T) {
	u := startUsers(t)
	ben, olga := u.create(t, "ben", "driver"), u.create(t, "olga", "operator")
	browser := harness.StartBrowser(t)
	viewer := browser.Open(t, u.URL+"/?token="+u.create(t, "vera", "viewer"))
	viewer.Tile(t, "front").WaitFrames(t, 10)
	viewer.Until(t, "document.querySelector('#visitor').textContent === 'vera · viewer'")
	viewer.Until(t, "document.querySelector('#drive-button').disabled && "+
		"/Driving needs the role driver; vera is viewer/.test(document.querySelector('#drive-why').textContent)")
	if refused := harness.Eval[string](t, viewer, `waldo.robot.call('motors', 'waldo.control.v1.ControlService/Acquire',
		{ holder: 'ben' }).then(() => 'done', (error) => error.code + ' ' + error.message)`); !strings.Contains(refused,
		"PERMISSION_DENIED waldo.control.v1.ControlService/Acquire needs the role driver; vera is viewer") {
		t.Errorf("a viewer takes the lease: %s", refused)
	}

	driver := harness.StartBrowser(t).Open(t, u.URL+"/?token="+ben)
	driver.Click(t, "#drive-button")
	driver.Until(t, "document.querySelector('#drive').dataset.drive === 'driving'")
	viewer.Until(t, "document.querySelector('#drive').dataset.holder.startsWith('ben (')")
	viewer.Click(t, "#estop")
	driver.Until(t, "document.querySelector('#drive').dataset.drive === 'estopped' && "+
		"/E-STOP pressed by vera \\(/.test(document.querySelector('#estop-title').textContent)")
	driver.Until(t, "document.querySelector('#estop-clear').disabled")
	u.clear(t, ben, codes.PermissionDenied)
	u.clear(t, olga, codes.OK)
	driver.Until(t, "document.querySelector('#estop').dataset.estop === 'clear'")

	u.run(t, "revoke", "ben")
	driver.Until(t, "/was revoked/.test(waldo.robot.refusal)")
	viewer.Until(t, "document.querySelector('#drive').dataset.holder === ''")
	viewer.Tile(t, "front").WaitFrames(t, 10)
	u.clear(t, ben, codes.Unauthenticated)

	viewer.Click(t, "#sign-out")
	viewer.Until(t, "/a token is needed/.test(document.body.textContent)") // it was loaded again
}

// clear clears the e-stop of the motors over gRPC.
func (u *users) clear(t *testing.T, token string, want codes.Code) {
	t.Helper()
	conn, err := grpc.NewClient(u.motors, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token),
		harness.Patience)
	defer cancel()
	client := controlv1.NewControlServiceClient(conn)
	id := int64(1)
	if state, err := client.GetControl(ctx, &controlv1.GetControlRequest{}); err == nil {
		id = state.GetState().GetEStop().GetId()
	}
	if _, err := client.ClearEStop(ctx, &controlv1.ClearEStopRequest{Id: id}); status.Code(err) != want {
		t.Errorf("clearing the e-stop: %v, want %v", err, want)
	}
}
