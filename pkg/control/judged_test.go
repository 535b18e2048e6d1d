package control

import (
	"bytes"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write what the arbiter does to testdata/judged.jsonl")

// step is a call of an arbiter and what comes of it. Times are in ms. The first step of a history is start, alone.
type step struct {
	Call string `json:"call"` // start, acquire, take, keepAlive, release, eStop, clearEStop or command
	At   int64  `json:"at"`
	ID   int64  `json:"id"` // of the lease or the e-stop that the call names

	Sequence int64 `json:"sequence,omitempty"` // of a command
	Heard    int64 `json:"heard,omitempty"`
	Life     int64 `json:"life,omitempty"`
	Neutral  bool  `json:"neutral,omitempty"`

	Got   string `json:"got"`          // done, refused, or the verdict
	New   int64  `json:"new,omitzero"` // id of the lease or the e-stop that begins
	Phase string `json:"phase"`
	Cause string `json:"cause"` // as by [Cause.String]
}

// author makes up the steps of a history. It knows the ids that an arbiter gave out, and names old ones, too.
type author struct {
	random         *rand.Rand
	arbiter        *rig
	now            int64
	leases, eStops []int64
	sequence       int64
}

// TestJudged holds testdata/judged.jsonl to the rules. The tests of the web page play against an actuator of their own;
// they replay this file, and so prove that theirs judges as the arbiter does.
func TestJudged(t *testing.T) {
	var lines bytes.Buffer
	out, seen := json.NewEncoder(&lines), map[string]int{}
	for seed := range uint64(10) {
		a := &author{random: rand.New(rand.NewPCG(seed, 0)), arbiter: newRig(Config{}), leases: []int64{1},
			eStops: []int64{1}}
		a.arbiter.next = 1000
		for i := range 60 {
			s := step{Call: "start", Got: "done"}
			if i > 0 {
				s = a.next()
				a.call(&s)
			}
			state := a.arbiter.State()
			s.Phase = [...]string{"free", "safe", "driving", "e_stopped"}[state.Phase]
			s.Cause = state.Cause.String()
			seen[s.Call+" "+s.Got]++
			seen[s.Phase]++
			seen[s.Cause]++
			if err := out.Encode(s); err != nil {
				t.Fatal(err)
			}
		}
	}
	const all = "acquire done,acquire refused,keepAlive done,keepAlive refused,clearEStop done,clearEStop refused," +
		"command accepted,command no_lease,command out_of_order,command expired,command unknown_clock,command before_stop," +
		"command e_stopped,command not_neutral,free,safe,driving,e_stopped," +
		"start,deadman,lease_lapsed,lease_released,lease_taken,e_stop"
	for what := range strings.SplitSeq(all, ",") {
		if seen[what] == 0 {
			t.Errorf("there is no %q in any history", what)
		}
	}
	const file = "testdata/judged.jsonl"
	if *update {
		if err := os.WriteFile(file, lines.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if stored, err := os.ReadFile(file); err != nil || !bytes.Equal(stored, lines.Bytes()) {
		t.Errorf("%s is not what the arbiter does (%v): run go test ./control -run %s -update", file, err, t.Name())
	}
}

// next makes up a call. Most are commands that a driver could send, and what has to come first is called soon.
func (a *author) next() step {
	a.now += []int64{10, 10, 10, 10, 10, 20, 20, 20, 30, 30, 50, 150, 200, 500, 500, 1000}[a.random.IntN(16)]
	s := step{At: a.now, ID: a.pick(a.leases)}
	state, dice := a.arbiter.State(), a.random.IntN(20)
	switch {
	case dice == 0, state.Holder == "" && dice < 10:
		s.Call = "acquire"
	case dice == 1:
		s.Call = "take"
	case dice < 4:
		s.Call = "keepAlive"
	case dice == 4:
		s.Call = "release"
	case dice == 5:
		s.Call = "eStop"
	case dice == 6, state.Phase == PhaseEStopped && dice < 14:
		s.Call, s.ID = "clearEStop", a.pick(a.eStops)
	default:
		s.Call = "command"
		s.Sequence = a.sequence + int64(min(a.random.IntN(6), 1))
		s.Life = []int64{50, 200, 200, 1000}[a.random.IntN(4)]
		s.Heard = max(0, []int64{a.now, a.now, a.now - 10, a.now - 30, a.now - s.Life, a.now - s.Life - 10, a.now +
			10}[a.random.IntN(7)])
		s.Neutral = a.random.IntN(2) == 0
	}
	return s
}

// pick returns the newest id more often than an older one.
func (a *author) pick(ids []int64) int64 { return ids[len(ids)-1-min(a.random.IntN(10)/9, len(ids)-1)] }

// call makes the call and notes what comes of it.
func (a *author) call(s *step) {
	now, err := Clock(s.At)*time.Millisecond, error(nil)
	s.Got = "done"
	switch s.Call {
	case "acquire":
		s.New, err = a.arbiter.Acquire(now, "somebody")
	case "take":
		s.New = a.arbiter.Take(now, "somebody")
	case "keepAlive":
		err = a.arbiter.KeepAlive(now, s.ID)
	case "release":
		a.arbiter.Release(now, s.ID)
	case "eStop":
		s.New = a.arbiter.EStop(now)
		a.eStops = append(a.eStops, s.New)
	case "clearEStop":
		err = a.arbiter.ClearEStop(now, s.ID)
	case "command":
		a.sequence = max(a.sequence, s.Sequence)
		s.Got = a.arbiter.Judge(now, Command{Lease: s.ID, Sequence: s.Sequence, Heard: Clock(s.Heard) * time.Millisecond,
			Life: time.Duration(s.Life) * time.Millisecond, Neutral: s.Neutral}).String()
	}
	if err != nil {
		s.Got = "refused"
	}
	if s.New > 0 && s.Call != "eStop" {
		a.leases, a.sequence = append(a.leases, s.New), 0
	}
}
