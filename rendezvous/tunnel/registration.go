package tunnel

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/waldo-robot/waldo/pkg/identity"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/pkg/text"
)

const (
	// subprotocol is the version of the protocol.
	subprotocol = "waldo.tunnel.v1"
	// maxRegistration bounds a message of a registration.
	maxRegistration = 4 << 10
	// patience bounds the whole registration.
	patience = 10 * time.Second
	// maxRefusal bounds the text of a refusal.
	maxRefusal = 1 << 10
	// purpose begins what a robot signs.
	purpose = "waldo robot"
)

// challenge is the server's first message.
type challenge struct {
	Challenge string `json:"challenge"`
}

// Registration is what a robot says of itself.
type Registration struct {
	// Robot is its name.
	Robot string `json:"robot"`
	// Key is its public key, a DER SubjectPublicKeyInfo.
	Key []byte `json:"key"`
	// Signature proves that it has the key.
	Signature []byte `json:"signature"`
}

// verdict is the server's last message.
type verdict struct {
	Refused string `json:"refused,omitempty"`
}

func newChallenge() string {
	random := make([]byte, identity.ChallengeSize)
	_, _ = rand.Read(random) // never fails, see crypto/rand
	return hex.EncodeToString(random)
}

// parseChallenge checks the server's first message.
func parseChallenge(data []byte) (string, error) {
	var c challenge
	if err := json.Unmarshal(data, &c); err != nil {
		return "", fmt.Errorf("the challenge is no JSON of a challenge: %w", err)
	}
	random, err := hex.DecodeString(c.Challenge)
	if err != nil || len(random) != identity.ChallengeSize || c.Challenge != strings.ToLower(c.Challenge) {
		return "", fmt.Errorf("challenge: %.64q is not a number of %d lower-case hexadecimal digits", c.Challenge,
			2*identity.ChallengeSize)
	}
	return c.Challenge, nil
}

// parseRegistration checks the robot's message, except for its signature.
func parseRegistration(data []byte) (*Registration, error) {
	var r Registration
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("the registration is no JSON of a registration: %w", err)
	}
	if err := robot.CheckName(r.Robot); err != nil {
		return nil, fmt.Errorf("robot: %w", err)
	}
	return &r, nil
}

// parseVerdict returns the refusal in the server's last message, if it is one.
func parseVerdict(data []byte) error {
	var v verdict
	if err := json.Unmarshal(data, &v); err != nil {
		return fmt.Errorf("the verdict is no JSON of a verdict: %w", err)
	}
	if v.Refused != "" {
		return &RefusedError{Text: bounded(v.Refused), Wait: maxPause}
	}
	return nil
}

// bounded makes a text of the far end fit for a log.
func bounded(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > maxRefusal {
		s = strings.ToValidUTF8(s[:maxRefusal], "") + "…"
	}
	return text.Printable(s)
}

// sign makes the robot's answer to a challenge.
func sign(key *identity.Key, host, name, challenge string) (*Registration, error) {
	signature, err := key.Sign(purpose, host, name, challenge)
	return &Registration{Robot: name, Key: key.Public(), Signature: signature}, err
}

// verify checks that a registration answers a challenge of a server with one of the hosts.
func (r *Registration) verify(hosts []string, challenge string) error {
	err := errors.New("the server knows no name of its own")
	for _, host := range hosts {
		if err = identity.Verify(r.Key, r.Signature, purpose, host, r.Robot, challenge); err == nil {
			return nil
		}
	}
	return fmt.Errorf("signature: %w, for robot %s at %s: the robot has to dial the server by one of these names",
		err, r.Robot, strings.Join(hosts, " or "))
}

// Fingerprint is that of the robot's key, see [identity.Fingerprint].
func (r *Registration) Fingerprint() string { return identity.Fingerprint(r.Key) }

// Host is the server's host as robots sign it, from an address that they dial.
func Host(u *url.URL) string {
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if port == "" || port == "443" && u.Scheme == "https" || port == "80" && u.Scheme == "http" {
		if strings.Contains(host, ":") {
			return "[" + host + "]"
		}
		return host
	}
	return net.JoinHostPort(host, port)
}

// send writes a message of a registration.
func send(ctx context.Context, socket *websocket.Conn, message any) error {
	data, err := json.Marshal(message)
	if err != nil {
		return err
	}
	return socket.Write(ctx, websocket.MessageText, data)
}

// receive reads a message of a registration.
func receive(ctx context.Context, socket *websocket.Conn) ([]byte, error) {
	socket.SetReadLimit(maxRegistration)
	kind, data, err := socket.Read(ctx)
	if err == nil && kind != websocket.MessageText {
		err = errors.New("a binary message came during the registration")
	}
	return data, err
}
