// Package watcher is the far end for tests and benchmarks: a WebRTC peer that receives video and audio from a gateway,
// or talks, and examines only the packets.
package watcher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/logging"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// Watcher is one peer connection.
type Watcher struct {
	PC *webrtc.PeerConnection
	// Connected is closed when the connection is up.
	Connected chan struct{}

	header   func(rtp.Header) // may be nil
	once     sync.Once
	ended    sync.Once
	packets  chan *rtp.Packet
	location string
	answer   string // of WHEP
	muted    *atomic.Bool
	mux      ice.UDPMux
	proxy    *proxy // nil over UDP
}

// Config is what distinguishes a watcher. The zero value wants data channels only.
type Config struct {
	// Videos is how many videos it wants.
	Videos int
	// Buffer is how many packets wait to be examined. Further ones are dropped.
	Buffer int
	// TCP makes it use TCP only.
	TCP bool
	// Profiles are the SRTP profiles it has, the preferred one first; nil: those of pion.
	Profiles []dtls.SRTPProtectionProfile
	// Header is called with the header of each packet, one at a time for each track; nil: packets wait for
	// [Watcher.Packet].
	Header func(rtp.Header)
	// Datagram sees all that arrives over UDP, as it arrives; nil: nothing does.
	Datagram func([]byte)
	// Slow is how long the watcher takes for each datagram, once it is connected. Its socket has room for few, and loses
	// the others.
	Slow time.Duration
	// Address is its own address, one of loopback; zero: 127.0.0.1.
	Address netip.Addr
}

// mutable is a socket that can be muted: it then sends nothing.
type mutable struct {
	net.PacketConn
	muted    *atomic.Bool
	datagram func([]byte) // may be nil
	slow     time.Duration
	ready    <-chan struct{} // from then on it is slow
}

// smallBuffer is the room in the socket of a slow watcher, in bytes; Linux takes twice as much, and counts what it
// needs itself.
const smallBuffer = 8 << 10

func (m mutable) ReadFrom(b []byte) (int, net.Addr, error) {
	if m.slow > 0 {
		select {
		case <-m.ready:
			time.Sleep(m.slow)
		default:
		}
	}
	n, from, err := m.PacketConn.ReadFrom(b)
	if err == nil && m.datagram != nil {
		m.datagram(b[:n])
	}
	return n, from, err
}

func (m mutable) WriteTo(b []byte, to net.Addr) (int, error) {
	if m.muted.Load() {
		return len(b), nil
	}
	return m.PacketConn.WriteTo(b, to)
}

// New returns a peer that wants count videos. Packets go into a channel of the given size; when it is full, they are
// dropped.
func New(count, buffer int) (*Watcher, error) { return Open(Config{Videos: count, Buffer: buffer}) }

// NewOverTCP is like [New] for one video over TCP.
func NewOverTCP(buffer int) (*Watcher, error) {
	return Open(Config{Videos: 1, Buffer: buffer, TCP: true})
}

// Open returns a peer.
func Open(c Config) (*Watcher, error) {
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	var between *proxy
	if c.TCP {
		s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4})
		between = &proxy{gate: make(chan struct{})}
	}
	s.SetIPFilter(net.IP.IsLoopback)
	s.SetPrflxAcceptanceMinWait(0)
	muted := new(atomic.Bool)
	udp, err := listen(c)
	if err != nil {
		return nil, err
	}
	connected := make(chan struct{})
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	s.LoggerFactory = quiet
	mux := webrtc.NewICEUDPMux(quiet.NewLogger("ice"), mutable{udp, muted, c.Datagram, c.Slow, connected})
	if !c.TCP {
		s.SetICEUDPMux(mux)
	}
	s.SetSRTPProtectionProfiles(c.Profiles...)
	s.DisableSRTPReplayProtection(true) // so that repeated packets are seen
	m, err := media()
	if err != nil {
		return nil, err
	}
	api := webrtc.NewAPI(webrtc.WithSettingEngine(s), webrtc.WithMediaEngine(m))
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, err
	}
	w := &Watcher{
		header: c.Header, PC: pc, Connected: connected, packets: make(chan *rtp.Packet, c.Buffer),
		muted: muted, mux: mux, proxy: between,
	}
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			w.once.Do(func() { close(w.Connected) })
		}
	})
	pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { w.read(t) })
	for range c.Videos {
		if err := w.Want(); err != nil {
			return nil, errors.Join(err, pc.Close())
		}
	}
	return w, nil
}

