package gateway_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	pkgstream "github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

// packetTime is how much sound there is in a packet.
const packetTime = 20 * time.Millisecond

// ear is a device with a microphone that makes up packets, and a speaker that keeps what it is told to play.
type ear struct {
	*device.Process
	out     *device.Out[*mediav1.AudioFrame]
	in      *device.In[*mediav1.AudioFrame]
	epoch   int64
	encoded atomic.Int64
	heard   chan *mediav1.AudioFrame
}

func (e *ear) Run(ctx context.Context, ready func()) error {
	ready()
	listening := make(chan error, 1)
	go func() { listening <- e.in.Receive(ctx, func(f *mediav1.AudioFrame) { e.heard <- f }) }()
	tick := time.NewTicker(packetTime)
	defer tick.Stop()
	for sequence := int64(0); ; {
		select {
		case <-ctx.Done():
			return <-listening
		case <-tick.C:
		}
		if !e.out.Held() {
			continue
		}
		e.encoded.Add(1)
		e.out.Publish(&mediav1.AudioFrame{
			Epoch: e.epoch, Sequence: sequence, SampleIndex: 960 * sequence, SampleCount: 960, Data: []byte{0x78,
				byte(sequence)},
			Format: &mediav1.AudioFormat{MediaType: "audio/opus", SampleRateHz: 48000, Channels: 1},
		})
		sequence++
	}
}

// ear starts a life of the device `head` and waits until the gateway knows of it.
func (w *world) ear(epoch int64) *ear {
	w.t.Helper()
	e := &ear{epoch: epoch, heard: make(chan *mediav1.AudioFrame, 1000)}
	kind := device.Kind[struct{}]{Name: "audio", Version: "1.0.0",
		New: func(kit *device.Kit, _ struct{}) (device.Driver, error) {
			e.out = device.NewOut[*mediav1.AudioFrame](kit, "audio", device.OutOptions{})
			e.in = device.NewIn[*mediav1.AudioFrame](kit, "speaker", pkgstream.DropOldest(100))
			return e, nil
		}}
	var err error
	if e.Process, err = device.Start(kind, device.Settings{Robot: "demo", Device: "head", NATS: w.bus.URL()}, struct{}{},
		nil); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(e.Stop)
	w.eventually("the gateway knows the ear", func() bool {
		return strings.Contains(w.get("devices"), `"head"`) && strings.Contains(w.get("devices"), `"speaker"`)
	})
	return e
}

var hear = &signalingv1.Track{Mid: "0", Device: "head", Stream: "audio"}

// listener is a session whose peer listens to `head`.
func (w *world) listener() *session {
	w.t.Helper()
	s := w.session(0)
	if err := s.peer.WantAudio(); err != nil {
		w.t.Fatal(err)
	}
	s.negotiateTracks(nil, hear)
	return s
}

// packet waits for one packet.
func (s *session) packet() *rtp.Packet {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), watcher.Timeout)
	defer cancel()
	p, err := s.peer.Packet(ctx)
	if err != nil {
		s.t.Fatal("no packet: ", err)
	}
	return p
}

// sounds reads packets, which must follow each other, and returns the last.
func (s *session) sounds(last *rtp.Packet, n int) *rtp.Packet {
	s.t.Helper()
	for range n {
		p := s.packet()
		if last != nil && (p.SSRC != last.SSRC || p.SequenceNumber != last.SequenceNumber+1 ||
			p.Timestamp != last.Timestamp+960) {
			s.t.Fatalf("%v follows %v", p.Header, last.Header)
		}
		last = p
	}
	return last
}

