package tokens

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

const (
	prefix = "waldo_"
	// idLength is that of an id in characters of base32: 50 bits.
	idLength = 10
	// secretLength is that of a secret in characters of base32: 130 bits.
	secretLength = 26
	// The alphabets of secrets and ids.
	upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	lower = "abcdefghijklmnopqrstuvwxyz234567"
)

// newToken makes the parts of a token.
func newToken() (id, secret string) {
	return strings.ToLower(rand.Text()[:idLength]), rand.Text()[:secretLength]
}

// format puts a token together.
func format(id, secret string) string { return prefix + id + "_" + secret }

// parse takes a token apart; false if it is none of the store's.
func parse(token string) (id, secret string, ok bool) {
	rest, ok := strings.CutPrefix(token, prefix)
	if !ok {
		return "", "", false
	}
	id, secret, ok = strings.Cut(rest, "_")
	return id, secret, ok && isID(id) && isSecret(secret)
}

func isID(text string) bool { return len(text) == idLength && consistsOf(text, lower) }

func isSecret(text string) bool { return len(text) == secretLength && consistsOf(text, upper) }

func consistsOf(text, alphabet string) bool { return strings.Trim(text, alphabet) == "" }

// digest is what the store keeps of a secret.
func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
