package embedded

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/keys"
	"github.com/waldo-robot/waldo/pkg/bus/permissions"
	"github.com/waldo-robot/waldo/pkg/certs"
)

// answerFor is how long a holder may answer what it was asked: longer than any call waits.
const answerFor = 70 * time.Second

// fewAdmitted is how many connections are remembered before those that have ended are forgotten.
const fewAdmitted = 64

// gate decides who may connect and what they may do, by their key or token. It implements [server.Authentication].
type gate struct {
	tls       bool // connections of other machines must have it
	authority *tokens.Authority
	log       *slog.Logger
	audit     *audit.Log
	guesses   access.Guesses
	ctx       context.Context // ends with the server
	server    *server.Server  // set before the first client comes

	mu       sync.Mutex
	keys     permissions.Keys
	admitted map[uint64]admitted // by the number of the connection
	forgetAt int                 // how many are too many
}

// admitted is what a connection came in by.
type admitted struct {
	name  string
	key   string       // empty for a token
	grant tokens.Grant // of the token, or of nobody in particular
}

// Check implements [server.Authentication].
func (g *gate) Check(c server.ClientAuthentication) bool {
	if g.tls && !encryptedOrLocal(c) {
		g.wrong(c, "a connection to the bus came without TLS from another machine: let it use tls:// in place of nats://")
		return false
	}
	if key := c.GetOpts().Nkey; key != "" {
		return g.checkKey(c, key)
	}
	return g.checkToken(c, c.GetOpts().Token)
}

// encryptedOrLocal reports whether what a connection carries can be read by nobody on the network.
func encryptedOrLocal(c server.ClientAuthentication) bool {
	if c.GetTLSConnectionState() != nil {
		return true
	}
	address := c.RemoteAddress()
	return address == nil || certs.Local(address) // without an address it is within this process
}

func (g *gate) checkKey(c server.ClientAuthentication, key string) bool {
	if !keys.Verify(key, c.GetOpts().Sig, c.GetNonce()) {
		g.wrong(c, "a connection to the bus has not proved that it has its key")
		return false
	}
	holder, ok := g.admitKey(c.GetID(), key)
	if !ok {
		g.audit.Write(audit.Event{Kind: audit.Refused, From: remote(c), What: "bus", Reason: "unknown key"})
		g.wrong(c, "a connection to the bus has a key that is not known")
		return false
	}
	c.RegisterUser(&server.User{Username: holder.Name, Permissions: natsPermissions(holder.Permissions, key)})
	return true
}

// admitKey looks a key up, and notes who has it before it can be taken from them.
func (g *gate) admitKey(id uint64, key string) (permissions.Holder, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	holder, ok := g.keys[key]
	if ok {
		g.admit(id, admitted{name: holder.Name, key: key})
	}
	return holder, ok
}

func (g *gate) checkToken(c server.ClientAuthentication, token string) bool {
	grant, err := g.authority.Check(token)
	switch {
	case errors.Is(err, tokens.ErrMissing):
		return false // who tries without a token guesses nothing
	case err != nil:
		g.audit.Write(audit.Event{Kind: audit.Refused, From: remote(c), What: "bus", Reason: tokens.Reason(err)}.By(grant))
		g.wrong(c, "a connection to the bus has presented a wrong token")
		return false
	}
	name := grant.Name
	if name == "" {
		name = "anybody on this machine"
	}
	user := &server.User{Username: name, Permissions: ofGrant(grant), ConnectionDeadline: grant.Expires}
	g.mu.Lock()
	g.admit(c.GetID(), admitted{name: name, grant: grant})
	g.mu.Unlock()
	if _, err := g.authority.Renew(grant); err != nil {
		return false // it was revoked just now
	}
	c.RegisterUser(user)
	return true
}

// ofGrant returns what the owner of a token may do; nil for everything.
func ofGrant(grant tokens.Grant) *server.Permissions {
	if grant.Role == roles.Admin && grant.Robot == "" {
		return nil
	}
	rules := permissions.Role(grant.Role, grant.Robot, grant.Device)
	return natsPermissions(permissions.Of(rules, false), grant.ID)
}

// natsPermissions returns permissions as NATS takes them; nil for everything. Answers for a user come to subjects of
// their own.
func natsPermissions(p permissions.Permissions, user string) *server.Permissions {
	if p.All {
		return nil
	}
	n := &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: append([]string{}, p.Publish...), Deny: p.Refuse},
		Subscribe: &server.SubjectPermission{Allow: append([]string{bus.InboxPrefix(user) + ".>"}, p.Subscribe...)},
	}
	if p.Answer {
		n.Response = &server.ResponsePermission{MaxMsgs: -1, Expires: answerFor} // answers have parts
	}
	return n
}

// wrong counts a wrong proof, and returns when its refusal is due.
func (g *gate) wrong(c server.ClientAuthentication, what string) {
	guess := g.guesses.Wrong(g.ctx, remote(c))
	if guess.Report {
		g.log.Warn(what, "client", guess.Client, "count", guess.Count)
	}
}

// remote is where a connection comes from; empty if it is within this process.
func remote(c server.ClientAuthentication) string {
	if a := c.RemoteAddress(); a != nil {
		return a.String()
	}
	return ""
}

// admit notes a connection. The caller holds mu.
func (g *gate) admit(id uint64, a admitted) {
	if len(g.admitted) >= g.forgetAt {
		maps.DeleteFunc(g.admitted, func(id uint64, _ admitted) bool { return g.server.GetClient(id) == nil })
		g.forgetAt = max(fewAdmitted, 2*len(g.admitted))
	}
	g.admitted[id] = a
}

// whoIs returns whom a connection belongs to.
func (g *gate) whoIs(id uint64) admitted {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.admitted[id]
}

// role is the role of a token; empty for a key.
func (a admitted) role() string {
	if a.key != "" {
		return ""
	}
	return a.grant.Role.String()
}

// setKeys changes the keys that are known, and ends the connections of those who have lost theirs, or may do something
// else now. These connect again.
func (g *gate) setKeys(known permissions.Keys) {
	g.mu.Lock()
	before := g.keys
	g.keys = maps.Clone(known)
	ended := g.take(func(a admitted) bool {
		if a.key == "" {
			return false
		}
		now, ok := known[a.key]
		return !ok || !reflect.DeepEqual(now, before[a.key])
	})
	g.mu.Unlock()
	g.end(ended)
}

// renew ends the connections whose token is not good any more.
func (g *gate) renew() {
	g.mu.Lock()
	ended := g.take(func(a admitted) bool {
		if a.key != "" {
			return false
		}
		now, err := g.authority.Renew(a.grant)
		return err != nil || now != a.grant
	})
	g.mu.Unlock()
	g.end(ended)
}

// take forgets some connections and returns their numbers. The caller holds mu.
func (g *gate) take(which func(admitted) bool) []uint64 {
	var ids []uint64
	for id, a := range g.admitted {
		if which(a) {
			ids = append(ids, id)
			delete(g.admitted, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (g *gate) end(ids []uint64) {
	for _, id := range ids {
		_ = g.server.DisconnectClientByID(id) // fails if it has ended
	}
}
