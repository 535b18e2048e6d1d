package access

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestGuessesAreSlowedDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Guesses
		want := []time.Duration{100, 200, 400, 800, 1600, 3000, 3000}
		for i, ms := range want {
			begin := time.Now()
			guess := g.Wrong(t.Context(), "192.0.2.1:1000")
			if took := time.Since(begin); took != ms*time.Millisecond || guess.Count != i+1 || !guess.Waited {
				t.Errorf("guess %d took %v and is %+v; want %v ms", i+1, took, guess, int(ms))
			}
		}
		begin := time.Now()
		if g.Wrong(t.Context(), "192.0.2.2:1000"); time.Since(begin) != firstDelay {
			t.Errorf("another address waits %v", time.Since(begin))
		}
		time.Sleep(clientLife)
		if guess := g.Wrong(t.Context(), "192.0.2.1:1000"); guess.Count != 1 {
			t.Errorf("after a long silence it is %+v", guess)
		}
	})
}

func TestAGuessEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Guesses
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		begin := time.Now()
		if g.Wrong(ctx, "192.0.2.1:1"); time.Since(begin) != 0 || g.waiting != 0 {
			t.Errorf("it took %v, and %d wait", time.Since(begin), g.waiting)
		}
	})
}

func TestGuessesInParallelAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Guesses
		var all sync.WaitGroup
		var mu sync.Mutex
		waited := 0
		for i := range 1000 {
			all.Go(func() {
				if g.Wrong(t.Context(), fmt.Sprintf("10.0.%d.1:1", i%100)).Waited {
					mu.Lock()
					defer mu.Unlock()
					waited++
				}
			})
		}
		all.Wait()
		if waited != maxWaiting || g.waiting != 0 {
			t.Errorf("%d of 1000 guesses were held back, want %d; %d still are", waited, maxWaiting, g.waiting)
		}
		waited = 0
		for range 10 {
			all.Go(func() {
				if g.Wrong(t.Context(), "192.0.2.1:1").Waited {
					mu.Lock()
					defer mu.Unlock()
					waited++
				}
			})
		}
		all.Wait()
		if waited != maxWaitingEach {
			t.Errorf("%d guesses of one address were held back, want %d", waited, maxWaitingEach)
		}
	})
}

// TestGuessesForget has more clients than can be remembered, one of whom guesses all the time.
func TestGuessesForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Guesses
		ended, cancel := context.WithCancel(t.Context())
		cancel() // nobody waits
		reports := 0
		for i := range 3 * maxClients {
			time.Sleep(time.Millisecond)
			if guess := g.Wrong(ended, fmt.Sprintf("10.0.%d.%d:1", i>>8, i&255)); guess.Report {
				reports++
			}
			if guess := g.Wrong(ended, "192.0.2.1:1"); guess.Count != i+1 {
				t.Fatalf("guess %d of one client was counted as %d", i+1, guess.Count)
			}
		}
		if len(g.clients) > maxClients {
			t.Errorf("%d clients are remembered", len(g.clients))
		}
		if reports > maxReports {
			t.Errorf("%d reports within %v", reports, 3*maxClients*time.Millisecond)
		}
	})
}

func TestReports(t *testing.T) {
	var g Guesses
	var reported []int
	for n := 1; n <= 1000; n++ {
		if g.report(n, time.Time{}.Add(time.Hour)) {
			reported = append(reported, n)
		}
	}
	if fmt.Sprint(reported) != "[1 10 100 1000]" {
		t.Errorf("reported are %v", reported)
	}
}

func TestClientOf(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1:80": "192.0.2.1", "[::ffff:192.0.2.1]:80": "192.0.2.1", "[2001:db8:1:2:3::4]:80": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:80": "fe80::/64", "bufconn": "unknown", "@": "unknown", "": "unknown",
	} {
		if got := Client(address); got != want {
			t.Errorf("Client(%q) = %q, want %q", address, got, want)
		}
	}
}
