package server

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"google.golang.org/protobuf/encoding/protojson"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/parts"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/calls"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
)

// wire is a session on a data channel as a peer has it.
type wire struct {
	t        *testing.T
	peer     *watcher.Watcher
	dc       *webrtc.DataChannel
	messages chan string
	closed   chan struct{}
}

// newWire makes a peer with a data channel for its session.
func newWire(t *testing.T) *wire {
	t.Helper()
	w, err := watcher.New(0, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	k := &wire{t: t, peer: w, messages: make(chan string, 1000), closed: make(chan struct{})}
	if k.dc, err = w.PC.CreateDataChannel(sessionChannel, nil); err != nil {
		t.Fatal(err)
	}
	joiner := parts.NewJoiner(16 << 20)
	k.dc.OnMessage(func(m webrtc.DataChannelMessage) {
		message, complete, err := joiner.Add(m.Data)
		if err != nil || !m.IsString {
			t.Errorf("a frame of %d bytes: %v", len(m.Data), err)
		}
		if complete {
			k.messages <- string(message)
		}
	})
	k.dc.OnClose(func() { close(k.closed) })
	return k
}

// connect negotiates over a WebSocket that must have been greeted.
func (k *wire) connect(over *socket) {
	k.t.Helper()
	sdp, err := k.peer.Offer(nil)
	if err != nil {
		k.t.Fatal(err)
	}
	over.send(offerText(k.t, &signalingv1.Offer{Id: 1, Sdp: sdp}))
	if err := k.peer.Accept(over.await(isAnswer).GetAnswer().GetSdp()); err != nil {
		k.t.Fatal(err)
	}
}

func isAnswer(m *signalingv1.GatewayMessage) bool  { return m.GetAnswer() != nil }
func isWelcome(m *signalingv1.GatewayMessage) bool { return m.GetWelcome() != nil }
func isResult(m *signalingv1.GatewayMessage) bool  { return m.GetResult() != nil }

func offerText(t *testing.T, o *signalingv1.Offer) string {
	t.Helper()
	data, err := protojson.Marshal(&signalingv1.PeerMessage{Body: &signalingv1.PeerMessage_Offer{Offer: o}})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func (k *wire) send(text string) {
	k.t.Helper()
	for f := range parts.Split([]byte(text), rtc.MaxMessage) {
		if err := k.dc.SendText(string(f)); err != nil {
			k.t.Fatal(err)
		}
	}
}

func (k *wire) await(wanted func(*signalingv1.GatewayMessage) bool) *signalingv1.GatewayMessage {
	k.t.Helper()
	timeout := time.After(watcher.Timeout)
	for {
		select {
		case text := <-k.messages:
			var m signalingv1.GatewayMessage
			if err := protojson.Unmarshal([]byte(text), &m); err != nil {
				k.t.Fatal(err)
			}
			if wanted(&m) {
				return &m
			}
		case <-timeout:
			k.t.Fatal("the message does not come")
		}
	}
}

func (k *wire) awaitEnd() {
	k.t.Helper()
	select {
	case <-k.closed:
	case <-time.After(watcher.Timeout):
		k.t.Fatal("the channel is not closed")
	}
}

// manyDevices are listed in more than a channel carries at once.
type manyDevices struct{ *fakeDirectory }

func (d manyDevices) List() (*signalingv1.DeviceList, <-chan struct{}) {
	list, changed := d.fakeDirectory.List()
	for i := range 1000 {
		list.Devices = append(list.Devices, &signalingv1.DeviceStatus{Device: &devicev1.Device{
			Name: fmt.Sprintf("device%d", i), StateReason: strings.Repeat("ä€😀", 20),
		}})
	}
	return list, changed
}

// echo answers each call with its request.
type echo struct{}

func (echo) Call(_ context.Context, c *calls.Call) *calls.Result {
	return &calls.Result{ID: c.ID, Response: c.Request}
}

// TestSessionOnChannel: the session on a channel is that of the WebSocket, which may go.
func TestSessionOnChannel(t *testing.T) {
	s := newSite(t, Config{Epoch: 42, Caller: echo{}}, 0)
	s.server.directory = manyDevices{s.directory}
	socket := s.dial()
	k := newWire(t)
	k.connect(socket)
	if w := k.await(isWelcome).GetWelcome(); w.GetRobot() != "demo" || w.GetEpoch() != 42 || w.GetRemote() != nil {
		t.Errorf("welcome: %v", w)
	}
	if list := k.await(isDevices).GetDevices().GetDevices(); len(list) != 1002 ||
		list[1001].GetDevice().GetStateReason() != strings.Repeat("ä€😀", 20) {
		t.Errorf("%d devices", len(list))
	}
	socket.close()
	k.send(`{"ping":{"id":7}}`)
	if p := k.await(isPong).GetPong(); p.GetId() != 7 {
		t.Errorf("pong: %v", p)
	}
	long, _ := json.Marshal(strings.Repeat("€", 80_000))
	k.send(`{"call":{"id":8,"device":"front","method":"a.B/C","request":{"text":` + string(long) + `}}}`)
	if r := k.await(isResult).GetResult(); len(r.GetResponse().GetFields()["text"].GetStringValue()) != 240_000 {
		t.Errorf("a result of %d bytes, %v", len(r.String()), r.GetError())
	}
	k.changeConnection()
	k.send(`{"hangUp":{}}`)
	k.awaitEnd()
	k.awaitGone()
}

// changeConnection offers a section for a camera on the channel.
func (k *wire) changeConnection() {
	k.t.Helper()
	if err := k.peer.Want(); err != nil {
		k.t.Fatal(err)
	}
	sdp, err := k.peer.Offer(nil)
	if err != nil {
		k.t.Fatal(err)
	}
	mids := k.peer.PC.GetTransceivers()
	track := &signalingv1.Track{Mid: mids[len(mids)-1].Mid(), Device: "front"}
	k.send(offerText(k.t, &signalingv1.Offer{Id: 2, Sdp: sdp, Tracks: []*signalingv1.Track{track}}))
	m := k.await(func(m *signalingv1.GatewayMessage) bool { return isAnswer(m) || isError(m) })
	if m.GetAnswer().GetId() != 2 || !strings.Contains(m.GetAnswer().GetSdp(), "sendonly") {
		k.t.Errorf("answer: %v", m)
	}
}

// TestSessionOnChannelEnds: with the channel, and with what it should not carry.
func TestSessionOnChannelEnds(t *testing.T) {
	for name, frames := range map[string][]string{
		"closed":         nil,
		"garbage":        slices.Repeat([]string{"garbage"}, maxGarbage),
		"mixed messages": {"+{", `{"ping":{}}`},
		"endless":        slices.Repeat([]string{"+" + strings.Repeat(" ", rtc.MaxMessage-1)}, maxMessage/rtc.MaxMessage+1),
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, Config{}, 0)
			k := newWire(t)
			socket := s.dial()
			k.connect(socket)
			k.await(isWelcome)
			socket.close()
			for _, f := range frames {
				if err := k.dc.SendText(f); err != nil {
					t.Fatal(err)
				}
			}
			if frames == nil {
				_ = k.dc.Close()
			} else {
				k.await(isError)
			}
			k.awaitEnd()
			k.awaitGone()
		})
	}
}

// awaitGone waits until the gateway has ended the connection.
func (k *wire) awaitGone() {
	k.t.Helper()
	gone := make(chan struct{})
	dtls := k.peer.PC.SCTP().Transport()
	var once sync.Once
	check := func(state webrtc.DTLSTransportState) { // called by pion, with a lock
		if state == webrtc.DTLSTransportStateClosed || state == webrtc.DTLSTransportStateFailed {
			once.Do(func() { close(gone) })
		}
	}
	dtls.OnStateChange(check)
	check(dtls.State())
	select {
	case <-gone:
	case <-time.After(watcher.Timeout):
		k.t.Fatalf("the connection goes on: %v", dtls.State())
	}
}
