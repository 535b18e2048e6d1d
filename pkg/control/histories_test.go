package control

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	histories = flag.Uint64("histories", 20_000, "how many random histories to live through")
	firstSeed = flag.Uint64("seed", 1, "seed of the first history; with -histories 1 -v it is printed step by step")
)

// TestHistories plays random histories of one actuator, three would-be drivers and a network between
// them that loses, duplicates, reorders and delays without bound, with restarts of each side and frozen
// senders, and checks everything that the arbiter accepts against what really happened. A failure names
// the seed of its history.
func TestHistories(t *testing.T) {
	var next, accepted, judged, slowed, blind atomic.Uint64
	next.Store(*firstSeed)
	last := *firstSeed + *histories
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			w := newWorld(testing.Verbose() && *histories == 1)
			for seed := next.Add(1) - 1; seed < last && !t.Failed(); seed = next.Add(1) - 1 {
				w.live(seed)
				if w.tell {
					t.Log(w.story())
				}
				if w.wrong != "" {
					t.Errorf("history %d: %s\nlook closer with: go test -run %s -v -histories 1 -seed %[1]d", seed, w.wrong, t.Name())
				}
			}
			accepted.Add(w.accepted)
			judged.Add(w.judged)
			slowed.Add(w.slowed)
			blind.Add(w.blind)
		})
	}
	workers.Wait()
	t.Logf("%d histories, %d commands judged, %d accepted, %d of them slowed; %d refused to the blind", *histories,
		judged.Load(), accepted.Load(), slowed.Load(), blind.Load())
	if slowed.Load() < *histories/2 || blind.Load() < *histories/2 {
		t.Error("hardly anybody sees too little")
	}
	// Each history ends with ten that must be accepted.
	if accepted.Load() < 15**histories {
		t.Errorf("hardly anything is ever accepted: %d of %d", accepted.Load(), judged.Load())
	}
}

// world is the truth: what was really sent, when and by whom, and what the hardware does. It has a time
// that nobody in it can read.
type world struct {
	random *rand.Rand
	now    time.Duration
	good   float64 // how often the network is
	tell   bool    // the steps are printed
	lines  []string
	wrong  string // the first failure

	robot    *Arbiter
	booted   time.Duration // when this run of the actuator began
	life     int           // number of this run
	leases   int64         // and e-stops so far, over all runs
	drivers  [3]sender
	toRobot  []parcel
	toDriver []parcel

	// The truth about the hardware and its commands.
	latched   int64         // the e-stop; 0 for none
	pressed   time.Duration // when the e-stop was pressed
	moving    bool          // a command that is not neutral is in force
	lastMove  time.Duration
	stopped   time.Duration // when the hardware was last stopped
	lease     int64         // the last one granted in this run; 0 for none
	signs     time.Duration // when its holder last gave a sign of life that arrived
	neutral   bool          // a neutral command was carried out since one was last required
	executed  map[int64]bool
	lastOrder int64 // number of the last command executed under the lease

	eyes
	accepted, judged uint64
}

// sender is a would-be driver.
type sender struct {
	lease    int64 // 0 for none
	sequence int64
	heard    Clock
	life     int   // run of the actuator in which it received the clock
	eStop    int64 // the last it knows of
	seen     int   // number of the picture that it was shown last
}

// parcel is a message in flight.
type parcel struct {
	what    string // to the actuator: acquire, take, keep, release, estop, clear, command
	driver  int
	created time.Duration
	number  int64 // of a command, over all drivers
	command Command
	seen    int // number of the picture that its driver claims to have seen
	lease   int64
	eStop   int64
	refused bool // for want of the lease
	clock   Clock
	life    int
}

func newWorld(tell bool) *world {
	return &world{random: rand.New(rand.NewPCG(0, 0)), tell: tell, executed: map[int64]bool{}}
}

