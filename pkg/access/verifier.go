package access

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// verifierPrefix begins what [Verifier] returns.
const verifierPrefix = "sha256:"

// Verifier returns what a process needs that is presented a token, and presents none itself: [Allowed] takes it in
// place of the token, but it opens nothing. A token of fewer than [MinToken] characters could be guessed from it, so it
// is returned as it is.
func Verifier(token string) string {
	if _, ok := verifies(token); ok || len(token) < MinToken {
		return token
	}
	sum := sha256.Sum256([]byte(token))
	return verifierPrefix + hex.EncodeToString(sum[:])
}

// verifies returns the SHA-256 in a verifier; false if the text is none, but a token.
func verifies(text string) (sum [sha256.Size]byte, ok bool) {
	digits, ok := strings.CutPrefix(text, verifierPrefix)
	if !ok || len(digits) != hex.EncodedLen(len(sum)) {
		return sum, false
	}
	n, err := hex.Decode(sum[:], []byte(digits))
	return sum, err == nil && n == len(sum)
}
