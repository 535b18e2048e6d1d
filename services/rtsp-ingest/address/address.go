// Package address reads the URLs of network cameras as people write them: with passwords that hold @, #, ?, / and %,
// paths with spaces and letters of any alphabet, accounts in the query, IPv6 zones.
//
// An [Address] prints without its secrets, whatever verb prints it. What goes to the camera has a name that says so.
//
// # What belongs to user and password
//
// A @ in the part before the first /, ? or # ends user and password, as in any URL; of several, the last does. If no
// host stands behind it, the password goes on to a later @. Where both readings make sense, the URL is refused: the
// keys user and password, which are taken as they are, leave no doubt. In the URL, %40 and the like stand for a
// character; a % that no two hexadecimal digits follow stands for itself.
//
// Values are immutable and safe for concurrent use.
package address

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/waldo-robot/waldo/pkg/text"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// Address is where a camera is, and who we are to it.
type Address struct {
	Scheme   string // rtsp, rtsps, rtmp, rtmps, http, https, insta360
	Host     string // a name or an IP address, without brackets, with its zone
	Port     uint16 // never 0
	Target   string // path and query, escaped: "" or "/live?channel=1"
	User     string
	Password Secret
}

// ports are the schemes, with the port that each has without one.
var ports = map[string]uint16{
	"rtsp": 554, "rtsps": 322, "rtmp": 1935, "rtmps": 443, "http": 80, "https": 443, "insta360": 6666,
}

// schemes are listed in errors in this order.
const schemes = "rtsp, rtsps, rtmp, rtmps, http, https or insta360"

const (
	maxLength = 2048 // of a URL; a longer one is no URL of a camera
	maxSecret = 256  // of user and password: bytes
	maxLabels = 253  // bytes of a host name

	maxShownPort = 6 // digits of a port that is repeated
)

// Parse reads a URL, and the keys user and password beside it. Errors are Misspelled, and repeat nothing that may be
// a secret.
func Parse(raw, user string, password Secret) (Address, error) {
	raw = strings.TrimSpace(raw)
	scheme, rest, ok := strings.Cut(raw, "://")
	scheme = strings.ToLower(scheme)
	switch {
	case raw == "":
		return Address{}, misspelled("url", "the address of the camera is missing: write url: rtsp://10.0.0.7/stream1")
	case len(raw) > maxLength:
		return Address{}, misspelled("url", "%d bytes are too many: %d are allowed", len(raw), maxLength)
	case !ok:
		return Address{}, misspelled("url", "the scheme is missing: begin with rtsp://, or another of %s", schemes)
	case ports[scheme] == 0:
		return Address{}, misspelled("url", "unknown scheme: use %s", schemes)
	case strings.ContainsFunc(raw, isControl):
		return Address{}, misspelled("url", "a control character is in it: remove it, or write it as %%0A and the like")
	}
	account, authority, target, err := split(rest, ports[scheme])
	if err != nil {
		return Address{}, err
	}
	a := Address{Scheme: scheme, Target: escape(target)}
	a.Host, a.Port, _ = hostPort(authority, ports[scheme])
	return a, a.identify(account, user, password)
}

// identify takes user and password from the URL or from their keys.
func (a *Address) identify(account, user string, password Secret) error {
	named, secret, _ := strings.Cut(account, ":")
	a.User, a.Password = unescape(named), Secret(unescape(secret))
	switch {
	case user != "" && a.User != "":
		return misspelled("user", "the url has a user too: leave one of them out")
	case password != "" && a.Password != "":
		return misspelled("password", "the url has a password too: leave one of them out")
	}
	if user != "" {
		a.User = user
	}
	if password != "" {
		a.Password = password
	}
	switch {
	case len(a.User) > maxSecret:
		return misspelled("user", "more than %d bytes: shorten it", maxSecret)
	case len(a.Password) > maxSecret:
		return misspelled("password", "more than %d bytes: shorten it", maxSecret)
	case strings.ContainsFunc(a.User+string(a.Password), isControl):
		return misspelled("password", "a control character is in user or password: remove it")
	}
	return nil
}

