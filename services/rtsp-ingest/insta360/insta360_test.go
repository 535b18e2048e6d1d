package insta360

import (
	"context"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/insta360/wire"
)

// fast is a camera whose pictures do not take long.
func fast(c fakecam.Insta360Config) fakecam.Insta360Config {
	c.Interval = 4 * time.Millisecond
	return c
}

// answer is a camera that answers one command in another way.
func answer(code wire.Code, with ...wire.Packet) func(wire.Packet) ([]wire.Packet, bool) {
	return func(p wire.Packet) ([]wire.Packet, bool) {
		if p.Code != code {
			return nil, false
		}
		var all []wire.Packet
		for _, one := range with {
			if one.Kind == wire.Message && one.Code.IsAnswer() {
				one.Sequence = p.Sequence
			}
			all = append(all, one)
		}
		return all, true
	}
}

func TestPreview(t *testing.T) {
	for name, tt := range map[string]struct {
		config fakecam.Insta360Config
		want   string
	}{
		"H.264":               {fakecam.Insta360Config{}, media.H264},
		"H.265":               {fakecam.Insta360Config{Video: fakecam.Clip("plain.h265")}, media.H265},
		"split writes":        {fakecam.Insta360Config{Write: 11}, media.H264},
		"merged writes":       {fakecam.Insta360Config{Merge: 7, Gyro: 48}, media.H264},
		"a picture in pieces": {fakecam.Insta360Config{Cut: pieces(700), Gyro: 56}, media.H264},
		"several slices":      {fakecam.Insta360Config{Video: fakecam.Clip("slices.h264"), Cut: nalByNAL}, media.H264},
		"pieces, split, H.265": {fakecam.Insta360Config{Video: fakecam.Clip("plain.h265"), Cut: pieces(333),
			Write: 100}, media.H265},
		"kinds that are unknown": {fakecam.Insta360Config{Between: unknown}, media.H264},
	} {
		t.Run(name, func(t *testing.T) {
			r := overTCP(t, fast(tt.config))
			n := r.receive(t)
			clip := tt.config.Video
			if clip == nil {
				clip = fakecam.Clip("baseline.h264")
			}
			compare(t, n.next(t, 30), clip, 4*time.Millisecond)
			r.await(t, Connected)
			if e := r.await(t, VideoStream); e.MediaType != tt.want {
				t.Errorf("the event says %q", e.MediaType)
			}
			body := r.fake.Commands()[1].Data
			if want := "100120" + "80f7023809" + "40015022"; fmt.Sprintf("%x", body) != want {
				t.Errorf("the preview was asked for with %x, want %s", body, want)
			}
		})
	}
}

// unknown packets come between pictures.
func unknown(int) []wire.Packet {
	return []wire.Packet{
		{Kind: 99}, {Kind: wire.KeepAlive}, {Kind: wire.Stream, Type: 0x77, Data: []byte{1}},
		{Kind: wire.Message, Code: 150, Sequence: 1}, {Kind: wire.Message, Code: wire.OK, Sequence: 12345},
	}
}

// Defect: payloads of the gyroscope and of synchronisation were delivered as pictures.
func TestGyroAndSyncPayloadsAreNotDeliveredAsVideo(t *testing.T) {
	r := overTCP(t, fast(fakecam.Insta360Config{Gyro: 56, Between: func(n int) []wire.Packet {
		// A payload that would pass for a picture.
		data := annexBOf(fakecam.Clip("small.h264").Units[0])
		return []wire.Packet{{Kind: wire.Stream, Type: wire.Beat, Time: uint64(n), Data: data}}
	}}))
	from := r.Samples(streamAll)
	defer from.Close()
	n := r.receive(t)
	compare(t, n.next(t, 30), fakecam.Clip("baseline.h264"), 4*time.Millisecond)
	s, err := from.Next(t.Context())
	if err != nil || len(s.List) != 1 || s.List[0].Time != 5*time.Second || s.List[0].Acceleration[2] != gravity {
		t.Errorf("samples %+v, %v", s, err)
	}
}

