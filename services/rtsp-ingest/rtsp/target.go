package rtsp

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
)

// base is the URL below which the streams of a description are: the one that the camera names if it is on the host we
// talk to, else the one that was asked for. A camera often names an address that it had once, or has behind a router.
func base(asked address.Address, f fields) address.Address {
	for _, name := range []string{"Content-Base", "Content-Location"} {
		for value := f.get(name); value != ""; {
			if a, err := address.Parse(value, "", ""); err == nil && strings.EqualFold(a.Host, asked.Host) {
				return at(asked, a.Target)
			}
			// rtsp://rtsp://…
			_, value, _ = strings.Cut(value, "://")
		}
	}
	return asked
}

// at is another target of the same camera.
func at(a address.Address, target string) address.Address {
	a.Target = target
	return a
}

// targets are the URLs that a control attribute may mean, the likeliest first. Cameras expect that it is appended to
// the base as a text, though the RFC says otherwise; some give an absolute URL with an address of their own.
func targets(asked, base address.Address, control string) (urls []string) {
	add := func(a address.Address, err error) {
		if u := a.URL(); err == nil && !slices.Contains(urls, u) {
			urls = append(urls, u)
		}
	}
	switch {
	case control == "" || control == "*":
	case strings.Contains(control, "://"):
		a, err := address.Parse(control, "", "")
		add(at(asked, a.Target), err)
	default:
		for _, b := range []address.Address{base, asked} {
			joined := strings.TrimSuffix(b.Target, "/") + "/" + strings.TrimPrefix(control, "/")
			a, err := address.Parse(b.Scheme+"://h"+joined, "", "") // escapes it
			add(at(asked, a.Target), err)
		}
		if b, err := url.Parse(base.URL()); err == nil {
			if r, err := b.Parse(control); err == nil {
				a, err := address.Parse(r.String(), "", "")
				add(at(asked, a.Target), err)
			}
		}
	}
	if len(urls) == 0 {
		add(base, nil)
		add(asked, nil)
	}
	return urls
}

// transport is what a camera answers to SETUP.
type transport struct {
	tcp      bool
	channels []byte // interleaved: of RTP and RTCP, nil if it does not say
	ports    []int  // of the camera: RTP and RTCP, nil if it does not say
	source   string
}

// parseTransport reads a Transport field of any spelling: only one channel or port, lower case, spaces, TCP without
// /TCP.
func parseTransport(value string) (t transport) {
	value, _, _ = strings.Cut(value, ",")
	for i, one := range strings.Split(value, ";") {
		name, text, _ := strings.Cut(strings.TrimSpace(one), "=")
		text = strings.Trim(strings.TrimSpace(text), `"`)
		switch name = strings.ToLower(strings.TrimSpace(name)); {
		case i == 0:
			t.tcp = strings.HasSuffix(name, "/tcp")
		case name == "interleaved":
			t.tcp = true
			if a, b, ok := pair(text, 255); ok {
				t.channels = []byte{byte(a), byte(b)}
			}
		case name == "server_port":
			if a, b, ok := pair(text, 65535); ok && a > 0 {
				t.ports = []int{a, b}
			}
		case name == "source":
			t.source = text
		}
	}
	return t
}

// pair reads "0-1", or "0", which means the same.
func pair(s string, limit int) (a, b int, ok bool) {
	first, second, both := strings.Cut(s, "-")
	n, err := strconv.ParseUint(strings.TrimSpace(first), 10, 16)
	if err != nil || int(n) > limit {
		return 0, 0, false
	}
	a, b = int(n), min(int(n)+1, limit)
	if m, err := strconv.ParseUint(strings.TrimSpace(second), 10, 16); both && err == nil && int(m) <= limit {
		b = int(m)
	}
	return a, b, true
}

// usualTimeout is that of a session whose camera does not tell (RFC 2326, 12.37).
const usualTimeout = time.Minute

// parseSession reads a Session field: "id", "id;timeout=60", and what cameras make of it.
func parseSession(value string) (id string, timeout time.Duration) {
	id, rest, _ := strings.Cut(value, ";")
	timeout = usualTimeout
	for one := range strings.SplitSeq(rest, ";") {
		name, text, _ := strings.Cut(one, "=")
		text = strings.TrimSpace(text)
		digits := text[:len(text)-len(strings.TrimLeft(text, "0123456789"))]
		n, err := strconv.ParseUint(digits, 10, 16)
		if err == nil && n > 0 && strings.EqualFold(strings.TrimSpace(name), "timeout") {
			timeout = time.Duration(n) * time.Second
		}
	}
	if id = strings.TrimSpace(id); len(id) > maxID {
		return "", timeout
	}
	return id, timeout
}

const maxID = 512 // bytes of a session id
