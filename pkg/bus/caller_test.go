package bus

import (
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/waldo-robot/waldo/pkg/access"
)

// TestCaller: a call is by whose token the answer goes to, unless it is made on behalf of somebody else.
func TestCaller(t *testing.T) {
	const process = "UBGVGPKY2AMMMHRQDYBTOMEJ7V2GRYBNDXUY73XQ4GQKWQ6RAFCDNTRC"
	for name, tt := range map[string]struct {
		headers           nats.Header
		reply             string
		user, token, from string
	}{
		"of a person":  {nil, InboxPrefix("abcd2345") + ".x.1", "", "abcd2345", ""},
		"of a process": {nil, InboxPrefix(process) + ".x.1", "", "", ""},
		"for a person": {nats.Header{userHeader: {"anna"}, tokenHeader: {"wxyz"}, fromHeader: {"10.0.0.7:1"}},
			InboxPrefix(process) + ".x", "anna", "wxyz", "10.0.0.7:1"},
		"of nobody":      {nil, "_INBOX.Xy7.1", "", "", ""},
		"to elsewhere":   {nil, "waldo.v1.abcd", "", "", ""},
		"with nonsense":  {nats.Header{tokenHeader: {"\x1b[2J"}, fromHeader: {"\n"}}, "_INBOX.Xy7.1", "", "", ""},
		"without answer": {nil, "", "", "", ""},
	} {
		ctx := caller(t.Context(), &nats.Msg{Header: tt.headers, Reply: tt.reply})
		user, token, from := access.User(ctx), access.TokenID(ctx), access.From(ctx)
		if user != tt.user || token != tt.token || from != tt.from {
			t.Errorf("%s: %q, %q, %q", name, user, token, from)
		}
	}
}