// Defect: stream packets fell through into the matching of answers, where bytes of their time could be a pending
// sequence number. Notifications have any number as well.
func TestStreamPacketsDoNotMatchPendingCommands(t *testing.T) {
	want := wire.File{URI: "/DCIM/right.insv", Size: 7, Seconds: 1}
	r := overTCP(t, fast(fakecam.Insta360Config{Answer: func(p wire.Packet) ([]wire.Packet, bool) {
		wrong := wire.File{URI: "/DCIM/wrong.insv"}.MarshalStopCapture()
		return []wire.Packet{
			// Read as a message, its code is 200 and its sequence number that of the command.
			{Kind: wire.Stream, Type: 200, Time: uint64(p.Sequence) << 16, Data: wrong},
			{Kind: wire.Message, Code: 8300, Sequence: p.Sequence, Data: wrong},
			{Kind: wire.Message, Code: p.Code, Sequence: p.Sequence, Data: wrong},
			{Kind: wire.Message, Code: wire.OK, Sequence: p.Sequence + 1, Data: wrong},
			{Kind: wire.Message, Code: wire.OK, Sequence: p.Sequence, Data: want.MarshalStopCapture()},
		}, p.Code == wire.StopCapture
	}}))
	r.receive(t)
	if got, err := r.StopCapture(t.Context()); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	if e := r.await(t, Other); e.Code != 8300 || len(e.Body) == 0 {
		t.Errorf("the notification became %+v", e)
	}
}

// Defect: status 500 counted as success.
func TestStatus500IsAnError(t *testing.T) {
	for status, body := range map[wire.Code]wire.Error{
		wire.Failed: {Code: 3, Message: "no card"}, wire.BadRequest: {}, wire.NotImplemented: {Message: "what?"}, 204: {},
	} {
		r := overTCP(t, fast(fakecam.Insta360Config{
			Answer: answer(wire.TakePicture, wire.Packet{Kind: wire.Message, Code: status, Data: body.Marshal()}),
		}))
		r.receive(t)
		err := r.TakePicture(t.Context())
		refused, ok := errors.AsType[*CommandError](err)
		want := CommandError{Command: wire.TakePicture, Status: status, Code: body.Code, Message: body.Message}
		if !ok || *refused != want || !strings.Contains(err.Error(), "TAKE_PICTURE") ||
			!strings.Contains(err.Error(), body.Message) {
			t.Errorf("%d: %v, want %+v", status, err, want)
		}
		if e := r.await(t, CommandFailed); !errors.Is(e.Err, err) {
			t.Errorf("%d: the event says %v", status, e.Err)
		}
	}
}

// Defect: the end of the connection was not detected: ten seconds to notice, no event.
func TestEndOfConnectionIsNoticedAtOnce(t *testing.T) {
	for name, end := range map[string]func(*fakecam.Insta360){
		"closed": (*fakecam.Insta360).Hangup, "reset": (*fakecam.Insta360).Reset,
	} {
		t.Run(name, func(t *testing.T) {
			r := overTCP(t, fast(fakecam.Insta360Config{Answer: answer(wire.TakePicture)}))
			n := r.receive(t)
			n.next(t, 3)
			pending := make(chan error)
			go func() { pending <- r.TakePicture(t.Context()) }()
			r.happened(t, "TAKE_PICTURE", 1)
			end(r.fake)
			err := n.end(t)
			if !errors.Is(err, device.ErrAway) || feed.ReasonOf(err) != feed.Away ||
				strings.Contains(err.Error(), "nothing came") { // which is what silence ends with
				t.Error(err)
			}
			if e := r.await(t, Disconnected); !errors.Is(e.Err, err) {
				t.Errorf("the event says %v, Run %v", e.Err, err)
			}
			if got := <-pending; !errors.Is(got, device.ErrAway) {
				t.Errorf("a pending command got %v", got)
			}
			if err := r.StartCapture(t.Context()); !errors.Is(err, device.ErrAway) {
				t.Errorf("a command afterwards: %v", err)
			}
		})
	}
}

// Defect: request objects were reused, so their repeated fields grew with each call.
func TestRequestsDoNotGrow(t *testing.T) {
	r := overTCP(t, fast(fakecam.Insta360Config{Info: wire.Options{Serial: "IXSE42"}}))
	r.receive(t)
	for range 3 {
		if o, err := r.Info(t.Context()); err != nil || o.Serial != "IXSE42" {
			t.Fatalf("%+v, %v", o, err)
		}
	}
	var bodies [][]byte
	for _, p := range r.fake.Commands() {
		if p.Code == wire.GetOptions {
			bodies = append(bodies, p.Data)
		}
	}
	if len(bodies) != 3 || !reflect.DeepEqual(bodies[0], bodies[1]) || !reflect.DeepEqual(bodies[1], bodies[2]) {
		t.Errorf("the requests were %x", bodies)
	}
}