func TestManyListenersCostOneStream(t *testing.T) {
	w := newWorld(t, nil)
	e := w.ear(1)
	var all []*session
	for range 5 {
		all = append(all, w.listener())
	}
	ssrcs := map[uint32]bool{}
	for _, s := range all {
		ssrcs[s.sounds(nil, 10).SSRC] = true
	}
	if len(ssrcs) != len(all) {
		t.Errorf("%d tracks for %d listeners", len(ssrcs), len(all))
	}
	w.eventually("one hold for five listeners", func() bool { return holders(w, "audio") == 1 })
	metrics := w.get("metrics")
	for _, name := range []string{`waldo_gateway_listeners{device="head"} 5`, `waldo_gateway_sounds 1`,
		`waldo_gateway_audio_hop_seconds_count{device="head"}`} {
		if !strings.Contains(metrics, name) {
			t.Errorf("/metrics has no %s", name)
		}
	}
	for _, s := range all[1:] {
		_ = s.socket.Close(websocket.StatusGoingAway, "")
	}
	all[0].sounds(nil, 5)
	all[0].negotiateTracks(nil) // listens no more, and stays
	w.eventually("nobody listens, so it is not held", func() bool { return holders(w, "audio") == 0 && !e.out.Held() })
	encoded := e.encoded.Load()
	time.Sleep(5 * packetTime)
	if n := e.encoded.Load() - encoded; n > 1 {
		t.Errorf("%d packets were encoded for nobody", n)
	}
	all[0].negotiateTracks(nil, hear)
	all[0].packet() // what was on its way, or new
	w.eventually("it is held again", func() bool { return e.out.Held() })
}

// holders is how many hold a stream of `head`, as the device says.
func holders(w *world, stream string) int {
	list := w.get("devices")
	_, list, _ = strings.Cut(list, `"head"`)
	_, list, _ = strings.Cut(list, fmt.Sprintf("%q", stream))
	_, list, _ = strings.Cut(list, `"holderCount":`)
	var n int
	_, _ = fmt.Sscan(list, &n)
	return n
}

func TestRestartOfTheEarKeepsTheTrack(t *testing.T) {
	w := newWorld(t, nil)
	e := w.ear(1)
	s := w.listener()
	last := s.sounds(nil, 10)
	for life := int64(2); life < 5; life++ {
		e.Stop()
		e = w.ear(life)
		p := s.packet()
		for p.Timestamp == last.Timestamp+960 { // what was on its way
			last, p = p, s.packet()
		}
		elapsed := int32(p.Timestamp - last.Timestamp)
		if p.SSRC != last.SSRC || p.SequenceNumber != last.SequenceNumber+1 || !p.Marker || elapsed <= 960 ||
			elapsed > 48_000*10 {
			t.Fatalf("life %d: %v follows %v", life, p.Header, last.Header)
		}
		last = s.sounds(p, 10)
	}
	if s.peer.PC.ConnectionState() != webrtc.PeerConnectionStateConnected {
		t.Error("the connection is", s.peer.PC.ConnectionState())
	}
}

// TestSoundAndVideoAreStreamsOfTheirOwn: a far end holds back tracks of one media stream until they fit each other.
func TestSoundAndVideoAreStreamsOfTheirOwn(t *testing.T) {
	w := newWorld(t, nil)
	w.camera(fakecam.Config{})
	w.ear(1)
	s := w.session(1)
	if err := s.peer.WantAudio(); err != nil {
		t.Fatal(err)
	}
	answer := s.negotiateTracks(nil, &signalingv1.Track{Mid: "0", Device: "front"},
		&signalingv1.Track{Mid: "1", Device: "head", Stream: "audio"})
	var d sdp.SessionDescription
	if err := d.UnmarshalString(answer); err != nil {
		t.Fatal(err)
	}
	streams := map[string]string{}
	for _, m := range d.MediaDescriptions {
		msid, _ := m.Attribute("msid")
		id, _, _ := strings.Cut(msid, " ")
		streams[m.MediaName.Media] = id
	}
	if streams["video"] == "" || streams["audio"] == "" || streams["video"] == streams["audio"] {
		t.Errorf("media streams: %v", streams)
	}
	if !strings.Contains(answer, "minptime=10;useinbandfec=1") {
		t.Errorf("no forward error correction in\n%s", answer)
	}
	if n := len(s.sources(2)); n != 2 {
		t.Errorf("%d tracks", n)
	}
}

