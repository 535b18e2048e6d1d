package server

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	fleetv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/fleet/v1"
	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/rendezvous/notice"
)

// frontPages have the list of robots at their root.
var frontPages = map[string]string{"/": "fleet.html"}

const (
	// folderPattern is the route to a robot without the slash at the end.
	folderPattern = "GET /r/{robot}"
	// gather is how long changes are gathered into one event, and quiet after how long without any something is sent all
	// the same, so that both ends notice a dead connection.
	gather = 250 * time.Millisecond
	quiet  = 15 * time.Second
	// maxFollowers bounds those who follow the list.
	maxFollowers = 1000
)

// robotPatterns are the routes to a robot: as many as methods that robots know.
var robotPatterns = []string{"GET /r/{robot}/", "POST /r/{robot}/", "PATCH /r/{robot}/", "DELETE /r/{robot}/",
	"OPTIONS /r/{robot}/"}

// Robots knows the robots of a fleet.
type Robots interface {
	// Since returns the robots that have changed since a revision, the present revision, and a channel that is closed at
	// the next change.
	Since(revision uint64) (list []*fleetv1.RobotStatus, now uint64, changed <-chan struct{})
	// Away returns why a robot that is known cannot be reached; empty if it can.
	Away(robot string) string
	// Watch tells that somebody looks at the list, until stop is called.
	Watch() (stop func())
}

// Instances serves robots.
type Instances interface {
	// Has reports whether a robot is being served.
	Has(robot string) bool
	// Serve answers a request, whose path is as the robot's own gateway has it. An error has not been answered: NotFound
	// for a robot that is not known, Unavailable for one that is away.
	Serve(w http.ResponseWriter, r *http.Request, robot string) error
}

// FrontConfig configures the front of a fleet.
type FrontConfig struct {
	// Config is that of a server; of it, the version, token, realm, hosts, origins, bus, page and log count.
	Config
	// Robots are those of the fleet.
	Robots Robots
	// Instances serves each.
	Instances Instances
	// Gatherer is what /metrics shows.
	Gatherer prometheus.Gatherer
}

// Front is the HTTP side of a gateway of a fleet: the list of robots, and each robot below /r/{robot}/. It is safe for
// concurrent use.
type Front struct {
	config    FrontConfig
	log       *slog.Logger
	page      page // the list of robots, and all other files
	robotPage page
	handler   http.Handler
	guard     *guard

	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	mu        sync.Mutex
	closed    bool
	followers int
	owned     sync.WaitGroup
}

// NewFront returns the front of a fleet.
func NewFront(c FrontConfig) (*Front, error) {
	f := &Front{config: c, log: c.Log}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	f.config.Log = f.log
	if c.Authority == nil {
		f.config.Authority = tokens.NewAuthority(c.Token, nil)
	}
	var err error
	if f.page, err = newPage(c.Page, frontPages); err != nil {
		return nil, err
	}
	if f.robotPage, err = newPage(c.Page, robotPages); err != nil {
		return nil, err
	}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	routes := f.routes()
	guard, err := newGuard(f.ctx, f.config.Config, newTickets(), func(r *http.Request) route {
		_, pattern := routes.Handler(r)
		to := route{audience: f.audienceOf(r, pattern), need: roles.Viewer}
		if name, rest := splitRobot(r.URL.Path); pattern == robotPatterns[0] && rest == foxglovePath {
			to.pass = foxglovePass(name)
		}
		return to
	})
	if err != nil {
		f.cancel()
		return nil, err
	}
	f.guard, f.handler = guard, guard.wrap(guard.fromSite(routes))
	f.owned.Go(func() { guard.visitors.Run(f.ctx) })
	return f, nil
}

func (f *Front) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /robots", f.list)
	mux.HandleFunc("GET /robots/changes", f.follow)
	mux.HandleFunc(folderPattern, toFolder)
	for _, pattern := range robotPatterns {
		mux.HandleFunc(pattern, f.robot)
	}
	mux.HandleFunc(signOutPattern, func(w http.ResponseWriter, r *http.Request) { f.guard.signOut(w, r) })
	mux.HandleFunc("GET /healthz", f.healthz)
	mux.Handle("GET /metrics", forAll(promhttp.HandlerFor(f.config.Gatherer, promhttp.HandlerOpts{})))
	mux.Handle(pagePattern, f.page)
	return mux
}

