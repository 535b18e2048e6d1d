package embedded_test

import (
	"testing"

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
