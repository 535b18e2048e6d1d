package service

import (
	"errors"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	insta360v1 "github.com/waldo-robot/waldo/api/gen/go/waldo/insta360/v1"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/insta360"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/insta360/wire"
)

// kinds says what is made of each kind of event, and what says more about it.
var kinds = map[insta360.EventKind]struct {
	kind   insta360v1.CameraEventKind
	detail func(insta360.Event, *insta360v1.CameraEvent)
}{
	insta360.Connected:      {insta360v1.CameraEventKind_CAMERA_EVENT_KIND_CONNECTED, nil},
	insta360.Disconnected:   {insta360v1.CameraEventKind_CAMERA_EVENT_KIND_DISCONNECTED, withReason},
	insta360.CommandFailed:  {insta360v1.CameraEventKind_CAMERA_EVENT_KIND_ERROR, withError},
	insta360.VideoStream:    {insta360v1.CameraEventKind_CAMERA_EVENT_KIND_VIDEO_STREAM, withMediaType},
	insta360.Battery:        {insta360v1.CameraEventKind_CAMERA_EVENT_KIND_BATTERY, withBattery},
	insta360.BatteryLow:     {insta360v1.CameraEventKind_CAMERA_EVENT_KIND_BATTERY_LOW, withBattery},
	insta360.Shutdown:       {insta360v1.CameraEventKind_CAMERA_EVENT_KIND_SHUTDOWN, nil},
	insta360.Storage:        {insta360v1.CameraEventKind_CAMERA_EVENT_KIND_STORAGE, withStorage},
	insta360.StorageFull:    {insta360v1.CameraEventKind_CAMERA_EVENT_KIND_STORAGE_FULL, nil},
	insta360.CaptureStopped: {insta360v1.CameraEventKind_CAMERA_EVENT_KIND_CAPTURE_STOPPED, nil},
	insta360.CaptureChanged: {insta360v1.CameraEventKind_CAMERA_EVENT_KIND_CAPTURE_STATUS, withCapture},
	insta360.Other:          {insta360v1.CameraEventKind_CAMERA_EVENT_KIND_OTHER, withNotification},
}

func withReason(e insta360.Event, m *insta360v1.CameraEvent) {
	if e.Err != nil {
		m.Detail = &insta360v1.CameraEvent_Reason{Reason: e.Err.Error()}
	}
}

func withError(e insta360.Event, m *insta360v1.CameraEvent) {
	failed, ok := errors.AsType[*insta360.CommandError](e.Err)
	if !ok {
		return
	}
	m.Detail = &insta360v1.CameraEvent_Error{Error: &insta360v1.CommandError{
		Command: failed.Command.String(), Status: int32(failed.Status), Code: failed.Code, Message: failed.Message,
	}}
}

func withMediaType(e insta360.Event, m *insta360v1.CameraEvent) {
	m.Detail = &insta360v1.CameraEvent_MediaType{MediaType: e.MediaType}
}

func withBattery(e insta360.Event, m *insta360v1.CameraEvent) {
	m.Detail = &insta360v1.CameraEvent_Battery{Battery: batteryMessage(&e.Battery)}
}

func withStorage(e insta360.Event, m *insta360v1.CameraEvent) {
	m.Detail = &insta360v1.CameraEvent_Storage{Storage: storageMessage(&e.Storage)}
}

func withCapture(e insta360.Event, m *insta360v1.CameraEvent) {
	m.Detail = &insta360v1.CameraEvent_Capture{Capture: captureMessage(e.Capture)}
}

func withNotification(e insta360.Event, m *insta360v1.CameraEvent) {
	m.Detail = &insta360v1.CameraEvent_Notification{Notification: &insta360v1.Notification{Code: int32(e.Code),
		Body: e.Body}}
}

func eventMessage(e insta360.Event, epoch, sequence int64) *insta360v1.CameraEvent {
	m := &insta360v1.CameraEvent{Epoch: epoch, Sequence: sequence, EventTime: timestamppb.New(e.Time),
		Kind: kinds[e.Kind].kind}
	if detail := kinds[e.Kind].detail; detail != nil {
		detail(e, m)
	}
	return m
}

func batchMessage(b insta360.Samples, epoch, sequence int64) *insta360v1.ImuBatch {
	m := &insta360v1.ImuBatch{Epoch: epoch, Sequence: sequence, EventTime: timestamppb.New(b.Arrival)}
	for _, s := range b.List {
		m.Samples = append(m.Samples, &insta360v1.ImuSample{
			CameraTimeMs:  s.Time.Milliseconds(),
			AccelerationX: s.Acceleration[0], AccelerationY: s.Acceleration[1], AccelerationZ: s.Acceleration[2],
			RotationX: s.Rotation[0], RotationY: s.Rotation[1], RotationZ: s.Rotation[2],
		})
	}
	return m
}

var powers = map[int32]insta360v1.PowerSource{
	0: insta360v1.PowerSource_POWER_SOURCE_BATTERY, 1: insta360v1.PowerSource_POWER_SOURCE_ADAPTER,
}

var cards = map[int32]insta360v1.CardState{
	0: insta360v1.CardState_CARD_STATE_OK, 1: insta360v1.CardState_CARD_STATE_MISSING,
	2: insta360v1.CardState_CARD_STATE_FULL,
	3: insta360v1.CardState_CARD_STATE_BAD_FORMAT, 4: insta360v1.CardState_CARD_STATE_WRITE_PROTECTED,
	5: insta360v1.CardState_CARD_STATE_FAILED,
}

func infoMessage(o wire.Options) *insta360v1.CameraInfo {
	m := &insta360v1.CameraInfo{
		CameraType: o.CameraType, SerialNumber: o.Serial, Uuid: o.UUID, FirmwareVersion: o.Firmware,
		Battery: batteryMessage(o.Battery), Storage: storageMessage(o.Storage), UtcOffset: seconds(o.TimeZone),
	}
	if t := (&timestamppb.Timestamp{Seconds: o.LocalTime}); o.LocalTime > 0 && t.IsValid() {
		m.LocalTime = t
	}
	return m
}

func batteryMessage(b *wire.Battery) *insta360v1.Battery {
	if b == nil {
		return nil
	}
	return &insta360v1.Battery{Source: powers[b.Type], Level: b.Level, Scale: b.Scale}
}

func storageMessage(s *wire.Storage) *insta360v1.Storage {
	if s == nil {
		return nil
	}
	return &insta360v1.Storage{State: cards[s.State], FreeBytes: s.Free, TotalBytes: s.Total}
}

func captureMessage(c wire.CaptureStatus) *insta360v1.CaptureStatus {
	return &insta360v1.CaptureStatus{
		Capturing: c.State != 0, State: c.State, CaptureDuration: seconds(c.Seconds), PictureCount: c.Count,
	}
}

func fileMessage(f wire.File) *insta360v1.MediaFile {
	if f.URI == "" {
		return nil
	}
	m := &insta360v1.MediaFile{Uri: f.URI, SizeBytes: f.Size}
	if f.Seconds > 0 {
		m.Duration = seconds(f.Seconds)
	}
	return m
}

func seconds(n int32) *durationpb.Duration { return durationpb.New(time.Duration(n) * time.Second) }
