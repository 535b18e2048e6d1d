package server

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/calls"
)

// attacked is what each route needs, as people decided it. It is written down a second time on purpose: a route that is
// new, or needs something else than before, has to be attacked anew.
var attacked = map[string]roles.Role{
	"GET /": roles.Viewer, "POST /logout": roles.None, "GET /healthz": roles.None, "GET /metrics": roles.Viewer,
	"GET /devices": roles.Viewer, "GET /signal": roles.Viewer, "POST /signal": roles.Viewer,
	"GET /foxglove":         roles.Viewer,
	"GET /picture/{device}": roles.Viewer, "GET /mjpeg/{device}": roles.Viewer, "GET /snapshot/{file}": roles.Viewer,
	"POST /whep/{device}": roles.Viewer, "OPTIONS /whep/{device}": roles.Viewer, "GET /whep/{device}": roles.Viewer,
	"GET /whep/{device}/{id}": roles.Viewer, "PATCH /whep/{device}/{id}": roles.None,
	"DELETE /whep/{device}/{id}": roles.None,
	"POST /whip/{device}":        roles.Driver, "OPTIONS /whip/{device}": roles.Driver, "GET /whip/{device}": roles.Driver,
	"GET /whip/{device}/{id}": roles.Driver, "PATCH /whip/{device}/{id}": roles.None,
	"DELETE /whip/{device}/{id}": roles.None,
	"POST /connect":              roles.Driver, "GET /connect": roles.Driver, "GET /ws/{topic}": roles.Driver,
	"GET /ws": roles.Driver, "POST /ws": roles.Driver,
	"GET /recordings/file/{device}/{name}":                       roles.Viewer,
	"GET /recordings/segment/{device}/{recording}/{of}/{stream}": roles.Viewer,
}

// attacker is who asks, and what their token is good for; None: for nothing.
type attacker struct {
	name, token string
	role        roles.Role
}

// attackers returns all kinds of them.
func (g *guarded) attackers() []attacker {
	all := []attacker{{name: "nobody"}}
	for _, role := range []roles.Role{roles.Viewer, roles.Driver, roles.Operator, roles.Admin} {
		all = append(all, attacker{role.String(), g.tokens[role.String()], role})
	}
	admin, viewer := g.tokens["admin"], g.tokens["viewer"]
	secret := strings.LastIndex(admin, "_")
	for name, token := range map[string]string{
		"revoked": g.tokens["revoked"], "expired": g.tokens["expired"], "of another robot": g.tokens["elsewhere"],
		"truncated": admin[:len(admin)-1], "longer": admin + "A", "without its secret": admin[:secret+1],
		"forged": admin[:secret] + viewer[strings.LastIndex(viewer, "_"):], "the name of a role": "admin",
	} {
		all = append(all, attacker{name: name, token: token})
	}
	return all
}

// newAttacked is a site with a token of each role, and tokens that are good no more.
func newAttacked(t *testing.T) *guarded {
	t.Helper()
	g := newGuarded(t, tokens.Request{Name: "viewer", Role: roles.Viewer},
		tokens.Request{Name: "driver", Role: roles.Driver}, tokens.Request{Name: "operator", Role: roles.Operator},
		tokens.Request{Name: "admin", Role: roles.Admin},
		tokens.Request{Name: "revoked", Role: roles.Admin},
		tokens.Request{Name: "expired", Role: roles.Admin, Expires: time.Now().Add(2 * time.Second)},
		tokens.Request{Name: "elsewhere", Role: roles.Admin, Robot: "another"})
	g.revoke("revoked")
	id := strings.Split(g.tokens["expired"], "_")[1]
	for store := tokens.Open(g.path); ; time.Sleep(20 * time.Millisecond) {
		if grant, err := store.Renew(id); err != nil {
			return g
		} else if grant.Name == "" {
			t.Fatal("the token that is to expire is not there")
		}
	}
}

