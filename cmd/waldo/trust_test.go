package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/launchtest"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/served"
	"github.com/waldo-robot/waldo/pkg/certs"
)

// secured makes a robot with an authority, and returns its file and the folder of its certificates.
func secured(t *testing.T, http, bus string) (file, folder string) {
	t.Helper()
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	folder, err := certs.Folder(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	file = launchtest.WriteRobot(t, fmt.Sprintf("robot: rover\ndevices:\n  front: {kind: camera, source: test, grpc: "+
		"\"127.0.0.1:0\"}\ngateway: {http: %q}\nnats: {listen: %q}\ntls: auto\n", http, bus))
	return file, folder
}

func issued(t *testing.T, folder string) *certs.Source {
	t.Helper()
	issuer, err := certs.StartIssuer(certs.IssuerConfig{Folder: folder, Robot: "rover"})
	if err != nil {
		t.Fatal(err)
	}
	issuer.Close()
	source, err := certs.Leaf(folder).Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// page serves one with a certificate until the test ends, and returns where.
func page(t *testing.T, source *certs.Source) (address string) {
	t.Helper()
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Listener = certs.Port(s.Listener, source.Server("http/1.1"))
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func TestTrustTellsWhatIsServed(t *testing.T) {
	silent, bus := free(t), free(t)
	file, folder := secured(t, silent, bus)
	if code, _, err := waldo(t, "trust", file); code == 0 || !strings.Contains(err, "no authority yet") {
		t.Errorf("before its first start: %d, %s", code, err)
	}
	source := issued(t, folder)
	moved, forwarded := page(t, source), page(t, source)
	says := func(want string, args ...string) {
		t.Helper()
		code, out, err := waldo(t, append([]string{"trust", file}, args...)...)
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("trust %q: %d, %s, without %q:\n%s", args, code, err, want, out)
		}
	}
	says("https://" + silent + "/ (this machine only): nothing listens there now")
	says("tls://" + bus + " (this machine only): nothing listens there now")
	says("front     at another port whenever it starts")
	if err := served.Note(folder, "rover", moved); err != nil { // waldo up --http
		t.Fatal(err)
	}
	says("https://" + moved + "/ (this machine only)\n")
	says("--cacert ca.crt https://" + moved + "/healthz")
	says("https://"+forwarded+"/ (this machine only)\n", "--http", forwarded)
}

// TestTrustText: the address to open on a phone is there, with a code on a terminal, if others reach it.
func TestTrustText(t *testing.T) {
	_, folder := secured(t, ":8443", ":4222")
	authority, err := certs.OpenAuthority(folder, "rover", certs.NamesOf("rover", nil))
	if err != nil {
		t.Fatal(err)
	}
	trust := trusted{robot: "rover", file: filepath.Join(folder, "ca.crt"), authority: authority.Certificate(),
		problems: map[string]error{}}
	for _, tt := range []struct {
		page   served.Place
		opened string // empty: nothing can be opened elsewhere
	}{
		{served.Place{Kind: served.Page, Name: "page", Address: "192.0.2.7:8443", Shared: true},
			"http://192.0.2.7:8443/trust"},
		{served.Place{Kind: served.Page, Name: "page", Address: "rover.example:80", Shared: true},
			"http://rover.example:80/trust"},
		{served.Place{Kind: served.Page, Name: "page", Address: "127.0.0.1:8080"}, ""},
	} {
		trust.places = []served.Place{tt.page, {Kind: served.Bus, Name: "bus", Address: "192.0.2.7:4333", Shared: true},
			{Kind: served.GRPC, Name: "front", Address: "192.0.2.7:7109", Shared: true}}
		text := trust.text(true)
		before, _, _ := strings.Cut(text, "Compare")
		if _, shown, ok := strings.Cut(before, "\n\n  "+tt.opened+"\n\n"); tt.opened != "" {
			if got, err := scan(strings.TrimRight(shown, "\n") + "\n"); !ok || err != nil || got != tt.opened {
				t.Errorf("the code is read as %q: %v\n%s", got, err, text)
			}
		} else if !strings.Contains(before, "this machine only") {
			t.Errorf("the page of loopback is to be opened elsewhere:\n%s", text)
		}
		for _, want := range []string{"--nats tls://192.0.2.7:4333", "192.0.2.7:7109 list", "https://" + tt.page.Address +
			"/healthz", certs.Fingerprint(authority.Certificate())} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is missing:\n%s", want, text)
			}
		}
	}
}
