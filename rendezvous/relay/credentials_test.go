package relay

import (
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"
)

func TestCredentialsNameTheirPeer(t *testing.T) {
	r := start(t, Config{Life: time.Hour})
	c := r.Credentials("my: robot", "a page")
	u, ok := parseUser(c.Username)
	if !ok || u.robot != "my%3A+robot" || u.identity != "my%3A+robot:a+page" || c.Life != time.Hour {
		t.Errorf("%s is %+v, %v", c.Username, u, ok)
	}
	if left := time.Until(u.until); left < 50*time.Minute || left > time.Hour {
		t.Errorf("they end in %s", left)
	}
	if other := r.Credentials("my: robot", "another page"); other.Password == c.Password {
		t.Error("two peers have one password")
	}
}

func TestICEServers(t *testing.T) {
	r := start(t, Config{URLs: []string{"stun:example.org:3478", "turn:example.org:3478?transport=udp",
		"turns:example.org:443?transport=tcp"}})
	servers := r.ICEServers("rover", "page")
	if len(servers) != 2 || len(servers[0].URLs) != 1 || servers[0].Username != "" {
		t.Fatalf("got %+v", servers)
	}
	if s := servers[1]; len(s.URLs) != 2 || s.Credential != r.password(s.Username) {
		t.Errorf("got %+v", s)
	}
	if none := start(t, Config{}).ICEServers("rover", "page"); none != nil {
		t.Errorf("without URLs there are %+v", none)
	}
}

// named returns credentials that this relay would have given out, had it been asked to.
func named(r *Relay, until time.Time, identity string) Credentials {
	name := strconv.FormatInt(until.Unix(), 10) + ":" + identity
	return Credentials{Username: name, Password: r.password(name)}
}

func TestCredentialsThatAreRefused(t *testing.T) {
	r := start(t, Config{})
	other := start(t, Config{})
	good := r.Credentials("rover", "page")
	seconds, _, _ := strings.Cut(good.Username, ":")
	for name, c := range map[string]struct {
		Credentials
		reason string
	}{
		"of another server":    {other.Credentials("rover", "page"), refusedForged},
		"a wrong password":     {Credentials{Username: good.Username, Password: "guess"}, refusedForged},
		"for another robot":    {Credentials{Username: seconds + ":other:page", Password: good.Password}, refusedForged},
		"with another end":     {Credentials{Username: "9" + good.Username, Password: good.Password}, refusedForged},
		"expired":              {named(r, time.Now().Add(-time.Second), "rover:page"), refusedExpired},
		"expired long ago":     {named(r, time.Unix(0, 0), "rover:page"), refusedExpired},
		"without a robot":      {named(r, time.Now().Add(time.Hour), ":page"), refusedForged},
		"without a peer":       {named(r, time.Now().Add(time.Hour), "rover"), refusedForged},
		"that are no time":     {Credentials{Username: "soon:rover:page", Password: "x"}, refusedForged},
		"that are not ASCII":   {Credentials{Username: "ü:ü:ü", Password: "ü"}, refusedForged},
		"with a negative time": {named(r, time.Unix(-5, 0), "rover:page"), refusedExpired},
	} {
		t.Run(name, func(t *testing.T) {
			before := refused(r, c.reason)
			conn, server := byUDP.connect(t, r, "")
			relayed, err := newClient(t, conn, server, c.Credentials).Allocate()
			if err == nil {
				relayed.Close()
				t.Fatal("they make an allocation")
			}
			if after := refused(r, c.reason); after != before+1 {
				t.Errorf("%v were refused as %s, want 1", after-before, c.reason)
			}
		})
	}
}

// raw is a client that makes one request at a time, as the test wants it.
type raw struct {
	t     *testing.T
	conn  net.PacketConn
	to    net.Addr
	realm string
	nonce string
}

func newRaw(t *testing.T, r *Relay) *raw {
	t.Helper()
	conn, _ := byUDP.connect(t, r, "")
	return &raw{t: t, conn: conn, to: net.UDPAddrFromAddrPort(r.UDP()[0])}
}

