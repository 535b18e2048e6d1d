package bus

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestRenewalsFallTogether: whenever a hold begins, it is renewed with the others of its connection.
func TestRenewalsFallTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Conn{begun: time.Now()}
		for _, at := range []time.Duration{0, 1, holdRenewal / 3, holdRenewal - 1, holdRenewal, 5*holdRenewal + 7} {
			time.Sleep(at - time.Since(c.begun))
			next := c.nextRenewal()
			if due := at + next; due%holdRenewal != 0 || next <= 0 || next > holdRenewal {
				t.Errorf("a hold that begins after %v is renewed after another %v", at, next)
			}
		}
	})
}
