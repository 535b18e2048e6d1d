package embedded_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/bus/embedded"
)

// TestSameProblem: a problem that stays is one problem, whatever the server counts, so it is logged once.
func TestSameProblem(t *testing.T) {
	for _, c := range []struct{ first, next, want string }{
		{
			`Error trying to connect as leafnode to remote server "hub:7422" (attempt 1): dial tcp 10.0.0.1:7422: refused`,
			`Error trying to connect as leafnode to remote server "hub:7422" (attempt 27): dial tcp 10.0.0.1:7422: refused`,
			`the hub cannot be reached: Error trying to connect as leafnode to remote server "hub:7422": ` +
				`dial tcp 10.0.0.1:7422: refused`,
		},
		{
			"10.0.0.1:7422 - lid:5 - TLS handshake error: read tcp 10.0.0.2:40001->10.0.0.1:7422: reset",
			"10.0.0.1:7422 - lid:6 - TLS handshake error: read tcp 10.0.0.2:40002->10.0.0.1:7422: reset",
			"the hub does not speak TLS there, or not ours: 10.0.0.1:7422 - TLS handshake error: read tcp 10.0.0.1:7422: reset",
		},
	} {
		l := &embedded.Leaf{Robot: "rover"}
		first, next := embedded.Problem(l, c.first), embedded.Problem(l, c.next)
		if first != c.want || next != c.want {
			t.Errorf("got %q and then %q, want %q", first, next, c.want)
		}
	}
	dial := `Error trying to connect as leafnode to remote server "hub:7422" (attempt 1): `
	l := &embedded.Leaf{Robot: "rover"}
	if embedded.Problem(l, dial+"refused") == embedded.Problem(l, dial+"no route to host") {
		t.Error("another problem is taken for the same")
	}
	if p := embedded.Problem(l, "the slow consumer is gone"); p != "" {
		t.Errorf("%q is no problem of the link", p)
	}
}

// TestComplaints: problems that take turns are one line each, again after a while, and never many.
func TestComplaints(t *testing.T) {
	told := embedded.Complaints{}
	begun := time.Unix(1000, 0)
	lines := 0
	say := func(problem string, after time.Duration) {
		if embedded.Due(told, problem, begun.Add(after)) {
			lines++
		}
	}
	for i := range 100 {
		say("refused", time.Duration(i)*time.Second)
		say("no route", time.Duration(i)*time.Second)
	}
	if lines != 2 {
		t.Errorf("two problems that take turns are %d lines", lines)
	}
	if say("refused", 10*time.Minute); lines != 3 {
		t.Errorf("one that is still there after 10 minutes is not told again: %d lines", lines)
	}
	lines = 0
	for i := range 100 {
		say(fmt.Sprint("problem ", i), 11*time.Minute)
	}
	if lines != embedded.MaxTold-1 {
		t.Errorf("100 more problems are %d lines", lines)
	}
}
