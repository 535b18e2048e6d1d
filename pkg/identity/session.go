package identity

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// rounds make it slow to find a token from a proof.
const rounds = 100_000

// Prover makes and checks proofs that a peer knows the token of a robot.
type Prover struct {
	robot string
	key   []byte
}

// NewProver returns a prover. Making one takes some 30 ms on purpose: keep it.
func NewProver(robot, token string) (*Prover, error) {
	if token == "" {
		return nil, errors.New("without a token there is nothing to prove")
	}
	key, err := pbkdf2.Key(sha256.New, token, []byte("waldo proof of "+robot), rounds, sha256.Size)
	return &Prover{robot, key}, err
}

// Robot is the name of the robot.
func (p *Prover) Robot() string { return p.robot }

// Prove returns the proof for an offer whose DTLS fingerprint is given, see [DTLSFingerprint].
func (p *Prover) Prove(challenge []byte, offered string) []byte {
	code := hmac.New(sha256.New, p.key)
	code.Write([]byte(strings.Join([]string{"waldo offer", p.robot, hex.EncodeToString(challenge), offered}, "\n")))
	return code.Sum(nil)
}

// Proves reports whether a proof is the one for an offer.
func (p *Prover) Proves(proof, challenge []byte, offered string) bool {
	return hmac.Equal(proof, p.Prove(challenge, offered))
}

// SignAnswer signs the DTLS fingerprint of an answer to an offer.
func (k *Key) SignAnswer(robot string, challenge []byte, offered, answered string) ([]byte, error) {
	return k.Sign(answerLines(robot, challenge, offered, answered)...)
}

// VerifyAnswer checks the signature of an answer under the robot's public key.
func VerifyAnswer(public, signature []byte, robot string, challenge []byte, offered, answered string) error {
	return Verify(public, signature, answerLines(robot, challenge, offered, answered)...)
}

func answerLines(robot string, challenge []byte, offered, answered string) []string {
	return []string{"waldo answer", robot, hex.EncodeToString(challenge), offered, answered}
}

var sha256Fingerprint = regexp.MustCompile(`^sha-256 [0-9a-f]{2}(:[0-9a-f]{2}){31}$`)

// DTLSFingerprint returns the fingerprint in a session description, in lower case: "sha-256 ab:cd:…". All must be the
// same, and sha-256: a peer would accept a certificate that matches any of them.
//
// Whoever is in between may have written the description, and parsers differ: some end a line at a lone carriage
// return, some find an attribute behind the fields of another line, some ignore case. So a fingerprint counts wherever
// it stands, and what could hide one is refused.
func DTLSFingerprint(sdp string) (string, error) {
	text := strings.ToLower(sdp)
	if strings.Count(text, "\r") != strings.Count(text, "\r\n") {
		return "", errors.New("sdp: there is a carriage return without a line feed")
	}
	parts := strings.Split(text, "a=fingerprint:")
	if strings.Count(text, "fingerprint") != len(parts)-1 {
		return "", errors.New("sdp: there is a fingerprint that is not an attribute a=fingerprint")
	}
	found := ""
	for _, part := range parts[1:] {
		value, _, _ := strings.Cut(part, "\n")
		value = strings.TrimSpace(value)
		switch {
		case !sha256Fingerprint.MatchString(value):
			return "", fmt.Errorf("sdp: %.100q is not a fingerprint by sha-256", value)
		case found != "" && found != value:
			return "", errors.New("sdp: there are two different fingerprints")
		}
		found = value
	}
	if found == "" {
		return "", errors.New("sdp: there is no a=fingerprint")
	}
	return found, nil
}