// TestWHEPWithSound: a player that knows only WHEP hears as well.
func TestWHEPWithSound(t *testing.T) {
	w := newWorld(t, nil)
	w.camera(fakecam.Config{})
	w.ear(1)
	whep := func(path string) (*session, error) {
		peer, err := watcher.New(1, 1000)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = peer.Close() })
		if err := peer.WantAudio(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), watcher.Timeout)
		defer cancel()
		return &session{t: t, peer: peer}, peer.WHEP(ctx, w.base, path)
	}
	if _, err := whep("front?audio=tail"); err == nil || !strings.Contains(err.Error(), `there is no device "tail"`) {
		t.Errorf("an unknown device: %v", err)
	}
	s, err := whep("front?audio=head")
	if err != nil {
		t.Fatal(err)
	}
	s.sources(2)
}

// talker is a session whose peer talks at `head`.
func (w *world) talker(name string) (*session, *webrtc.TrackLocalStaticRTP) {
	w.t.Helper()
	s := w.session(0)
	voice, err := s.peer.Talk()
	if err != nil {
		w.t.Fatal(err)
	}
	answer := s.negotiateTracks(nil, &signalingv1.Track{Mid: "0", Device: "head", Stream: "speaker", Talker: name})
	if got := fmt.Sprint(directions(answer)); got != "[recvonly]" {
		w.t.Errorf("answer: %s", got)
	}
	<-s.peer.Connected
	return s, voice
}

