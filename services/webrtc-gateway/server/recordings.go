package server

import (
	"context"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
)

const (
	// maxDownloads bounds the files that are being sent.
	maxDownloads = 32
	// filePiece is how much of a file is asked for at once.
	filePiece = 1 << 20
	// recorderTimeout is how long a recorder may take to answer: it may have to read an index from a slow disk first.
	recorderTimeout = 15 * time.Second
	// recorderPatience is how long a download waits for a recorder that has gone away, and recorderAgain how long until it
	// asks again.
	recorderPatience = 10 * time.Second
	recorderAgain    = 250 * time.Millisecond
	// downloadTimeout is how long a client may read nothing.
	downloadTimeout = 30 * time.Second
	// recorderKind is the kind of devices that have recordings.
	recorderKind = "recorder"
	// maxPlace bounds a place in a recording, in seconds.
	maxPlace = 1e8
)

// Headers of an answer with a piece of a recording: where it begins and where the next begins, in seconds from the
// start of the recording, and the codecs parameter of RFC 6381. After the last piece there is no next.
const (
	offsetHeader = "Waldo-Offset"
	nextHeader   = "Waldo-Next"
	codecHeader  = "Waldo-Codec"
)

// Recorders are those of the robot.
type Recorders interface {
	// Recorder returns the client of a device, which need not be a recorder.
	Recorder(device string) recorderv1.RecorderServiceClient
}

// recorder returns the client of the recorder in the path of a request.
func (s *Server) recorder(r *http.Request) (recorderv1.RecorderServiceClient, error) {
	if s.config.Recorders == nil {
		return nil, status.Error(codes.Unimplemented, "this gateway does not know recorders")
	}
	device := r.PathValue("device")
	if err := s.directory.Check(device); err != nil {
		return nil, err
	}
	known, _, _ := s.directory.Get(device)
	if kind := known.GetDevice().GetKind(); kind != "" && kind != recorderKind {
		return nil, noRecorder(device)
	}
	return s.config.Recorders.Recorder(device), nil
}

// recordingFile answers GET /recordings/file/{device}/{name} with a file of a recording. It is read in pieces as the
// client takes them. Range and HEAD work.
func (s *Server) recordingFile(w http.ResponseWriter, r *http.Request) {
	if err := s.sendRecording(w, r); err != nil {
		fail(w, err)
	}
}

// sendRecording returns an error if nothing was sent.
func (s *Server) sendRecording(w http.ResponseWriter, r *http.Request) error {
	from, err := s.recorder(r)
	if err != nil {
		return err
	}
	if err := s.enter(&s.downloads); err != nil {
		return err
	}
	defer s.exit(&s.downloads)
	ctx, cancel := s.guard.while(visitorOf(r).Sign(r.Context()))
	defer cancel()
	f := &remoteFile{ctx: ctx, from: from, name: r.PathValue("name")}
	if err := f.fill(); err != nil {
		return recorderError(r, err)
	}
	out := http.NewResponseController(w)
	// The server gives up requests that take too long to read, and reads on to learn whether the client is still there.
	if err := out.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("this connection cannot carry a response without an end: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": f.name}))
	h.Set("Cache-Control", "no-store")
	// A file that is being written only grows, and what a client has of a shorter one stays true; but which bytes a range
	// means must be sure, so its size is part of its tag.
	h.Set("ETag", fmt.Sprintf(`"%x"`, f.size))
	http.ServeContent(patient{w, out}, r, "", time.Time{}, f)
	return nil
}

