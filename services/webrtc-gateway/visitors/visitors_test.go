package visitors

import (
	"testing"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
)

// TestSign: devices learn from where a call comes, and in whose name if they have a token of their own.
func TestSign(t *testing.T) {
	v := New(Config{Authority: tokens.NewAuthority("", nil)})
	for name, tt := range map[string]struct {
		grant             tokens.Grant
		user, token, from string
	}{
		"anna":                 {tokens.Grant{ID: "abcd", Name: "anna", Role: roles.Driver}, "anna", "abcd", "10.0.0.7:4711"},
		"somebody":             {tokens.Grant{Role: roles.Admin}, "", "", "10.0.0.7:4711"},
		"from who knows where": {tokens.Grant{Role: roles.Admin}, "", "", ""},
	} {
		visitor := v.Enter(t.Context(), tt.grant, tt.from)
		ctx := visitor.Sign(t.Context())
		if user, token, from := access.User(ctx), access.TokenID(ctx), access.From(ctx); user != tt.user ||
			token != tt.token || from != tt.from {
			t.Errorf("%s: %q, %q, %q", name, user, token, from)
		}
		visitor.Leave()
	}
	var nobody *Visitor
	if from := access.From(nobody.Sign(t.Context())); from != "" {
		t.Errorf("nobody comes from %q", from)
	}
}
