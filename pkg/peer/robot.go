package peer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/certs"
	"github.com/waldo-robot/waldo/pkg/identity"
	"github.com/waldo-robot/waldo/pkg/stream"
)

const (
	// The pause before another attempt is chosen at random between half of this and all of it, and doubles each time.
	firstPause, lastPause = 500 * time.Millisecond, 30 * time.Second
	// A connection that lasted this long ends the series of attempts.
	good = 5 * time.Second
	// hearing is how long a gateway that has just started may need to discover its devices; until then it may not know
	// one that is there.
	hearing = 2500 * time.Millisecond
)

var errLost = status.Error(codes.Unavailable, "the connection to the robot was lost")

// Options adjusts a robot; the zero value works for a gateway without a token.
type Options struct {
	// Token is the gateway's token. It is not shown to a rendezvous server, nor at an address https://server/r/robot/
	// before something there asks for it as the gateway of a fleet does. Where the robot's key is known, that does not
	// count.
	Token string
	// Key is the fingerprint of the robot's key, for a robot behind a rendezvous server; a link contains it. Empty: the
	// key that the file of known robots has for the address.
	Key string
	// Known is the file of known robots; empty: waldo/known_robots in the user's folder for configuration.
	Known string
	// Name is the name of this program for people to read, where it sends something; at most 64 characters. Empty: that
	// of its file.
	Name string
	// RelayOnly keeps to paths through a relay, so that the robot does not learn this program's address. There must be
	// one: that of a rendezvous server, or of gateway.iceServers.
	RelayOnly bool
	// CA is a PEM file with the authorities that are trusted if the gateway is at https://, as `waldo trust --pem` prints
	// the robot's own; empty: the file that WALDO_CA names, or those of the system.
	CA string
	// HTTP opens the connections to the gateway, in place of CA. It must not have a Timeout.
	HTTP *http.Client
	// Log may be nil.
	Log *slog.Logger
}

// Robot is a robot at the other end of a network. All its methods are safe for concurrent use.
type Robot struct {
	address address
	options Options
	log     *slog.Logger
	client  *http.Client
	api     *webrtc.API
	calls   *calls
	stirred chan struct{} // holds a token when there is something new for the link
	cancel  context.CancelFunc
	done    chan struct{}

	// Used while a session is opened, which happens one at a time.
	prover    *identity.Prover
	proverFor string
	asked     bool // the gateway of a fleet has asked for the token

	channels *channelSet

	mu       sync.Mutex
	status   Status
	statuses *stream.Topic[Status]
	welcome  *signalingv1.Welcome // the last one; nil before the first
	devices  []*signalingv1.DeviceStatus
	session  *wire       // for calls; nil while there is none
	conn     *connection // nil while there is none
	since    time.Time   // since when there is one
	leases   granted
	wanted   map[streamKey]*want
	feeds    map[streamKey]any // of frames, by stream
	path     pathNews

	clock clock // the gateway's
}

// Dial returns the robot at an address, and connects to it in the background: see [Robot.Wait] and [Robot.States]. The
// address is that of the robot's page, http://host:port/, or https://server/r/robot/ at the gateway of a fleet, or a link
// through a rendezvous server, with the robot's key, as `waldo link` prints it. The error is about the arguments only.
//
// The robot is kept connected until ctx ends or Close is called.
func Dial(ctx context.Context, url string, o Options) (*Robot, error) {
	a, err := parseAddress(url, o)
	if err != nil {
		return nil, err
	}
	r := &Robot{
		address: a, options: o, log: o.Log, client: o.HTTP, calls: newCalls(),
		stirred: make(chan struct{}, 1), done: make(chan struct{}), statuses: stream.NewTopic[Status](),
		status: Status{Since: time.Now()}, wanted: make(map[streamKey]*want), feeds: make(map[streamKey]any),
	}
	if r.client == nil {
		if r.client, err = trusting(cmp.Or(o.CA, os.Getenv(certs.Environment))); err != nil {
			return nil, err
		}
	}
	if r.options.Name == "" {
		r.options.Name = filepath.Base(os.Args[0])
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.api, err = newAPI(r.log, o.RelayOnly); err != nil {
		return nil, err
	}
	r.channels = newChannelSet(r)
	ctx, r.cancel = context.WithCancel(ctx)
	go func() {
		defer close(r.done)
		r.run(ctx)
	}()
	return r, nil
}

// trusting returns a client that trusts the authorities in a file.
func trusting(ca string) (*http.Client, error) {
	if ca == "" {
		return http.DefaultClient, nil
	}
	trust, err := certs.Client(ca)
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = trust
	return &http.Client{Transport: transport}, nil
}

// Close ends the connection, and all readers with it, and waits until everything has ended.
func (r *Robot) Close() {
	r.cancel()
	<-r.done
}

// run keeps the robot connected until ctx ends.
func (r *Robot) run(ctx context.Context) {
	defer r.finish(ctx)
	var next *greeted
	for attempt := 0; ; attempt++ {
		began := time.Now()
		lived, session, err := r.attempt(ctx, next)
		next = session
		if ctx.Err() != nil {
			if next != nil {
				next.wire.close()
			}
			return
		}
		if lived && time.Since(began) >= good || lived && next != nil {
			attempt = 0
		}
		r.failed(err)
		if next == nil && !pause(ctx, attempt) {
			return
		}
	}
}

// attempt connects and serves the connection.
func (r *Robot) attempt(ctx context.Context, g *greeted) (lived bool, next *greeted, err error) {
	if g == nil {
		if g, err = r.open(ctx); err != nil {
			return false, nil, err
		}
	}
	return r.follow(ctx, g)
}

// failed tells how it stands after a failed attempt.
func (r *Robot) failed(err error) {
	var no *refusal
	switch {
	case errors.As(err, &no):
		r.become(Refused, err.Error())
	case r.State().State == Connecting:
		r.become(Connecting, err.Error())
	default:
		r.become(Lost, err.Error())
	}
}

// pause waits before the next attempt; the first comes at once, or nearly. It returns false if ctx has ended.
func pause(ctx context.Context, attempt int) bool {
	longest := min(firstPause<<min(attempt, 10), lastPause)
	if attempt == 0 {
		longest = firstPause / 5
	}
	return wait(ctx, longest/2+rand.N(longest/2))
}

// finish ends all that waits for the robot.
func (r *Robot) finish(ctx context.Context) {
	r.cancel()
	r.become(Closed, context.Cause(ctx).Error())
	r.channels.close()
	r.mu.Lock()
	feeds := r.feeds
	r.feeds = nil
	r.mu.Unlock()
	for _, f := range feeds {
		f.(interface{ end() }).end()
	}
	r.client.CloseIdleConnections()
}

// early reports whether an error may only mean that the gateway has not discovered a device yet.
func (r *Robot) early(err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return status.Code(err) == codes.NotFound && (r.conn == nil || time.Since(r.since) < hearing)
}

// stir makes the link look at what is wanted.
func (r *Robot) stir() {
	select {
	case r.stirred <- struct{}{}:
	default:
	}
}

// connect notes the connection in use.
func (r *Robot) connect(c *connection) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conn, r.since = c, time.Now()
}