// build makes a request. It is signed if there are credentials, once the server has told its realm and nonce.
func (c *raw) build(method stun.Method, credentials *Credentials, more ...stun.Setter) []byte {
	c.t.Helper()
	setters := append([]stun.Setter{stun.TransactionID, stun.NewType(method, stun.ClassRequest)}, more...)
	if credentials != nil {
		setters = append(setters, stun.NewUsername(credentials.Username), stun.NewRealm(c.realm), stun.NewNonce(c.nonce),
			stun.NewLongTermIntegrity(credentials.Username, c.realm, credentials.Password))
	}
	m, err := stun.Build(setters...)
	if err != nil {
		c.t.Fatal(err)
	}
	return m.Raw
}

// ask sends a request until it is answered, or returns nil if it is not.
func (c *raw) ask(request []byte, attempts int) *stun.Message {
	c.t.Helper()
	b := make([]byte, 2000)
	for range attempts {
		if _, err := c.conn.WriteTo(request, c.to); err != nil {
			c.t.Fatal(err)
		}
		if err := c.conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
			c.t.Fatal(err)
		}
		for {
			n, _, err := c.conn.ReadFrom(b)
			if err != nil {
				break
			}
			m := &stun.Message{Raw: b[:n]}
			if m.Decode() == nil && m.TransactionID == transactionOf(request) {
				return m
			}
		}
	}
	return nil
}

const attempts = 60

// hello makes an unsigned request, which tells realm and nonce.
func (c *raw) hello() {
	c.t.Helper()
	m := c.ask(c.build(stun.MethodAllocate, nil, overUDP), attempts)
	var realm stun.Realm
	var nonce stun.Nonce
	if m == nil || code(m) != stun.CodeUnauthorized || realm.GetFrom(m) != nil || nonce.GetFrom(m) != nil {
		c.t.Fatalf("got %v", m)
	}
	c.realm, c.nonce = realm.String(), nonce.String()
}

var overUDP = stun.RawAttribute{Type: stun.AttrRequestedTransport, Value: []byte{17, 0, 0, 0}}

func code(m *stun.Message) stun.ErrorCode {
	var e stun.ErrorCodeAttribute
	if m == nil || errors.Is(e.GetFrom(m), stun.ErrAttributeNotFound) {
		return 0
	}
	return e.Code
}

func TestCallsOutliveTheirCredentials(t *testing.T) {
	r := start(t, Config{Life: time.Hour})
	held := &allocation{identity: "rover:page"}
	for _, c := range []struct {
		name  string
		since time.Duration // the end of the credentials
		held  *allocation
		good  bool
	}{
		{"before the end", -time.Minute, nil, true},
		{"a new allocation after the end", time.Minute, nil, false},
		{"an allocation that was made before", time.Minute, held, true},
		{"after another life", time.Hour + time.Minute, held, false},
		{"an allocation of somebody else", time.Minute, &allocation{identity: "rover:other"}, false},
	} {
		credentials := named(r, time.Now().Add(-c.since), "rover:page")
		identity, key, ok := r.authenticate(&turn.RequestAttributes{Username: credentials.Username, Realm: r.config.Realm},
			c.held)
		if ok != c.good || ok && (identity != "rover:page" ||
			string(key) != string(turn.GenerateAuthKey(credentials.Username, r.config.Realm, credentials.Password))) {
			t.Errorf("%s: got %v", c.name, ok)
		}
	}
	if _, _, ok := r.authenticate(&turn.RequestAttributes{Username: r.Credentials("a", "b").Username, Realm: "other"},
		nil); ok {
		t.Error("a key of another realm is good")
	}
}

