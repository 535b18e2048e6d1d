package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

// serveGateway is the gateway as it is.
func serveGateway(nats string) error {
	c := &config.Config{Settings: config.Settings{Robot: "bench", NATS: nats}, Gateway: config.Defaults()}
	c.Devices = []robot.Device{{Name: "front", Kind: "camera"}} // known before it was heard of
	c.Gateway.HTTP, c.Gateway.ICE = "127.0.0.1:0", "127.0.0.1:0"
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
	go b.send()
	fmt.Printf("http://%s/\n", l.Addr())
	waitForEnd()
	return nil
}

// packetSize makes payloads as large as the gateway's: 1200 bytes and the header.
const packetSize = 1212

// send cuts each frame once and gives the packets to the shared track.
func (b *bare) send() {
	data := fakecam.Frame(1, 0, false, frameBytes).GetData()
	packetizer := rtp.NewPacketizer(packetSize, 0, 0, codec.NewPayloader(), rtp.NewRandomSequencer(), 90000)
	for range time.Tick(time.Second / frameRate) {
		for _, p := range packetizer.Packetize(data, 90000/frameRate) {
			_ = b.track.WriteRTP(p) // a viewer that left
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

// receive is the far end of all connections, which are spread over some WHEP addresses, with commas between them. It
// writes what it counted ten times a second.
func receive(addresses, viewers string) error {
	n, err := strconv.Atoi(viewers)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var packets, lost atomic.Int64
	var first, closed sync.WaitGroup
	var peers []*watcher.Watcher
	endpoints := strings.Split(addresses, ",")
	for i := range n {
		w, err := watcher.New(1, 256)
		if err != nil {
			return err
		}
		if err := w.WHEPAt(ctx, endpoints[i%len(endpoints)]); err != nil {
			return fmt.Errorf("viewer %d: %w", i, err)
		}
		peers = append(peers, w)
		first.Add(1)
		go count(w, first.Done, &packets, &lost) // as long as the process
	}
	first.Wait()
	fmt.Println("ready")
	go report(&packets, &lost) // likewise
	waitForEnd()
	for _, w := range peers { // so that the sender knows at once
		closed.Go(func() { _ = w.Close() })
	}
	closed.Wait()
	return nil
}

func count(w *watcher.Watcher, first func(), packets, lost *atomic.Int64) {
	var last uint16
	for i := 0; ; i++ {
		p, err := w.Packet(context.Background())
		if err != nil {
			return
		}
		if i == 0 {
			first()
		} else if d := p.SequenceNumber - last; d > 1 && d < 1<<15 {
			lost.Add(int64(d - 1))
		}
		last = p.SequenceNumber
		packets.Add(1)
	}
}

func report(packets, lost *atomic.Int64) {
	for range time.Tick(100 * time.Millisecond) {
		data, _ := json.Marshal(received{Packets: int(packets.Load()), Lost: int(lost.Load())}) // cannot fail
		_, _ = os.Stdout.Write(append(data, '\n'))                                              // the parent has left
	}
}
