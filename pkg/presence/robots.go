package presence

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	fleetv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/fleet/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/pkg/text"
)

const (
	// silentAfter is for how long nothing is heard of a robot before it is away: two messages are missing, and the link
	// may be slow.
	silentAfter = 2*announceEvery + 5*time.Second
	// askEvery is how often robots are asked while somebody watches; silentWatched is silentAfter then.
	askEvery      = 3 * time.Second
	silentWatched = 2*askEvery + time.Second
	// awayCheck is how late silence is noticed.
	awayCheck = 500 * time.Millisecond
	// maxRobots bounds the memory that strangers at the hub can use up, maxState the size of what is kept of each.
	maxRobots = 10_000
	maxState  = 64 << 10
	// conflictLasts is how long two robots of one name are reported after both were heard.
	conflictLasts = 30 * time.Second
	// burst is how many messages may wait: all robots answer at once when they are asked.
	burst = 2 * maxRobots
)

// RobotsConfig adjusts [FollowRobots]; the zero value works.
type RobotsConfig struct {
	// Log may be nil.
	Log *slog.Logger
}

// Robots are those at a hub.
type Robots struct {
	conn   *bus.Conn
	log    *slog.Logger
	cancel context.CancelFunc
	states *bus.Subscription[bus.Sent[*fleetv1.RobotState]]
	forget func()
	watch  stream.Demand
	ask    chan struct{} // holds a token when the robots are to be asked
	ended  sync.WaitGroup

	mu       sync.Mutex
	known    map[string]*robot
	changed  chan struct{} // closed and replaced at each change
	revision uint64        // counts the changes
	deaf     time.Time     // until when silence proves nothing: nothing could be heard before
}

// robot is what is known of one.
type robot struct {
	status   *fleetv1.RobotStatus // never changed, only replaced
	heard    time.Time
	revision uint64 // of its last change

	former   int64     // the epoch before that of the status
	conflict time.Time // when a former epoch was heard again
}

// FollowRobots follows all robots at a hub.
func FollowRobots(conn *bus.Conn, c RobotsConfig) (*Robots, error) {
	r := &Robots{
		conn: conn, log: orDiscard(c.Log), ask: make(chan struct{}, 1),
		known: make(map[string]*robot), changed: make(chan struct{}), deaf: time.Now().Add(silentWatched),
	}
	var err error
	r.states, err = bus.SubscribeSent[*fleetv1.RobotState](conn,
		bus.Address{Robot: bus.Any, Device: bus.RobotDevice}.State(), stream.DropOldest(burst))
	if err != nil {
		return nil, err
	}
	r.forget = conn.OnConnect(r.connected)
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.connected()
	r.ended.Go(func() { r.listen(ctx) })
	r.ended.Go(func() { every(ctx, awayCheck, r.check) })
	r.ended.Go(func() { r.asking(ctx) })
	return r, nil
}

// Close ends it.
func (r *Robots) Close() {
	r.forget()
	r.cancel()
	r.states.Close()
	r.ended.Wait()
}

// Watch tells that somebody wants to know early who is away, until stop is called: it costs a message of each robot
// every 3 s.
func (r *Robots) Watch() (stop func()) { return r.watch.Want() }

// connected is called when nothing may have been heard for a while.
func (r *Robots) connected() {
	r.grace()
	select {
	case r.ask <- struct{}{}:
	default:
	}
}

// grace gives all robots time to be heard again.
func (r *Robots) grace() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deaf = time.Now().Add(silentWatched)
}

func (r *Robots) listen(ctx context.Context) {
	for sent, err := range r.states.All(ctx) {
		if err != nil {
			return
		}
		r.heard(sent.Subject, sent.Message, time.Now())
	}
}

// asking asks the robots: now and then while somebody watches, and when the bus is back.
func (r *Robots) asking(ctx context.Context) {
	var again <-chan time.Time
	for {
		watched, changed := r.watch.Now()
		if !watched {
			again = nil
		} else {
			if again == nil {
				r.grace() // when they were heard last is from before
			}
			_ = r.conn.Publish(bus.AskRobots, &fleetv1.Ask{}) // it is asked again when the bus is back
			again = time.After(askEvery)
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-again:
		case <-r.ask:
			_ = r.conn.Publish(bus.AskRobots, &fleetv1.Ask{})
		}
	}
}