// live starts over and plays one history.
func (w *world) live(seed uint64) {
	*w = world{
		random: rand.New(rand.NewPCG(seed, 0x3a1d0)), tell: w.tell, toRobot: w.toRobot[:0], toDriver: w.toDriver[:0],
		executed: w.executed, accepted: w.accepted, judged: w.judged, eyes: w.eyes,
	}
	w.newEyes(w.eyes)
	clear(w.executed)
	w.good = math.Sqrt(w.random.Float64())
	w.boot()
	for range 20 + w.random.IntN(100) {
		w.pass()
		w.step()
		if w.wrong != "" {
			return
		}
	}
	w.calm()
}

// pass lets some time pass, with everything that falls due.
func (w *world) pass() {
	until := w.now + time.Duration(w.random.IntN(15))*time.Millisecond
	switch w.random.IntN(60) {
	case 0:
		until += time.Duration(w.random.IntN(1500)) * time.Millisecond
	case 1:
		until += 190*time.Millisecond + time.Duration(w.random.IntN(20))*time.Millisecond // around the deadman and the life
	}
	w.passUntil(until)
}

func (w *world) passUntil(until time.Duration) {
	for {
		due, ok := w.robot.Next()
		if w.next <= until && (!ok || w.next < due+w.booted) {
			w.capture()
			continue
		}
		if !ok || due+w.booted > until {
			break
		}
		w.now = max(w.now, due+w.booted)
		w.robot.Advance(w.clock())
		if again, ok := w.robot.Next(); ok && again <= due {
			w.fail("time stands still: due at %v, and after that at %v", due, again)
			return
		}
	}
	w.now = until
	if w.moving && w.now-w.lastMove > DefaultDeadman {
		w.fail("it moves %v after the last command", w.now-w.lastMove)
	}
	w.checkSight()
}

// step is one random event. How good the network is varies from history to history; a good one delivers soon.
func (w *world) step() {
	d := w.driver()
	w.watch(d)
	switch n := w.random.IntN(100); {
	case n < 70:
		w.act(d)
	case n < 80:
		w.arrive(&w.toRobot, w.atRobot)
	case n < 90:
		w.arrive(&w.toDriver, w.atDriver)
	case n < 96:
		w.ask(d, [...]string{"take", "keep", "keep", "release", "estop", "clear", "clear"}[w.random.IntN(7)])
	case n < 97:
		w.note("driver %d restarts", d)
		w.drivers[d] = sender{}
	case n < 98:
		w.boot()
		w.halt(true)
	case n < 99 && w.random.IntN(2) > 0:
		w.asleep = !w.asleep
		w.note("the camera sleeps: %v", w.asleep)
	case n < 99:
		w.note("the hardware was away")
		w.robot.Interrupt(w.clock())
		w.neutral = false
	default:
		w.note("the network loses everything in flight")
		w.toRobot, w.toDriver = w.toRobot[:0], w.toDriver[:0]
	}
	if w.random.Float64() < w.good {
		w.arrive(&w.toRobot, w.atRobot)
		w.passUntil(w.now + time.Duration(w.random.IntN(10))*time.Millisecond)
		w.arrive(&w.toDriver, w.atDriver)
	}
}

// driver picks who acts: mostly the one that believes it holds the lease.
func (w *world) driver() int {
	d := w.random.IntN(len(w.drivers))
	if w.random.IntN(8) > 0 {
		for i, s := range w.drivers {
			if s.lease == w.lease && s.life == w.life {
				return i
			}
		}
	}
	return d
}

// boot starts the actuator. Only the e-stop survives a restart.
func (w *world) boot() {
	w.life++
	w.note("life %d of the actuator", w.life)
	w.booted, w.lease, w.neutral = w.now, 0, false
	w.stop()
	w.robot = New(Config{
		NewID: func() int64 { w.leases++; return w.leases },
		Safe:  func(Cause) { w.stop() },
		EStop: w.latched,
		Sight: w.sight,
	})
}

func (w *world) stop() {
	w.moving, w.stopped = false, w.now
	w.halt(false)
}