// Defect: a buffer that made no sense was said to be discarded, and was not.
func TestAPacketOfImpossibleLengthEndsTheConnection(t *testing.T) {
	for name, b := range map[string][]byte{
		"too long": {0xff, 0xff, 0xff, 0x7f, 1, 0, 0}, "too short": {3, 0, 0, 0, 5, 0, 0}, "nothing": {0, 0, 0, 0},
		"short message": {8, 0, 0, 0, 4, 0, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := overTCP(t, fast(fakecam.Insta360Config{}))
			n := r.receive(t)
			n.next(t, 3)
			r.fake.SendBytes(b)
			if err := n.end(t); !errors.Is(err, wire.ErrLength) || !errors.Is(err, device.ErrAway) {
				t.Errorf("got %v", err)
			}
			r.happened(t, fakecam.Disconnected, 1)
			compare(t, r.receive(t).next(t, 10), fakecam.Clip("baseline.h264"), 4*time.Millisecond)
		})
	}
}

// Defect: the constructor installed handlers of signals.
func TestNoSignalHandlersAreInstalled(t *testing.T) {
	for _, pattern := range []string{"*.go", "wire/*.go", "service/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, name := range files {
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range f.Imports {
				if i.Path.Value == `"os/signal"` {
					t.Errorf("%s imports os/signal", name)
				}
			}
		}
	}
}

// Defect: the preview was not started again after a reconnect.
func TestPreviewIsStartedAgainAfterAReconnect(t *testing.T) {
	r := overTCP(t, fast(fakecam.Insta360Config{}))
	for i := 1; i <= 3; i++ {
		n := r.receive(t)
		compare(t, n.next(t, 5), fakecam.Clip("baseline.h264"), 4*time.Millisecond)
		if err := r.TakePicture(t.Context()); err != nil {
			t.Error(err)
		}
		r.happened(t, "START_LIVE_STREAM", i)
		r.await(t, Connected)
		r.await(t, VideoStream)
		r.fake.Reset()
		_ = n.end(t)
		r.await(t, Disconnected)
	}
}

// A camera drops who is silent for 10 s; who only watches is not.
func TestKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inMemory(t, fakecam.Insta360Config{Gyro: 48})
		n := r.receive(t)
		time.Sleep(time.Minute)
		synctest.Wait()
		if beats := r.fake.Count(fakecam.KeptAlive); beats < 29 || beats > 31 || r.fake.Count(fakecam.Dropped) != 0 {
			t.Errorf("%d keepalives in a minute, dropped %d times", beats, r.fake.Count(fakecam.Dropped))
		}
		compare(t, n.next(t, 1490), fakecam.Clip("baseline.h264"), interval)
		n.leave()
		if err := n.end(t); err != nil {
			t.Error(err)
		}
	})
}

func TestTheFakeCameraDropsASilentPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := fakecam.NewInsta360Pipe(fakecam.Insta360Config{})
		defer fake.Close()
		socket, _ := fake.Dial(t.Context())
		defer socket.Close()
		began := time.Now()
		if _, err := socket.Read(make([]byte, 1)); err == nil || time.Since(began) != 10*time.Second ||
			fake.Count(fakecam.Dropped) != 1 {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

func TestASilentCameraIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inMemory(t, fakecam.Insta360Config{})
		n := r.receive(t)
		time.Sleep(time.Second)
		r.fake.Pause()
		began := time.Now()
		<-n.ended
		if took := time.Since(began); took > maxSilence+time.Second || !strings.Contains(n.err.Error(), "10s") {
			t.Errorf("after %v: %v", took, n.err)
		}
	})
}

