package address

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/waldo-robot/waldo/pkg/text"
)

const hidden = "***"

// Secret is a text that no verb of fmt, no log and no encoder shows, for passwords and keys in a configuration.
// string(s) reveals it.
type Secret string

// Format implements [fmt.Formatter]: it hides the text from every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// String returns ***, or nothing if there is nothing to hide.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements [encoding.TextMarshaler].
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]; so a configuration takes a Secret as a text.
func (s *Secret) UnmarshalText(data []byte) error { *s = Secret(data); return nil }

// accounts finds what is probably a secret in path and query. It goes up to the next &, ; or /, since a password may
// hold everything else, _ included, which some cameras separate with.
var accounts = text.Pattern(`(?i)((?:pass|passwd|password|pwd|token|key|secret|auth|credential|sig|signature|psk|hash)(?:=|%3d))[^&;/]+`)

// String is the address as people may see it: without user and password, and without what looks like a secret in path
// and query. Of an RTMP address, it is only the name of the application: what follows is often a stream key.
func (a Address) String() string {
	who := ""
	if a.User != "" || a.Password != "" {
		who = hidden + "@"
	}
	return a.Scheme + "://" + who + a.authority() + a.shownTarget()
}

func (a Address) shownTarget() string {
	target := accounts().ReplaceAllString(a.Target, "${1}"+hidden)
	if a.Scheme != "rtmp" && a.Scheme != "rtmps" || target == "" {
		return target
	}
	if end := strings.IndexAny(target[1:], "/?"); end >= 0 && end+2 < len(target) {
		return target[:end+2] + hidden
	}
	return target
}

// Format implements [fmt.Formatter]: every verb prints what String returns.
func (a Address) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, a.String()) }

// LogValue implements [slog.LogValuer].
func (a Address) LogValue() slog.Value { return slog.StringValue(a.String()) }

// plain are the characters that stay as they are in path and query, besides letters and digits.
const plain = "-._~!$&'()*+,;=:@/?[]|"

// escape makes path and query fit for a request line: whatever is not allowed there is escaped, what is escaped
// already stays. There are no fragments: # is a character like others.
func escape(target string) string {
	if target != "" && target[0] != '/' {
		target = "/" + target
	}
	var b strings.Builder
	for i := range len(target) {
		c := target[i]
		switch {
		case isAlphanumeric(c) || strings.IndexByte(plain, c) >= 0 || c == '%' && isEscaped(target[i:]):
			b.WriteByte(c)
		default:
			_, _ = fmt.Fprintf(&b, "%%%02X", c) // never fails
		}
	}
	return b.String()
}

// unescape replaces what is escaped; a % that no two digits follow stays.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && isEscaped(s[i:]) {
			b.WriteByte(digit(s[i+1])<<4 | digit(s[i+2]))
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func isAlphanumeric(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' }

func isEscaped(s string) bool { return len(s) >= 3 && isHex(s[1]) && isHex(s[2]) }

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

func digit(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
