package server

import (
	"crypto/rand"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/identity"
)

const (
	robotToken = "open sesame, please"
	guestToken = "look, but do not touch"
)

// far is a site as visitors reach it through a rendezvous server.
type far struct {
	*site
	key    *identity.Key
	prover *identity.Prover
	url    string
}

func newFar(t *testing.T) *far {
	t.Helper()
	key, err := identity.New()
	if err != nil {
		t.Fatal(err)
	}
	prover, err := identity.NewProver("demo", robotToken)
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, Config{Token: robotToken, Key: key, GuestToken: guestToken, Caller: echo{},
		Drive: &signalingv1.Drive{Device: "motors"}}, 0)
	web := httptest.NewServer(Remote(s.server.Handler()))
	t.Cleanup(web.Close)
	return &far{s, key, prover, web.URL}
}

// dial opens a session and returns what the robot says of itself.
func (f *far) dial(origin string) (*socket, *signalingv1.Welcome) {
	f.t.Helper()
	headers := http.Header{}
	if origin != "" {
		headers.Set("Origin", origin)
	}
	conn, _, err := websocket.Dial(f.t.Context(), f.url+"/signal", &websocket.DialOptions{HTTPHeader: headers})
	if err != nil {
		f.t.Fatal(err)
	}
	k := &socket{f.t, conn}
	f.t.Cleanup(k.close)
	return k, k.await(isWelcome).GetWelcome()
}

// offer is what a peer with the token offers in a session.
func (f *far) offer(sdp string, challenge []byte) *signalingv1.Offer {
	f.t.Helper()
	fingerprint, err := identity.DTLSFingerprint(sdp)
	if err != nil {
		f.t.Fatal(err)
	}
	return &signalingv1.Offer{Id: 1, Sdp: sdp, Proof: f.prover.Prove(challenge, fingerprint)}
}

// TestRemoteSession: who knows the token gets in, from a page of any origin, and the WebSocket carries nothing else.
func TestRemoteSession(t *testing.T) {
	f := newFar(t)
	socket, w := f.dial("https://elsewhere.example")
	if w.GetRobot() != "demo" || w.GetDrive() != nil ||
		identity.Fingerprint(w.GetRemote().GetKey()) != f.key.Fingerprint() ||
		len(w.GetRemote().GetChallenge()) != identity.ChallengeSize {
		t.Fatalf("welcome: %v", w)
	}
	socket.send(`{"call":{"id":8,"device":"front","method":"a.B/C"}}`)
	if r := socket.await(isResult).GetResult(); r.GetError().GetCode() != "PERMISSION_DENIED" {
		t.Errorf("result: %v", r)
	}
	k := newWire(t)
	sdp, err := k.peer.Offer(nil)
	if err != nil {
		t.Fatal(err)
	}
	socket.send(offerText(t, f.offer(sdp, w.GetRemote().GetChallenge())))
	m := socket.await(func(m *signalingv1.GatewayMessage) bool {
		if m.GetDevices() != nil {
			t.Error("the rendezvous server sees the devices")
		}
		return isAnswer(m) || isError(m)
	})
	offered, _ := identity.DTLSFingerprint(sdp)
	answered, err := identity.DTLSFingerprint(m.GetAnswer().GetSdp())
	if err != nil {
		t.Fatal(m, err)
	}
	err = identity.VerifyAnswer(f.key.Public(), m.GetAnswer().GetSignature(), "demo", w.GetRemote().GetChallenge(),
		offered, answered)
	if err != nil {
		t.Error(err)
	}
	if err := k.peer.Accept(m.GetAnswer().GetSdp()); err != nil {
		t.Fatal(err)
	}
	if w := k.await(isWelcome).GetWelcome(); w.GetDrive().GetDevice() != "motors" || w.GetRemote() != nil {
		t.Errorf("welcome on the channel: %v", w)
	}
	socket.send(`{"hangUp":{}}`) // as the rendezvous server can
	socket.send(`{"ping":{"id":1}}`)
	socket.await(isPong)
	socket.close()
	k.send(`{"ping":{"id":7}}`)
	k.await(isPong)
	k.changeConnection()
}

