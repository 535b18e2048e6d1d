package server

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/mjpeg"
)

const (
	// maxMJPEG bounds the responses with Motion JPEG: each takes the bandwidth of many viewers.
	maxMJPEG = 32
	// maxRate bounds the pictures in a second that may be asked for.
	maxRate = 1000
)

// MotionJPEG is the source of pictures for clients that take nothing else.
type MotionJPEG interface {
	// Check returns the error that Watch would return because of the device.
	Check(ctx context.Context, device string) error
	// Watch adds a viewer of a camera, who gets at most rate pictures a second; 0 means all.
	Watch(ctx context.Context, device string, rate float64) (*mjpeg.Viewer, error)
}

// mjpeg answers GET /mjpeg/{device} with the pictures of a camera as parts of one response, which goes on until either
// side ends it: ?fps=5 bounds their rate. HEAD tells whether there is such a camera, and does not start it.
func (s *Server) mjpeg(w http.ResponseWriter, r *http.Request) {
	rate, err := mjpegRate(r.URL.Query())
	switch {
	case err == nil && s.config.MotionJPEG == nil:
		err = status.Error(codes.Unimplemented, "this gateway does not send Motion JPEG")
	case err == nil && r.Method == http.MethodHead:
		err = s.headMJPEG(w, r)
	case err == nil:
		err = s.sendMJPEG(w, r, rate)
	}
	if err != nil {
		fail(w, err)
	}
}

// mjpegRate reads the parameters of a request.
func mjpegRate(q url.Values) (rate float64, err error) {
	for name := range q {
		if name != "fps" && name != "token" { // which has been checked
			return 0, status.Errorf(codes.InvalidArgument, "%.40q: there is no such parameter, only fps, the most pictures in "+
				"a second", name)
		}
	}
	text := q.Get("fps")
	if !q.Has("fps") {
		return 0, nil
	}
	rate, err = strconv.ParseFloat(text, 64)
	if err != nil || !(rate > 0 && rate <= maxRate) { // also if it is no number
		return 0, status.Errorf(codes.InvalidArgument,
			"fps: %.20q is not a rate: use a number above 0, up to %d, or leave it out", text, maxRate)
	}
	return rate, nil
}

func (s *Server) headMJPEG(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), descriptionPatience)
	defer cancel()
	if err := s.config.MotionJPEG.Check(ctx, r.PathValue("device")); err != nil {
		return err
	}
	setMJPEG(w.Header(), mjpeg.NewParts(w))
	return nil
}

func setMJPEG(h http.Header, parts *mjpeg.Parts) {
	h.Set("Content-Type", parts.ContentType())
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx passes pictures on as they come
}

// sendMJPEG sends pictures until either side ends the response. An error means that nothing was sent.
func (s *Server) sendMJPEG(w http.ResponseWriter, r *http.Request, rate float64) error {
	if err := s.enter(&s.mjpegResponses); err != nil {
		return err
	}
	defer s.exit(&s.mjpegResponses)
	ctx, cancel := s.guard.while(r.Context())
	defer cancel()
	viewer, err := s.watchMJPEG(ctx, r.PathValue("device"), rate)
	if err != nil {
		return err
	}
	defer viewer.Close()
	out, err := newEndless(ctx, w)
	if err != nil {
		return err
	}
	defer out.close()
	parts := mjpeg.NewParts(w)
	setMJPEG(w.Header(), parts)
	w.WriteHeader(http.StatusOK)
	write := func() error { return nil } // the header alone, as the first picture may take a while
	for out.send(write) == nil {
		picture, err := viewer.Next(ctx)
		if err != nil {
			break
		}
		write = func() error { return parts.Write(picture) }
	}
	return nil // the client has left or is too slow, or the gateway is stopping
}

// watchMJPEG adds a viewer. A device that is expected may still have to say what it has.
func (s *Server) watchMJPEG(ctx context.Context, device string, rate float64) (*mjpeg.Viewer, error) {
	ctx, cancel := context.WithTimeout(ctx, descriptionPatience)
	defer cancel()
	return s.config.MotionJPEG.Watch(ctx, device, rate)
}

// endTimeout is how long a write may take when the response ends.
const endTimeout = 500 * time.Millisecond

// endless is a response without an end: each of its writes may take a while, and as a whole it may take forever.
type endless struct {
	ctx   context.Context
	out   *http.ResponseController
	close func() bool
}

// newEndless makes a response that ends with ctx. It must be closed.
func newEndless(ctx context.Context, w http.ResponseWriter) (*endless, error) {
	e := &endless{ctx: ctx, out: http.NewResponseController(w)}
	// The server gives up requests that take too long to read, and reads on to learn whether the client is still there.
	if err := e.out.SetReadDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("this connection cannot carry a response without an end: %w", err)
	}
	e.close = context.AfterFunc(ctx, func() { _ = e.out.SetWriteDeadline(time.Now().Add(endTimeout)) })
	return e, nil
}

// send writes something, and sends it. It fails once ctx has ended, or if the client does not read.
func (e *endless) send(write func() error) error {
	if err := e.out.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	// Looked at after the deadline was set, which otherwise would replace that of the end.
	if err := e.ctx.Err(); err != nil {
		return err
	}
	if err := write(); err != nil {
		return err
	}
	return e.out.Flush()
}
