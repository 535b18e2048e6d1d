package peer

import (
	"fmt"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/identity"
)

// trust is what a session through a rendezvous server is secured with. It is used by one goroutine.
type trust struct {
	robot     string
	key       []byte // the robot's public key, which is known
	challenge []byte
	prover    *identity.Prover
}

// knownKey returns the fingerprint of the key of a robot behind a rendezvous server: that of the link, or the one that
// is remembered for the address. It is empty for any other robot, and for one that is not known.
func (r *Robot) knownKey() (string, error) {
	if r.address.key != "" || !r.address.shared {
		return r.address.key, nil
	}
	path, err := knownPath(r.options)
	if err != nil {
		return "", nil // there is no place where one could have been remembered
	}
	_, keys, err := readKnown(path)
	return keys[r.address.base.String()], err
}

// recognize checks that a Welcome is that of the robot with a key, and returns how to secure the session; nil if there
// is no rendezvous server in between.
func (r *Robot) recognize(w *signalingv1.Welcome, key string) (*trust, error) {
	remote := w.GetRemote()
	switch {
	case remote == nil && key != "":
		return nil, refused("the server at %s does not say which robot this is: it is no rendezvous server, or the robot's "+
			"gateway is older than this program", r.address.base)
	case remote == nil:
		return nil, nil
	case !r.address.shared:
		return nil, refused("%s leads to a robot through a rendezvous server: use the link that `waldo link` prints",
			r.address.base)
	}
	if err := r.checkKey(identity.Fingerprint(remote.GetKey()), key); err != nil {
		return nil, err
	}
	if r.address.token == "" {
		return nil, refused("the robot's token is needed: set Options.Token; the rendezvous server does not learn it")
	}
	if r.prover == nil || r.proverFor != w.GetRobot() {
		prover, err := identity.NewProver(w.GetRobot(), r.address.token)
		if err != nil {
			return nil, err
		}
		r.prover, r.proverFor = prover, w.GetRobot()
	}
	return &trust{robot: w.GetRobot(), key: remote.GetKey(), challenge: remote.GetChallenge(), prover: r.prover}, nil
}

// checkKey checks the fingerprint of the key that a robot shows against the known one. It proves that it has the key
// later, with its answer.
func (r *Robot) checkKey(shown, known string) error {
	if known == "" {
		return refused("the robot at %s is not known: use the link that `waldo link` prints on the robot, or set "+
			"Options.Key to the fingerprint that it has; this one shows the key %s", r.address.base, shown)
	}
	if shown != known {
		return refused("the robot at %s shows the key %s, but its key is %s: this is another robot, or somebody in between; "+
			"if the robot has a new key, use the link that `waldo link` prints on it now", r.address.base, shown, known)
	}
	return nil
}

// prove returns the proof for an offer, which shows the robot that we know its token.
func (t *trust) prove(offer string) ([]byte, error) {
	fingerprint, err := identity.DTLSFingerprint(offer)
	if err != nil {
		return nil, err
	}
	return t.prover.Prove(t.challenge, fingerprint), nil
}

// verify checks that an answer to an offer is the robot's.
func (t *trust) verify(offer string, answer *signalingv1.Answer) error {
	offered, err := identity.DTLSFingerprint(offer)
	if err != nil {
		return err
	}
	answered, err := identity.DTLSFingerprint(answer.GetSdp())
	if err == nil {
		err = identity.VerifyAnswer(t.key, answer.GetSignature(), t.robot, t.challenge, offered, answered)
	}
	if err != nil {
		return refused("the answer is not the robot's (%v): somebody in between may have changed it", err)
	}
	return nil
}

// trusted remembers the key of a robot whose answer was verified.
func (r *Robot) trusted(t *trust) {
	path, err := knownPath(r.options)
	if err == nil {
		err = remember(path, r.address.base.String(), identity.Fingerprint(t.key))
	}
	if err != nil {
		r.log.Warn("the robot's key is not remembered", "error", err)
	}
}

// refusal is an error that trying again will hardly change.
type refusal struct {
	why   string
	token bool // a gateway wants a token
}

func (r *refusal) Error() string { return r.why }

func refused(format string, args ...any) error { return &refusal{why: fmt.Sprintf(format, args...)} }
