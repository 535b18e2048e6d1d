package server

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/coder/websocket"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/foxglove"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/visitors"
)

const (
	foxglovePath    = "/foxglove"
	foxglovePattern = "GET " + foxglovePath
	// maxFoxglove bounds the clients of Foxglove's protocol: each is a copy of what it shows, over TCP.
	maxFoxglove = 32
)

// foxglovePass is the purpose of the passes of a robot's clients of Foxglove's protocol.
func foxglovePass(robot string) string { return "foxglove at " + robot }

// Foxglove serves the clients of Foxglove's protocol.
type Foxglove interface {
	// Serve serves a client until either side closes the socket or the visit ends, and closes it.
	Serve(of *visitors.Visitor, socket *websocket.Conn)
}

// foxglove answers GET /foxglove: a WebSocket, or for browsers a page with the address of that.
func (s *Server) foxglove(w http.ResponseWriter, r *http.Request) {
	switch {
	case s.config.Foxglove == nil:
		fail(w, status.Error(codes.Unimplemented, "this gateway does not speak Foxglove's protocol"))
		return
	case !strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		s.foxgloveAddress(w, r)
		return
	case !slices.ContainsFunc(protocols(r, ""), func(p string) bool {
		return strings.EqualFold(p, foxglove.SDK) || strings.EqualFold(p, foxglove.Legacy)
	}):
		fail(w, status.Error(codes.InvalidArgument, "this WebSocket has the sub-protocols "+foxglove.SDK+" and "+
			foxglove.Legacy+": ask for one of them"))
		return
	}
	if err := s.enter(&s.foxgloveSockets); err != nil {
		fail(w, err)
		return
	}
	defer s.exit(&s.foxgloveSockets)
	socket, err := acceptAs(w, r, foxglove.MaxRequest, foxglove.SDK, foxglove.Legacy)
	if err != nil {
		return
	}
	visitor := visitorOf(r).Join(s.ctx)
	defer visitor.Leave()
	visitor.Began(foxglovePattern)
	s.config.Foxglove.Serve(visitor, socket)
}

//go:embed foxglove.html
var foxgloveHTML string

var foxglovePage = template.Must(template.New("foxglove").Parse(foxgloveHTML))

// foxglovePolicy lets that page run its own script, and have its own style.
var foxglovePolicy = "default-src 'none'; script-src " + inlineHash("script") + "; style-src " + inlineHash("style") +
	"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// inlineHash names what is between the tags of the page, as a content security policy does.
func inlineHash(tag string) string {
	_, rest, _ := strings.Cut(foxgloveHTML, "<"+tag+">")
	text, _, _ := strings.Cut(rest, "</"+tag+">")
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// foxgloveAddress tells people what to enter in Foxglove, which can be given nothing but an address.
func (s *Server) foxgloveAddress(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		notUpgraded(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", foxglovePolicy)
	h.Set("Cache-Control", "no-store")
	_ = foxglovePage.Execute(w, struct{ Robot, Parameter, Pass, Life string }{ // the visitor may have left
		s.config.Robot, passParameter, s.guard.passFor(r, foxglovePass(s.config.Robot)), "12 hours",
	})
}
