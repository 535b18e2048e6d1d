package access_test

import (
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/access"
)

func TestVerifier(t *testing.T) {
	verifier := access.Verifier(strong)
	switch {
	case verifier == strong || strings.Contains(verifier, strong):
		t.Errorf("%q gives the token away", verifier)
	case !access.Allowed(verifier, strong):
		t.Error("the token is refused")
	case access.Allowed(verifier, verifier):
		t.Error("who has the verifier gets in with it")
	case access.Allowed(verifier, strong+"x"), access.Allowed(verifier, ""):
		t.Error("another token gets in")
	case access.Verifier(verifier) != verifier:
		t.Error("a verifier of a verifier is another one")
	}
	for _, short := range []string{"", "secret", strong[1:]} {
		if got := access.Verifier(short); got != short {
			t.Errorf("%q could be guessed from %q", short, got)
		}
	}
	// What only looks like a verifier is a token.
	for _, token := range []string{"sha256:", "sha256:" + strings.Repeat("g", 64), "sha256:" + strings.Repeat("0", 63)} {
		if !access.Allowed(token, token) || access.Allowed(token, "") {
			t.Errorf("the token %q is not one", token)
		}
	}
}