// split finds user and password, host and port, and the rest of what stands behind ://.
func split(rest string, standard uint16) (account, authority, target string, err error) {
	end := segment(rest)
	at := strings.LastIndexByte(rest[:end], '@')
	host := rest[at+1 : end]
	later := lastHost(rest, end)
	_, _, good := hostPort(host, 1)
	switch {
	case good && later >= 0 && isStrong(hostAt(rest, later)) && !isStrong(host) &&
		(at >= 0 || strings.Contains(host, ":")):
		return "", "", "", misspelled("url", "it is not clear where the password ends: leave user and password out of the "+
			"url, and write them as keys beside it (or write / as %%2F, ? as %%3F, # as %%23, @ as %%40)")
	case good:
	case later >= 0:
		at, end = later, later+1+segment(rest[later+1:])
		host = rest[at+1 : end]
	case host == "":
		return "", "", "", misspelled("url", "the host is missing: write rtsp://10.0.0.7/stream1")
	default:
		return "", "", "", unreadable(host, at >= 0, standard)
	}
	if at >= 0 {
		account = rest[:at]
	}
	return account, host, rest[end:], nil
}

// unreadable says what is wrong with what stands where host and port should be. It repeats only what cannot be a
// password: a number behind a host of which there is no doubt. The example is a URL that can be read, since others are
// hidden in errors as a whole.
func unreadable(authority string, account bool, standard uint16) error {
	end := strings.IndexByte(authority, ']') + 1
	if end == 0 {
		end = max(strings.IndexByte(authority, ':'), 0)
	}
	host, port := authority[:end], strings.TrimPrefix(authority[end:], ":")
	_, _, good := hostPort(host, standard)
	certain := good && (account || isStrong(host))
	switch isNumber := text.Only(port, "0123456789"); {
	case certain && isNumber && len(port) <= maxShownPort:
		return misspelled("url", "the port %s is out of range: use 1 to 65535, or leave it out for %d", port, standard)
	case certain, good && isNumber:
		return misspelled("url", "the port is not a number from 1 to 65535: correct it, or leave it out for %d", standard)
	case good:
		return misspelled("url", "what follows the first colon is not a port: use 1 to 65535, or leave it out for %d; "+
			"if it is a password, the host is missing: write user and password as keys beside the url", standard)
	}
	return misspelled("url", "no host can be read in it: write rtsp://10.0.0.7:554/stream1, IPv6 addresses in [], "+
		"and user and password as keys beside the url")
}

// segment is the length of what stands before the first /, ? or #.
func segment(s string) int {
	if i := strings.IndexAny(s, "/?#"); i >= 0 {
		return i
	}
	return len(s)
}

func hostAt(rest string, at int) string { return rest[at+1 : at+1+segment(rest[at+1:])] }

// lastHost finds the last @ behind from which a host follows, -1 if there is none.
func lastHost(rest string, from int) int {
	for at := strings.LastIndexByte(rest, '@'); at >= from; at = strings.LastIndexByte(rest[:at], '@') {
		if _, _, ok := hostPort(hostAt(rest, at), 1); ok {
			return at
		}
	}
	return -1
}

// isStrong tells whether a host is hardly anything else: an IP address or a name with a dot.
func isStrong(authority string) bool {
	host, _, ok := hostPort(authority, 1)
	return ok && (host == "localhost" || strings.ContainsAny(host, ".:"))
}