func TestGoodbye(t *testing.T) {
	r := overTCP(t, fast(fakecam.Insta360Config{}))
	n := r.receive(t)
	n.next(t, 3)
	n.leave()
	if err := n.end(t); err != nil {
		t.Errorf("got %v", err)
	}
	r.happened(t, "STOP_LIVE_STREAM", 1)
	r.happened(t, fakecam.Disconnected, 1)
	if e := r.await(t, Disconnected); e.Err != nil {
		t.Errorf("the event says %v", e.Err)
	}
}

// A camera that answers nothing any more does not delay the end.
func TestGoodbyeIsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inMemory(t, fakecam.Insta360Config{Answer: answer(wire.StopLiveStream)})
		n := r.receive(t)
		time.Sleep(time.Second)
		began := time.Now()
		n.leave()
		<-n.ended
		if took := time.Since(began); n.err != nil || took > goodbyeTime {
			t.Errorf("after %v: %v", took, n.err)
		}
	})
}

func TestCamerasThatCannotBeUsed(t *testing.T) {
	nothing := &fakecam.Media{Encoding: fakecam.H264, Units: []fakecam.Unit{{Data: [][]byte{{0x41, 0x9a, 1, 2}}}}}
	for name, tt := range map[string]struct {
		config fakecam.Insta360Config
		after  time.Duration
		says   string
	}{
		"does not synchronise":    {fakecam.Insta360Config{Deaf: true}, syncTime, "protocol"},
		"does not take the time":  {fakecam.Insta360Config{Answer: answer(wire.SetOptions)}, maxSilence, "nothing came"},
		"does not start":          {fakecam.Insta360Config{Answer: answer(wire.StartLiveStream)}, previewTime, ""},
		"refuses the preview":     {fakecam.Insta360Config{Answer: answer(wire.StartLiveStream, failure("busy"))}, 0, "busy"},
		"sends no parameter sets": {fakecam.Insta360Config{Video: nothing}, pictureTime, "H.265"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := inMemory(t, tt.config)
				began := time.Now()
				conn, err := r.Open(t.Context())
				if err == nil {
					_ = conn.Close()
					t.Fatal("it can be used")
				}
				if took := time.Since(began); !errors.Is(err, device.ErrAway) || took != tt.after ||
					!strings.Contains(err.Error(), tt.says) {
					t.Errorf("after %v: %v", took, err)
				}
				if got := r.TakePicture(t.Context()); !errors.Is(got, device.ErrAway) || !errors.Is(got, err) {
					t.Errorf("a command: %v", got)
				}
			})
		})
	}
}

func failure(text string) wire.Packet {
	return wire.Packet{Kind: wire.Message, Code: wire.Failed, Data: wire.Error{Code: 1, Message: text}.Marshal()}
}

// A camera that cannot set its clock is usable.
func TestACameraWithoutClock(t *testing.T) {
	r := overTCP(t, fast(fakecam.Insta360Config{Answer: answer(wire.SetOptions, failure("no clock"))}))
	r.receive(t).next(t, 3)
	if e := r.await(t, CommandFailed); !strings.Contains(e.Err.Error(), "no clock") {
		t.Errorf("the event says %v", e.Err)
	}
}

func TestOpenEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inMemory(t, fakecam.Insta360Config{Deaf: true})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err := r.Open(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

func TestConnThatIsNotRun(t *testing.T) {
	r := overTCP(t, fast(fakecam.Insta360Config{Video: fakecam.Clip("plain.h265")}))
	conn, err := r.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if conn.Video().MediaType != media.H265 || conn.Attributes()["transport"] != "insta360" {
		t.Errorf("%+v %v", conn.Video(), conn.Attributes())
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	r.happened(t, fakecam.Disconnected, 1)
	r.await(t, Disconnected)
	if err := r.TakePicture(t.Context()); !errors.Is(err, device.ErrAway) {
		t.Errorf("a command: %v", err)
	}
}

func TestKeyFrameOnRequest(t *testing.T) {
	r := overTCP(t, fast(fakecam.Insta360Config{}))
	conn, err := r.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ask := conn.(feed.KeyFramer).KeyFrameWays()[0].Ask
	if err := ask(t.Context()); err != nil {
		t.Error(err)
	}
	r.happened(t, "IFRAME_REQUEST", 1)
	_ = conn.Close()
	if err := ask(t.Context()); !errors.Is(err, device.ErrAway) {
		t.Errorf("afterwards: %v", err)
	}
}
