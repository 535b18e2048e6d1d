package server

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	fleetv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/fleet/v1"
	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
)

// twoRobots are a fleet; served lists those for which a request was passed on.
type twoRobots struct {
	served []string
	has    bool // all are being served already
}

func (r *twoRobots) Since(uint64) ([]*fleetv1.RobotStatus, uint64, <-chan struct{}) {
	return []*fleetv1.RobotStatus{{State: &fleetv1.RobotState{Robot: "arm"}},
		{State: &fleetv1.RobotState{Robot: "rover"}}}, 1, make(chan struct{})
}
func (r *twoRobots) Away(string) string   { return "" }
func (r *twoRobots) Watch() (stop func()) { return func() {} }
func (r *twoRobots) Has(string) bool      { return r.has }
func (r *twoRobots) Serve(_ http.ResponseWriter, _ *http.Request, robot string) error {
	r.served = append(r.served, robot)
	return status.Error(codes.Unavailable, "not now")
}

// TestFrontShowsOwnRobots: who has a token for one robot sees that one, and starts no other.
func TestFrontShowsOwnRobots(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.json")
	create := func(name, robot string) string {
		token, _, err := tokens.Create(path, tokens.Request{Name: name, Role: roles.Viewer, Robot: robot})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	anna, all := create("anna", "rover"), create("all", "")
	fleet := &twoRobots{}
	f, err := NewFront(FrontConfig{Config: Config{Authority: tokens.NewAuthority("", tokens.Open(path)),
		Metrics: prometheus.NewRegistry(), BusConnected: func() bool { return true },
		Page: fstest.MapFS{"fleet.html": {Data: []byte("<p>")}, "index.html": {Data: []byte("<p>")}}},
		Robots: fleet, Instances: fleet, Gatherer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	get := func(token, path string) (int, string) {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		f.Handler().ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	for token, want := range map[string][]string{anna: {"rover"}, all: {"arm", "rover"}, "nobody": nil} {
		_, body := get(token, "/robots")
		for _, name := range []string{"arm", "rover"} {
			if strings.Contains(body, `"`+name+`"`) != slices.Contains(want, name) {
				t.Errorf("wants %v, is shown %s", want, body)
			}
		}
	}
	for _, fleet.has = range []bool{false, true} { // the answer does not depend on whether others are there
		fleet.served = nil
		for robot, want := range map[string]int{"arm": http.StatusNotFound, "rover": http.StatusServiceUnavailable} {
			if code, body := get(anna, "/r/"+robot+"/devices"); code != want {
				t.Errorf("%s, served %t: %d %s, want %d", robot, fleet.has, code, body, want)
			}
		}
		if !slices.Equal(fleet.served, []string{"rover"}) {
			t.Errorf("served %v", fleet.served)
		}
	}
}
