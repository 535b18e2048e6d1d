package replayed

import (
	"net"
	"testing"
)

// TestFreeAddresses: there are as many as are wanted, each once, and one that
// somebody has is not among them.
func TestFreeAddresses(t *testing.T) {
	first, err := freeAddresses(1)
	if err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", first[0])
	if err != nil {
		t.Skipf("somebody else has got %s meanwhile", first[0])
	}
	defer func() { _ = taken.Close() }()
	for _, n := range []int{1, 10, 500} {
		all, err := freeAddresses(n)
		if err != nil || len(all) != n {
			t.Fatalf("%d of %d: %v", len(all), n, err)
		}
		got := map[string]bool{first[0]: true}
		for _, address := range all {
			if got[address] {
				t.Errorf("%s is given twice, or taken", address)
			}
			got[address] = true
		}
	}
}
