package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing/fstest"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/config"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/gateway"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
)

// serveGateway is the gateway as it is.
func serveGateway(nats string) error {
	c := &config.Config{Settings: config.Settings{Robot: "bench", NATS: nats}, Gateway: config.Defaults()}
	c.Devices = []robot.Device{{Name: "front", Kind: "camera"}} // known before it was heard of
	c.Gateway.HTTP, c.Gateway.ICE, c.Gateway.MaxViewers = "127.0.0.1:0", "127.0.0.1:0", 1000
	g, err := gateway.Start(c, "bench", fstest.MapFS{}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer g.Close()
	fmt.Println(g.URL())
	waitForEnd()
	return nil
}

// codec is what the gateway prefers.
var codec = codecs.All(webrtc.RTPCodecTypeVideo)[0]

// bare is the fan-out that pion offers by itself: one shared track.
type bare struct {
	api   *webrtc.API
	track *webrtc.TrackLocalStaticRTP
}

func serveBare(interceptors bool) error {
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var m webrtc.MediaEngine
	if err := m.RegisterDefaultCodecs(); err != nil {
		return err
	}
	var registry interceptor.Registry
	if interceptors {
		if err := webrtc.RegisterDefaultInterceptors(&m, &registry); err != nil {
			return err
		}
	}
	var s webrtc.SettingEngine
	s.SetICEUDPMux(webrtc.NewICEUDPMux(nil, udp))
	s.SetIncludeLoopbackCandidate(true)
	b := &bare{api: webrtc.NewAPI(webrtc.WithMediaEngine(&m), webrtc.WithInterceptorRegistry(&registry),
		webrtc.WithSettingEngine(s))}
	b.track, err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: codec.MediaType}, "front", "front")
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	http.HandleFunc("POST /whep/front", b.answer)
	go func() { _ = http.Serve(l, nil) }() // as long as the process
	go sendFrames(b.track)
	fmt.Printf("http://%s/\n", l.Addr())
	waitForEnd()
	return nil
}

// packetSize makes payloads as large as the gateway's: 1200 bytes and the header.
const packetSize = 1212

// sendFrames cuts each frame once and gives the packets to a track.
func sendFrames(track *webrtc.TrackLocalStaticRTP) {
	data := fakecam.Frame(1, 0, true, frameBytes).GetData()
	packetizer := rtp.NewPacketizer(packetSize, 0, 0, codec.NewPayloader(), rtp.NewRandomSequencer(), 90000)
	for range time.Tick(time.Second / frameRate) {
		for _, p := range packetizer.Packetize(data, 90000/frameRate) {
			_ = track.WriteRTP(p) // a viewer that left
		}
	}
}

func (b *bare) answer(w http.ResponseWriter, r *http.Request) {
	answer, err := b.connect(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Location", "/whep/front/1")
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, answer)
}

func (b *bare) connect(body io.Reader) (string, error) {
	offer, err := io.ReadAll(body)
	if err != nil {
		return "", err
	}
	pc, err := b.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return "", err
	}
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateFailed || s == webrtc.PeerConnectionStateDisconnected {
			_ = pc.Close()
		}
	})
	sender, err := pc.AddTrack(b.track)
	if err != nil {
		return "", err
	}
	go func() {
		buffer := make([]byte, 1500)
		for {
			if _, _, err := sender.Read(buffer); err != nil {
				return
			}
		}
	}()
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer,
		SDP: string(offer)}); err != nil {
		return "", err
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(answer); err != nil {
		return "", err
	}
	<-gathered
	return pc.LocalDescription().SDP, nil
}