// connection returns the connection in use; nil if there is none.
func (r *Robot) connection() *connection {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.conn
}

// disconnect notes that there is none.
func (r *Robot) disconnect() {
	r.mu.Lock()
	r.conn, r.session = nil, nil
	r.mu.Unlock()
	r.channels.drop()
}

// greeted notes the session in use.
func (r *Robot) greeted(w *signalingv1.Welcome, session *wire) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.welcome.GetEpoch() != w.GetEpoch() {
		r.clock.reset()
	}
	r.welcome, r.session = w, session
}

// silenced notes that there is no session.
func (r *Robot) silenced() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.session = nil
}

func (r *Robot) isLive() bool { return r.State().State == Live }

func (r *Robot) isGreeted() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.session != nil
}

// wants are the streams that should go over the connection, in a fixed order.
func (r *Robot) wants() []*want {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*want, 0, len(r.wanted))
	for _, w := range r.wanted {
		all = append(all, w)
	}
	slices.SortFunc(all, func(a, b *want) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// want adds a stream to those that are wanted, or replaces it.
func (r *Robot) want(w *want) {
	r.mu.Lock()
	r.wanted[w.streamKey] = w
	r.mu.Unlock()
	r.stir()
}

// unwant removes a stream, unless another has taken its place.
func (r *Robot) unwant(w *want) {
	r.mu.Lock()
	if r.wanted[w.streamKey] == w {
		delete(r.wanted, w.streamKey)
	}
	r.mu.Unlock()
	r.stir()
}

// list notes the devices, and returns the names of those that have changed.
func (r *Robot) list(l *signalingv1.DeviceList) (changed []string) {
	defer r.tellPublishers()
	r.mu.Lock()
	defer r.mu.Unlock()
	known := make(map[string]*signalingv1.DeviceStatus)
	for _, d := range r.devices {
		known[d.GetDevice().GetName()] = d
	}
	r.devices = l.GetDevices()
	for _, d := range r.devices {
		old := known[d.GetDevice().GetName()]
		if old.GetDevice().GetEpoch() != d.GetDevice().GetEpoch() || old.GetGone() != d.GetGone() ||
			old.GetDevice().GetState() != d.GetDevice().GetState() {
			changed = append(changed, d.GetDevice().GetName())
		}
	}
	return changed
}

// tellPublishers tells those who send to a device who does, as the device has it. What is over is not wanted any more.
func (r *Robot) tellPublishers() {
	for _, w := range r.wants() {
		if w.claim != nil {
			w.claim.name(r.publisher(w.device))
		}
	}
	r.yield()
}

// yield ends what is sent to devices that others have taken.
func (r *Robot) yield() {
	for _, w := range r.wants() {
		if w.claim != nil && w.claim.ended() != nil {
			r.unwant(w)
		}
	}
}

// publisher is the name of who sends to a device, as it was last listed; empty if nobody does.
func (r *Robot) publisher(device string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.devices {
		if d.GetDevice().GetName() == device {
			return d.GetDevice().GetAttributes()["publisher"]
		}
	}
	return ""
}

// Devices returns the devices that the gateway last listed, by name. Those of a robot that is not Live may have changed
// since.
func (r *Robot) Devices() []*signalingv1.DeviceStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*signalingv1.DeviceStatus, len(r.devices))
	for i, d := range r.devices {
		all[i] = proto.CloneOf(d)
	}
	return all
}

// Welcome returns what the gateway last said of the robot: its name, version, and how it is driven. It is empty before
// the first connection.
func (r *Robot) Welcome() *signalingv1.Welcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := &signalingv1.Welcome{}
	if r.welcome != nil {
		proto.Merge(w, r.welcome)
	}
	return w
}
