package tokens_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// create makes a token, or fails the test.
func create(t *testing.T, path string, r tokens.Request) (string, tokens.Token) {
	t.Helper()
	token, made, err := tokens.Create(path, r)
	if err != nil {
		t.Fatal(err)
	}
	return token, made
}

// TestLife: a token is good from when it is made until it is revoked, whichever process reads the file.
func TestLife(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "access.json")
	store := tokens.Open(path)
	if _, err := store.Check("waldo_x"); !errors.Is(err, tokens.ErrUnknown) || store.Used() {
		t.Errorf("without a file: %v, used %v", err, store.Used())
	}
	token, made := create(t, path, tokens.Request{Name: "anna", Role: roles.Driver})
	grant, err := store.Check(token)
	want := tokens.Grant{ID: made.ID, Name: "anna", Role: roles.Driver}
	if err != nil || grant != want {
		t.Errorf("anna is %+v, %v, want %+v", grant, err, want)
	}
	if text, err := os.ReadFile(path); err != nil || strings.Contains(string(text), token[len(token)-26:]) {
		t.Errorf("the file has the secret, or cannot be read: %v", err)
	}
	if about, err := os.Stat(path); err != nil || about.Mode() != 0o640 {
		t.Errorf("mode %v, %v", about.Mode(), err)
	}
	if revoked, err := tokens.Revoke(path, "anna"); err != nil || revoked.ID != made.ID {
		t.Errorf("revoked %+v, %v", revoked, err)
	}
	if grant, err := store.Check(token); !errors.Is(err, tokens.ErrRevoked) || grant.Name != "anna" {
		t.Errorf("revoked: %+v, %v", grant, err)
	}
	if _, err := store.Renew(made.ID); !errors.Is(err, tokens.ErrRevoked) {
		t.Errorf("a session of it: %v", err)
	}
	if again, err := tokens.Revoke(path, made.ID); err != nil || again.Revoked.IsZero() {
		t.Errorf("revoked twice: %+v, %v", again, err)
	}
	if _, err := tokens.Revoke(path, "anna"); err == nil || !strings.Contains(err.Error(), `"anna" is revoked already`) {
		t.Errorf("revoked by a name that is free: %v", err)
	}
	create(t, path, tokens.Request{Name: "anna", Role: roles.Viewer}) // the name is free again
	if all, err := tokens.List(path); err != nil || len(all) != 2 {
		t.Errorf("listed %v, %v", all, err)
	}
}

// TestRefused: what is not exactly a token that was made is unknown.
func TestRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.json")
	token, made := create(t, path, tokens.Request{Name: "anna", Role: roles.Admin})
	other, _ := create(t, path, tokens.Request{Name: "ben", Role: roles.Viewer})
	store := tokens.Open(path)
	forged := "waldo_" + made.ID + other[len(other)-27:]
	for _, wrong := range []string{"", "waldo", "waldo_", "waldo__", token[:len(token)-1], token + "A", token + " ",
		strings.ToLower(token), strings.ToUpper(token), token[1:], forged, "waldo_" + strings.Repeat("a", 10) + token[16:],
		strings.Repeat("waldo_", 100000), "waldo_" + made.ID + "_" + strings.Repeat("ſ", 13)} {
		if grant, err := store.Check(wrong); !errors.Is(err, tokens.ErrUnknown) || grant != (tokens.Grant{}) {
			t.Errorf("%.60q is %+v, %v", wrong, grant, err)
		}
	}
}

func TestExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "access.json")
		soon := time.Now().Add(2 * time.Second) // the file keeps whole seconds
		token, made := create(t, path, tokens.Request{Name: "anna", Role: roles.Driver, Expires: soon})
		store := tokens.Open(path)
		changed := make(chan struct{}, 100)
		stop := watch(t, store, func() { changed <- struct{}{} })
		defer stop()
		<-changed // the beginning
		select {
		case <-changed:
		case <-time.After(time.Minute):
			t.Fatal("nobody was told that the token expired")
		}
		if grant, err := store.Check(token); !errors.Is(err, tokens.ErrExpired) || grant.Name != "anna" {
			t.Errorf("expired: %+v, %v", grant, err)
		}
		if _, err := store.Renew(made.ID); !errors.Is(err, tokens.ErrExpired) {
			t.Errorf("a session: %v", err)
		}
	})
}

func TestWatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.json")
	store := tokens.Open(path)
	changed := make(chan struct{}, 100)
	stop := watch(t, store, func() { changed <- struct{}{} })
	defer stop()
	<-changed // the beginning
	for _, step := range []func() error{
		func() error {
			_, _, err := tokens.Create(path, tokens.Request{Name: "a", Role: roles.Viewer})
			return err
		},
		func() error { _, err := tokens.Revoke(path, "a"); return err },
		func() error { return os.WriteFile(path, []byte("{"), 0o600) },
		func() error { return os.Remove(path) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-changed:
		case <-time.After(time.Minute):
			t.Fatal("a change was not noticed")
		}
	}
}

// watch runs Watch until the returned function is called.
func watch(t *testing.T, s *tokens.Store, f func()) (stop func()) {
	t.Helper()
	ctx, cancel := contextOf(t)
	done := make(chan struct{})
	ready := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Used() // has read the file
		close(ready)
		s.Watch(ctx, f)
	}()
	<-ready
	return func() { cancel(); <-done }
}

func TestRequests(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.json")
	create(t, path, tokens.Request{Name: "taken", Role: roles.Viewer})
	for name, tt := range map[string]struct {
		request tokens.Request
		fails   string
	}{
		"no name":         {tokens.Request{Role: roles.Viewer}, "name"},
		"long name":       {tokens.Request{Name: strings.Repeat("x", 65), Role: roles.Viewer}, "1 to 64"},
		"odd name":        {tokens.Request{Name: "a\x1b[2J", Role: roles.Viewer}, "printable"},
		"taken":           {tokens.Request{Name: "taken", Role: roles.Viewer}, "another name"},
		"reserved":        {tokens.Request{Name: tokens.SharedName, Role: roles.Viewer}, "another one"},
		"no role":         {tokens.Request{Name: "x"}, "not a role"},
		"unknown role":    {tokens.Request{Name: "x", Role: 9}, "not a role"},
		"past":            {tokens.Request{Name: "x", Role: roles.Viewer, Expires: time.Unix(1, 0)}, "future"},
		"service of none": {tokens.Request{Name: "x", Role: roles.Service}, "name a device"},
		"device":          {tokens.Request{Name: "x", Role: roles.Admin, Device: "front"}, "name a device"},
		"bad device":      {tokens.Request{Name: "x", Role: roles.Service, Device: "a.b"}, "device"},
		"bad robot":       {tokens.Request{Name: "x", Role: roles.Viewer, Robot: "a b"}, "robot"},
	} {
		if _, _, err := tokens.Create(path, tt.request); err == nil || !strings.Contains(err.Error(), tt.fails) {
			t.Errorf("%s: %v", name, err)
		}
	}
	all, err := tokens.List(path)
	if err != nil || len(all) != 1 {
		t.Errorf("the file has %v, %v", all, err)
	}
}

// TestTogether: changes at the same time are all kept.
func TestTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.json")
	done := make(chan error)
	names := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	for _, name := range names {
		go func() {
			_, _, err := tokens.Create(path, tokens.Request{Name: name, Role: roles.Viewer})
			done <- err
		}()
	}
	for range names {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	all, err := tokens.List(path)
	var got []string
	for _, token := range all {
		got = append(got, token.Name)
	}
	if slices.Sort(got); err != nil || !slices.Equal(got, names) {
		t.Errorf("kept %v, %v", got, err)
	}
}

