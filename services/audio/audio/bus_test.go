package audio

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"gopkg.in/hraban/opus.v2"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/sound/pcm"
)

// hold subscribes to a stream of the device, and holds it.
func hold[M proto.Message](w *world, name string) *bus.Subscription[M] {
	w.t.Helper()
	sub, err := bus.Subscribe[M](w.conn.Conn, w.address.Out(name), stream.DropOldest(1000))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(sub.Close)
	w.t.Cleanup(w.conn.Hold(w.address, name, "test").Close)
	return sub
}

// Nothing is captured before somebody wants it; then the bus and gRPC carry the same packets.
func TestMicrophoneOnTheBus(t *testing.T) {
	w := start(t, small())
	if n := w.metric(`waldo_audio_captured_samples_total{tap="microphone"}`); n != 0 {
		t.Fatalf("%v samples captured for nobody", n)
	}
	sub := hold[*mediav1.AudioFrame](w, "audio")
	onBus := map[int64]string{}
	for i := range int64(10) {
		f, err := sub.Next(w.context())
		if err != nil {
			t.Fatal(err)
		}
		if f.GetSequence() != i || f.GetEpoch() != w.process.Kit().Epoch() {
			t.Fatalf("packet %d: %d of epoch %d", i, f.GetSequence(), f.GetEpoch())
		}
		onBus[f.GetSequence()] = string(f.GetData())
	}
	s := w.listen(&audiov1.StreamAudioRequest{})
	r, err := s.Recv()
	if err != nil {
		t.Fatal(err)
	}
	want := r.GetFrame()
	for onBus[want.GetSequence()] == "" { // read on until the bus has the same one
		f, err := sub.Next(w.context())
		if err != nil {
			t.Fatal(err)
		}
		onBus[f.GetSequence()] = string(f.GetData())
	}
	if onBus[want.GetSequence()] != string(want.GetData()) {
		t.Error("the same packet differs on bus and gRPC")
	}
}

// What the gateway sends for a browser comes out at the speaker, and everybody can see who it is.
func TestBusTalker(t *testing.T) {
	w := start(t, small())
	levels := hold[*audiov1.StreamLevelsResponse](w, "levels")
	if _, err := levels.Next(w.context()); err != nil { // the device is on the bus
		t.Fatal(err)
	}
	encoder, err := opus.NewEncoder(pcm.OpusRate, 1, opus.AppVoIP)
	if err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		speak(t, w, encoder, stop)
	}()
	defer func() {
		close(stop)
		<-done
	}()
	for heard := false; !heard; {
		l, err := levels.Next(w.context())
		if err != nil {
			t.Fatal(err)
		}
		for _, talker := range l.GetTalkers() {
			heard = talker.GetName() == "Ann" && talker.GetLevel().GetRmsDbfs() > -8 && l.GetSpeaker().GetRmsDbfs() > -8
		}
		if _, err := protojson.Marshal(l); err != nil {
			t.Error(err)
		}
	}
	w.card.played()
	w.await("half a second of sound", func() bool { return w.card.length() > 24000 })
	checkTone(t, "speaker", w.card.played()[:24000], 48000, 600, -6)
}

// speak sends Opus packets of a tone in real time until stop is closed.
func speak(t *testing.T, w *world, encoder *opus.Encoder, stop <-chan struct{}) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	format := &mediav1.AudioFormat{MediaType: pcm.Opus, SampleRateHz: pcm.OpusRate, Channels: 1}
	packet := make([]byte, 1000)
	tone, err := pcm.Decode(nil, raw(pcm.F32LE, 48000, 1), sine(600, raw(pcm.F32LE, 48000, 1), time.Second), 0)
	if err != nil {
		t.Error(err)
		return
	}
	for i := int64(0); ; i++ {
		from := int(i % 50 * 960)
		n, err := encoder.EncodeFloat32(tone[from:from+960], packet)
		if err == nil {
			err = w.conn.Publish(w.address.In("speaker"), &mediav1.AudioFrame{
				Epoch: 5, Sequence: i, SampleIndex: i * 960, SampleCount: 960, Format: format, Talker: "Ann", Data: packet[:n],
				CaptureTime: timestamppb.Now(),
			})
		}
		if err != nil {
			t.Error(err)
			return
		}
		select {
		case <-tick.C:
		case <-stop:
			return
		}
	}
}

// When the device stops, calls end soon, also while the card is away.
func TestStopEndsCalls(t *testing.T) {
	for _, pulled := range []bool{false, true} {
		w := start(t, small())
		s := w.listen(&audiov1.StreamAudioRequest{})
		if _, err := s.Recv(); err != nil {
			t.Fatal(err)
		}
		levels, err := w.audio.StreamLevels(w.context(), &audiov1.StreamLevelsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := levels.Recv(); err != nil {
			t.Fatal(err)
		}
		if pulled {
			w.card.pull()
			w.await("away", w.state(away))
		}
		w.process.Stop()
		_, errLevels := levels.Recv()
		for err == nil { // what was under way may still come
			_, err = s.Recv()
		}
		for errLevels == nil {
			_, errLevels = levels.Recv()
		}
		for _, err := range []error{err, errLevels} {
			if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), device.ErrStopping.Error()) {
				t.Errorf("pulled %v: a call ended with %v, want Unavailable: %v", pulled, err, device.ErrStopping)
			}
		}
	}
}
