package server

import (
	"net/http"
	"net/netip"

	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

// whepPost answers an offer: POST /whep/{device}, with ?audio=<device> to add the sound of a device, and ?playout= to
// fix how long the player holds pictures back, see [playout.Parse].
func (s *Server) whepPost(w http.ResponseWriter, r *http.Request) {
	device := r.PathValue("device")
	err := s.directory.Check(device)
	if err == nil {
		err = s.directory.CheckHas(device, rtc.Video)
	}
	if err != nil {
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
	s.signAnswer(w, r, offer, answer)
	s.created(w, r, session, answer)
}

func (s *Server) openWHEP(r *http.Request, device, offer string) (*resource, string, error) {
	delay, err := fixedPlayout(r.URL.Query())
	if err != nil {
		return nil, "", err
	}
	audio := r.URL.Query().Get("audio")
	tracks, err := s.whepTracks(offer, device, audio)
	if err == nil && audio != "" {
		err = visitorOf(r).Require(roles.ReadStream, audio, "to hear "+audio)
	}
	if err != nil {
		return nil, "", err
	}
	peer, err := s.newPeer(r)
	if err != nil {
		return nil, "", err
	}
	peer.Playout(delay)
	answer, err := peer.Answer(r.Context(), offer, tracks)
	if err != nil {
		peer.Close()
		return nil, "", err
	}
	return s.newResource(r, device, peer), answer, nil
}

// newPeer makes the connection of a request. One that comes from elsewhere may need the robot's relay.
func (s *Server) newPeer(r *http.Request) (*rtc.Peer, error) {
	peer, err := s.engine.NewPeer(nil)
	if err == nil && isRemote(r) {
		peer.OfferRelay(clientOf(r))
	}
	return peer, err
}

// clientOf is the address that a request comes from; invalid if it is not known.
func clientOf(r *http.Request) netip.Addr {
	from, _ := netip.ParseAddrPort(r.RemoteAddr)
	return from.Addr()
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
	if err := s.directory.CheckHas(audio, rtc.Audio, rtc.Video); err != nil { // pictures may get sound later
		return nil, err
	}
	if mid, err = rtc.AudioSection(offer); err != nil {
		return nil, err
	}
	return append(wanted, rtc.Track{MID: mid, Stream: tracks.Stream{Device: audio, Name: rtc.Audio}}), nil
}

// notAllowed answers other methods.
func notAllowed(methods string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", methods)
		http.Error(w, "this is for WHEP players, WHIP clients and RTCBot, which use "+methods+"; the page is at /",
			http.StatusMethodNotAllowed)
	}
}

// whepOptions lists what is supported: OPTIONS /whep/{device}.
func (s *Server) whepOptions(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Allow", "POST, OPTIONS")
	h.Set("Accept-Post", typeSDP)
	for _, link := range s.iceLinks() {
		h.Add("Link", link)
	}
	w.WriteHeader(http.StatusNoContent)
}
