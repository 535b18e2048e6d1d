package server

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/text"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/publish"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

// whipPost answers an offer of a client that sends (WHIP, RFC 9725): POST /whip/{device}. With ?take the device is
// taken from the present sender, and ?name=<name> is shown to people.
func (s *Server) whipPost(w http.ResponseWriter, r *http.Request) {
	device := r.PathValue("device")
	if err := s.directory.Check(device); err != nil {
		fail(w, status.Errorf(status.Code(err), "%s. A device that takes a picture is of the kind peer; to have one, add to "+
			"devices in robot.yaml: guest: {kind: peer}", status.Convert(err).Message()))
		return
	}
	offer, ok := readBody(w, r, typeSDP)
	if !ok {
		return
	}
	made, answer, err := s.openWHIP(r, device, offer)
	if err != nil {
		fail(w, remedyForWHIP(err))
		return
	}
	s.signAnswer(w, r, offer, answer)
	s.created(w, r, made, answer)
}

// remedyForWHIP adds to an error what a client can do that has nothing but an address.
func remedyForWHIP(err error) error {
	if status.Code(err) != codes.AlreadyExists {
		return err
	}
	return status.Errorf(codes.AlreadyExists, "%s: stop that one, or add ?take to the address to send in its place",
		status.Convert(err).Message())
}

func (s *Server) openWHIP(r *http.Request, device, offer string) (*resource, string, error) {
	sections, err := sendingSections(offer)
	if err != nil {
		return nil, "", err
	}
	query := r.URL.Query()
	name := query.Get("name")
	if utf8.RuneCountInString(name) > maxTalker || !text.IsPrintable(name) {
		return nil, "", status.Errorf(codes.InvalidArgument, "name: use at most %d characters, all of them printable",
			maxTalker)
	}
	peer, err := s.newPeer(r)
	if err != nil {
		return nil, "", err
	}
	name = cmp.Or(access.Named(visitorOf(r).User(), name), peer.ID())
	who := &peerv1.Publisher{Name: name, Program: program(r), Address: r.RemoteAddr, Via: "whip"}
	take := query.Has("take") && query.Get("take") != "false"
	publication, err := s.publish(r, device, who, take)
	if err != nil {
		peer.Close()
		return nil, "", err
	}
	answer, err := peer.Answer(r.Context(), offer, sinks(device, sections, publication))
	if err == nil && !s.own(func() { together(peer, publication) }) {
		err = errStopping
	}
	if err != nil {
		peer.Close()
		publication.Close()
		return nil, "", err
	}
	return s.newResource(r, device, peer), answer, nil
}

func (s *Server) publish(r *http.Request, device string, who *peerv1.Publisher,
	take bool) (*publish.Publication, error) {
	if s.config.Publishers == nil {
		return nil, errNoPublishers
	}
	return s.config.Publishers.Open(r.Context(), device, who, take)
}

// together ends a connection and its publication with each other.
func together(peer *rtc.Peer, n *publish.Publication) {
	select {
	case <-peer.Done():
		n.Close()
	case <-n.Done():
		peer.Close()
	}
}

// sinks ties the sections of an offer to a publication.
func sinks(device string, sections []rtc.Section, n *publish.Publication) (wanted []rtc.Track) {
	for _, section := range sections {
		t := rtc.Track{MID: section.MID, Stream: tracks.Stream{Device: device, Name: rtc.Camera}, Sink: n.Video()}
		if section.Media == rtc.Audio {
			t.Stream.Name, t.Sink = rtc.Microphone, n.Audio()
		}
		wanted = append(wanted, t)
	}
	return wanted
}

// sendingSections returns the first section of each kind with which the far end sends what the gateway takes.
func sendingSections(offer string) (wanted []rtc.Section, err error) {
	all, err := rtc.Sections(offer)
	if err != nil {
		return nil, err
	}
	for _, media := range []string{rtc.Video, rtc.Audio} {
		sends := slices.DeleteFunc(slices.Clone(all), func(s rtc.Section) bool { return s.Media != media || !s.Sends })
		switch i := slices.IndexFunc(sends, func(s rtc.Section) bool { return s.Taken }); {
		case i >= 0:
			wanted = append(wanted, sends[i])
		case len(sends) > 0: // to go on without it would look like a success
			return nil, status.Errorf(codes.FailedPrecondition, "sdp: the %s that is offered is %s, and the gateway takes %s: "+
				"choose one of those in the program that sends", media, sends[0].Lists, rtc.Takes())
		}
	}
	if wanted == nil {
		return nil, status.Error(codes.InvalidArgument,
			"sdp: the offer has no video or audio section that sends: add a transceiver with direction sendonly")
	}
	return wanted, nil
}

// program is what a client says it is, for people: `OBS-Studio/31.0.0`.
func program(r *http.Request) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(r.UserAgent(), "Mozilla/5.0 "), " (")
	runes := []rune(text.Printable(name))
	return string(runes[:min(len(runes), maxProgram)])
}
