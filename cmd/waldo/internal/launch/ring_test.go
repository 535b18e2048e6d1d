package launch

import (
	"maps"
	"slices"
	"testing"

	"github.com/waldo-robot/waldo/pkg/robot"
)

// TestRingKeepsKeysForLastWords: the key of a process is known until the process has ended, however often the slots
// change meanwhile. The bus would cut the process off before it has said that it was stopped, and devices that have not
// said so are never forgotten.
func TestRingKeepsKeysForLastWords(t *testing.T) {
	of := &robot.Robot{Name: "rover"}
	ending := map[string]bool{}
	r := &ring{}
	change := func(slots ...string) {
		t.Helper()
		if err := r.issue(of, slots, func(name string) bool { return ending[name] }); err != nil {
			t.Fatal(err)
		}
	}
	knows := func(want ...string) {
		t.Helper()
		got := []string{}
		for _, holder := range r.known {
			got = append(got, holder.Name)
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("known are %v, want %v", got, want)
		}
	}
	change()
	always := slices.Sorted(maps.Keys(r.seeds)) // the launcher's and the gateway's own
	with := func(slots ...string) (all []string) {
		for _, name := range slices.Concat(always, slots) {
			all = append(all, "rover/"+name)
		}
		slices.Sort(all)
		return all
	}
	change("lamp", "notes")
	knows(with("lamp", "notes")...)
	lamp := r.of("lamp").Public()

	change("notes")
	ending["lamp"] = true
	knows(with("lamp", "notes")...)
	change()
	ending["notes"] = true
	knows(with("lamp", "notes")...)

	change("lamp") // another process of that name
	knows(with("lamp", "lamp", "notes")...)
	delete(ending, "notes")
	change("lamp")
	knows(with("lamp", "lamp")...)
	delete(ending, "lamp")
	change("lamp")
	knows(with("lamp")...)
	if _, known := r.known[lamp]; known {
		t.Error("the key of the lamp that has ended is known")
	}
}