// TestProofs: what does not show the token, for this session and this offer, is refused.
func TestProofs(t *testing.T) {
	f := newFar(t)
	_, earlier := f.dial("")
	others, mine := offer(t), offer(t)
	wrong := make([]byte, 32)
	_, _ = rand.Read(wrong)
	other := func(robot, token string) *far {
		p, err := identity.NewProver(robot, token)
		if err != nil {
			t.Fatal(err)
		}
		return &far{f.site, f.key, p, f.url}
	}
	another, _ := identity.DTLSFingerprint(others)
	for _, tt := range []struct {
		name, code string
		make       func(challenge []byte) *signalingv1.Offer
	}{
		{"none", "PERMISSION_DENIED", func([]byte) *signalingv1.Offer { return &signalingv1.Offer{Sdp: mine} }},
		{"random", "PERMISSION_DENIED",
			func([]byte) *signalingv1.Offer { return &signalingv1.Offer{Sdp: mine, Proof: wrong} }},
		{"of another token", "PERMISSION_DENIED",
			func(c []byte) *signalingv1.Offer { return other("demo", "guess").offer(mine, c) }},
		{"for another robot", "PERMISSION_DENIED",
			func(c []byte) *signalingv1.Offer { return other("rover", robotToken).offer(mine, c) }},
		{"of an earlier session", "PERMISSION_DENIED", func([]byte) *signalingv1.Offer {
			return f.offer(mine, earlier.GetRemote().GetChallenge())
		}},
		{"for another offer", "PERMISSION_DENIED", func(c []byte) *signalingv1.Offer {
			o := f.offer(others, c)
			o.Sdp = mine
			return o
		}},
		{"two fingerprints", "INVALID_ARGUMENT", func(c []byte) *signalingv1.Offer {
			o := f.offer(mine, c)
			o.Sdp += "a=fingerprint:" + another + "\r\n"
			return o
		}},
		{"no fingerprint", "INVALID_ARGUMENT", func([]byte) *signalingv1.Offer { return &signalingv1.Offer{Sdp: "v=0"} }},
		{"with tracks", "INVALID_ARGUMENT", func(c []byte) *signalingv1.Offer {
			o := f.offer(mine, c)
			o.Tracks = []*signalingv1.Track{{Mid: "0", Device: "front"}}
			return o
		}},
	} {
		socket, w := f.dial("")
		o := tt.make(w.GetRemote().GetChallenge())
		o.Id = 3
		socket.send(offerText(t, o))
		m := socket.await(func(m *signalingv1.GatewayMessage) bool { return isAnswer(m) || isError(m) })
		if m.GetError().GetCode() != tt.code || m.GetError().GetId() != 3 {
			t.Errorf("%s: %v, want %s", tt.name, m, tt.code)
		}
		socket.close()
	}
}

// TestProofCountsOnce: the rendezvous server cannot send a peer's offer again, changed or not.
func TestProofCountsOnce(t *testing.T) {
	f := newFar(t)
	socket, w := f.dial("")
	text := offerText(t, f.offer(offer(t), w.GetRemote().GetChallenge()))
	socket.send(text)
	socket.await(isAnswer)
	socket.send(text)
	if e := socket.await(isError).GetError(); e.GetCode() != "FAILED_PRECONDITION" {
		t.Errorf("again: %v", e)
	}
}

// TestWrongProofsEndTheSession: and are counted as wrong tokens are.
func TestWrongProofsEndTheSession(t *testing.T) {
	f := newFar(t)
	socket, _ := f.dial("")
	sdp := offer(t)
	for range maxWrongProofs {
		socket.send(offerText(t, &signalingv1.Offer{Id: 1, Sdp: sdp, Proof: []byte("guess")}))
	}
	var err error
	for err == nil {
		_, err = socket.read()
	}
	if websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("the session ended with %v", err)
	}
	_, metrics := f.do(request{path: "/metrics", headers: []string{"Authorization: Bearer " + robotToken}})
	if !strings.Contains(metrics, "waldo_gateway_wrong_tokens_total 3") {
		t.Error("wrong proofs are not counted")
	}
}

// TestUnprovenSessions: few may wait for an offer.
func TestUnprovenSessions(t *testing.T) {
	f := newFar(t)
	for range maxUnprovenEach {
		f.dial("")
	}
	_, answer, err := websocket.Dial(t.Context(), f.url+"/signal", nil)
	if err == nil || answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one more: %v", err)
	}
}

// TestGateExpires: a session without a proof ends in time, one with a proof does not.
func TestGateExpires(t *testing.T) {
	for name, proves := range map[string]bool{"without a proof": false, "with a proof": true} {
		synctest.Test(t, func(t *testing.T) {
			g := &gate{proven: make(chan struct{})}
			expired := make(chan struct{})
			if proves {
				time.AfterFunc(proofTimeout/2, func() { close(g.proven) })
			}
			begin := time.Now()
			g.wait(t.Context(), func() { close(expired) })
			select {
			case <-expired:
				if took := time.Since(begin); proves || took != proofTimeout {
					t.Errorf("%s: it ended after %v", name, took)
				}
			default:
				if !proves {
					t.Errorf("%s: it goes on", name)
				}
			}
		})
	}
}

