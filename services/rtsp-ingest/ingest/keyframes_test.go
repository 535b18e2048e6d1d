package ingest

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
	"github.com/waldo-robot/waldo/video/keyframe"
)

// rare are pictures with a key frame each 16 s.
func rare() []fakecam.Track { return []fakecam.Track{{Media: fakecam.Clip("longgop.h264")}} }

// RequestKeyFrame asks the camera in whichever way it obeys, and returns when the key frame has come. If it obeys none,
// the error names what helps.
func TestKeyFramesAreAskedOfTheCamera(t *testing.T) {
	for name, tt := range map[string]struct {
		obeys fakecam.Obeys
		point bool // SetSynchronizationPoint too
		ptz   bool // the address for ONVIF is that of the section ptz
		fails bool
	}{
		"PLI":                             {obeys: fakecam.Obeys{PLI: true}},
		"FIR":                             {obeys: fakecam.Obeys{FIR: true}},
		"SetSynchronizationPoint":         {point: true},
		"SetSynchronizationPoint of ptz:": {point: true, ptz: true},
		"nothing":                         {fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			camera := fakecam.Start(t, fakecam.Config{Tracks: rare(), Obeys: tt.obeys})
			onvif := fakecam.ONVIFConfig{Stream: "/live"}
			if tt.point {
				onvif.Camera = camera
			}
			at := fakecam.StartONVIF(t, onvif).URL()
			w := start(t, camera, func(c *Config) {
				if c.ONVIF = at; tt.ptz {
					c.ONVIF, c.PTZ = "", &PTZ{ONVIF: at}
				}
			})
			begin := time.Now()
			err := w.requestKeyFrame()
			if !tt.fails {
				for range 3 { // a busy machine may be late with the answer
					if status.Code(err) == codes.FailedPrecondition {
						err = w.requestKeyFrame()
					}
				}
				ctx, cancel := context.WithDeadline(w.context(), begin.Add(15*time.Second)) // before the camera's own
				defer cancel()
				if err = errors.Join(err, camera.Await(ctx, fakecam.KeySent, 2)); err != nil {
					t.Error(err)
				}
				return
			}
			if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "key frame interval") {
				t.Errorf("after %v: %v", time.Since(begin), err)
			}
			w.await("a warning of rare key frames", func(d *devicev1.Device) bool {
				return strings.Contains(d.GetAttributes()["key_frame_warning"], "key frame interval")
			})
		})
	}
}

// requestKeyFrame asks for a key frame once the camera, which is ready, can be asked.
func (w *world) requestKeyFrame() (err error) {
	w.t.Helper()
	for begin := time.Now(); time.Since(begin) < patience; time.Sleep(time.Millisecond) {
		_, err = w.camera.RequestKeyFrame(w.context(), &camerav1.RequestKeyFrameRequest{})
		if status.Code(err) != codes.Unavailable {
			break
		}
	}
	return err
}

// A camera for which there is no way to ask says so at once.
func TestNoWayToAskForKeyFrames(t *testing.T) {
	fake, err := fakecam.NewRTMP(fakecam.RTMPConfig{Listen: "127.0.0.1:0", Video: fakecam.Clip("baseline.h264")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	w := startAt(t, fake.URL(), nil)
	err = w.requestKeyFrame()
	if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "there is no way to ask") {
		t.Error(err)
	}
	if _, err := w.camera.RequestKeyFrame(w.context(), &camerav1.RequestKeyFrameRequest{Stream: "video-vp8"}); err != nil {
		t.Errorf("of what is encoded here: %v", err)
	}
}

// What the camera was found to obey is told to readers and people.
func TestKeyFramesOnRequestAreTold(t *testing.T) {
	told := ""
	for range 5 { // on a busy machine, the camera's own key frame may come in time to be taken for an answer
		w := start(t, fakecam.Start(t, fakecam.Config{Obeys: fakecam.Obeys{PLI: true}}), nil)
		if video := w.process.Kit().Device().GetStreams()[0]; !video.GetPassedThrough() {
			t.Errorf("at first: %v", video)
		}
		w.await("what it obeys", func(d *devicev1.Device) bool {
			told = d.GetAttributes()["key_frame_request"]
			return strings.Contains(told, "PLI") && strings.Contains(told, "FIR") && !strings.Contains(told, "not measured")
		})
		if !strings.HasPrefix(told, "PLI in ") || !strings.HasSuffix(told, "FIR is ignored") {
			continue
		}
		w.await("it is told to readers", func(d *devicev1.Device) bool {
			return d.GetStreams()[0].GetKeyFrameOnRequest() && d.GetAttributes()["key_frame_interval"] != "unknown"
		})
		return
	}
	t.Errorf("it obeys PLI alone, and is said to obey: %s", told)
}

// After a loss on the way the picture comes back at once if the camera obeys, not with its next key frame.
func TestALossIsMendedByTheCamera(t *testing.T) {
	tracks := rare()
	tracks[0].Hooks = func() fakecam.Hooks {
		return fakecam.Hooks{Packet: func(p *fakecam.Packet) []*fakecam.Packet {
			if p.Unit == 20 && p.Last {
				return nil
			}
			return []*fakecam.Packet{p}
		}}
	}
	for range 5 { // a busy machine may lose the connection to the camera, and needs no key frame then
		if mends(t, fakecam.Start(t, fakecam.Config{Tracks: tracks, Obeys: fakecam.Obeys{PLI: true}})) {
			return
		}
	}
	t.Error("the camera was never asked")
}

// mends waits for a second key frame, and reports whether the camera was asked for it.
func mends(t *testing.T, camera *fakecam.Camera) bool {
	t.Helper()
	w := start(t, camera, nil)
	pictures := hold[*mediav1.VideoFrame](w, "video")
	begin := time.Now()
	for keys := 0; keys < 2; {
		f, err := pictures.Next(w.context())
		if err != nil {
			t.Fatal(err)
		}
		if f.GetKeyFrame() {
			keys++
		}
	}
	took := time.Since(begin)
	if took > 15*time.Second { // the camera's own would come by then
		t.Errorf("it took %v", took)
	}
	n := camera.Count(fakecam.PLICame)
	if n > 1+int(took/keyframe.Least) {
		t.Errorf("asked by %d PLIs in %v, want 1, and another only after a second in vain", n, took)
	}
	return n > 0
}

func TestBadONVIF(t *testing.T) {
	for at, want := range map[string]string{
		"rtsp://10.0.0.7": "onvif: its scheme", "http://bob:hunter2@10.0.0.7": "leave user", "http://": "onvif",
	} {
		c := Defaults()
		c.URL, c.ONVIF = "rtsp://10.0.0.7/x", at
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", at, err)
		}
	}
}

// TestKeyOfONVIF: who does not answer by ONVIF is named with the key that says where.
func TestKeyOfONVIF(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := "http://" + listener.Addr().String()
	_ = listener.Close()
	c := Defaults()
	c.URL = "rtsp://10.0.0.7/x"
	for _, key := range []string{"onvif", "ptz.onvif"} {
		client, err := c.onvifClient(key, at, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Profiles(t.Context())
		client.Close()
		if err == nil || !strings.Contains(err.Error(), "check the port in "+key+",") {
			t.Errorf("%s: %v", key, err)
		}
	}
}
