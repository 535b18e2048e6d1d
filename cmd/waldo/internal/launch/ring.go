package launch

import (
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/bus/keys"
	"github.com/waldo-robot/waldo/pkg/bus/permissions"
	"github.com/waldo-robot/waldo/pkg/robot"
)

// ring has the keys by which the processes of a robot use the bus that this launcher runs. They are made again with
// each run, and are nowhere but in the memory of the launcher and of the process that each is for. A nil ring has none:
// the bus is somebody else's.
type ring struct {
	mu    sync.Mutex
	seeds map[string]*keys.Seed // by the name of the process
	known permissions.Keys
	// leaving are those of known whose processes have been told to end. They are forgotten with the first change after
	// such a process has ended.
	leaving permissions.Keys
	server  *embedded.Server // nil until it has started
}

// issue makes the keys for a robot and its slots, keeps those that there are, and tells the server. Ending reports
// whether a process that an earlier change has told to end still runs, and may have last words.
func (r *ring) issue(of *robot.Robot, slots []string, ending func(name string) bool) error {
	if r == nil {
		return nil
	}
	holders := permissions.Processes(of)
	for _, name := range slots {
		holders[name] = permissions.Of(permissions.Slot(of.Name, name, slotKind), true)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	known := permissions.Keys{}
	for key, holder := range r.known {
		if _, told := r.leaving[key]; !told || ending(strings.TrimPrefix(holder.Name, of.Name+"/")) {
			known[key] = holder
		}
	}
	leaving := maps.Clone(known)
	for name, may := range holders {
		seed, err := r.seed(name)
		if err != nil {
			return err
		}
		known[seed.Public()] = permissions.Holder{Name: of.Name + "/" + name, Permissions: may}
		delete(leaving, seed.Public())
	}
	r.known, r.leaving = known, leaving
	maps.DeleteFunc(r.seeds, func(name string, _ *keys.Seed) bool { _, ok := holders[name]; return !ok })
	if r.server != nil {
		r.server.SetKeys(known)
	}
	return nil
}

// seed returns the seed of a process, which it makes if there is none. The caller holds mu.
func (r *ring) seed(name string) (*keys.Seed, error) {
	if s := r.seeds[name]; s != nil {
		return s, nil
	}
	s, err := keys.New()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if r.seeds == nil {
		r.seeds = map[string]*keys.Seed{}
	}
	r.seeds[name] = s
	return s, nil
}

// of returns the seed of a process; nil for one that has none.
func (r *ring) of(name string) *keys.Seed {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seeds[name]
}

// secret returns the seed of a process as it is handed over; nil for one that has none.
func (r *ring) secret(name string) []byte {
	if s := r.of(name); s != nil {
		return s.Text()
	}
	return nil
}

// serve has a server know the keys from now on.
func (r *ring) serve(s *embedded.Server) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.server = s
	s.SetKeys(r.known)
}