// TestLobby counts clients apart, and forgets them.
func TestLobby(t *testing.T) {
	var l lobby
	var inside []string
	for i := range maxUnproven {
		client := string(rune('a' + i/maxUnprovenEach))
		if !l.enter(client) {
			t.Fatalf("number %d does not get in", i)
		}
		inside = append(inside, client)
	}
	if l.enter("z") {
		t.Error("too many get in")
	}
	for _, client := range inside {
		l.leave(client)
	}
	if l.all != 0 || len(l.each) != 0 {
		t.Errorf("%d are left, %v", l.all, l.each)
	}
}

// TestRemoteRequests: what a rendezvous server may pass on.
func TestRemoteRequests(t *testing.T) {
	f := newFar(t)
	sdp := offer(t)
	bearer := func(token string) string { return "Authorization: Bearer " + token }
	for _, tt := range []struct {
		request
		code int
		says string
	}{
		{request{path: "/"}, 200, "robot"},
		{request{path: "/waldo.js"}, 200, ""},
		{request{path: "/healthz"}, 200, ""},
		{request{path: "/?token=" + robotToken[:4]}, 403, "change it"},
		{request{path: "/devices", headers: []string{bearer(robotToken)}}, 403, "rendezvous"},
		{request{path: "/metrics", headers: []string{bearer(guestToken)}}, 403, "rendezvous"},
		{request{path: "/snapshot/front.jpg", headers: []string{bearer(guestToken)}}, 403, "rendezvous"},
		{request{path: "/picture/front", headers: []string{bearer(guestToken)}}, 403, "rendezvous"},
		{request{path: "/ws/chat", headers: []string{bearer(guestToken)}}, 404, ""},
		{request{method: "POST", path: "/whep/front", body: sdp, headers: []string{sdpType}}, 403, "guestToken"},
		{request{method: "POST", path: "/whep/front", body: sdp, headers: []string{sdpType, bearer(robotToken)}}, 403,
			"change it"},
		{request{method: "POST", path: "/whep/front", body: sdp, headers: []string{sdpType, bearer(guestToken)}}, 201, "v=0"},
		{request{method: "DELETE", path: "/whep/front/unknown"}, 404, ""},
		{request{method: "POST", path: "/signal"}, 426, "WebSocket"},
	} {
		answer, body := f.doAt(f.url, tt.request)
		if answer.StatusCode != tt.code || !strings.Contains(body, tt.says) {
			t.Errorf("%s %s: %s, %.200s", tt.method, tt.path, answer.Status, body)
		}
		if answer.Header.Get("Access-Control-Allow-Origin") != "*" || answer.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s %s: headers %v", tt.method, tt.path, answer.Header)
		}
		if tt.code == 201 {
			f.verify(answer, sdp, body)
		}
	}
}

// verify checks the signature of an answer to a request.
func (f *far) verify(answer *http.Response, offer, body string) {
	f.t.Helper()
	key, _ := base64.RawURLEncoding.DecodeString(answer.Header.Get("Waldo-Key"))
	signature, _ := base64.RawURLEncoding.DecodeString(answer.Header.Get("Waldo-Signature"))
	offered, _ := identity.DTLSFingerprint(offer)
	answered, _ := identity.DTLSFingerprint(body)
	if err := identity.VerifyAnswer(key, signature, "demo", nil, offered, answered); err != nil {
		f.t.Error(err)
	}
}

// doAt sends a request to another address of the site.
func (f *far) doAt(base string, q request) (*http.Response, string) {
	f.t.Helper()
	if q.method == "" {
		q.method = http.MethodGet
	}
	r, err := http.NewRequestWithContext(f.t.Context(), q.method, base+q.path, strings.NewReader(q.body))
	if err != nil {
		f.t.Fatal(err)
	}
	for _, h := range q.headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return answer, string(body)
}

// TestGuestTokenOpensNothingElse: on the robot's own network it is a wrong token.
func TestGuestTokenOpensNothingElse(t *testing.T) {
	f := newFar(t)
	answer, _ := f.do(request{path: "/devices", headers: []string{"Authorization: Bearer " + guestToken}})
	if answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("%s", answer.Status)
	}
}

// TestRemoteWithoutKey: a gateway without a rendezvous server has no sessions of that kind.
func TestRemoteWithoutKey(t *testing.T) {
	s := newSite(t, Config{Token: robotToken}, 0)
	web := httptest.NewServer(Remote(s.server.Handler()))
	defer web.Close()
	_, answer, err := websocket.Dial(t.Context(), web.URL+"/signal", nil)
	if err == nil || answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%v", err)
	}
}