func (w *world) clock() Clock { return w.now - w.booted }

// act has a driver do what drivers do: ask for the lease, and send commands under it. One without a
// lease may try anyway.
func (w *world) act(d int) {
	s := &w.drivers[d]
	if s.lease == 0 && w.random.IntN(5) > 0 {
		w.ask(d, "acquire")
		return
	}
	s.sequence++
	p := parcel{what: "command", driver: d, created: w.now, number: w.random.Int64(), life: s.life}
	p.command, p.seen = w.command(s)
	w.toRobot = append(w.toRobot, p)
	w.note("driver %d sends %+v", d, p.command)
}

// ask has a driver ask for something.
func (w *world) ask(d int, what string) {
	w.toRobot = append(w.toRobot, parcel{what: what, driver: d, created: w.now, lease: w.drivers[d].lease,
		eStop: w.drivers[d].eStop})
	w.note("driver %d: %s", d, what)
}

// arrive delivers a message, and perhaps keeps it in flight to deliver it again.
func (w *world) arrive(from *[]parcel, at func(parcel)) {
	if len(*from) == 0 {
		return
	}
	// Mostly the newest, as on a good network; else any.
	i := len(*from) - 1
	if w.random.IntN(4) == 0 {
		i = w.random.IntN(len(*from))
	}
	p := (*from)[i]
	switch w.random.IntN(12) {
	case 0: // it will arrive again
	case 1: // it is lost
		*from = slices.Delete(*from, i, i+1)
		return
	default:
		*from = slices.Delete(*from, i, i+1)
	}
	at(p)
}

// atRobot has the actuator handle a message, and updates the truth.
func (w *world) atRobot(p parcel) {
	w.note("arrives, sent %v ago by driver %d: %s", w.now-p.created, p.driver, p.what)
	var lease int64
	refused := false
	switch p.what {
	case "acquire":
		if epoch, err := w.robot.Acquire(w.clock(), "driver"); err == nil {
			lease = epoch
			if w.lease != 0 && w.now-w.signs < LeaseTTL {
				w.fail("the lease was given away %v after a sign of life of its holder", w.now-w.signs)
			}
		}
	case "take":
		lease = w.robot.Take(w.clock(), "driver")
	case "keep":
		if w.robot.KeepAlive(w.clock(), p.lease) == nil {
			w.sign(p.lease)
		}
	case "release":
		w.robot.Release(w.clock(), p.lease)
		if p.lease == w.lease {
			w.lease = 0
		}
	case "estop":
		w.pressed, w.neutral = w.now, false
		w.latched = w.robot.EStop(w.clock())
	case "clear":
		if w.robot.ClearEStop(w.clock(), p.eStop) == nil {
			w.latched = 0
			w.stop() // nothing sent before the clearing counts either
			if p.created < w.pressed {
				w.fail("an e-stop was ended by a wish from %v before it", w.pressed-p.created)
			}
		}
	case "command":
		refused = w.judge(p) == NoLease
	}
	if lease != 0 {
		w.lease, w.signs, w.neutral, w.lastOrder = lease, w.now, false, 0
	}
	w.toDriver = append(w.toDriver, parcel{driver: p.driver, created: w.now, lease: lease, eStop: w.latched,
		refused: refused, clock: w.clock(), life: w.life})
}

// sign records that the holder of the lease is alive; a lease that had expired must not come back.
func (w *world) sign(lease int64) {
	if lease != w.lease || w.now-w.signs > LeaseTTL {
		w.fail("lease %d was kept alive; the one in force is %d, and the last sign of life is %v old", lease, w.lease,
			w.now-w.signs)
	}
	w.signs = w.now
}

