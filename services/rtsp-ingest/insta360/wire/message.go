package wire

import (
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// Enums of the camera.
const (
	ModeNormalPicture = 0 // of TakePicture
	ModeNormalCapture = 1 // of StartCapture

	Resolution1440x720p30 = 9
	Resolution424x240p15  = 34

	VideoAndPhoto = 2 // media type of GetFileList
)

// LiveStream asks for the preview.
type LiveStream struct {
	Video, Gyro bool
	SampleRate  int32 // of the sound, Hz; the camera's own client sets it even without sound
	Resolution  int32
	Resolution1 int32 // of the second, smaller stream
}

// Marshal returns the message.
func (l LiveStream) Marshal() (b []byte) {
	b = number(b, 2, flag(l.Video))
	b = number(b, 4, l.SampleRate)
	b = number(b, 7, l.Resolution)
	b = number(b, 8, flag(l.Gyro))
	return number(b, 10, l.Resolution1)
}

// ParseLiveStream reads a LiveStream.
func ParseLiveStream(b []byte) (l LiveStream, err error) {
	err = fields(b, func(f field) error {
		switch f.number {
		case 2:
			l.Video = f.varint != 0
		case 4:
			l.SampleRate = f.int()
		case 7:
			l.Resolution = f.int()
		case 8:
			l.Gyro = f.varint != 0
		case 10:
			l.Resolution1 = f.int()
		}
		return nil
	})
	return l, err
}

func flag(on bool) uint32 {
	if on {
		return 1
	}
	return 0
}

// Mode returns the message of TakePicture and StartCapture.
func Mode(mode int32) []byte { return number(nil, 1, mode) }

// File is a recording. It is the answer to StopCapture, within field 1.
type File struct {
	URI     string
	Size    int64
	Seconds int32
}

// MarshalStopCapture returns the answer to StopCapture.
func (f File) MarshalStopCapture() []byte {
	b := text(nil, 1, f.URI)
	b = number(b, 2, f.Size)
	return message(nil, 1, number(b, 3, f.Seconds))
}

// ParseStopCapture reads the answer to StopCapture; without a file, its URI is empty.
func ParseStopCapture(b []byte) (file File, err error) {
	err = fields(b, func(outer field) error {
		if outer.number != 1 {
			return nil
		}
		return fields(outer.bytes, func(f field) error {
			switch f.number {
			case 1:
				file.URI = plain(f.bytes)
			case 2:
				file.Size = int64(f.varint)
			case 3:
				file.Seconds = f.int()
			}
			return nil
		})
	})
	return file, err
}

// FileList asks for files.
type FileList struct {
	MediaType    int32
	Start, Limit int32
}

// Marshal returns the message.
func (l FileList) Marshal() []byte {
	return number(number(number(nil, 1, l.MediaType), 2, l.Start), 3, l.Limit)
}

// ParseFileList reads a FileList.
func ParseFileList(b []byte) (l FileList, err error) {
	err = fields(b, func(f field) error {
		switch f.number {
		case 1:
			l.MediaType = f.int()
		case 2:
			l.Start = f.int()
		case 3:
			l.Limit = f.int()
		}
		return nil
	})
	return l, err
}

// Files answers a FileList.
type Files struct {
	URIs  []string
	Total int32
}

// Marshal returns the message.
func (l Files) Marshal() (b []byte) {
	for _, uri := range l.URIs {
		b = text(b, 1, uri)
	}
	return number(b, 2, l.Total)
}

// ParseFiles reads Files.
func ParseFiles(b []byte) (l Files, err error) {
	err = fields(b, func(f field) error {
		switch {
		case f.number == 1 && f.bytes != nil:
			l.URIs = append(l.URIs, plain(f.bytes))
		case f.number == 2:
			l.Total = f.int()
		}
		return nil
	})
	return l, err
}

// CaptureStatus says whether the camera records.
type CaptureStatus struct {
	State   int32 // 0: it does not
	Seconds int32
	Count   int32
}

// Marshal returns the message.
func (s CaptureStatus) Marshal() []byte {
	return number(number(number(nil, 1, s.State), 2, s.Seconds), 3, s.Count)
}

// MarshalAnswer returns the answer to GetCaptureStatus.
func (s CaptureStatus) MarshalAnswer() []byte { return message(nil, 1, s.Marshal()) }

// ParseCaptureStatus reads the status, from the answer to GetCaptureStatus or from a notification, where it is not
// wrapped.
func ParseCaptureStatus(b []byte) (s CaptureStatus, err error) {
	err = unwrapped(b, func(f field) {
		switch f.number {
		case 1:
			s.State = f.int()
		case 2:
			s.Seconds = f.int()
		case 3:
			s.Count = f.int()
		}
	})
	return s, err
}

// unwrapped calls take with the fields of a message, or of the one that is its field 1.
func unwrapped(b []byte, take func(field)) error {
	return fields(b, func(f field) error {
		if f.number == 1 && f.bytes != nil {
			return fields(f.bytes, func(inner field) error { take(inner); return nil })
		}
		take(f)
		return nil
	})
}

// Error is the body of the answer Failed.
type Error struct {
	Code    int32
	Message string
}

// Marshal returns the message.
func (e Error) Marshal() []byte { return text(number(nil, 1, e.Code), 2, e.Message) }

// ParseError reads an Error.
func ParseError(b []byte) (e Error, err error) {
	err = fields(b, func(f field) error {
		switch {
		case f.number == 1:
			e.Code = f.int()
		case f.number == 2 && f.bytes != nil:
			e.Message = plain(f.bytes)
		}
		return nil
	})
	return e, err
}

// maxText bounds each text that a camera sends, in bytes.
const maxText = 1024

// plain makes a text of bytes from outside.
func plain(b []byte) string {
	return strings.ToValidUTF8(string(b[:min(len(b), maxText)]), "\ufffd")
}

// zigzag appends a sint32.
func zigzag(b []byte, n protowire.Number, value int32) []byte {
	return number(b, n, protowire.EncodeZigZag(int64(value)))
}
