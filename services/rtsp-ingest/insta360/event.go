package insta360

import (
	"fmt"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/insta360/wire"
)

// EventKind is what happened.
type EventKind int

// Kinds of events, and which field of an Event says more.
const (
	Connected      EventKind = iota + 1
	Disconnected             // Err says why; nil: it was not needed any more
	CommandFailed            // Err is a *CommandError
	VideoStream              // MediaType
	Battery                  // Battery
	BatteryLow               // Battery
	Shutdown                 //
	Storage                  // Storage
	StorageFull              //
	CaptureStopped           //
	CaptureChanged           // Capture
	Other                    // Code and Body of a notification that is not known
)

// Event is something that happened to the camera or the connection to it.
type Event struct {
	Kind      EventKind
	Time      time.Time
	Err       error
	MediaType string
	Battery   wire.Battery
	Storage   wire.Storage // only its State
	Capture   wire.CaptureStatus
	Code      wire.Code
	Body      []byte
}

// CommandError is a command that the camera refused, or did not answer.
type CommandError struct {
	Command wire.Code
	Status  wire.Code // 0: no answer
	Code    int32     // the camera's number of the error, 0 for none
	Message string    // in the camera's words
}

func (e *CommandError) Error() string {
	switch {
	case e.Status == 0:
		return fmt.Sprintf("the camera did not answer %s: %s", e.Command, e.Message)
	case e.Message == "":
		return fmt.Sprintf("the camera refused %s: status %d, error %d", e.Command, e.Status, e.Code)
	}
	return fmt.Sprintf("the camera refused %s: %s (status %d, error %d)", e.Command, e.Message, e.Status, e.Code)
}

// notification makes an event of a message. What cannot be read becomes one of kind Other.
func notification(p wire.Packet) Event {
	e := Event{Code: p.Code}
	var err error
	switch p.Code {
	case wire.BatteryUpdate:
		e.Kind = Battery
		e.Battery, err = wire.ParseBattery(p.Data)
	case wire.BatteryLow:
		e.Kind = BatteryLow
		e.Battery, err = wire.ParseBattery(p.Data)
	case wire.Shutdown:
		e.Kind = Shutdown
	case wire.StorageUpdate:
		e.Kind = Storage
		e.Storage, err = wire.ParseStorage(p.Data)
		e.Storage.Free, e.Storage.Total = 0, 0
	case wire.StorageFull:
		e.Kind = StorageFull
	case wire.CaptureStopped:
		e.Kind = CaptureStopped
	case wire.CaptureUpdate:
		e.Kind = CaptureChanged
		e.Capture, err = wire.ParseCaptureStatus(p.Data)
	default:
		e.Kind = Other
	}
	if err != nil || e.Kind == Other {
		return Event{Kind: Other, Code: p.Code, Body: p.Data[:min(len(p.Data), maxBody)]}
	}
	return e
}