// A call whose credentials have ended can go on with new ones, without a new allocation.
func TestRenewedCredentialsRefresh(t *testing.T) {
	r := start(t, Config{})
	c := newRaw(t, r)
	c.hello()
	old := named(r, time.Now().Add(time.Minute), "rover:page")
	if m := c.ask(c.build(stun.MethodAllocate, &old, overUDP), attempts); m == nil ||
		m.Type.Class != stun.ClassSuccessResponse {
		t.Fatalf("got %v", m)
	}
	renewed := r.Credentials("rover", "page")
	if m := c.ask(c.build(stun.MethodRefresh, &renewed), attempts); m == nil || m.Type.Class != stun.ClassSuccessResponse {
		t.Errorf("renewed credentials: got %v", m)
	}
	expired := named(r, time.Now().Add(-time.Minute), "rover:page")
	if m := c.ask(c.build(stun.MethodRefresh, &expired), attempts); m == nil || m.Type.Class != stun.ClassSuccessResponse {
		t.Errorf("expired credentials: got %v", m)
	}
	dead := named(r, time.Now().Add(-r.config.Life-time.Minute), "rover:page")
	if m := c.ask(c.build(stun.MethodRefresh, &dead), attempts); m == nil || m.Type.Class != stun.ClassErrorResponse {
		t.Errorf("credentials that ended a life ago: got %v", m)
	}
}

func TestReplayedRequestsAreRefused(t *testing.T) {
	r := start(t, Config{})
	victim, thief := newRaw(t, r), newRaw(t, r)
	victim.hello()
	credentials := r.Credentials("rover", "page")
	request := victim.build(stun.MethodAllocate, &credentials, overUDP)
	if m := victim.ask(request, attempts); m == nil || m.Type.Class != stun.ClassSuccessResponse {
		t.Fatalf("got %v", m)
	}
	if m := thief.ask(request, attempts); m == nil || m.Type.Class != stun.ClassErrorResponse {
		t.Errorf("somebody else: got %v", m)
	}
	if refused(r, refusedReplayed) == 0 {
		t.Error("it was not counted")
	}
	if m := victim.ask(request, attempts); m == nil || m.Type.Class != stun.ClassSuccessResponse { // the answer was lost
		t.Errorf("the client itself: got %v", m)
	}
}

func TestRequestsWithoutAnAllocationAreAnswered(t *testing.T) {
	r := start(t, Config{})
	c := newRaw(t, r)
	c.hello()
	credentials := r.Credentials("rover", "page")
	for _, method := range []stun.Method{stun.MethodRefresh, stun.MethodCreatePermission, stun.MethodChannelBind} {
		if m := c.ask(c.build(method, &credentials), attempts); code(m) != stun.CodeAllocMismatch {
			t.Errorf("%s: got %v", method, m)
		}
	}
	for _, method := range []stun.Method{stun.MethodConnect, stun.MethodConnectionBind} {
		if m := c.ask(c.build(method, &credentials), attempts); code(m) != stun.CodeBadRequest {
			t.Errorf("%s: got %v", method, m)
		}
	}
	tcp := stun.RawAttribute{Type: stun.AttrRequestedTransport, Value: []byte{6, 0, 0, 0}}
	if m := c.ask(c.build(stun.MethodAllocate, &credentials, tcp), attempts); code(m) != stun.CodeUnsupportedTransProto {
		t.Errorf("an allocation of TCP: got %v", m)
	}
	even := stun.RawAttribute{Type: stun.AttrEvenPort, Value: []byte{0}}
	if m := c.ask(c.build(stun.MethodAllocate, &credentials, overUDP, even),
		attempts); code(m) != stun.CodeInsufficientCapacity {
		t.Errorf("an even port: got %v", m)
	}
}

func TestBinding(t *testing.T) {
	r := start(t, Config{})
	c := newRaw(t, r)
	m := c.ask(c.build(stun.MethodBinding, nil), attempts)
	var mapped stun.XORMappedAddress
	if m == nil || mapped.GetFrom(m) != nil || mapped.String() != c.conn.LocalAddr().String() {
		t.Errorf("got %v, %s, but the client is %s", m, mapped, c.conn.LocalAddr())
	}
}
