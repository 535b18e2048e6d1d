package trust

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/certs"
)

const (
	here, elsewhere = "127.0.0.1:1000", "192.0.2.7:1000"
	token           = "Evaluate-this_token0"
)

// rig returns a handler whose page says "page", and the fingerprint of its authority.
func rig(t testing.TB) (h http.Handler, fingerprint string) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "tls")
	a, err := certs.OpenAuthority(folder, "rover", certs.NamesOf("rover", nil))
	if err != nil {
		t.Fatal(err)
	}
	proofs := t.TempDir()
	if err := os.WriteFile(filepath.Join(proofs, token), []byte("proof"), 0o600); err != nil {
		t.Fatal(err)
	}
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "page") })
	return Handler(page, Config{Robot: "rover", Folder: folder, Challenges: proofs, Port: "8080"}),
		certs.Fingerprint(a.Certificate())
}

// ask makes a request from an address.
func ask(h http.Handler, method, path, from string, secure bool, header ...string) *http.Response {
	r := httptest.NewRequest(method, "http://rover.local:8080"+path, http.NoBody)
	r.RemoteAddr = from
	if secure {
		r.TLS = &tls.ConnectionState{}
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func TestHandler(t *testing.T) {
	h, fingerprint := rig(t)
	html := []string{"Accept", "text/html,*/*"}
	tests := []struct {
		name, method, path, from string
		secure                   bool
		header                   []string
		status                   int
		says                     string
	}{
		{"with TLS", "GET", "/", elsewhere, true, html, 200, "page"},
		{"on this machine", "GET", "/", here, false, html, 200, "page"},
		{"on this machine, posting", "POST", "/whep/front", here, false, nil, 200, "page"},
		{"a browser elsewhere", "GET", "/?token=x", elsewhere, false, html, 200, fingerprint},
		{"a program elsewhere", "GET", "/mjpeg/front?fps=5", elsewhere, false, nil, 307,
			"https://rover.local:8080/mjpeg/front?fps=5"},
		{"a program elsewhere, posting", "POST", "/whip/guest", elsewhere, false, nil, 426, "by https only"},
		{"health", "GET", "/healthz", elsewhere, false, nil, 200, "page"},
		{"the authority", "GET", "/ca.crt", elsewhere, false, nil, 200, "BEGIN CERTIFICATE"},
		{"the authority with TLS", "GET", "/ca.crt", elsewhere, true, nil, 200, "BEGIN CERTIFICATE"},
		{"the trust page with TLS", "GET", "/trust", elsewhere, true, nil, 200, fingerprint},
		{"a proof", "GET", "/.well-known/acme-challenge/" + token, elsewhere, false, nil, 200, "proof"},
		{"no proof", "GET", "/.well-known/acme-challenge/other", elsewhere, false, nil, 404, "no such proof"},
		{"a file elsewhere", "GET", "/.well-known/acme-challenge/../../etc/passwd", elsewhere, false, nil, 404,
			"no such proof"},
		{"whether TLS works", "GET", "/trusted", elsewhere, true, nil, 204, ""},
	}
	for _, tt := range tests {
		response := ask(h, tt.method, tt.path, tt.from, tt.secure, tt.header...)
		body, _ := io.ReadAll(response.Body)
		if got := string(body) + response.Header.Get("Location"); response.StatusCode != tt.status ||
			!strings.Contains(got, tt.says) {
			t.Errorf("%s: %d %q", tt.name, response.StatusCode, got)
		}
	}
}

// TestPageIsWhole: everything is filled in, and the policy lets its script and style run.
func TestPageIsWhole(t *testing.T) {
	h, _ := rig(t)
	response := ask(h, "GET", "/trust", elsewhere, false)
	body, _ := io.ReadAll(response.Body)
	if strings.Contains(string(body), "{{") || !strings.Contains(string(body), "rover.local") {
		t.Errorf("the page is\n%s", body)
	}
	policy := response.Header.Get("Content-Security-Policy")
	if strings.Count(policy, "'sha256-") != 2 || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %s", policy)
	}
}

func TestWithoutAuthority(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "page") })
	public := Handler(page, Config{Robot: "rover", Port: "80"})
	if r := ask(public, "GET", "/", elsewhere, false, "Accept", "text/html"); r.StatusCode != 307 {
		t.Errorf("a certificate of others: %d", r.StatusCode)
	}
	if r := ask(public, "GET", "/ca.crt", here, false); r.StatusCode != 200 {
		t.Errorf("/ca.crt is up to the page: %d", r.StatusCode)
	}
	early := Handler(page, Config{Robot: "rover", Folder: "/nowhere", Port: "80"})
	if r := ask(early, "GET", "/ca.crt", elsewhere, false); r.StatusCode != 503 {
		t.Errorf("before there is an authority: %d", r.StatusCode)
	}
}

// hosts feed TestSecured and the seeds of FuzzSecured; an empty want means that there is no address.
var hosts = []struct{ host, port, want string }{
	{"rover.local:8080", "8080", "https://rover.local:8080/x"},
	{"rover.local", "8080", "https://rover.local/x"},
	{"rover.local", "80", "https://rover.local:80/x"},
	{"[fd00::1]:8080", "8080", "https://[fd00::1]:8080/x"},
	{"[fd00::1]", "80", "https://[fd00::1]:80/x"},
	{"a@b", "8080", ""}, {"a/b", "8080", ""}, {"", "8080", ""}, {"a b", "8080", ""}, {"a:b", "8080", ""},
	{"a?b", "80", ""}, {"\xb7", "80", ""},
}

func TestSecured(t *testing.T) {
	for _, tt := range hosts {
		r := httptest.NewRequest(http.MethodGet, "/x", http.NoBody)
		r.Host = tt.host
		got, ok := (&handler{config: Config{Port: tt.port}}).secured(r)
		if got != tt.want || ok != (tt.want != "") {
			t.Errorf("%q: %q, %v", tt.host, got, ok)
		}
	}
}

// FuzzSecured: nobody is sent to another host than the one they have named.
func FuzzSecured(f *testing.F) {
	for _, tt := range hosts {
		f.Add(tt.host, "/x", "a=b")
	}
	f.Fuzz(func(t *testing.T, host, path, query string) {
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		r.Host, r.URL.Path, r.URL.RawQuery = host, path, query
		to, ok := (&handler{config: Config{Port: "8080"}}).secured(r)
		if ok && !strings.HasPrefix(to, "https://"+host) {
			t.Errorf("%q becomes %q", host, to)
		}
	})
}

// FuzzProof: no name of a proof leads out of its folder.
func FuzzProof(f *testing.F) {
	h, _ := rig(f)
	for _, name := range []string{token, "", "..", "../ca.crt", "%2e%2e/ca.crt", strings.Repeat("a", 300), "a\x00b"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		w := httptest.NewRecorder()
		h.(*handler).serveProof(w, name)
		if body := w.Body.String(); w.Code == http.StatusOK && (name != token || body != "proof") {
			t.Errorf("%q gives %q", name, body)
		}
	})
}
