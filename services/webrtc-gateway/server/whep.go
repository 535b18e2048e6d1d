package server

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

const (
	typeSDP      = "application/sdp"
	typeFragment = "application/trickle-ice-sdpfrag"
)

// whep is one WHEP session. Its random id suffices to change and end it.
type whep struct {
	device string
	peer   *rtc.Peer
	etag   string
	ufrag  string // of the offer
}

// whepPost answers an offer: POST /whep/{device}, with ?audio=<device> to add the sound of a device.
func (s *Server) whepPost(w http.ResponseWriter, r *http.Request) {
	device := r.PathValue("device")
	if err := s.directory.Check(device); err != nil {
		fail(w, err)
		return
	}
	offer, ok := readBody(w, r, typeSDP)
	if !ok {
		return
	}
	session, answer, err := s.openWHEP(r, device, offer)
	if err != nil {
		fail(w, err)
		return
	}
	id := rand.Text()
	if !s.keepWHEP(id, session) {
		fail(w, status.Error(codes.Unavailable, "the gateway is stopping"))
		return
	}
	h := w.Header()
	h.Set("Content-Type", typeSDP)
	h.Set("Location", device+"/"+id) // from /whep/: a proxy may have taken a prefix off the path
	h.Set("ETag", session.etag)
	h.Set("Accept-Patch", typeFragment)
	for _, link := range iceLinks(s.config.ICEServers) {
		h.Add("Link", link)
	}
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, answer) // the visitor has left: the connection times out
}

func (s *Server) openWHEP(r *http.Request, device, offer string) (*whep, string, error) {
	tracks, err := s.whepTracks(offer, device, r.URL.Query().Get("audio"))
	if err != nil {
		return nil, "", err
	}
	peer, err := s.engine.NewPeer(nil)
	if err != nil {
		return nil, "", err
	}
	answer, err := peer.Answer(r.Context(), offer, tracks)
	if err != nil {
		peer.Close()
		return nil, "", err
	}
	sum := sha256.Sum256([]byte(answer))
	return &whep{device: device, peer: peer, etag: fmt.Sprintf(`"%x"`, sum[:8]), ufrag: parseFragment(offer).ufrag}, answer, nil
}

// whepTracks finds the sections for the video of a device, and for the sound of another if one is named.
func (s *Server) whepTracks(offer, video, audio string) ([]rtc.Track, error) {
	mid, err := rtc.VideoSection(offer)
	if err != nil {
		return nil, err
	}
	wanted := []rtc.Track{{MID: mid, Stream: tracks.Stream{Device: video, Name: rtc.Video}}}
	if audio == "" {
		return wanted, nil
	}
	if err := s.directory.Check(audio); err != nil {
		return nil, err
	}
	if mid, err = rtc.AudioSection(offer); err != nil {
		return nil, err
	}
	return append(wanted, rtc.Track{MID: mid, Stream: tracks.Stream{Device: audio, Name: rtc.Audio}}), nil
}

// keepWHEP keeps a session until its connection ends; false if the server is closed.
func (s *Server) keepWHEP(id string, session *whep) bool {
	s.mu.Lock()
	s.wheps[id] = session
	s.mu.Unlock()
	kept := s.own(func() {
		select {
		case <-session.peer.Done():
		case <-s.ctx.Done():
			session.peer.Close()
		}
		s.forgetWHEP(id)
	})
	if !kept {
		session.peer.Close()
		s.forgetWHEP(id)
	}
	return kept
}

func (s *Server) forgetWHEP(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.wheps, id)
}

// findWHEP returns the session of a request, or answers it with 404.
func (s *Server) findWHEP(w http.ResponseWriter, r *http.Request) *whep {
	s.mu.Lock()
	session := s.wheps[r.PathValue("id")]
	s.mu.Unlock()
	if session == nil || session.device != r.PathValue("device") {
		fail(w, status.Error(codes.NotFound, "there is no such session, or it has ended: POST a new offer to /whep/<device>"))
		return nil
	}
	return session
}

