package mjpeg

import (
	"crypto/rand"
	"fmt"
	"io"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
)

// Parts writes pictures as the parts of a multipart/x-mixed-replace body.
type Parts struct {
	to       io.Writer
	boundary string
	begun    bool
}

// NewParts returns a writer of parts with a boundary of their own, which no picture contains by accident.
func NewParts(to io.Writer) *Parts { return &Parts{to: to, boundary: "waldo-" + rand.Text()} }

// ContentType is the media type of the body.
func (p *Parts) ContentType() string { return "multipart/x-mixed-replace; boundary=" + p.boundary }

// Write writes a picture, and the boundary after it: browsers show a picture when they see that it has ended. So there
// is no last boundary; the body just ends. The header of a part names the size in bytes, and in X-Timestamp when the
// picture was captured, in seconds since 1970.
func (p *Parts) Write(f *mediav1.VideoFrame) error {
	first := ""
	if !p.begun {
		p.begun, first = true, "--"+p.boundary+"\r\n"
	}
	at := f.GetCaptureTime().AsTime()
	_, err := fmt.Fprintf(p.to, "%sContent-Type: image/jpeg\r\nContent-Length: %d\r\nX-Timestamp: %d.%06d\r\n\r\n", first,
		len(f.GetData()), at.Unix(), at.Nanosecond()/1000)
	if err == nil {
		_, err = p.to.Write(f.GetData())
	}
	if err == nil {
		_, err = io.WriteString(p.to, "\r\n--"+p.boundary+"\r\n")
	}
	return err
}