// hostPort reads host and port; a host without port has the default one.
func hostPort(authority string, standard uint16) (host string, port uint16, ok bool) {
	host, digits := authority, ""
	if inside, behind, bracket := strings.Cut(strings.TrimPrefix(authority, "["), "]"); bracket && authority[0] == '[' {
		host, digits = inside, behind
		ok = isIPv6(host) && (digits == "" || digits[0] == ':')
		digits = strings.TrimPrefix(digits, ":")
	} else if isIPv6(authority) {
		ok = true
	} else {
		host, digits, _ = strings.Cut(authority, ":")
		ok = isName(host)
	}
	host = strings.Replace(host, "%25", "%", 1)
	if digits == "" {
		return host, standard, ok
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	return host, uint16(n), ok && err == nil && n > 0
}

func isIPv6(host string) bool {
	ip, err := netip.ParseAddr(strings.Replace(host, "%25", "%", 1))
	return err == nil && ip.Is6() && text.Only(ip.Zone(), zoneCharacters)
}

const (
	zoneCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	nameCharacters = zoneCharacters
)

func isName(host string) bool {
	return host != "" && len(host) <= maxLabels && text.Only(host, nameCharacters) && !strings.HasPrefix(host, ".")
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

func misspelled(key, format string, args ...any) error {
	return feed.Failf(feed.Misspelled, key, key+": "+format, args...)
}

// Secure tells whether the connection is encrypted.
func (a Address) Secure() bool {
	return a.Scheme == "rtsps" || a.Scheme == "rtmps" || a.Scheme == "https"
}

// HostPort is what to dial.
func (a Address) HostPort() string { return net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port))) }

// URL is what may be sent to the camera in the clear: without user and password, and without the zone, which means
// something only on this machine. A default port is left out.
func (a Address) URL() string { return a.Scheme + "://" + a.authority() + a.Target }

func (a Address) authority() string {
	host, _, _ := strings.Cut(a.Host, "%")
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if a.Port == ports[a.Scheme] {
		return host
	}
	return host + ":" + strconv.Itoa(int(a.Port))
}

// WithCredentials is the URL with user and password, for libraries that take them there. It must not be printed.
func (a Address) WithCredentials() *url.URL {
	path, query, _ := strings.Cut(a.Target, "?")
	u := &url.URL{Scheme: a.Scheme, Host: a.HostPort(), Path: unescape(path), RawPath: path, RawQuery: query}
	if a.User != "" || a.Password != "" {
		u.User = url.UserPassword(a.User, string(a.Password))
	}
	return u
}

// SameHost tells whether user and password for one address may be sent to the other: the same host, and not in the
// clear if they were encrypted. Ports may differ.
func (a Address) SameHost(other Address) bool {
	return strings.EqualFold(a.Host, other.Host) && (other.Secure() || !a.Secure())
}

// beside is the target that a relative reference means: from the root, another query, or beside the last part of the
// path.
func (a Address) beside(reference string) string {
	path, _, _ := strings.Cut(a.Target, "?")
	switch reference[0] {
	case '/':
		return reference
	case '?':
		return path + reference
	}
	folder := path[:strings.LastIndexByte(path, '/')+1]
	return "/" + strings.TrimPrefix(folder, "/") + strings.TrimPrefix(reference, "./")
}

// Redirect is the address to which a camera sends us on. User and password stay behind if that is another host, and
// what the camera writes in their place is ignored. The protocol stays the same.
func (a Address) Redirect(location string) (Address, error) {
	location = strings.TrimSpace(location)
	if location != "" && !strings.Contains(location, "://") {
		location = a.beside(location)
		location = a.Scheme + "://" + a.authority() + location
		if _, zone, ok := strings.Cut(a.Host, "%"); ok {
			location = strings.Replace(location, "]", "%"+zone+"]", 1)
		}
	}
	to, err := Parse(location, "", "")
	if err != nil || strings.TrimSuffix(to.Scheme, "s") != strings.TrimSuffix(a.Scheme, "s") {
		return Address{}, feed.Failf(feed.Unsupported, "url",
			"url: the camera sends us on to an address that cannot be used: "+
				"ask its web page for the right one")
	}
	to.User, to.Password = "", ""
	if a.SameHost(to) {
		to.User, to.Password = a.User, a.Password
	}
	return to, nil
}
