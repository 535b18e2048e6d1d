package server

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/pkg/robot"
	descriptions "github.com/waldo-robot/waldo/pkg/rtcbot"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtcbot"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/visitors"
)

const (
	// maxDialIns bounds the robots that wait for an offer.
	maxDialIns = 32
	// maxDescription bounds an offer and its answer in bytes.
	maxDescription = 256 << 10
	// dialInTimeout is how long a robot may take for its answer; RTCBot looks for STUN servers meanwhile.
	dialInTimeout = 20 * time.Second
)

// dialIns are the robots that run RTCBot and have dialed in, as the ones of its tutorial on remote connections do: each
// waits on a WebSocket for the offer of a client that wants to connect.
type dialIns struct {
	mu      sync.Mutex
	waiting map[string]*dialIn // by name
}

// dialIn is one of them.
type dialIn struct {
	turn   chan struct{} // has a value while nobody's offer is under way
	offers chan string
	said   chan string   // the first message after an offer
	left   chan struct{} // closed when the robot has gone
	cut    func()        // ends its WebSocket; set before an offer is taken
}

// add announces a robot; false if one of that name waits already.
func (d *dialIns) add(name string) (*dialIn, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waiting == nil {
		d.waiting = map[string]*dialIn{}
	}
	if d.waiting[name] != nil {
		return nil, false
	}
	in := &dialIn{
		turn: make(chan struct{}, 1), offers: make(chan string), said: make(chan string, 1), left: make(chan struct{}),
	}
	in.turn <- struct{}{}
	d.waiting[name] = in
	return in, true
}

func (d *dialIns) remove(name string, in *dialIn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.waiting, name)
	close(in.left)
}

func (d *dialIns) find(name string) *dialIn {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.waiting[name]
}

var errRobotLeft = status.Error(codes.Unavailable, "the robot has left: its program must open the WebSocket again")

// exchange brings an offer to the robot, and returns the first thing that it says then. An answer does not tell
// for which offer it is. So a client that leaves is waited for like others, and a robot that does not answer has to
// dial in again: the next one would get the answer to somebody else's offer. The context is for what comes
// before the offer is taken.
func (in *dialIn) exchange(ctx context.Context, offer string) (string, error) {
	select {
	case <-in.turn:
		defer func() { in.turn <- struct{}{} }()
	case <-in.left:
		return "", errRobotLeft
	case <-ctx.Done():
		return "", status.Error(codes.DeadlineExceeded, "the robot is busy with another offer")
	}
	select { // what it said unasked, or too late
	case <-in.said:
	default:
	}
	select {
	case in.offers <- offer:
	case <-in.left:
		return "", errRobotLeft
	case <-ctx.Done():
		return "", status.Error(codes.DeadlineExceeded, "the robot does not take the offer")
	}
	late := time.NewTimer(dialInTimeout)
	defer late.Stop()
	select {
	case answer := <-in.said:
		return answer, nil
	case <-in.left:
		return "", errRobotLeft
	case <-late.C:
		in.cut()
		return "", status.Errorf(codes.DeadlineExceeded, "the robot did not answer in %v, and was disconnected: its program "+
			"must open the WebSocket again", dialInTimeout)
	}
}

// dialInName reads the name of a robot: ?robot=pi, or none.
func dialInName(q url.Values) (string, error) {
	name := q.Get("robot")
	for key := range q {
		if key != "robot" && key != "token" { // which has been checked
			return "", status.Errorf(codes.InvalidArgument,
				"%.40q: there is no such parameter, only robot, the name of the robot", key)
		}
	}
	if name == "" {
		return "", nil
	}
	if err := robot.CheckDeviceName(name); err != nil {
		return "", status.Errorf(codes.InvalidArgument, "robot: %v", err)
	}
	return name, nil
}

// dialInRobot answers GET /ws: a robot that runs RTCBot waits for an offer.
func (s *Server) dialInRobot(w http.ResponseWriter, r *http.Request) {
	name, err := dialInName(r.URL.Query())
	if err == nil {
		err = s.enter(&s.dialInSockets)
	}
	if err != nil {
		fail(w, err)
		return
	}
	defer s.exit(&s.dialInSockets)
	in, ok := s.dialIns.add(name)
	if !ok {
		fail(w, status.Errorf(codes.AlreadyExists, "a robot waits here already: give each a name of its own, /ws?robot=…"))
		return
	}
	defer s.dialIns.remove(name, in)
	conn, err := accept(w, r, maxDescription)
	if err != nil {
		return
	}
	visitor := visitorOf(r).Join(s.ctx)
	defer visitor.Leave()
	s.serveDialIn(visitor, conn, in)
}

// serveDialIn carries offers to a robot, and what it says back, until either side closes the socket.
func (s *Server) serveDialIn(of *visitors.Visitor, conn *websocket.Conn, in *dialIn) {
	ctx, cancel := context.WithCancel(of.Context())
	socket := newSocketTransport(conn)
	in.cut = socket.cut
	var others sync.WaitGroup
	defer others.Wait()
	defer socket.cut()
	defer cancel()
	stop := context.AfterFunc(of.Context(), func() { endSocket(of, socket) })
	defer stop()
	others.Go(func() { keepAlive(ctx, conn) })
	others.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case offer := <-in.offers:
				if socket.Send([]byte(offer)) != nil {
					socket.cut()
					return
				}
			}
		}
	})
	for {
		_, said, err := socket.receive()
		if err != nil {
			return
		}
		select {
		case in.said <- string(said):
		default: // nobody has asked
		}
	}
}

// dialInOffer answers POST /ws: an offer for a robot that has dialed in. The answer is what that robot says.
func (s *Server) dialInOffer(w http.ResponseWriter, r *http.Request) {
	name, err := dialInName(r.URL.Query())
	if err != nil {
		fail(w, err)
		return
	}
	body, ok := readUpTo(w, r, maxDescription)
	if !ok {
		return
	}
	// An answer may take longer than a request.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{})
	_ = control.SetWriteDeadline(time.Now().Add(2*dialInTimeout + writeTimeout))
	answer, err := s.askDialIn(r.Context(), name, body)
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(answer)) // the client has left
}

func (s *Server) askDialIn(ctx context.Context, name string, offer []byte) (string, error) {
	if _, err := rtcbot.ParseOffer(offer); err != nil {
		return "", err
	}
	in := s.dialIns.find(name)
	if in == nil {
		return "", status.Error(codes.Unavailable, "no robot waits: its program must open the WebSocket /ws first")
	}
	ctx, cancel := s.guard.while(ctx)
	defer cancel()
	ctx, stop := context.WithTimeout(ctx, dialInTimeout)
	defer stop()
	answer, err := in.exchange(ctx, string(offer))
	if err != nil {
		return "", err
	}
	if _, err := descriptions.ParseDescription([]byte(answer), descriptions.Answer); err != nil {
		return "", status.Errorf(codes.Internal, "the robot has sent something else than an answer: %v", err)
	}
	return answer, nil
}
