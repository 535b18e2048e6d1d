package harness

import (
	"net/http"
	"path/filepath"
	"testing"
)

// LocalRendezvous is a rendezvous server on loopback, over HTTP and without a relay.
type LocalRendezvous struct {
	*Process
	// URL of the server, without a slash at the end.
	URL string
	// State is the file of the robots' names.
	State string

	address string
	args    []string
}

// StartLocalRendezvous runs a server with more arguments until the test ends.
func StartLocalRendezvous(tb testing.TB, args ...string) *LocalRendezvous {
	tb.Helper()
	r := &LocalRendezvous{address: FreeAddress(tb), State: filepath.Join(tb.TempDir(), "robots.json"), args: args}
	r.URL = "http://" + r.address
	r.Restart(tb)
	return r
}

// Restart runs the server again after it was killed.
func (r *LocalRendezvous) Restart(tb testing.TB) {
	tb.Helper()
	r.Process = Start(tb, nil, Bin(tb, "waldo"),
		append([]string{"rendezvous", "--listen", r.address, "--state", r.State}, r.args...)...)
	Until(tb, "the rendezvous server serves", func() error {
		response, err := http.Get(r.URL + "/healthz")
		if err != nil {
			return err
		}
		return response.Body.Close()
	})
}

// Gateway is the section of a robot's file with which it uses the server, for [Options.Gateway].
func (r *LocalRendezvous) Gateway() string {
	return `, token: "` + Token + `", rendezvous: {url: "` + r.URL + `", guestToken: "` + GuestToken + `"}`
}
