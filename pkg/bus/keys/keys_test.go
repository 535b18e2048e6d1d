package keys_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nkeys"
	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/bus/keys"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newSeed(t testing.TB) *keys.Seed {
	t.Helper()
	s, err := keys.New()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSignAndVerify(t *testing.T) {
	s, other, nonce := newSeed(t), newSeed(t), []byte("drawn just now")
	signature, err := s.Sign(nonce)
	if err != nil {
		t.Fatal(err)
	}
	raw := base64.RawURLEncoding.EncodeToString(signature)
	for _, tt := range []struct {
		name, public, signature, nonce string
		want                           bool
	}{
		{"right", s.Public(), raw, string(nonce), true},
		{"padded base64", s.Public(), base64.StdEncoding.EncodeToString(signature), string(nonce), true},
		{"another nonce", s.Public(), raw, "drawn before", false},
		{"no nonce", s.Public(), raw, "", false},
		{"another key", other.Public(), raw, string(nonce), false},
		{"no key", "", raw, string(nonce), false},
		{"a seed for a key", string(s.Text()), raw, string(nonce), false},
		{"no signature", s.Public(), "", string(nonce), false},
		{"no base64", s.Public(), "%", string(nonce), false},
	} {
		if got := keys.Verify(tt.public, tt.signature, []byte(tt.nonce)); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// seeds feed TestParse and the seeds of FuzzParse.
func seeds(t testing.TB) map[string]bool {
	good := string(newSeed(t).Text())
	account, err := nkeys.CreateAccount()
	if err != nil {
		t.Fatal(err)
	}
	ofAccount, err := account.Seed()
	if err != nil {
		t.Fatal(err)
	}
	return map[string]bool{
		good: true, " " + good + "\r\n": true, "": false, "SU": false, good[:len(good)-1]: false, good + good: false,
		string(ofAccount): false, newSeed(t).Public(): false, "S" + strings.Repeat("U", 57): false,
	}
}

func TestParse(t *testing.T) {
	for text, good := range seeds(t) {
		s, err := keys.Parse([]byte(text))
		if (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil && text != "" && strings.Contains(err.Error(), text) && len(text) > 2 {
			t.Errorf("the error repeats %q", text)
		}
		if err == nil && (!keys.IsPublic(s.Public()) || strings.TrimSpace(text) != string(s.Text())) {
			t.Errorf("%q became %q", text, s.Text())
		}
	}
}

func FuzzParse(f *testing.F) {
	for text := range seeds(f) {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := keys.Parse(data)
		if err != nil {
			return
		}
		signature, err := s.Sign([]byte("nonce"))
		if err != nil || !keys.Verify(s.Public(), base64.RawURLEncoding.EncodeToString(signature), []byte("nonce")) {
			t.Errorf("%q signs nothing: %v", data, err)
		}
	})
}

func FuzzVerify(f *testing.F) {
	s := newSeed(f)
	signature, err := s.Sign([]byte("nonce"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s.Public(), base64.RawURLEncoding.EncodeToString(signature))
	f.Add("", "=")
	f.Fuzz(func(t *testing.T, public, signature string) {
		if keys.Verify(public, signature, []byte("another nonce")) {
			t.Errorf("%q is taken for a signature of what was never signed", signature)
		}
	})
}

func TestStringsShowNoSecret(t *testing.T) {
	s := newSeed(t)
	for _, shown := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s", s, s, s, s)} {
		if strings.Contains(shown, string(s.Text())) {
			t.Errorf("%q", shown)
		}
	}
}

// write returns the path of a file with a seed.
func write(t *testing.T, name string, mode os.FileMode, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return path
}

func TestRead(t *testing.T) {
	s := newSeed(t)
	for _, tt := range []struct {
		name, path, want string
	}{
		{"private", write(t, "a", 0o600, s.Text()), ""},
		{"of a unit", write(t, "b", 0o440, s.Text()), ""},
		{"for everybody", write(t, "c", 0o644, s.Text()), "chmod 600"},
		{"no seed", write(t, "d", 0o600, []byte("secret")), "begins with SU"},
		{"too large", write(t, "e", 0o600, []byte(strings.Repeat(" ", 2000)+string(s.Text()))), "begins with SU"},
		{"missing", filepath.Join(t.TempDir(), "f"), "no such file"},
	} {
		got, err := keys.Read(tt.path)
		switch {
		case tt.want == "" && (err != nil || got.Public() != s.Public()):
			t.Errorf("%s: %v", tt.name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v does not tell %q", tt.name, err, tt.want)
		}
	}
}

func TestHanded(t *testing.T) {
	handed, named, unit := newSeed(t), newSeed(t), newSeed(t)
	file := write(t, "named", 0o600, named.Text())
	folder := filepath.Dir(write(t, "bus.seed", 0o400, unit.Text()))
	empty := filepath.Dir(write(t, "bus.seed", 0o400, []byte("\n")))
	fd, inode := open(t, write(t, "handed", 0o600, handed.Text()))
	for _, tt := range []struct {
		name, file string
		env        map[string]string
		want       *keys.Seed
		fails      string
	}{
		{"nothing", "", nil, nil, ""},
		{"by a launcher", file, map[string]string{keys.HandedFD: strconv.Itoa(fd), "CREDENTIALS_DIRECTORY": folder}, handed,
			""},
		{"a file", file, map[string]string{"CREDENTIALS_DIRECTORY": folder}, named, ""},
		{"a unit", "", map[string]string{"CREDENTIALS_DIRECTORY": folder}, unit, ""},
		{"a unit with an empty one", "", map[string]string{"CREDENTIALS_DIRECTORY": empty}, nil, ""},
		{"a unit without", "", map[string]string{"CREDENTIALS_DIRECTORY": t.TempDir()}, nil, ""},
		{"no number", "", map[string]string{keys.HandedFD: "four"}, nil, "leave it to waldo up"},
		{"not a file of ours", "", map[string]string{keys.HandedFD: "1"}, nil, "leave it to waldo up"},
		{"closed", "", map[string]string{keys.HandedFD: "65000"}, nil, "bad file descriptor"},
		{"a missing file", file + "x", nil, nil, "no such file"},
	} {
		got, err := keys.Handed(tt.file, func(key string) string { return tt.env[key] })
		switch {
		case tt.fails != "":
			if err == nil || !strings.Contains(err.Error(), tt.fails) {
				t.Errorf("%s: %v does not tell %q", tt.name, err, tt.fails)
			}
		case err != nil || (got == nil) != (tt.want == nil) || got != nil && got.Public() != tt.want.Public():
			t.Errorf("%s: %v, %v", tt.name, got, err)
		}
	}
	var is syscall.Stat_t
	if err := syscall.Fstat(fd, &is); err == nil && is.Ino == inode {
		t.Error("what was handed over is still open, so that children could read it")
	}
}

// open returns the number of an open file that no Go value closes, and which file it is.
func open(t *testing.T, path string) (fd int, inode uint64) {
	t.Helper()
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var is syscall.Stat_t
	if err := syscall.Fstat(fd, &is); err != nil {
		t.Fatal(err)
	}
	return fd, is.Ino
}
