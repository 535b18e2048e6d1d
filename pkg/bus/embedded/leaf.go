package embedded

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/bus/keys"
)

// Leaf describes the connection of a robot's bus to a hub; see package hub. Over it go calls from the hub and their
// answers, the states of devices, messages between programs, and what programs of yours send on subjects of their own.
// What devices stream does not: it would delay calls. Package services/uplink carries that.
type Leaf struct {
	// URL of the hub's port for leaf nodes, for example tls://hub.example.org:7422.
	URL string
	// Robot is the name of the robot.
	Robot string
	// Seed proves to the hub which robot it is.
	Seed *keys.Seed
	// TLS has the authorities that the hub's certificate may be of. Nil means those of the system.
	TLS *tls.Config
	// Log is told when the hub is reached, refuses, or is lost. Default: nobody is told.
	Log *slog.Logger
}

const (
	// A hub that is lost is dialed again after minRedial to twice that, at random, so that the robots of a fleet do not
	// come back all at once.
	minRedial   = 500 * time.Millisecond
	dialTimeout = 5 * time.Second
)

// The subjects that do not cross a leaf. A robot has no use for answers from the hub, and interest in them would be
// announced with every call on its bus.
//
// nats-server (2.15) applies what is not to come from the hub to what goes there as well, from the first subscription
// at the hub on that has wildcards and could match such a subject. So no subject is denied in one direction that must
// pass in the other, except answers: those to gateways have other subjects (_R_), and others pass until somebody
// subscribes like that, as with ">".
var (
	neverToHub = []string{
		"waldo.v1.*.*.out.>", "waldo.v1.*.*.in.>", "waldo.v1.*.*.work.>", "waldo.v1.*.*.rpc.>", "$JS.>",
	}
	neverFromHub = []string{"waldo.v1.*.*.out.>", "waldo.v1.*.*.in.>", "waldo.v1.*.*.work.>", "$JS.>", "_INBOX.>"}
)

// remote returns the connection as the server takes it.
func (l *Leaf) remote() (*server.RemoteLeafOpts, error) {
	u, err := url.Parse(l.URL)
	if err != nil || access.CheckBusURL(l.URL) != nil {
		return nil, fmt.Errorf("hub: %.80q is not the URL of a hub: write tls://host:7422", access.RedactURL(l.URL))
	}
	if l.Seed == nil {
		return nil, errors.New("key: is missing: `waldo hub key FILE` makes one")
	}
	r := &server.RemoteLeafOpts{
		URLs: []*url.URL{u}, Nkey: string(l.Seed.Text()), DialTimeout: dialTimeout,
		DenyImports: neverFromHub, DenyExports: neverToHub,
		Compression:             server.CompressionOpts{Mode: server.CompressionOff},
		IgnoreDiscoveredServers: true,
	}
	if u.Scheme == "tls" || u.Scheme == "wss" {
		r.TLS, r.TLSConfig = true, l.TLS
	}
	return r, nil
}

// Validate checks everything but whether the hub takes the robot.
func (l *Leaf) Validate() error {
	_, err := l.remote()
	return err
}

// lead has the server connect to the hub.
func (l *Leaf) lead(o *server.Options) error {
	r, err := l.remote()
	if err != nil {
		return err
	}
	// Of two connections of one server, a hub keeps the newer: the older one may be half dead. So the names of servers
	// must differ.
	o.ServerName = fmt.Sprintf("%s-%x", l.Robot, access.NewID())
	o.LeafNode.Remotes = []*server.RemoteLeafOpts{r}
	o.LeafNode.ReconnectInterval = minRedial + rand.N(minRedial)
	return nil
}