// TestAttackRoutes: everybody asks for every route, in every way in which a token can come.
func TestAttackRoutes(t *testing.T) {
	if got, want := slices.Sorted(maps.Keys(attacked)), slices.Sorted(maps.Keys(routeNeeds)); !slices.Equal(got, want) {
		t.Fatalf("attacked are\n%s\nand there are\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	g := newAttacked(t)
	ways := map[string]func(*http.Request, string){
		"header": func(r *http.Request, token string) { r.Header.Set("Authorization", "Bearer "+token) },
		"basic":  func(r *http.Request, token string) { r.SetBasicAuth("waldo", token) },
		"cookie": func(r *http.Request, token string) { r.AddCookie(&http.Cookie{Name: cookieName, Value: token}) },
		"query":  func(r *http.Request, token string) { r.URL.RawQuery += "&token=" + token },
	}
	var all sync.WaitGroup
	for number, a := range g.attackers() {
		all.Go(func() {
			client := 0
			for pattern, need := range attacked {
				for way, present := range ways {
					r := example(t.Context(), pattern)
					// Who guesses waits, by address: this one has many.
					client++
					r.RemoteAddr = fmt.Sprintf("[2001:db8:%x:%x::1]:9", number+1, client)
					if a.token != "" {
						present(r, a.token)
					}
					w := httptest.NewRecorder()
					g.server.Handler().ServeHTTP(w, r)
					role := a.role
					if way == "cookie" { // a token is none of the gateway's cookies
						role = roles.None
					}
					if why := wrongAnswer(role, need, w.Code); why != "" {
						t.Errorf("%s, in the %s, %s: %d %.80s: %s", a.name, way, pattern, w.Code, w.Body, why)
					}
				}
			}
		})
	}
	all.Wait()
}

// wrongAnswer says what is wrong with the status of an answer, if anything.
func wrongAnswer(role, need roles.Role, code int) string {
	switch {
	case need == roles.None && (code == http.StatusUnauthorized || code == http.StatusForbidden):
		return "anybody may ask for it"
	case need == roles.None:
	case role == roles.None && code != http.StatusUnauthorized:
		return "it is for those with a token"
	case role == roles.None:
	case role.Allows(need) == (code == http.StatusForbidden) || code == http.StatusUnauthorized:
		return "it needs a " + need.String()
	}
	return ""
}

// example is a request for a route. Where a WebSocket is wanted, it is none, and what it asks for is wrong.
func example(ctx context.Context, pattern string) *http.Request {
	method, path, _ := strings.Cut(pattern, " ")
	path = strings.NewReplacer("{device}", "front", "{file}", "front.jpg", "{id}", "nothing", "{topic}", "chat",
		"{name}", "a.mcap", "{recording}", "a.mcap", "{of}", "front", "{stream}", "video").Replace(path)
	return httptest.NewRequestWithContext(ctx, method, path+"?raw=neither", http.NoBody)
}

// acceptsAll are devices that accept everything.
type acceptsAll struct{ *fakeDirectory }

func (acceptsAll) CheckAccepts(string, string) error { return nil }

// asksRole is the caller of devices, as far as roles go: each call needs a driver.
type asksRole struct{}

func (asksRole) Call(_ context.Context, c *calls.Call) *calls.Result {
	if err := c.By.Require(roles.Driver, c.Device, c.Method); err != nil {
		return calls.Failed(c.ID, err)
	}
	return &calls.Result{ID: c.ID, Response: c.Request}
}

// sessionAttacks are the messages of a session, by the field of waldo.signaling.v1.PeerMessage: what they need, and
// what a peer may send. There has to be one of each.
var sessionAttacks = map[protoreflect.Name][]struct {
	what, message string
	need          roles.Role
}{
	"offer": {
		{"to see", `{"offer":{"id":1,"sdp":"v=0","tracks":[{"mid":"0","device":"front"}]}}`, roles.Viewer},
		{"to hear", `{"offer":{"id":1,"sdp":"v=0","tracks":[{"mid":"0","device":"front","stream":"audio"}]}}`, roles.Viewer},
		{"to talk", `{"offer":{"id":1,"sdp":"v=0","tracks":[{"mid":"0","device":"front","stream":"speaker"}]}}`,
			roles.Driver},
		{"to send a picture", `{"offer":{"id":1,"sdp":"v=0","tracks":[{"mid":"0","device":"front","stream":"camera"}]}}`,
			roles.Driver},
		{"to take the slot of another", `{"offer":{"id":1,"sdp":"v=0","tracks":[{"mid":"0","device":"front",` +
			`"stream":"microphone","take":true}]}}`, roles.Driver},
		{"what a viewer may, and more", `{"offer":{"id":1,"sdp":"v=0","tracks":[{"mid":"0","device":"front"},` +
			`{"mid":"1","device":"front","stream":"speaker"}]}}`, roles.Driver},
		{"the connection of another", `{"offer":{"id":1,"sdp":"v=0","connection":"AAAAAAAAAAAAAAAAAAAAAA=="}}`, roles.Viewer},
	},
	"candidate": {{"a candidate", `{"candidate":{"candidate":"candidate:1 1 udp 1 192.0.2.1 9 typ host"}}`, roles.Viewer}},
	"ping":      {{"the time", `{"ping":{"id":1}}`, roles.Viewer}},
	"call":      {{"a call", `{"call":{"id":1,"device":"front","method":"a.B/C","request":{}}}`, roles.Driver}},
	"hang_up":   {{"the end", `{"hangUp":{}}`, roles.Viewer}},
	"shown":     {{"what is shown", `{"shown":{}}`, roles.Viewer}},
	"applied":   {{"an answer in effect", `{"applied":{"id":1}}`, roles.Viewer}},
}

// TestAttackSession: each role sends each message of a session. Who has no role gets none, see TestAttackRoutes.
func TestAttackSession(t *testing.T) {
	fields := (&signalingv1.PeerMessage{}).ProtoReflect().Descriptor().Oneofs().ByName("body").Fields()
	for i := range fields.Len() {
		if name := fields.Get(i).Name(); len(sessionAttacks[name]) == 0 {
			t.Errorf("nobody attacks with the message %s", name)
		}
	}
	g := newAttacked(t)
	g.server.directory = acceptsAll{g.directory}
	g.server.config.Caller = asksRole{}
	for _, role := range []roles.Role{roles.Viewer, roles.Driver, roles.Operator, roles.Admin} {
		k := g.dialAs(role.String())
		for field, attacks := range sessionAttacks {
			for _, a := range attacks {
				if got := k.refused(a.message); got == role.Allows(a.need) {
					t.Errorf("%v, %s, %s: refused %v", role, field, a.what, got)
				}
			}
		}
		k.close()
	}
}

// refused sends a message, and reports whether it is refused for want of a role: each call has its own result, and
// what else is answered is answered before the next message.
func (k *socket) refused(message string) (refused bool) {
	k.t.Helper()
	isCall := strings.HasPrefix(message, `{"call"`)
	k.send(message)
	if !isCall {
		k.send(`{"ping":{"id":77}}`)
	}
	k.await(func(m *signalingv1.GatewayMessage) bool {
		for _, code := range []string{m.GetError().GetCode(), m.GetResult().GetError().GetCode()} {
			refused = refused || code == "PERMISSION_DENIED" || code == "UNAUTHENTICATED"
		}
		return isCall && isResult(m) || m.GetPong().GetId() == 77
	})
	return refused
}
