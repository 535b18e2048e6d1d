package peer

import (
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestClaim: a device is taken once, asked for again after a loss, and lost to whoever else has it.
func TestClaim(t *testing.T) {
	type step func(c *claim, list func(string))
	grant := func(c *claim, _ func(string)) { c.grant() }
	refuse := func(c *claim, _ func(string)) { c.refuse() }
	list := func(who string) step { return func(_ *claim, list func(string)) { list(who) } }
	wait := func(d time.Duration) step { return func(*claim, func(string)) { time.Sleep(d) } }
	for _, tt := range []struct {
		name                    string
		steps                   []step
		takes, contested, ended bool
	}{
		{"new", nil, true, false, false},
		{"refused at first", []step{list("bob"), refuse, wait(time.Hour), refuse}, true, false, false},
		{"granted", []step{list("bob"), grant}, false, false, false},
		{"the list is late", []step{list("bob"), grant, list("bob"), list("ann")}, false, false, false},
		{"taken", []step{grant, list("ann"), list("bob")}, false, false, true},
		{"taken and given back", []step{grant, list("ann"), list("bob"), list("")}, false, false, true},
		{"refused for its own of before", []step{grant, list("ann"), refuse}, false, true, false},
		{"granted again", []step{grant, list("ann"), refuse, wait(5 * time.Second), grant}, false, false, false},
		{"refused for another", []step{grant, list("bob"), refuse}, false, false, true},
		{"refused, and then another is named", []step{grant, list("ann"), refuse, list("bob")}, false, false, true},
		{"refused for too long", []step{grant, list("ann"), refuse, wait(staleFor), refuse}, false, false, true},
		{"refused for long, twice", []step{grant, list("ann"), refuse, wait(staleFor), grant, refuse}, false, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				listed := ""
				c := &claim{device: "guest", own: "ann", listed: func() string { return listed }, take: true}
				for _, s := range tt.steps {
					s(c, func(who string) { listed = who; c.name(who) })
				}
				err := c.ended()
				if c.takes() != tt.takes || c.isContested() != tt.contested || (err != nil) != tt.ended {
					t.Errorf("takes %v, contested %v, ended %v", c.takes(), c.isContested(), err)
				}
				if err != nil && status.Code(err) != codes.AlreadyExists {
					t.Error(err)
				}
			})
		})
	}
}
