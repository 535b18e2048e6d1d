package wire

import "strconv"

// Code says what a message is.
type Code uint16

// Commands.
const (
	StartLiveStream  Code = 1
	StopLiveStream   Code = 2
	TakePicture      Code = 3
	StartCapture     Code = 4
	StopCapture      Code = 5
	SetOptions       Code = 7
	GetOptions       Code = 8
	GetFileList      Code = 13
	GetCaptureStatus Code = 15
	RequestIFrame    Code = 105
)

// Answers.
const (
	OK             Code = 200
	BadRequest     Code = 400
	Failed         Code = 500
	NotImplemented Code = 501
)

// Notifications.
const (
	BatteryUpdate  Code = 8195
	BatteryLow     Code = 8196
	Shutdown       Code = 8197
	StorageUpdate  Code = 8198
	StorageFull    Code = 8199
	CaptureStopped Code = 8201
	CaptureUpdate  Code = 8208
)

// IsAnswer tells whether a message answers a command.
func (c Code) IsAnswer() bool { return c >= OK && c < 600 }

// IsNotification tells whether the camera sent a message by itself.
func (c Code) IsNotification() bool { return c >= 8192 }

var names = map[Code]string{
	StartLiveStream: "START_LIVE_STREAM", StopLiveStream: "STOP_LIVE_STREAM", TakePicture: "TAKE_PICTURE",
	StartCapture: "START_CAPTURE", StopCapture: "STOP_CAPTURE", SetOptions: "SET_OPTIONS", GetOptions: "GET_OPTIONS",
	GetFileList: "GET_FILE_LIST", GetCaptureStatus: "GET_CURRENT_CAPTURE_STATUS", RequestIFrame: "IFRAME_REQUEST",
}

// String names a command, and is the number of everything else.
func (c Code) String() string {
	if name := names[c]; name != "" {
		return name
	}
	return strconv.Itoa(int(c))
}
