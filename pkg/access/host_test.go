package access_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/waldo-robot/waldo/pkg/access"
)

// hosts are Host headers, and whether they mean this machine and nothing else.
var hosts = []struct {
	header string
	own    bool
}{
	{"localhost", true}, {"localhost:9090", true}, {"localhost.:9090", true}, {"a.localhost:1", true},
	{"127.0.0.1", true}, {"127.0.0.1:9090", true},
	{"127.1.2.3:1", true}, {"[::1]:9090", true}, {"[::1]", true}, {"::1", true},
	{"", false}, {":9090", false}, {"rebind.example:9090", false}, {"127.0.0.1.example", false},
	{"localhost.example", false}, {"xlocalhost", false},
	{"192.0.2.1:9090", false}, {"[2001:db8::1]:9090", false}, {"0.0.0.0", false}, {"127.0.0.1@example", false},
}

func TestLoopbackOnly(t *testing.T) {
	h := access.LoopbackOnly(http.HandlerFunc(func(w http.ResponseWriter,
		_ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}))
	for _, tt := range hosts {
		r := httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody)
		r.Host = tt.header
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		want := http.StatusMisdirectedRequest
		if tt.own {
			want = http.StatusNoContent
		}
		if w.Code != want {
			t.Errorf("Host %q gets %d, want %d", tt.header, w.Code, want)
		}
	}
}

func FuzzHostName(f *testing.F) {
	for _, tt := range hosts {
		f.Add(tt.header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if host := access.HostName(header); len(host) > len(header) {
			t.Errorf("%q has the name %q", header, host)
		}
	})
}
