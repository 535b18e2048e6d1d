package pionnet

import (
	"net"
	"testing"
)

// TestInterfaces: the interfaces are those of the machine, although they were not asked for when the Net was made.
func TestInterfaces(t *testing.T) {
	want, err := net.Interfaces()
	if err != nil || len(want) == 0 {
		t.Fatalf("%v, %v", want, err)
	}
	n := New()
	for _, w := range want {
		byName, err := n.InterfaceByName(w.Name)
		if err != nil || byName.Index != w.Index {
			t.Errorf("%s: %v, %v", w.Name, byName, err)
		}
		byIndex, err := n.InterfaceByIndex(w.Index)
		if err != nil || byIndex.Name != w.Name {
			t.Errorf("%d: %v, %v", w.Index, byIndex, err)
		}
	}
	if got, err := n.Interfaces(); err != nil || len(got) != len(want) {
		t.Errorf("%d interfaces and %v, want %d", len(got), err, len(want))
	}
}
