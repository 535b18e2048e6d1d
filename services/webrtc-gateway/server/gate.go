package server

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/identity"
)

const (
	// proofTimeout is how long a session through a rendezvous server may last without an offer with a proof.
	proofTimeout = 15 * time.Second
	// maxUnproven bounds the sessions without a proof, in all and from one address.
	maxUnproven     = 64
	maxUnprovenEach = 8
	// maxWrongProofs end a session.
	maxWrongProofs = 3
)

// identities are what sessions through a rendezvous server need to tell robots and peers from those who pose as them.
type identities struct {
	key    *identity.Key
	prover *identity.Prover
	lobby  lobby
}

// newIdentities returns nil if the robot is not reached through a rendezvous server.
func newIdentities(c *Config) (*identities, error) {
	if c.Key == nil || c.Token == "" {
		return nil, nil
	}
	prover, err := identity.NewProver(c.Robot, c.Token)
	return &identities{key: c.Key, prover: prover}, err
}

// lobby counts the sessions without a proof.
type lobby struct {
	mu   sync.Mutex
	all  int
	each map[string]int // by client
}

// enter counts a session; false if there are too many.
func (l *lobby) enter(client string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= maxUnproven || l.each[client] >= maxUnprovenEach {
		return false
	}
	if l.each == nil {
		l.each = make(map[string]int)
	}
	l.all++
	l.each[client]++
	return true
}

func (l *lobby) leave(client string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.each[client]--; l.each[client] == 0 {
		delete(l.each, client)
	}
}

// gate is what a session through a rendezvous server has to pass. The server cannot: it would need the token. It can
// only hold up what passes. Since a challenge is for one offer, and that has no tracks, the server cannot use a proof
// twice, nor choose what the peer gets.
type gate struct {
	ids       *identities
	challenge []byte
	// slow delays the answer to a wrong proof; false if too many are being delayed already.
	slow  func() bool
	leave func() // the lobby; it may be called more than once

	wrong  int           // proofs
	proven chan struct{} // closed when a proof has come
}

// newGate returns the gate of a request for a session; nil if it does not come through a rendezvous server.
func (s *Server) newGate(r *http.Request) (*gate, error) {
	if !isRemote(r) {
		return nil, nil
	}
	if s.identities == nil {
		return nil, status.Error(codes.Unavailable, "the robot has no gateway.rendezvous.url and gateway.token")
	}
	client, lobby := access.Client(r.RemoteAddr), &s.identities.lobby
	if !lobby.enter(client) {
		return nil, status.Error(codes.ResourceExhausted, "too many sessions wait for an offer: try again in some seconds")
	}
	g := &gate{ids: s.identities, challenge: make([]byte, identity.ChallengeSize), proven: make(chan struct{}),
		slow: func() bool { return s.guard.slowDown(r) }, leave: sync.OnceFunc(func() { lobby.leave(client) })}
	_, _ = rand.Read(g.challenge) // never fails, see crypto/rand
	return g, nil
}

// wait calls expire if no proof comes in time. It returns when one has come, or ctx has ended.
func (g *gate) wait(ctx context.Context, expire func()) {
	late := time.NewTimer(proofTimeout)
	defer late.Stop()
	select {
	case <-g.proven:
	case <-ctx.Done():
	case <-late.C:
		expire()
	}
}

var errWrongProofs = errors.New("too many wrong proofs")

// check checks the proof of an offer, and returns the fingerprint that it is for.
func (g *gate) check(o *signalingv1.Offer) (fingerprint string, err error) {
	select {
	case <-g.proven:
		return "", status.Error(codes.FailedPrecondition, "offer: a session through a rendezvous server takes one: "+
			"use the channel "+sessionChannel+", or open another WebSocket")
	default:
	}
	if len(o.GetTracks()) > 0 {
		return "", status.Error(codes.InvalidArgument, "tracks: the rendezvous server could change them: offer the "+
			"channel "+sessionChannel+" alone, and ask for tracks on it")
	}
	if fingerprint, err = identity.DTLSFingerprint(o.GetSdp()); err != nil {
		return "", status.Error(codes.InvalidArgument, err.Error())
	}
	if g.ids.prover.Proves(o.GetProof(), g.challenge, fingerprint) {
		close(g.proven)
		g.leave()
		return fingerprint, nil
	}
	if g.wrong++; !g.slow() || g.wrong >= maxWrongProofs {
		return "", errWrongProofs
	}
	return "", status.Error(codes.PermissionDenied, "proof: it does not show that you know the robot's token: open the "+
		"link that `waldo link --token` prints")
}

// sign returns the signature of an answer to an offer with a fingerprint.
func (g *gate) sign(offered, answer string) ([]byte, error) {
	return g.ids.sign(g.ids.prover.Robot(), g.challenge, offered, answer)
}

func (i *identities) sign(robot string, challenge []byte, offered, answer string) ([]byte, error) {
	answered, err := identity.DTLSFingerprint(answer)
	if err != nil {
		return nil, err
	}
	return i.key.SignAnswer(robot, challenge, offered, answered)
}
