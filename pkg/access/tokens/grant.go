package tokens

import (
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/pkg/access/roles"
)

// SharedName is the name of who presents the shared token.
const SharedName = "shared token"

// Grant is what a token gives.
type Grant struct {
	// ID names the token; empty for the shared one, and where no token is needed.
	ID string
	// Name is of the person or program that the token is for; empty where no token is needed.
	Name string
	Role roles.Role
	// Robot is the robot that the token is for; empty: any that has it in its store.
	Robot string
	// Device is what the token of a service is for.
	Device string
	// Expires is when the token ends; zero: never.
	Expires time.Time
}

// anyone is the grant where no token is needed.
var anyone = Grant{Role: roles.Admin}

// IsNamed reports whether the grant is of a token of the store, and so its Name tells who it is.
func (g Grant) IsNamed() bool { return g.ID != "" }

// Allows reports whether a role that is needed for something at a device is given. A service does at its own device
// what a driver does. A device is empty if what is asked for concerns none.
func (g Grant) Allows(need roles.Role, device string) bool {
	if g.Role == roles.Service {
		return device != "" && device == g.Device && roles.Driver.Allows(need)
	}
	return g.Role.Allows(need)
}

// For reports whether the grant is for a robot.
func (g Grant) For(robot string) bool { return g.Robot == "" || g.Robot == robot }

// Require returns nil if [Grant.Allows], else an error with codes.PermissionDenied that says which role is needed for
// what, and which one is there.
func (g Grant) Require(need roles.Role, device, what string) error {
	if g.Allows(need, device) {
		return nil
	}
	return status.Errorf(codes.PermissionDenied, "%s needs the role %s; %s", what, need, g.has())
}

func (g Grant) has() string {
	if g.Role == roles.Service {
		return fmt.Sprintf("%s is the service of %s", g.Name, g.Device)
	}
	return fmt.Sprintf("%s is %s", g.Name, g.Role)
}
