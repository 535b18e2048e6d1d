package pipeline

import "testing"

// TestRestraint: an encoder that makes too much is told less, down to a bound, and all of the limit again when it does
// not.
func TestRestraint(t *testing.T) {
	const limit = 1_000_000
	var r restraint
	if got := r.target(limit); got != limit {
		t.Errorf("at first %d", got)
	}
	r.left(true)
	r.left(true)
	if got := r.target(limit); got < 950_000 || got >= 980_000 {
		t.Errorf("after two pictures that were left out: %d", got)
	}
	for range 1000 {
		r.left(true)
	}
	if got := r.target(limit); got < 800_000 || got > 810_000 {
		t.Errorf("the least is %d", got)
	}
	for range 200 {
		r.left(false)
	}
	if got := r.target(limit); got != limit {
		t.Errorf("in the end %d", got)
	}
}