// media returns the codecs and header extensions that a watcher offers.
func media() (*webrtc.MediaEngine, error) {
	m := &webrtc.MediaEngine{}
	if err := m.RegisterDefaultCodecs(); err != nil {
		return nil, err
	}
	for _, uri := range []string{
		"http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
		"http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
	} {
		extension := webrtc.RTPHeaderExtensionCapability{URI: uri}
		if err := m.RegisterHeaderExtension(extension, webrtc.RTPCodecTypeVideo); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// listen opens the socket of a watcher.
func listen(c Config) (net.PacketConn, error) {
	if !c.Address.IsValid() {
		c.Address = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(c.Address, 0)))
	if err == nil && c.Slow > 0 {
		err = udp.SetReadBuffer(smallBuffer)
	}
	return udp, err
}

// Want adds a media section that receives video.
func (w *Watcher) Want() error {
	_, err := w.PC.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo,
		webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	return err
}

// Take restricts the codecs that the watcher's videos may have, as in a browser that lacks the others.
func (w *Watcher) Take(mediaTypes ...string) error {
	for _, t := range w.PC.GetTransceivers() {
		if t.Kind() != webrtc.RTPCodecTypeVideo {
			continue
		}
		kept := slices.DeleteFunc(t.Receiver().GetParameters().Codecs, func(c webrtc.RTPCodecParameters) bool {
			return !slices.Contains(mediaTypes, c.MimeType)
		})
		if err := t.SetCodecPreferences(kept); err != nil {
			return err
		}
	}
	return nil
}

// WantAudio adds a media section that receives audio.
func (w *Watcher) WantAudio() error {
	_, err := w.PC.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio,
		webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	return err
}

// Talk adds a media section that sends audio: the Opus packets written to the track.
func (w *Watcher) Talk() (*webrtc.TrackLocalStaticRTP, error) {
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "voice", "voice")
	if err != nil {
		return nil, err
	}
	_, err = w.PC.AddTransceiverFromTrack(track,
		webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	return track, err
}

func (w *Watcher) read(t *webrtc.TrackRemote) {
	buffer := make([]byte, 1500)
	for {
		n, _, err := t.Read(buffer)
		if err != nil && !errors.Is(err, webrtc.ErrCodecNotFound) { // a payload type that is not negotiated yet
			return
		}
		if w.header != nil {
			var h rtp.Header
			if _, err := h.Unmarshal(buffer[:n]); err == nil {
				w.header(h)
			}
			continue
		}
		p := &rtp.Packet{}
		if p.Unmarshal(bytes.Clone(buffer[:n])) != nil {
			continue
		}
		select {
		case w.packets <- p:
		default:
		}
	}
}

// Packet waits for the next packet of any track.
func (w *Watcher) Packet(ctx context.Context) (*rtp.Packet, error) {
	select {
	case p := <-w.packets:
		return p, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Waiting is how many packets have come that were not asked for yet.
func (w *Watcher) Waiting() int { return len(w.packets) }

// Offer makes an offer with all candidates.
func (w *Watcher) Offer(o *webrtc.OfferOptions) (string, error) {
	offer, err := w.PC.CreateOffer(o)
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(w.PC)
	if err := w.PC.SetLocalDescription(offer); err != nil {
		return "", err
	}
	<-gathered
	return w.PC.LocalDescription().SDP, nil
}

// Accept takes the gateway's answer.
func (w *Watcher) Accept(sdp string) error {
	if w.proxy != nil {
		var err error
		if sdp, err = w.proxy.between(sdp); err != nil {
			return err
		}
	}
	return w.PC.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp})
}

// WHEP requests one device from a gateway.
func (w *Watcher) WHEP(ctx context.Context, base, device string) error {
	return w.WHEPAt(ctx, base+"whep/"+device)
}

// WHEPAt requests what any server has under a URL.
func (w *Watcher) WHEPAt(ctx context.Context, endpoint string) error {
	offer, err := w.Offer(nil)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(offer))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/sdp")
	header, body, err := request(r, http.StatusCreated)
	if err != nil {
		return err
	}
	location, err := url.Parse(header.Get("Location"))
	if err != nil {
		return err
	}
	w.location, w.answer = r.URL.ResolveReference(location).String(), body
	return w.Accept(w.answer)
}