// heard records what a robot says.
func (r *Robots) heard(subject string, state *fleetv1.RobotState, now time.Time) {
	name := state.GetRobot()
	address := bus.Address{Robot: name, Device: bus.RobotDevice}
	if address.Validate() != nil || address.State() != subject || name == bus.Fleet || proto.Size(state) > maxState ||
		!sound(state) {
		r.log.Debug("a robot has said what cannot be", "subject", text.Printable(subject))
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.known[name]
	if known == nil {
		if state.GetLeaving() {
			return
		}
		if len(r.known) >= maxRobots {
			r.log.Warn("too many robots: one is ignored", "robot", name)
			return
		}
		known = &robot{}
		r.known[name] = known
	}
	if !known.lives(state, now) {
		return
	}
	known.heard = now
	reason := ""
	switch {
	case state.GetLeaving():
		reason = "it was switched off"
	case known.conflicting(now):
		reason = "two robots have this name: rename one of them"
	}
	r.setLocked(known, state, state.GetLeaving(), reason, now)
}

// sound reports whether what is shown to people, and used as a name, is fit for that.
func sound(state *fleetv1.RobotState) bool {
	if len(state.GetDevices()) > maxTold || !text.IsPrintable(state.GetVersion()) {
		return false
	}
	return !slices.ContainsFunc(state.GetDevices(), func(d *fleetv1.RobotDevice) bool {
		return !text.IsName(d.GetName()) || d.GetKind() != "" && !text.IsName(d.GetKind()) ||
			!text.IsPrintable(d.GetStateReason()) || len(d.GetStateReason()) > maxReason
	})
}

// lives notes the epoch of a message; false if it is the goodbye of one that another life has followed.
func (k *robot) lives(state *fleetv1.RobotState, now time.Time) bool {
	epoch, current := state.GetEpoch(), k.status.GetState().GetEpoch()
	switch {
	case current == 0 || epoch == current:
	case state.GetLeaving():
		return false
	case epoch == k.former:
		k.conflict = now
		k.former = current
	default:
		k.former = current
	}
	return true
}

func (k *robot) conflicting(now time.Time) bool {
	return !k.conflict.IsZero() && now.Sub(k.conflict) < conflictLasts
}

// setLocked replaces the status of a robot if anything about it has changed.
func (r *Robots) setLocked(k *robot, state *fleetv1.RobotState, away bool, reason string, now time.Time) {
	before := k.status
	if before != nil && before.GetAway() == away && before.GetReason() == reason && proto.Equal(before.GetState(), state) {
		return
	}
	since := before.GetSince()
	if before == nil || before.GetAway() != away {
		since = timestamppb.New(now)
	}
	k.status = &fleetv1.RobotStatus{State: state, Away: away, Reason: reason, Since: since}
	r.revision++
	k.revision = r.revision
	close(r.changed)
	r.changed = make(chan struct{})
}

// check notices robots of which nothing is heard.
func (r *Robots) check(now time.Time) {
	most := silentAfter
	if r.watch.Wanted() {
		most = silentWatched
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Before(r.deaf) || !r.conn.Connected() {
		return // who could not have been heard is as before
	}
	for _, k := range r.known {
		if !k.status.GetAway() && now.Sub(k.heard) > most {
			r.setLocked(k, k.status.GetState(), true, "nothing is heard of it: it is off, or has no network", now)
		}
	}
}

// Reached tells that a robot has answered a call.
func (r *Robots) Reached(state *fleetv1.RobotState) {
	r.heard(bus.Address{Robot: state.GetRobot(), Device: bus.RobotDevice}.State(), state, time.Now())
}

// Unreachable tells that a call has found a robot to be away, and why.
func (r *Robots) Unreachable(name, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := r.known[name]; k != nil && !k.status.GetAway() {
		r.setLocked(k, k.status.GetState(), true, reason, time.Now())
	}
}

// Get returns what is known of a robot, nil for one that was never heard of, and a channel that is closed when anything
// changes about any robot.
func (r *Robots) Get(name string) (*fleetv1.RobotStatus, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := r.known[name]; k != nil {
		return k.status, r.changed
	}
	return nil, r.changed
}

// Away returns why a robot that is known cannot be reached; empty if it can, or is not known.
func (r *Robots) Away(name string) string {
	status, _ := r.Get(name)
	if status.GetAway() {
		return fmt.Sprintf("robot %s is away: %s", name, status.GetReason())
	}
	return ""
}

// Since returns the robots that have changed since a revision, by name, the revision that this is, and a channel that
// is closed at the next change. Since revision 0, these are all robots.
func (r *Robots) Since(revision uint64) (list []*fleetv1.RobotStatus, now uint64, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(r.known)) {
		if k := r.known[name]; k.revision > revision {
			list = append(list, k.status)
		}
	}
	return list, r.revision, r.changed
}
