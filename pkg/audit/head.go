package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
)

// Head is the last line of a log at some time. Kept where those who can change the log cannot change it, it proves
// later that the log up to there is what it was.
type Head struct {
	Number int64
	Hash   string // of the line; empty: there is none
}

// String returns the head as number:hash, or nothing.
func (h Head) String() string {
	if h.Hash == "" {
		return ""
	}
	return strconv.FormatInt(h.Number, 10) + ":" + h.Hash
}

// ParseHead reads what [Head.String] wrote.
func ParseHead(text string) (Head, error) {
	number, hash, _ := strings.Cut(text, ":")
	n, err := strconv.ParseInt(number, 10, 64)
	sum, failed := hex.DecodeString(hash)
	if err != nil || failed != nil || n < 0 || len(sum) != sha256.Size || hash != strings.ToLower(hash) {
		return Head{},
			errors.New("it is no head of an audit log: that is a number, a colon and a SHA-256 in hexadecimal digits")
	}
	return Head{n, hash}, nil
}