// forAll refuses visitors whose token is for one robot: what follows is about all of them.
func forAll(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g := visitorOf(r).Grant(); g.Robot != "" {
			http.Error(w, "this token is for one robot: its metrics are at /r/"+g.Robot+"/metrics", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// audienceOf tells for whom a route is. A robot that is served decides for itself; for any other nothing is started,
// and nothing told, before it is clear who asks.
func (f *Front) audienceOf(r *http.Request, pattern string) audience {
	if !slices.Contains(robotPatterns, pattern) {
		return audienceOf(pattern, f.page.public(r.URL.Path))
	}
	name, rest := splitRobot(r.URL.Path)
	served := f.config.Instances.Has(name)
	switch {
	case served && f.awayFor(name, r.Method, rest) == "", !served && f.robotPage.public(rest):
		return everybody
	}
	return holders
}

// awayFor returns why a request cannot be served, because the robot is away and the request begins something that needs
// it at once; empty if it can. All else can wait for the robot, as pages do that were opened before.
func (f *Front) awayFor(name, method, path string) string {
	kind, _, _ := strings.Cut(path[1:], "/")
	switch kind {
	case "whep", "whip", "connect":
		if method != http.MethodPost {
			return ""
		}
	case "snapshot", "mjpeg":
	case "recordings":
		if path == recordingsAddress {
			return "" // the page
		}
	default:
		return ""
	}
	return f.config.Robots.Away(name)
}

// splitRobot returns the robot that a path is for, and the path as that robot's own gateway has it.
func splitRobot(path string) (name, rest string) {
	name, rest, _ = strings.Cut(strings.TrimPrefix(path, "/r/"), "/")
	return name, "/" + rest
}

// Handler answers requests.
func (f *Front) Handler() http.Handler { return f.handler }

// Close ends all requests that follow the list.
func (f *Front) Close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.cancel()
	f.owned.Wait()
}

// toFolder sends who has left out the last slash to where relative addresses work.
func toFolder(w http.ResponseWriter, r *http.Request) {
	// Relative, as a proxy may have taken a prefix off the path.
	target := url.URL{Path: "./" + r.PathValue("robot") + "/", RawQuery: r.URL.RawQuery}
	w.Header().Set("Location", target.String())
	w.WriteHeader(http.StatusTemporaryRedirect)
}

// robot answers requests for a robot.
func (f *Front) robot(w http.ResponseWriter, r *http.Request) {
	name, rest := splitRobot(r.URL.Path)
	if !f.config.Instances.Has(name) && f.robotPage.public(rest) {
		f.robotPage.ServeHTTP(w, under(r, name))
		return
	}
	if g, known := f.grantOf(r); known && !g.For(name) {
		f.absent(w, r, name, status.Errorf(codes.NotFound, "%s has no robot %q", g.Name, name))
		return
	}
	if away := f.awayFor(name, r.Method, rest); away != "" {
		f.absent(w, r, name, status.Error(codes.Unavailable, away))
		return
	}
	if err := f.config.Instances.Serve(w, under(r, name), name); err != nil {
		f.absent(w, r, name, err)
	}
}

// grantOf returns what the token of a request gives, and whether it is known. For a robot that is served the guard has
// not asked: to that robot a token for others is a guess, which would tell that there is such a robot.
func (f *Front) grantOf(r *http.Request) (tokens.Grant, bool) {
	if v := visitorOf(r); v != nil {
		return v.Grant(), true
	}
	s := f.guard.try(r)
	return s.grant, s.err == nil
}

// under returns a request as the robot's own gateway has it: without the first part of the path.
func under(r *http.Request, name string) *http.Request {
	prefix := "/r/" + name
	r = r.WithContext(r.Context()) // a copy
	u := *r.URL
	u.Path, u.RawPath = strings.TrimPrefix(u.Path, prefix), strings.TrimPrefix(u.RawPath, prefix)
	r.URL = &u
	return r
}

// absent answers a request for a robot that is not served.
func (f *Front) absent(w http.ResponseWriter, r *http.Request, name string, err error) {
	text := status.Convert(err).Message()
	if status.Code(err) == codes.NotFound {
		notice.Show(w, r, http.StatusNotFound, notice.Notice{Title: "There is no such robot", Text: text})
		return
	}
	code, ok := httpStatus[status.Code(err)]
	if !ok {
		code = http.StatusInternalServerError
		f.log.Error("a robot cannot be served", "robot", name, "error", err)
	}
	notice.Show(w, r, code, notice.Notice{Title: "Robot " + name + " cannot be reached", Again: true, Text: text +
		". This page tries again every few seconds."})
}

// seenBy returns the robots that the token of a request is for.
func seenBy(r *http.Request, all []*fleetv1.RobotStatus) []*fleetv1.RobotStatus {
	v := visitorOf(r)
	return slices.DeleteFunc(slices.Clone(all), func(s *fleetv1.RobotStatus) bool {
		return v == nil || !v.Grant().For(s.GetState().GetRobot())
	})
}

// list answers GET /robots.
func (f *Front) list(w http.ResponseWriter, r *http.Request) {
	all, _, _ := f.config.Robots.Since(0)
	all = seenBy(r, all)
	writeJSON(w, &fleetv1.RobotList{Robots: all})
}

// follow answers GET /robots/changes: all robots in the first event, and then those that change. A client that is slow
// gets fewer events, each with all that has changed since the last one.
func (f *Front) follow(w http.ResponseWriter, r *http.Request) {
	if err := f.enter(); err != nil {
		fail(w, err)
		return
	}
	defer f.exit()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(f.ctx, cancel)()
	defer f.config.Robots.Watch()()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events
	e := events{w: w, out: http.NewResponseController(w)}
	// Not every ResponseWriter has deadlines; the server's own do.
	_ = e.out.SetReadDeadline(time.Time{})
	first, revision := true, uint64(0)
	for {
		list, now, changed := f.config.Robots.Since(revision)
		list = seenBy(r, list)
		if revision = now; first || len(list) > 0 {
			if e.send(&fleetv1.RobotList{Robots: list}) != nil {
				return
			}
			first = false
		}
		if !e.wait(ctx, changed) {
			return
		}
	}
}

func (f *Front) enter() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closed:
		return errStopping
	case f.followers >= maxFollowers:
		return status.Errorf(codes.ResourceExhausted, "%d clients follow the list of robots already: try again when one has "+
			"left, or use /robots", maxFollowers)
	}
	f.followers++
	f.owned.Add(1)
	return nil
}

func (f *Front) exit() {
	f.mu.Lock()
	f.followers--
	f.mu.Unlock()
	f.owned.Done()
}

// events are sent to one client.
type events struct {
	w   http.ResponseWriter
	out *http.ResponseController
}

// send sends a message as an event.
func (e *events) send(list *fleetv1.RobotList) error {
	data, err := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(list)
	if err != nil {
		return err
	}
	return e.write(fmt.Sprintf("data: %s\n\n", data))
}

func (e *events) write(text string) error {
	_ = e.out.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, err := e.w.Write([]byte(text)); err != nil {
		return err
	}
	return e.out.Flush()
}

// wait returns when something has changed, and a little later than that; false if the client has left.
func (e *events) wait(ctx context.Context, changed <-chan struct{}) bool {
	idle := time.NewTicker(quiet)
	defer idle.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-idle.C:
			if e.write(":\n\n") != nil {
				return false
			}
			continue
		case <-changed:
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(gather):
			return true
		}
	}
}

// healthz answers GET /healthz, see [Server.healthz].
func (f *Front) healthz(w http.ResponseWriter, _ *http.Request) {
	writeHealth(w, f.config.BusConnected, "the hub is not reachable", health{})
}