func TestAuthority(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.json")
	open := tokens.NewAuthority("", tokens.Open(path))
	shared := tokens.NewAuthority("sixteen-or-more!", tokens.Open(path))
	anybody, err := open.Check("whatever")
	if err != nil || anybody.Role != roles.Admin || open.Guarded() {
		t.Errorf("without any token: %+v, %v", anybody, err)
	}
	if address, narrowed, err := open.Address(":80"); address != "127.0.0.1:80" || !narrowed || err != nil {
		t.Errorf("without any token at %q, %v, %v", address, narrowed, err)
	}
	token, made := create(t, path, tokens.Request{Name: "anna", Role: roles.Viewer})
	if _, err := open.Renew(anybody); !errors.Is(err, tokens.ErrMissing) {
		t.Errorf("who came before the first token: %v", err)
	}
	if address, _, err := open.Address(":80"); address != ":80" || err != nil {
		t.Errorf("with tokens at %q, %v", address, err)
	}
	for name, tt := range map[string]struct {
		from  *tokens.Authority
		token string
		want  tokens.Grant
		err   error
	}{
		"of the store":         {open, token, tokens.Grant{ID: made.ID, Name: "anna", Role: roles.Viewer}, nil},
		"of the store, shared": {shared, token, tokens.Grant{ID: made.ID, Name: "anna", Role: roles.Viewer}, nil},
		"shared":               {shared, "sixteen-or-more!", tokens.Grant{Name: tokens.SharedName, Role: roles.Admin}, nil},
		"none":                 {open, "", tokens.Grant{}, tokens.ErrMissing},
		"none, shared":         {shared, "", tokens.Grant{}, tokens.ErrMissing},
		"wrong":                {shared, "sixteen-or-more?", tokens.Grant{}, tokens.ErrUnknown},
		"no store":             {tokens.NewAuthority("sixteen-or-more!", nil), token, tokens.Grant{}, tokens.ErrUnknown},
	} {
		got, err := tt.from.Check(tt.token)
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if err != nil {
			if s := status.Convert(tokens.Status(err)); s.Code() != codes.Unauthenticated {
				t.Errorf("%s: %v", name, s)
			}
			continue
		}
		if renewed, err := tt.from.Renew(got); renewed != got || err != nil {
			t.Errorf("%s: renewed as %+v, %v", name, renewed, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := open.Check(""); !errors.Is(err, tokens.ErrMissing) {
		t.Errorf("once the file is gone, without a token: %v", err)
	}
}

func TestRequire(t *testing.T) {
	viewer := tokens.Grant{ID: "x", Name: "anna", Role: roles.Viewer}
	camera := tokens.Grant{ID: "y", Name: "cam", Role: roles.Service, Device: "front"}
	for name, tt := range map[string]struct {
		grant  tokens.Grant
		need   roles.Role
		device string
		fails  string
	}{
		"sees":              {viewer, roles.Viewer, "front", ""},
		"drives":            {viewer, roles.Driver, "motors", "Acquire needs the role driver; anna is viewer"},
		"own device":        {camera, roles.Driver, "front", ""},
		"own device, reset": {camera, roles.Operator, "front", "cam is the service of front"},
		"other device":      {camera, roles.Viewer, "motors", "cam is the service of front"},
		"no device":         {camera, roles.Viewer, "", "needs the role viewer"},
	} {
		err := tt.grant.Require(tt.need, tt.device, "Acquire")
		if (err == nil) != (tt.fails == "") || err != nil &&
			(status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), tt.fails)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// BenchmarkCheck is what each call costs that presents a token, beside 1000 others.
func BenchmarkCheck(b *testing.B) {
	path := filepath.Join(b.TempDir(), "access.json")
	var all struct {
		Version int            `json:"version"`
		Tokens  []tokens.Token `json:"tokens"`
	}
	token, _, err := tokens.Create(path, tokens.Request{Name: "anna", Role: roles.Driver})
	if err != nil {
		b.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(text, &all) != nil {
		b.Fatal(err)
	}
	for i := range 1000 {
		other := all.Tokens[0]
		other.Name = fmt.Sprint("user ", i)
		other.ID = strings.NewReplacer("0", "a", "1", "b", "8", "c", "9", "d").Replace(fmt.Sprintf("%010d", i))
		all.Tokens = append(all.Tokens, other)
	}
	if text, err = json.Marshal(all); err != nil || os.WriteFile(path, text, 0o600) != nil {
		b.Fatal(err)
	}
	authority := tokens.NewAuthority("sixteen-or-more!", tokens.Open(path))
	for b.Loop() {
		if _, err := authority.Check(token); err != nil {
			b.Fatal(err)
		}
	}
}
