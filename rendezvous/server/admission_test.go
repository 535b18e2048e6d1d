package server

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/rendezvous/tunnel"
)

const (
	strong = "sixteen-or-more!"
	print1 = "d-qF02znigw5uAY0srMBd7PwsM2DivZu_9jK0m3K-0I"
	print2 = "e-qF02znigw5uAY0srMBd7PwsM2DivZu_9jK0m3K-0I"
)

// TestToken: robots need the token, and it is in no log.
func TestToken(t *testing.T) {
	s := serve(t, nil, Config{Token: strong})
	for _, token := range []string{"", "wrong and secret"} {
		_, err := tunnel.Dial(t.Context(), tunnel.Config{URL: s.url, Robot: "rover", Key: newKey(t), Token: token})
		refused := new(tunnel.RefusedError)
		if !errors.As(err, &refused) || !strings.Contains(refused.Text, "gateway.rendezvous.token") {
			t.Errorf("token %q: %v", token, err)
		}
	}
	s.robot("rover", echo)
	if text := s.log.String(); !strings.Contains(text, "wrong token") || strings.Contains(text, "secret") ||
		strings.Contains(text, strong) {
		t.Errorf("the log says\n%s", text)
	}
}

// TestKeys: only listed keys register, with their names.
func TestKeys(t *testing.T) {
	listed, named, stranger := newKey(t), newKey(t), newKey(t)
	s := serve(t, nil, Config{Keys: Keys{listed.Fingerprint(): nil, named.Fingerprint(): {"rover"}}})
	if _, err := s.connect("any", listed, echo); err != nil {
		t.Error(err)
	}
	if _, err := s.connect("rover", named, echo); err != nil {
		t.Error(err)
	}
	if _, err := s.connect("other", named, echo); err == nil || !strings.Contains(err.Error(), "rover only") {
		t.Errorf("another name: %v", err)
	}
	if _, err := s.connect("mine", stranger, echo); err == nil || !strings.Contains(err.Error(), stranger.Fingerprint()) {
		t.Errorf("a stranger: %v", err)
	}
}

// keyFiles are lists of keys.
var keyFiles = []struct {
	name, text string
	keys       int // 0: it is wrong, and the error has says
	says       string
}{
	{"two", print1 + "\n# the others\n" + print2 + " rover raver # ours\n\n", 2, ""},
	{"none", "# later\n", 0, "no key"},
	{"nothing", "", 0, "no key"},
	{"a name first", "rover " + print1, 0, "line 1"},
	{"a short one", print1 + "\n" + print1[1:], 0, "line 2"},
	{"twice", print1 + "\n" + print1 + " rover", 0, "twice"},
	{"a bad name", print1 + " Rover", 0, "line 1"},
	{"a long line", print1 + strings.Repeat(" rover", 20_000), 0, "too long"},
}

func TestParseKeys(t *testing.T) {
	for _, tt := range keyFiles {
		keys, err := ParseKeys([]byte(tt.text))
		if len(keys) != tt.keys || (err == nil) != (tt.keys > 0) || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %d keys, %v", tt.name, len(keys), err)
		}
	}
}

func FuzzParseKeys(f *testing.F) {
	for _, tt := range keyFiles {
		f.Add([]byte(tt.text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := ParseKeys(data)
		if (err == nil) != (len(keys) > 0) {
			t.Errorf("%d keys, %v", len(keys), err)
		}
		for fingerprint := range keys {
			if !isFingerprint(fingerprint) {
				t.Errorf("%q is listed", fingerprint)
			}
		}
	})
}

// stateFiles are contents of state files.
var stateFiles = []struct {
	name, text string
	robots     int // -1: it is wrong
}{
	{"two", `{"robots": {"rover": "` + print1 + `", "raver": "` + print2 + `"}}`, 2},
	{"none", `{}`, 0},
	{"another's", `{"robots": {"rover": "` + print1 + `"}, "more": 1}`, 1},
	{"a bad name", `{"robots": {"../rover": "` + print1 + `"}}`, -1},
	{"a bad key", `{"robots": {"rover": "abc"}}`, -1},
	{"a list", `[]`, -1},
	{"half", `{"robots": {"rov`, -1},
	{"nothing", ``, -1},
}

func TestParseFile(t *testing.T) {
	for _, tt := range stateFiles {
		robots, err := parseFile([]byte(tt.text))
		if (err != nil) != (tt.robots < 0) || err == nil && len(robots) != tt.robots {
			t.Errorf("%s: %d robots, %v", tt.name, len(robots), err)
		}
	}
}

func FuzzParseFile(f *testing.F) {
	for _, tt := range stateFiles {
		f.Add([]byte(tt.text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		robots, err := parseFile(data)
		if err == nil && robots == nil {
			t.Error("neither robots nor an error")
		}
		for _, fingerprint := range robots {
			if !isFingerprint(fingerprint) {
				t.Errorf("%q is a fingerprint", fingerprint)
			}
		}
	})
}

// TestNames: a name stays with its key, also for the next process, until it is forgotten.
func TestNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "robots.json")
	n, err := newNames(path)
	if err != nil {
		t.Fatal(err)
	}
	claim := func(n *names, name, fingerprint string, taken bool) {
		t.Helper()
		err, stored := n.claim(name, fingerprint)
		if got := new(TakenError); errors.As(err, &got) != taken || stored != nil {
			t.Errorf("%s: %v, %v", name, err, stored)
		}
	}
	claim(n, "rover", print1, false)
	claim(n, "rover", print1, false)
	claim(n, "rover", print2, true)
	next, err := newNames(path)
	if err != nil {
		t.Fatal(err)
	}
	claim(next, "rover", print2, true)
	claim(next, "raver", print2, false)
	claim(n, "raver", print1, true) // it notices what the other has written
	if err := Forget(path, "rover"); err != nil {
		t.Fatal(err)
	}
	if err := Forget(path, "rover"); !errors.Is(err, ErrUnknown) {
		t.Errorf("forgotten twice: %v", err)
	}
	claim(n, "rover", print2, false)
	claim(next, "rover", print1, true)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 2 {
		t.Errorf("%d files are left, want the file and its lock", len(left))
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	claim(n, "rover", print1, false) // a lost file has lost nothing else
	if err := Forget(filepath.Join(t.TempDir(), "none"), "rover"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(path, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{State: path}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a file that is none: %v", err)
	}
}

// TestReplaced: the same robot replaces itself, another one with its name does not, and both are told.
func TestReplaced(t *testing.T) {
	s := serve(t, nil, Config{State: filepath.Join(t.TempDir(), "robots.json")})
	key := newKey(t)
	first, err := s.connect("rover", key, http.NotFoundHandler())
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.connect("rover", key, echo)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-first.Done():
	case <-time.After(deadline):
		t.Fatal("the first stays")
	}
	if err := first.Err(); !errors.Is(err, tunnel.ErrReplaced) {
		t.Errorf("the first is told %v", err)
	}
	_, err = s.connect("rover", newKey(t), http.NotFoundHandler())
	refused := new(tunnel.RefusedError)
	if !errors.As(err, &refused) || !strings.Contains(refused.Text, "waldo rendezvous forget rover") {
		t.Errorf("another robot: %v", err)
	}
	if answer, _ := s.do("GET", "/r/rover/", ""); answer.StatusCode != http.StatusCreated || second.Err() != nil {
		t.Errorf("the second answers %s, %v", answer.Status, second.Err())
	}
	if err := Forget(s.server.names.path, "rover"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.connect("rover", newKey(t), echo); err != nil {
		t.Errorf("another robot with a forgotten name: %v", err)
	}
}
