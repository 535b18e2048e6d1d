package launch

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"

	"github.com/waldo-robot/waldo/pkg/identity"
	"github.com/waldo-robot/waldo/pkg/robot"
)

// ErrNoRendezvous means that a robot is not reached through a rendezvous server.
var ErrNoRendezvous = errors.New("robot.yaml names no rendezvous server: set gateway.rendezvous.url")

// Link returns the address of a robot's page at its rendezvous server. Its fragment, which browsers send to nobody, has
// the fingerprint of the robot's key, and the token unless that is empty. The key must exist: the gateway makes it when
// it first starts.
func Link(r *robot.Robot, token string, environ func(string) string) (string, error) {
	base := cmp.Or(environ("WALDO_RENDEZVOUS_URL"), r.Gateway.Text("rendezvous.url"))
	if base == "" {
		return "", ErrNoRendezvous
	}
	server, err := url.Parse(base)
	if err != nil {
		return "", r.Gateway.Locate(robot.BadField("rendezvous.url", "%v", err))
	}
	path, err := identity.Path(r.Name, environ)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the robot has no key yet, there is no file %s: run it once, with `waldo up`, as the user and "+
			"on the machine that it runs on", path)
	}
	key, err := identity.Load(path)
	if err != nil {
		return "", err
	}
	values := url.Values{"key": {key.Fingerprint()}}
	if token != "" {
		values.Set("token", token)
	}
	page := server.JoinPath("r", r.Name, "/")
	return page.String() + "#" + values.Encode(), nil
}

// link is the address of the robot's page at its rendezvous server, without the token; empty if it has none.
func (p *Plan) link() string {
	link, err := Link(p.robot, "", os.Getenv)
	if err != nil {
		return "" // the gateway reports what is wrong with it
	}
	return link
}