// say writes one packet.
func say(t *testing.T, voice *webrtc.TrackLocalStaticRTP, n int) {
	t.Helper()
	err := voice.WriteRTP(&rtp.Packet{
		Header:  rtp.Header{Version: 2, SequenceNumber: uint16(n), Timestamp: uint32(960 * n)},
		Payload: []byte{0x78, byte(n)},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// sayUntilHeard says packets until the device hears one, and returns that; the first may be lost while the track is
// made.
func (e *ear) sayUntilHeard(t *testing.T, voice *webrtc.TrackLocalStaticRTP, next *int) *mediav1.AudioFrame {
	t.Helper()
	for begin := time.Now(); time.Since(begin) < watcher.Timeout; {
		say(t, voice, *next)
		*next++
		select {
		case f := <-e.heard:
			return f
		case <-time.After(packetTime):
		}
	}
	t.Fatal("nothing was heard at the speaker")
	return nil
}

// next waits for what is heard next.
func (e *ear) next(t *testing.T) *mediav1.AudioFrame {
	t.Helper()
	select {
	case f := <-e.heard:
		return f
	case <-time.After(watcher.Timeout):
		t.Fatal("nothing was heard at the speaker")
		return nil
	}
}

func TestTalk(t *testing.T) {
	w := newWorld(t, nil)
	e := w.ear(1)
	_, voice := w.talker("Ann")
	sequence := 65_530 // wraps soon
	first := e.sayUntilHeard(t, voice, &sequence)
	if first.GetTalker() != "Ann" || first.GetEpoch() <= 0 || first.GetFormat().GetMediaType() != "audio/opus" ||
		first.GetSampleCount() != 960 || first.GetData()[0] != 0x78 || !first.GetCaptureTime().IsValid() {
		t.Errorf("heard %v", first)
	}
	for len(e.heard) > 0 {
		first = <-e.heard
	}
	for range 10 {
		say(t, voice, sequence)
		sequence++
		f := e.next(t)
		if f.GetEpoch() != first.GetEpoch() || f.GetSequence() != first.GetSequence()+1 ||
			f.GetSampleIndex() != first.GetSampleIndex()+960 ||
			f.GetData()[1] != first.GetData()[1]+1 {
			t.Fatalf("%v follows %v", f, first)
		}
		first = f
	}
	say(t, voice, sequence+1) // one is lost
	if f := e.next(t); f.GetSequence() != first.GetSequence()+2 {
		t.Errorf("after a loss: %d follows %d", f.GetSequence(), first.GetSequence())
	}
	say(t, voice, sequence) // and comes late
	if f := e.next(t); f.GetSequence() != first.GetSequence()+1 {
		t.Errorf("what came late: %d, want %d", f.GetSequence(), first.GetSequence()+1)
	}
	if got := w.get("metrics"); !strings.Contains(got, `waldo_gateway_voices{device="head"} 1`) {
		t.Error("the voice is not counted")
	}
}

func TestTalkEnds(t *testing.T) {
	w := newWorld(t, nil)
	e := w.ear(1)
	s, voice := w.talker("Ann")
	other, otherVoice := w.talker("") // under a name of the connection
	var sequence, otherSequence int
	before := e.sayUntilHeard(t, voice, &sequence).GetEpoch()
	if f := e.sayUntilHeard(t, otherVoice, &otherSequence); f.GetTalker() == "" || f.GetTalker() == "Ann" ||
		f.GetEpoch() == before {
		t.Errorf("the other is %q", f.GetTalker())
	}
	s.negotiateTracks(nil) // does not want to talk any more
	w.eventually("one voice is left",
		func() bool { return strings.Contains(w.get("metrics"), `waldo_gateway_voices{device="head"} 1`) })
	for len(e.heard) > 0 {
		<-e.heard
	}
	say(t, voice, sequence)
	if f := e.sayUntilHeard(t, otherVoice, &otherSequence); f.GetTalker() == "Ann" {
		t.Error("one is heard who talks no more")
	}
	s.negotiateTracks(nil, &signalingv1.Track{Mid: "0", Device: "head", Stream: "speaker", Talker: "Bob"})
	for {
		if f := e.sayUntilHeard(t, voice, &sequence); f.GetTalker() == "Bob" {
			if f.GetEpoch() == before {
				t.Error("another one talks in the same epoch")
			}
			break
		}
	}
	_ = other.socket.Close(websocket.StatusGoingAway, "")
	_ = s.socket.Close(websocket.StatusGoingAway, "")
	w.eventually("no voice is left",
		func() bool { return strings.Contains(w.get("metrics"), `waldo_gateway_voices{device="head"} 0`) })
}

// TestTalkOverARestart: the device is away for a while, and what is said then is not played later.
func TestTalkOverARestart(t *testing.T) {
	w := newWorld(t, nil)
	e := w.ear(1)
	_, voice := w.talker("Ann")
	var sequence int
	e.sayUntilHeard(t, voice, &sequence)
	e.Stop()
	for range 20 {
		say(t, voice, sequence)
		sequence++
		time.Sleep(packetTime / 10)
	}
	e = w.ear(2)
	now := sequence
	f := e.sayUntilHeard(t, voice, &sequence)
	if f.GetData()[1] < byte(now) {
		t.Errorf("packet %d is played, which was said before the restart (now %d)", f.GetData()[1], now)
	}
}

// TestGarbageInAVoice: packets that are no Opus reach nobody, and are counted.
func TestGarbageInAVoice(t *testing.T) {
	w := newWorld(t, nil)
	e := w.ear(1)
	_, voice := w.talker("Ann")
	var sequence int
	e.sayUntilHeard(t, voice, &sequence)
	for _, payload := range [][]byte{{0x9b}, {0xff, 63, 0}, {0x9b, 0}} {
		err := voice.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: uint16(sequence),
			Timestamp: uint32(960 * sequence)}, Payload: payload})
		if err != nil {
			t.Fatal(err)
		}
		sequence++
	}
	w.eventually("the garbage is counted", func() bool {
		return strings.Contains(w.get("metrics"), `waldo_gateway_voice_packets_lost_total{device="head",where="garbage"} 3`)
	})
	e.sayUntilHeard(t, voice, &sequence) // the voice goes on
}
