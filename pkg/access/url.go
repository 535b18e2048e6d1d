package access

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"

	texts "github.com/waldo-robot/waldo/pkg/text"
)

// hidden stands for what must not be shown.
const hidden = "***"

// errBusURL does not repeat the text: what cannot be read may be a secret anywhere in it.
var errBusURL = errors.New("is not the URL of a NATS server: write nats://host:4222; " +
	"in a user, password or token before the host write / as %2F, : as %3A, ? as %3F, # as %23, % as %25, a comma as " +
	"%2C and the at sign as %40")

var busSchemes = []string{"nats", "tls", "ws", "wss"}

// hostCharacters are those of names, and of addresses of both versions of IP.
const hostCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:%-"

// CheckBusURL returns an error with the rule for URLs of the bus unless the text is one, or several separated by
// commas. The error does not repeat the text.
func CheckBusURL(text string) error {
	for one := range strings.SplitSeq(text, ",") {
		if _, err := parseBusURL(one); err != nil {
			return err
		}
	}
	return nil
}

// parseBusURL is strict: a password with a character that should have been written as %2F and the like makes url.Parse
// find a host, a path, a query or a fragment in the middle of it.
func parseBusURL(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	switch {
	case err != nil || !slices.Contains(busSchemes, u.Scheme) || u.Hostname() == "" ||
		!texts.Only(u.Hostname(), hostCharacters) || !goodPort(u.Port()):
		return nil, errBusURL
	case strings.Contains(u.Path, "@") || u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return nil, errBusURL
	case !strings.HasPrefix(u.Scheme, "ws") && strings.Trim(u.Path, "/") != "": // WebSockets may be behind a proxy
		return nil, errBusURL
	}
	return u, nil
}

func goodPort(port string) bool {
	_, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil
}

// RedactURL returns the URL of a server, or several with commas between, fit to be shown: without what stands before
// and behind the host. What is not such a URL is hidden whole, since nobody knows what of it is a secret.
func RedactURL(text string) string {
	var shown []string
	for one := range strings.SplitSeq(text, ",") {
		u, err := parseBusURL(one)
		if err != nil {
			return hidden
		}
		host := u.Host
		if u.User != nil {
			host = hidden + "@" + host
		}
		shown = append(shown, u.Scheme+"://"+host)
	}
	return strings.Join(shown, ",")
}

var (
	// userInfo is greedy, and takes spaces and slashes: a password that is not escaped goes up to the last @ of the line.
	userInfo = texts.Pattern(`([A-Za-z][A-Za-z0-9+.-]*://|\b(?:stun|turn)s?:)[^\n]*@`)
	// parameter is a secret in the query of an address, or in the path, where some cameras want it.
	parameter = texts.Pattern(`(?i)([?&;/_,](?:token|access_token|key|api_?key|stream_?key|streamid|passphrase|password|` +
		`passwd|pass|pwd|psw|secret|credential|auth|authorization|sig|signature)=)[^&;#\s"'` + "`" + `]+`)
	// streamKey is what follows the name of the application in an address of RTMP: often a key that lets one publish.
	streamKey = texts.Pattern(`(?i)(\brtmps?://[^/?\s"'` + "`" + `<>]*/[^/?\s"'` + "`" + `<>]*[/?])[^\s"'` + "`" + `<>]+`)
	// lateAt is an address with an @ where userInfo would take the end of a secret for the host: in the query, or behind
	// the name of an application of RTMP. The @ stays, as the address may be in the middle of a password.
	lateAt  = texts.Pattern(`(?i)(\b[a-z][a-z0-9+.-]*://)[^\s@]*\?\S*@\S*|(\brtmps?://)[^\s@/]*/\S*@\S*`)
	address = texts.Pattern(`[A-Za-z][A-Za-z0-9+.-]*://[^\s"'` + "`" + `<>]+`)
)

// RedactText hides in any text, such as an error of a library or what a user has typed, what may be the secret part of
// an address: what stands before the host, parameters called token and the like, what follows the application in an
// address of RTMP, which is often a stream key, and all of an address that cannot be read.
func RedactText(text string) string {
	if strings.ContainsRune(text, '@') {
		text = lateAt().ReplaceAllString(text, "${1}${2}"+hidden+"@"+hidden)
		text = userInfo().ReplaceAllString(text, "${1}"+hidden+"@")
	}
	if strings.ContainsRune(text, '=') {
		text = parameter().ReplaceAllString(text, "${1}"+hidden)
	}
	if !strings.Contains(text, "://") {
		return text
	}
	text = streamKey().ReplaceAllString(text, "${1}"+hidden)
	return address().ReplaceAllStringFunc(text, func(found string) string {
		if _, err := url.Parse(strings.TrimRight(found, ",.;:!?)]}…\\")); err == nil {
			return found
		}
		scheme, _, _ := strings.Cut(found, "://")
		return scheme + "://" + hidden
	})
}

// RedactAttr is [RedactText] for logs: the ReplaceAttr of slog's handlers.
func RedactAttr(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		return slog.String(a.Key, RedactText(a.Value.String()))
	case slog.KindAny:
		if _, ok := a.Value.Any().([]byte); ok {
			return a
		}
		return slog.String(a.Key, RedactText(fmt.Sprintf("%+v", a.Value.Any())))
	default:
		return a
	}
}
