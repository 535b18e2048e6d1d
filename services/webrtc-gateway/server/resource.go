package server

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/viewing"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/visitors"
)

const (
	typeSDP      = "application/sdp"
	typeFragment = "application/trickle-ice-sdpfrag"
)

// resource is a connection that was made by a POST of an offer, and is changed and ended by requests to its own address
// (RFC 9725). The address is random, and suffices to change and end it.
type resource struct {
	device  string
	visitor *visitors.Visitor // who has made it; it ends with the visit
	peer    *rtc.Peer
	viewer  *viewing.Viewer

	mu   sync.Mutex // one change at a time
	etag string     // of the current ICE session
}

func (s *Server) newResource(r *http.Request, device string, peer *rtc.Peer) *resource {
	visitor := visitorOf(r).Join(s.ctx)
	visitor.Began(r.Method + " " + r.URL.Path)
	return &resource{device: device, visitor: visitor, peer: peer, viewer: s.meters.Viewer(peer.ID()), etag: newETag()}
}

func newETag() string { return `"` + rand.Text()[:16] + `"` }

// created keeps a resource and answers the request that made it. Location is relative to the request's path: a proxy
// may have taken a prefix off it.
func (s *Server) created(w http.ResponseWriter, r *http.Request, made *resource, answer string) {
	id := rand.Text()
	if !s.keep(id, made) {
		fail(w, errStopping)
		return
	}
	h := w.Header()
	h.Set("Content-Type", typeSDP)
	h.Set("Location", made.device+"/"+id)
	h.Set("ETag", made.etag)
	h.Set("Accept-Patch", typeFragment)
	for _, link := range s.iceLinks() {
		h.Add("Link", link)
	}
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, rtc.Prefer(answer, reachedAt(r))) // the visitor has left: the connection times out
}

// reachedAt returns the address of the gateway that a request came to; the zero value if something else took it there.
func reachedAt(r *http.Request) netip.Addr {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok || isRemote(r) || r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" {
		return netip.Addr{}
	}
	return local.AddrPort().Addr().Unmap()
}

// keep keeps a resource until its connection ends; false if the server is closed.
func (s *Server) keep(id string, made *resource) bool {
	s.mu.Lock()
	s.resources[id] = made
	s.mu.Unlock()
	kept := s.own(func() {
		select {
		case <-made.peer.Done():
		case <-made.visitor.Context().Done():
			made.peer.Close()
		}
		s.forget(id)
		made.viewer.Close()
		made.visitor.Leave()
	})
	if !kept {
		made.peer.Close()
		s.forget(id)
		made.viewer.Close()
		made.visitor.Leave()
	}
	return kept
}

func (s *Server) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.resources, id)
}

// find returns the resource of a request, or answers it with 404.
func (s *Server) find(w http.ResponseWriter, r *http.Request) *resource {
	s.mu.Lock()
	found := s.resources[r.PathValue("id")]
	s.mu.Unlock()
	if found == nil || found.device != r.PathValue("device") {
		fail(w,
			status.Error(codes.NotFound,
				"there is no such session, or it has ended: POST a new offer to the path of the device"))
		return nil
	}
	return found
}

// patchResource takes candidates, and restarts ICE.
func (s *Server) patchResource(w http.ResponseWriter, r *http.Request) {
	found := s.find(w, r)
	if found == nil {
		return
	}
	body, ok := readBody(w, r, typeFragment)
	if !ok {
		return
	}
	fragment, err := rtc.ParseFragment(body)
	if err != nil {
		fail(w, err)
		return
	}
	found.mu.Lock()
	defer found.mu.Unlock()
	if match := r.Header.Values("If-Match"); !matches(match, found.etag) {
		http.Error(w, "If-Match: the session has another ETag: "+found.etag+". ICE was restarted since; a restart may "+
			"also say *", http.StatusPreconditionFailed)
		return
	}
	own, err := found.peer.Take(r.Context(), fragment)
	switch {
	case err != nil:
		fail(w, err)
	case own == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		found.etag = newETag()
		w.Header().Set("Content-Type", typeFragment)
		w.Header().Set("ETag", found.etag)
		_, _ = io.WriteString(w, own.String()) // the visitor has left: the connection times out
	}
}

// matches tells whether the condition of a request (RFC 9110, 13.1.1) allows it. Without one, every request is allowed.
func matches(condition []string, etag string) bool {
	if len(condition) == 0 {
		return true
	}
	return slices.ContainsFunc(strings.Split(strings.Join(condition, ","), ","), func(tag string) bool {
		tag = strings.TrimSpace(tag)
		return tag == "*" || tag == etag
	})
}

// deleteResource ends a connection.
func (s *Server) deleteResource(w http.ResponseWriter, r *http.Request) {
	if found := s.find(w, r); found != nil {
		found.peer.Close()
		s.forget(r.PathValue("id"))
		w.WriteHeader(http.StatusOK)
	}
}

// readBody reads a request's body of a certain type, or answers the request and returns false.
func readBody(w http.ResponseWriter, r *http.Request, want string) (string, bool) {
	if got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || got != want {
		http.Error(w, fmt.Sprintf("Content-Type: %q is not supported: send %s", r.Header.Get("Content-Type"), want),
			http.StatusUnsupportedMediaType)
		return "", false
	}
	body, ok := readUpTo(w, r, rtc.MaxOffer)
	return string(body), ok
}

// readUpTo reads a request's body of at most limit bytes, or answers the request and returns false.
func readUpTo(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, bool) {
	// Not every ResponseWriter has deadlines; the server's own do.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		http.Error(w, fmt.Sprintf("the body is too large: %d bytes are allowed", limit),
			http.StatusRequestEntityTooLarge)
	case errors.Is(err, os.ErrDeadlineExceeded):
		http.Error(w, fmt.Sprintf("the body did not arrive within %v", bodyTimeout), http.StatusRequestTimeout)
	case err != nil:
		http.Error(w, "the body could not be read: "+err.Error(), http.StatusBadRequest)
	default:
		return body, true
	}
	return nil, false
}

// iceLinks formats the ICE servers as links, as WHIP and WHEP have them.
func (s *Server) iceLinks() []string {
	servers, _ := s.config.ICEServers()
	var links []string
	for _, server := range servers {
		for _, u := range server.GetUrls() {
			link := fmt.Sprintf(`<%s>; rel="ice-server"`, u)
			if server.GetUsername() != "" {
				link += fmt.Sprintf(`; username=%q; credential=%q; credential-type="password"`, server.GetUsername(),
					server.GetCredential())
			}
			links = append(links, link)
		}
	}
	return links
}