// atDriver is what a driver does with an answer.
func (w *world) atDriver(p parcel) {
	s := &w.drivers[p.driver]
	s.eStop = p.eStop
	switch {
	case p.lease != 0 && (p.life > s.life || p.lease > s.lease):
		*s = sender{lease: p.lease, heard: p.clock, life: p.life, eStop: p.eStop}
	case p.refused:
		s.lease = 0
	case p.life == s.life:
		s.heard = max(s.heard, p.clock)
	}
}

// judge has a command judged, and checks the verdict against the truth.
func (w *world) judge(p parcel) Verdict {
	w.judged++
	var shown *picture
	p.command.Seen, shown = w.find(p.seen)
	verdict, factor := w.robot.Judge(w.clock(), p.command)
	w.note("%+v: %v, slowed by %v", p.command, verdict, factor)
	switch verdict {
	case Blind:
		w.refused(p.command, shown)
		w.sign(p.command.Lease)
	case Accepted, EStopped, BeforeStop, NotNeutral:
		w.sign(p.command.Lease)
	}
	if verdict != Accepted {
		return verdict
	}
	w.accepted++
	age, life := w.now-p.created, p.command.Expiry()-p.command.Heard
	switch {
	case age > life:
		w.fail("a stale command: sent %v ago, it counts for %v", age, life)
	case w.executed[p.number]:
		w.fail("a command was carried out twice")
	case p.command.Sequence <= w.lastOrder:
		w.fail("command %d was carried out after %d", p.command.Sequence, w.lastOrder)
	case p.life != w.life:
		w.fail("a command for another life of the actuator")
	case w.lease == 0 || p.command.Lease != w.lease:
		w.fail("a command under lease %d; the one in force is %d", p.command.Lease, w.lease)
	case w.latched != 0:
		w.fail("a command under an e-stop")
	case p.created < w.stopped:
		w.fail("a command from %v before the stop", w.stopped-p.created)
	case !w.neutral && !p.command.Neutral:
		w.fail("a command that moves before a neutral one")
	}
	w.executed[p.number], w.lastOrder = true, p.command.Sequence
	w.neutral, w.moving, w.lastMove = true, !p.command.Neutral, w.now
	w.obey(p.command, factor, shown)
	return verdict
}

// calm is the end of each history: the network is good, and a driver must be able to drive.
func (w *world) calm() {
	w.note("calm")
	w.toRobot, w.toDriver = w.toRobot[:0], w.toDriver[:0]
	w.drivers[0], w.asleep = sender{}, false
	say := func(p parcel) {
		p.created, p.lease, p.eStop = w.now, w.drivers[0].lease, w.drivers[0].eStop
		w.atRobot(p)
		w.passUntil(w.now + 20*time.Millisecond)
		w.atDriver(w.toDriver[len(w.toDriver)-1])
	}
	say(parcel{what: "take"})
	if w.latched != 0 {
		say(parcel{what: "clear"})
	}
	for i := range int64(10) {
		before := w.accepted
		s := &w.drivers[0]
		s.sequence++
		w.passUntil(w.now + interval)
		newest := len(w.pictures) - 1
		if newest >= 0 {
			w.pictures[newest].known = true
		}
		say(parcel{what: "command", number: -1 - i, life: s.life, seen: newest,
			command: Command{Lease: s.lease, Sequence: s.sequence, Heard: s.heard, Neutral: i == 0}})
		if w.accepted == before {
			w.fail("command %d on a good network was refused", i)
		}
	}
	w.passUntil(w.now + 10*time.Second)
	if s := w.robot.State(); s.Phase != PhaseFree || w.moving {
		w.fail("long after the last command: %+v, moving: %v", s, w.moving)
	}
}

func (w *world) note(format string, args ...any) {
	if w.tell {
		w.lines = append(w.lines, fmt.Sprintf("%8.3f s  %s", w.now.Seconds(), fmt.Sprintf(format, args...)))
	}
}

func (w *world) fail(format string, args ...any) {
	if w.wrong == "" {
		w.wrong = fmt.Sprintf(format, args...)
	}
}

func (w *world) story() string { return strings.Join(append(w.lines, ""), "\n") }
