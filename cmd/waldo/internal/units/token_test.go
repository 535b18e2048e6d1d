package units

import (
	"os"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
)

// secret returns what is in the file of the token, and that it is root's alone.
func secret(t *testing.T, i *Installation) string {
	t.Helper()
	text, err := os.ReadFile(i.host(TokenFile))
	if err != nil {
		return ""
	}
	if info, err := os.Stat(i.host(TokenFile)); err != nil || info.Mode() != 0o600 {
		t.Errorf("the file of the token is %v, %v", info.Mode(), err)
	}
	return strings.TrimSpace(string(text))
}

// TestMakeToken: a robot has a token after it was installed, unless something else decides who gets in.
func TestMakeToken(t *testing.T) {
	for name, tt := range map[string]struct {
		text    string
		prepare func(*testing.T, *Installation)
		made    bool
	}{
		"at first":       {rover, func(*testing.T, *Installation) {}, true},
		"not asked for":  {rover, func(_ *testing.T, i *Installation) { i.MakeToken = false }, false},
		"none is wanted": {rover, func(t *testing.T, i *Installation) { write(t, i.host(TokenFile), "", 0o600) }, false},
		"there is one": {rover, func(t *testing.T, i *Installation) {
			write(t, i.host(TokenFile), "sixteen-or-more!", 0o600)
		}, false},
		"in robot.yaml": {rover + "gateway: {token: sixteen-or-more!}\n", func(*testing.T, *Installation) {}, false},
		"bus of others": {rover + "nats: {url: \"nats://10.0.0.2\"}\n", func(*testing.T, *Installation) {}, false},
		"people's tokens": {rover, func(t *testing.T, i *Installation) {
			if _, _, err := tokens.Create(i.host(accessFile), tokens.Request{Name: "anna", Role: roles.Viewer}); err != nil {
				t.Fatal(err)
			}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			i := newSystem(t)
			i.MakeToken = true
			tt.prepare(t, i)
			before := secret(t, i)
			changes := install(t, i, tt.text)
			after := secret(t, i)
			if changes.Token != tt.made || (after != before) != tt.made || tt.made && len(after) < access.MinToken {
				t.Fatalf("a token was made: %v, want %v; the file had %d characters and has %d", changes.Token, tt.made,
					len(before), len(after))
			}
			if !tt.made {
				return
			}
			given := credentials(t, i)
			if given["front.token"] != access.Verifier(after) || given["motors.token"] != access.Verifier(after) {
				t.Error("devices do not ask for it")
			}
			again := *i
			again.fresh = ""
			if changes := install(t, &again, tt.text); changes.Token || len(changes.Changed) > 0 || secret(t, i) != after {
				t.Errorf("done again, it changes %+v", changes)
			}
		})
	}
}

// TestNoTokenForErrors: what is refused makes no token either.
func TestNoTokenForErrors(t *testing.T) {
	i := newSystem(t)
	i.MakeToken = true
	if err := os.Remove(i.host(vendorFolder + "/" + template)); err != nil {
		t.Fatal(err)
	}
	plan, r, err := i.Plan(t.Context(), "given.yaml", []byte(rover), false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.Apply(plan, r); err == nil || secret(t, i) != "" {
		t.Errorf("%v, and the token has %d characters", err, len(secret(t, i)))
	}
}
