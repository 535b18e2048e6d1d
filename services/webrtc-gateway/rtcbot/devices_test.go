package rtcbot

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
)

// described is a device that has described its streams: those it produces, and those it accepts.
func described(name string, produces, accepts []string) *signalingv1.DeviceStatus {
	d := &devicev1.Device{Name: name}
	for _, s := range produces {
		d.Streams = append(d.Streams, &devicev1.StreamInfo{Name: s, Direction: out})
	}
	for _, s := range accepts {
		d.Streams = append(d.Streams, &devicev1.StreamInfo{Name: s, Direction: in})
	}
	return &signalingv1.DeviceStatus{Device: d}
}

func TestChooseDevices(t *testing.T) {
	known := []*signalingv1.DeviceStatus{
		described("front", []string{"video", "video-vp8"}, nil),
		described("guest", []string{"video", "audio"}, []string{"camera", "microphone"}),
		described("motors", []string{"messages"}, nil),
		described("rear", []string{"video"}, nil),
		described("voice", []string{"audio"}, []string{"speaker"}),
		described("whistle", []string{"audio"}, []string{"speaker"}),
	}
	for _, tt := range []struct {
		name   string
		wanted Devices
		order  []string
		want   cast
	}{
		{"none named", Devices{}, nil, cast{[]string{"front", "rear"}, "voice", "voice", "guest"}},
		{"order of the file", Devices{}, []string{"whistle", "rear", "unknown", "front"},
			cast{[]string{"rear", "front"}, "whistle", "whistle", "guest"}},
		{"all named", Devices{Camera: "rear", Microphone: "guest", Speaker: "whistle", Publish: "other"}, nil,
			cast{[]string{"rear", "front"}, "guest", "whistle", "other"}},
		{"a slot as the camera", Devices{Camera: "guest"}, nil,
			cast{[]string{"guest", "front", "rear"}, "voice", "voice", "guest"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := New(Config{Devices: tt.wanted, Order: tt.order})
			if got, complete := g.choose(known); fmt.Sprint(got) != fmt.Sprint(tt.want) || !complete {
				t.Errorf("%v, %v; want %v", got, complete, tt.want)
			}
		})
	}
}

// later is a directory that changes once.
type later struct {
	before, after []*signalingv1.DeviceStatus
	changed       chan struct{}
}

func (l *later) List() (*signalingv1.DeviceList, <-chan struct{}) {
	select {
	case <-l.changed:
		return &signalingv1.DeviceList{Devices: l.after}, nil
	default:
		return &signalingv1.DeviceList{Devices: l.before}, l.changed
	}
}

// TestFindWaits: just after a start the devices have not described themselves, and a client gets what it wants as soon
// as they do. What is complete, or wanted by nobody, is not waited for.
func TestFindWaits(t *testing.T) {
	video := rtc.Section{Media: rtc.Video, Receives: true}
	data := rtc.Section{Media: "application", Receives: true}
	camera := described("front", []string{"video"}, nil)
	for _, tt := range []struct {
		name     string
		before   []*signalingv1.DeviceStatus
		sections []rtc.Section
		cameras  int
		waits    time.Duration
	}{
		{"a silent camera", []*signalingv1.DeviceStatus{described("front", nil, nil)}, []rtc.Section{video}, 1, time.Second},
		{"nothing yet", nil, []rtc.Section{video}, 1, time.Second},
		{"data alone", nil, []rtc.Section{data}, 0, 0},
		{"a camera", []*signalingv1.DeviceStatus{camera}, []rtc.Section{video, data}, 1, 0},
		{"more sections than cameras", []*signalingv1.DeviceStatus{camera}, []rtc.Section{video, video}, 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				directory := &later{before: tt.before, after: []*signalingv1.DeviceStatus{camera}, changed: make(chan struct{})}
				time.AfterFunc(time.Second, func() { close(directory.changed) })
				began := time.Now()
				got := New(Config{Directory: directory}).find(t.Context(), tt.sections)
				if waited := time.Since(began); len(got.cameras) != tt.cameras || waited != tt.waits {
					t.Errorf("%v after %v", got, waited)
				}
			})
		})
	}
}

// TestFindGivesUp: a robot without devices does not keep clients waiting.
func TestFindGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		directory := &later{changed: make(chan struct{})}
		began := time.Now()
		got := New(Config{Directory: directory}).find(context.Background(), []rtc.Section{{Media: rtc.Video, Receives: true}})
		if len(got.cameras) != 0 || time.Since(began) != descriptionPatience {
			t.Errorf("%v after %v", got, time.Since(began))
		}
	})
}