// recordingPiece answers GET /recordings/segment/{device}/{recording}/{of}/{stream} with a piece of pictures or sound
// that a browser plays: ?offset=12.3 is the place in seconds from the start, ?init=1 asks for the initialization
// segment before it. There is no content at or after the end.
func (s *Server) recordingPiece(w http.ResponseWriter, r *http.Request) {
	from, err := s.recorder(r)
	if err != nil {
		fail(w, err)
		return
	}
	offset, err := placeOf(r.URL.Query())
	if err != nil {
		fail(w, err)
		return
	}
	ctx, cancel := context.WithTimeout(visitorOf(r).Sign(r.Context()), recorderTimeout)
	defer cancel()
	piece, err := from.GetSegment(ctx, &recorderv1.GetSegmentRequest{
		Name: r.PathValue("recording"), Device: r.PathValue("of"), Stream: r.PathValue("stream"),
		Offset: durationpb.New(offset), Initialization: r.URL.Query().Get("init") != "",
	})
	if err != nil {
		fail(w, recorderError(r, err))
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set(codecHeader, piece.GetCodec())
	h.Set(offsetHeader, seconds(piece.GetOffset()))
	if piece.GetNext() != nil {
		h.Set(nextHeader, seconds(piece.GetNext()))
	}
	if len(piece.GetMedia()) == 0 {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	h.Set("Content-Type", "video/mp4")
	h.Set("Content-Length", strconv.Itoa(len(piece.GetInitialization())+len(piece.GetMedia())))
	to := patient{w, http.NewResponseController(w)}
	for _, part := range [][]byte{piece.GetInitialization(), piece.GetMedia()} {
		if _, err := to.Write(part); err != nil {
			return // the visitor has left, or is too slow
		}
	}
}

// placeOf returns the place in a recording that a request is about.
func placeOf(q url.Values) (time.Duration, error) {
	text := q.Get("offset")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= 0 && n <= maxPlace) {
		return 0, status.Errorf(codes.InvalidArgument, "offset: %.40q is not a place in a recording: use seconds from its "+
			"start, for example 12.3", text)
	}
	return time.Duration(math.Round(n * 1e9)), nil
}

// seconds writes a duration as seconds, to the nanosecond.
func seconds(d *durationpb.Duration) string {
	return fmt.Sprintf("%d.%09d", d.GetSeconds(), d.GetNanos())
}

// recorderError tells what is wrong with a recorder.
func recorderError(r *http.Request, err error) error {
	if status.Code(err) == codes.Unimplemented {
		return noRecorder(r.PathValue("device"))
	}
	return err
}

func noRecorder(device string) error {
	return status.Errorf(codes.NotFound, "device %s is no recorder: recordings are at /recordings", device)
}

// remoteFile is a file of a recorder, of which one piece is here. It implements [io.ReadSeeker] for one goroutine. Its
// size is the one that it had in the beginning.
type remoteFile struct {
	ctx  context.Context
	from recorderv1.RecorderServiceClient
	name string

	size  int64
	place int64
	piece []byte // from place on; empty: it has to be asked for
}

// fill asks for the piece at the place.
func (f *remoteFile) fill() error {
	deadline := time.Now().Add(recorderPatience)
	for {
		answer, err := f.ask()
		if err == nil {
			f.piece = answer.GetData()
			if f.size == 0 {
				f.size = answer.GetSizeBytes()
			}
			return nil
		}
		// A recorder that has crashed is back within a moment. What has not begun need not wait.
		if f.size == 0 || status.Code(err) != codes.Unavailable || time.Now().After(deadline) {
			return err
		}
		select {
		case <-f.ctx.Done():
			return f.ctx.Err()
		case <-time.After(recorderAgain):
		}
	}
}

func (f *remoteFile) ask() (*recorderv1.ReadFileResponse, error) {
	ctx, cancel := context.WithTimeout(f.ctx, recorderTimeout)
	defer cancel()
	return f.from.ReadFile(ctx, &recorderv1.ReadFileRequest{File: f.name, Offset: f.place, MaxBytes: filePiece})
}

// Read implements [io.Reader].
func (f *remoteFile) Read(to []byte) (int, error) {
	if f.place >= f.size {
		return 0, io.EOF
	}
	if len(f.piece) == 0 {
		if err := f.fill(); err != nil {
			return 0, err
		}
		if len(f.piece) == 0 { // it was cut
			return 0, io.ErrUnexpectedEOF
		}
	}
	n := copy(to, f.piece[:min(int64(len(f.piece)), f.size-f.place)])
	f.piece, f.place = f.piece[n:], f.place+int64(n)
	return n, nil
}

// Seek implements [io.Seeker].
func (f *remoteFile) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.place
	case io.SeekEnd:
		offset += f.size
	}
	if offset < 0 {
		return 0, fmt.Errorf("there is no place %d in a file", offset)
	}
	if skip := offset - f.place; skip >= 0 && skip <= int64(len(f.piece)) {
		f.piece = f.piece[skip:]
	} else {
		f.piece = nil
	}
	f.place = offset
	return offset, nil
}

// patient is a response that may take as long as it needs, if the client reads.
type patient struct {
	http.ResponseWriter
	out *http.ResponseController
}

// Write implements [io.Writer].
func (p patient) Write(data []byte) (int, error) {
	if err := p.out.SetWriteDeadline(time.Now().Add(downloadTimeout)); err != nil {
		return 0, err
	}
	return p.ResponseWriter.Write(data)
}
