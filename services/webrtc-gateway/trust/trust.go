// Package trust keeps the robot's page to https for other machines, and helps people trust the robot's certificate
// authority.
//
// Without TLS, a request of this machine is answered as ever. One of another machine gets the trust page if a browser
// wants a page and the certificate is of the robot's own authority: it explains how to add the authority, and opens the
// robot's page by https once the browser takes that. All others are sent to https. The authority, and proofs for public
// authorities (RFC 8555, 8.3), are served with and without TLS, as those who ask have no other way.
//
// A [Handler] is safe for concurrent use and starts no goroutine.
package trust

import (
	"crypto/sha256"
	"crypto/x509"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/waldo-robot/waldo/pkg/certs"
	"github.com/waldo-robot/waldo/pkg/text"
)

// The paths of what is served here.
const (
	pagePath      = "/trust"
	authorityPath = "/ca.crt"
	// trustedPath is asked for by the trust page: an answer means that the browser takes the certificate.
	trustedPath   = "/trusted"
	challengePath = "/.well-known/acme-challenge/"
)

//go:embed trust.html
var source string

// policy lets the page have its own style and script, and ask whether https works.
var policy = sync.OnceValue(func() string {
	return fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; connect-src https:; base-uri 'none'; "+
		"form-action 'none'; frame-ancestors 'none'", hash("style"), hash("script"))
})

// hash names what the page has in an element as a content security policy does.
func hash(element string) string {
	_, rest, _ := strings.Cut(source, "<"+element+">")
	inside, _, _ := strings.Cut(rest, "</"+element+">")
	sum := sha256.Sum256([]byte(inside))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// Config says what is served.
type Config struct {
	// Robot is its name.
	Robot string
	// Folder holds the robot's own authority; empty: it has a certificate of another one.
	Folder string
	// Challenges is the folder with proofs for a public authority, named by their tokens; empty: there are none.
	Challenges string
	// Port is where the page is served, with and without TLS.
	Port string
}

// Handler wraps the handler of the robot's page. Requests must have gone through [certs.WithTLS].
func Handler(next http.Handler, c Config) http.Handler { return &handler{c, next} }

type handler struct {
	config Config
	next   http.Handler
}

// ServeHTTP implements [http.Handler].
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch token, proof := strings.CutPrefix(r.URL.Path, challengePath); {
	case reads && proof && h.config.Challenges != "":
		h.serveProof(w, token)
	case reads && r.URL.Path == authorityPath && h.config.Folder != "":
		h.serveAuthority(w)
	case reads && r.URL.Path == pagePath && h.config.Folder != "":
		h.servePage(w)
	case reads && r.URL.Path == trustedPath && r.TLS != nil:
		w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
		w.WriteHeader(http.StatusNoContent)
	case r.TLS != nil || r.URL.Path == "/healthz" || certs.Local(address(r.RemoteAddr)):
		h.next.ServeHTTP(w, r)
	case reads && h.config.Folder != "" && strings.Contains(r.Header.Get("Accept"), "text/html"):
		h.servePage(w)
	default:
		h.refuse(w, r, reads)
	}
}

// address is one of a request.
type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

// refuse sends a client to https. What has a body was sent in the clear already, and is not asked for again.
func (h *handler) refuse(w http.ResponseWriter, r *http.Request, reads bool) {
	to, ok := h.secured(r)
	if reads && ok {
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, to, http.StatusTemporaryRedirect)
		return
	}
	w.Header().Set("Upgrade", "TLS/1.2")
	http.Error(w,
		"the robot answers other machines by https only: use https:// in place of http://; if a token was sent, "+
			"others on the network may have seen it, so change it", http.StatusUpgradeRequired)
}

// secured returns the address of a request by https; not ok if its host is none.
func (h *handler) secured(r *http.Request) (to string, ok bool) {
	host := r.Host
	if _, _, err := net.SplitHostPort(host); err != nil && h.port() != "" {
		host = net.JoinHostPort(strings.Trim(host, "[]"), h.port())
	}
	u := url.URL{Scheme: "https", Host: host, Path: r.URL.Path, RawQuery: r.URL.RawQuery}
	checked, err := url.Parse("https://" + host)
	if err != nil || checked.Host != host || checked.String() != "https://"+host || checked.Hostname() == "" {
		return "", false
	}
	return u.String(), true
}

// port is what has to be added to an address without a port, which is that of port 80: if that is not the robot's own,
// a router that forwards it is expected to forward 443 as well.
func (h *handler) port() string {
	if h.config.Port == "80" {
		return "80"
	}
	return ""
}

func (h *handler) serveAuthority(w http.ResponseWriter) {
	c, ok := h.authority(w)
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "application/x-x509-ca-cert")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", h.config.Robot+".crt"))
	_, _ = w.Write(certs.Encode(c)) // the visitor may have left
}

// authority returns the robot's own, or answers that there is none.
func (h *handler) authority(w http.ResponseWriter) (*x509.Certificate, bool) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	c, err := certs.ReadAuthority(h.config.Folder)
	if err != nil {
		http.Error(w, "the robot has no certificate authority yet: it is made when the robot starts",
			http.StatusServiceUnavailable)
	}
	return c, err == nil
}

func (h *handler) servePage(w http.ResponseWriter) {
	c, ok := h.authority(w)
	if !ok {
		return
	}
	filled := strings.NewReplacer("{{robot}}", html.EscapeString(h.config.Robot), "{{port}}", h.port(),
		"{{name}}", html.EscapeString(c.Subject.CommonName), "{{fingerprint}}", certs.Fingerprint(c),
		"{{permitted}}", html.EscapeString(strings.Join(c.PermittedDNSDomains, ", ")))
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", policy())
	header.Set("Referrer-Policy", "no-referrer")
	_, _ = filled.WriteString(w, source) // the visitor may have left
}

// tokenCharacters are those of a token of a proof (RFC 8555, 8.3).
const (
	tokenCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	maxToken        = 128
	maxProof        = 1 << 10
)

// serveProof serves a file whose name a public authority has chosen.
func (h *handler) serveProof(w http.ResponseWriter, token string) {
	if token == "" || len(token) > maxToken || !text.Only(token, tokenCharacters) {
		http.Error(w, "there is no such proof", http.StatusNotFound)
		return
	}
	proof, err := os.ReadFile(filepath.Join(h.config.Challenges, token))
	if err != nil || len(proof) > maxProof {
		status := http.StatusNotFound
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			status = http.StatusInternalServerError
		}
		http.Error(w, "there is no such proof", status)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(proof) // the authority may have left
}