// whepPatch takes candidates: PATCH /whep/{device}/{id}.
func (s *Server) whepPatch(w http.ResponseWriter, r *http.Request) {
	session := s.findWHEP(w, r)
	if session == nil {
		return
	}
	body, ok := readBody(w, r, typeFragment)
	if !ok {
		return
	}
	if match := r.Header.Get("If-Match"); match != "" && match != "*" && match != session.etag {
		http.Error(w, "If-Match: the session has another ETag: "+session.etag, http.StatusPreconditionFailed)
		return
	}
	f := parseFragment(body)
	switch {
	case f.ufrag != "" && session.ufrag != "" && f.ufrag != session.ufrag:
		http.Error(w, "an ICE restart is not possible here: DELETE the session and POST a new offer",
			http.StatusUnprocessableEntity)
		return
	case len(f.candidates) == 0 && !f.end:
		fail(w, status.Error(codes.InvalidArgument, "the fragment has neither a=candidate nor a=end-of-candidates"))
		return
	}
	for _, c := range f.candidates {
		if err := session.peer.AddCandidate(c.line, c.mid, 0); err != nil {
			fail(w, err)
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// whepDelete ends a session: DELETE /whep/{device}/{id}.
func (s *Server) whepDelete(w http.ResponseWriter, r *http.Request) {
	if session := s.findWHEP(w, r); session != nil {
		session.peer.Close()
		s.forgetWHEP(r.PathValue("id"))
		w.WriteHeader(http.StatusOK)
	}
}

// notAllowed answers other methods.
func notAllowed(methods string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", methods)
		http.Error(w, "this is for WHEP players, which use "+methods+"; the page is at /", http.StatusMethodNotAllowed)
	}
}

// whepOptions lists what is supported: OPTIONS /whep/{device}.
func (s *Server) whepOptions(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Allow", "POST, OPTIONS")
	h.Set("Accept-Post", typeSDP)
	for _, link := range iceLinks(s.config.ICEServers) {
		h.Add("Link", link)
	}
	w.WriteHeader(http.StatusNoContent)
}

// readBody reads a request's body of a certain type, or answers the request and returns false.
func readBody(w http.ResponseWriter, r *http.Request, want string) (string, bool) {
	if got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || got != want {
		http.Error(w, fmt.Sprintf("Content-Type: %q is not supported: send %s", r.Header.Get("Content-Type"), want),
			http.StatusUnsupportedMediaType)
		return "", false
	}
	// Not every ResponseWriter has deadlines; the server's own do.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, rtc.MaxOffer))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		http.Error(w, fmt.Sprintf("the body is too large: %d bytes are allowed", rtc.MaxOffer),
			http.StatusRequestEntityTooLarge)
	case errors.Is(err, os.ErrDeadlineExceeded):
		http.Error(w, fmt.Sprintf("the body did not arrive within %v", bodyTimeout), http.StatusRequestTimeout)
	case err != nil:
		http.Error(w, "the body could not be read: "+err.Error(), http.StatusBadRequest)
	default:
		return string(body), true
	}
	return "", false
}

// iceLinks formats ICE servers as WHEP links.
func iceLinks(servers []*signalingv1.IceServer) []string {
	var links []string
	for _, server := range servers {
		for _, u := range server.GetUrls() {
			link := fmt.Sprintf(`<%s>; rel="ice-server"`, u)
			if server.GetUsername() != "" {
				link += fmt.Sprintf(`; username=%q; credential=%q; credential-type="password"`, server.GetUsername(), server.GetCredential())
			}
			links = append(links, link)
		}
	}
	return links
}

// fragment is the content of a trickle fragment, or of the same lines of an offer.
type fragment struct {
	ufrag      string
	candidates []candidate
	end        bool // no more candidates
}

type candidate struct{ line, mid string }

// maxCandidates bounds what one fragment can hold.
const maxCandidates = 100

// parseFragment parses RFC 8840 fragments. Unknown lines are ignored, as that standard requires.
func parseFragment(text string) fragment {
	var f fragment
	mid := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch key, value, _ := strings.Cut(line, ":"); key {
		case "a=mid":
			mid = value
		case "a=ice-ufrag":
			f.ufrag = value
		case "a=end-of-candidates":
			f.end = true
		case "a=candidate":
			if len(f.candidates) < maxCandidates {
				f.candidates = append(f.candidates, candidate{line: "candidate:" + value, mid: mid})
			}
		}
	}
	return f
}