// request returns the answer to a request, which must have a status.
func request(r *http.Request, status int) (header http.Header, body string, err error) {
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = answer.Body.Close() }()
	data, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != status {
		err = fmt.Errorf("%s %s: %s: %s", r.Method, r.URL, answer.Status, data)
	}
	return answer.Header, string(data), err
}

// Restart restarts the ICE of a WHEP session with a PATCH request.
func (w *Watcher) Restart(ctx context.Context) error {
	offer, err := w.Offer(&webrtc.OfferOptions{ICERestart: true})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPatch, w.location, strings.NewReader(own(offer)))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/trickle-ice-sdpfrag")
	r.Header.Set("If-Match", "*")
	_, body, err := request(r, http.StatusOK)
	if err != nil {
		return err
	}
	w.answer = exchange(w.answer, body)
	return w.Accept(w.answer)
}

// own are the lines of a description that a fragment of RFC 8840 has.
func own(description string) string {
	var kept []string
	for line := range strings.Lines(description) {
		key, _, _ := strings.Cut(line, ":")
		if slices.Contains([]string{"a=ice-ufrag", "a=ice-pwd", "a=mid", "a=candidate"}, key) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// exchange puts the credentials and candidates of a fragment into the only section of a description.
func exchange(description, fragment string) string {
	var kept []string
	for line := range strings.Lines(description) {
		key, _, _ := strings.Cut(strings.TrimSpace(line), ":")
		if !slices.Contains([]string{"a=ice-ufrag", "a=ice-pwd", "a=candidate", "a=end-of-candidates"}, key) {
			kept = append(kept, line)
		}
	}
	for line := range strings.Lines(fragment) {
		if !strings.HasPrefix(line, "m=") && !strings.HasPrefix(line, "a=mid") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// Leave ends a WHEP session with a DELETE request.
func (w *Watcher) Leave(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodDelete, w.location, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("DELETE: %s", answer.Status)
	}
	return errors.Join(err, answer.Body.Close())
}

// Location is the address of the WHEP session.
func (w *Watcher) Location() string { return w.location }

// LosePicture reports that a picture of a track was lost (PLI).
func (w *Watcher) LosePicture(ssrc uint32) error {
	return w.PC.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: ssrc}})
}

// Miss reports that packets of a track did not arrive (NACK).
func (w *Watcher) Miss(ssrc uint32, seqs ...uint16) error {
	return w.PC.WriteRTCP([]rtcp.Packet{&rtcp.TransportLayerNack{MediaSSRC: ssrc,
		Nacks: rtcp.NackPairsFromSequenceNumbers(seqs)}})
}

// Vanish leaves without notice: from then on the watcher sends and answers nothing.
func (w *Watcher) Vanish() { w.muted.Store(true) }

// Stall stops reading. It is for watchers over TCP.
func (w *Watcher) Stall() { w.proxy.stalled.Store(true) }

// Close ends the connection.
func (w *Watcher) Close() error {
	if w.proxy != nil {
		w.ended.Do(w.proxy.close)
	}
	return errors.Join(w.PC.GracefulClose(), w.mux.Close())
}

// Timeout is long enough, on any machine, for anything that should happen at once.
const Timeout = 30 * time.Second
