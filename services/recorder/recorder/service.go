package recorder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/text"
	"github.com/waldo-robot/waldo/recording/folder"
	"github.com/waldo-robot/waldo/recording/library"
	"github.com/waldo-robot/waldo/services/recorder/reel"
)

const (
	maxBy       = 128
	maxMark     = 256
	maxMarks    = 1000
	defaultPage = 100
	maxPage     = 1000
	defaultRead = 1 << 20
	maxRead     = 4 << 20 // also the largest message that clients of gRPC take
	maxHead     = 1 << 10 // of an answer, beside the bytes
)

// service is the RecorderService.
type service struct {
	recorderv1.UnimplementedRecorderServiceServer
	*recorder
	library *library.Library
	reading chan struct{} // has a value for each answer that is being read from the disk
	pace    *rate.Limiter // of bytes of files
}

// maxReading bounds how many answers are read from the disk at once, so that what viewers ask leaves time and memory
// for what is being recorded. The others wait.
const maxReading = 4

// readRate and readBurst bound how much of files is given away, in bytes per second and at once: answers that are not
// yet sent are in memory, and the disk is there for what is being recorded first.
const (
	readRate  = 64 << 20
	readBurst = 2 * maxRead
)

// turn waits until a caller may read. It must be left.
func (s *service) turn(ctx context.Context) (leave func(), err error) {
	select {
	case s.reading <- struct{}{}:
		return func() { <-s.reading }, nil
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

// who is who calls.
func who(ctx context.Context, by string) (string, error) {
	if len(by) > maxBy || !text.IsPrintable(by) {
		return "", status.Errorf(codes.InvalidArgument, "by: use up to %d bytes of printable text", maxBy)
	}
	return orUnknown(access.Named(access.User(ctx), by)), nil
}

// failure gives an error its code.
func failure(err error) error {
	code := codes.Internal
	for known, of := range library.Codes() {
		if errors.Is(err, known) {
			return status.Error(of, err.Error())
		}
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	case errors.Is(err, folder.ErrFull):
		code = codes.ResourceExhausted
	case errors.Is(err, folder.ErrNone), errors.Is(err, fs.ErrNotExist):
		code = codes.NotFound
	case errors.Is(err, folder.ErrOpen):
		code = codes.FailedPrecondition
	case isDisk(err):
		code = codes.Unavailable
	}
	return status.Error(code, err.Error())
}

// isDisk reports whether the disk is what an error is about.
func isDisk(err error) bool {
	var path *fs.PathError
	return errors.As(err, &path) || errors.Is(err, errNotOurs)
}

// errNotOurs is about a folder that could not be had.
var errNotOurs = errors.New("the recorder has no folder")

// notOurs says why there is no folder.
func (r *recorder) notOurs() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Errorf("%w: %s", errNotOurs, r.problem)
}

// StartRecording implements the RecorderService.
func (s *service) StartRecording(ctx context.Context, q *recorderv1.StartRecordingRequest) (
	*recorderv1.StartRecordingResponse, error) {
	by, err := who(ctx, q.GetBy())
	if err != nil {
		return nil, err
	}
	if err := s.start(wish{wanted: true, by: by, token: access.TokenID(ctx), from: access.From(ctx),
		reason: whenAsked}); err != nil {
		return nil, failure(err)
	}
	return &recorderv1.StartRecordingResponse{State: s.now()}, nil
}

// start begins a recording that somebody wants. One that is being written goes on until they want it no more.
func (r *recorder) start(w wish) error {
	r.doing.Lock()
	defer r.doing.Unlock()
	defer r.tell()
	if r.owner == nil {
		return r.notOurs()
	}
	r.forgive()
	r.mu.Lock()
	before, current := r.wish, r.reel
	if before.wanted && before.until.IsZero() && before.reason != whenDriven {
		w = before // nothing new
	}
	r.wish = w
	r.mu.Unlock()
	if current != nil && current.Err() == nil {
		return nil
	}
	if current != nil {
		_, _ = r.end(current.Err().Error()) // it says so
	}
	err := r.begin(time.Now())
	if err != nil && !before.wanted {
		r.mu.Lock()
		r.wish = before // they are told, and can ask again
		r.mu.Unlock()
		r.fine()
	}
	r.poke()
	return err
}

// StopRecording implements the RecorderService.
func (s *service) StopRecording(ctx context.Context,
	_ *recorderv1.StopRecordingRequest) (*recorderv1.StopRecordingResponse,
	error) {
	by, err := who(ctx, "")
	if err != nil {
		return nil, err
	}
	one, err := s.stop(wish{by: by, token: access.TokenID(ctx), from: access.From(ctx), reason: whenAsked})
	if err != nil {
		return nil, failure(err)
	}
	return &recorderv1.StopRecordingResponse{Recording: one}, nil
}

// stop ends the recording, also the one of a drive that goes on.
func (r *recorder) stop(w wish) (*recorderv1.Recording, error) {
	r.doing.Lock()
	defer r.doing.Unlock()
	defer r.tell()
	r.forgive()
	r.mu.Lock()
	r.wish = w
	r.drives.declined = r.drives.driven()
	r.mu.Unlock()
	r.before = nil
	r.caughtUp()
	r.note()
	one, err := r.end(w.reason)
	r.fine()
	r.poke()
	return one, err
}

// AddMark implements the RecorderService.
func (s *service) AddMark(ctx context.Context, q *recorderv1.AddMarkRequest) (*recorderv1.AddMarkResponse, error) {
	by, err := who(ctx, q.GetBy())
	if err != nil {
		return nil, err
	}
	if n := len(q.GetText()); n < 1 || n > maxMark || !text.IsPrintable(q.GetText()) {
		return nil, status.Errorf(codes.InvalidArgument, "text: has %d bytes: use 1 to %d bytes of printable text", n,
			maxMark)
	}
	s.measure()
	mark, err := s.mark(q.GetText(), by)
	if err != nil {
		return nil, err
	}
	s.marked.Publish(mark)
	s.tell()
	return &recorderv1.AddMarkResponse{Mark: mark}, nil
}

// mark puts a mark on record.
func (r *recorder) mark(text, by string) (*recorderv1.Mark, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reel == nil {
		return nil, status.Error(codes.FailedPrecondition, r.unmarked())
	}
	now := time.Now()
	m := &recorderv1.Mark{Time: timestamppb.New(r.reel.Time(now)), Text: text, By: by}
	data, err := proto.Marshal(m)
	if err == nil {
		err = r.reel.Write(reel.Message{Channel: r.marksChannel, At: now, Data: data})
	}
	if err != nil {
		return nil, failure(err)
	}
	if len(r.session.marks) < maxMarks {
		r.session.marks = append(r.session.marks, m)
	}
	return m, nil
}

// unmarked says why there is nothing to be marked. r.mu is held.
func (r *recorder) unmarked() string {
	const nothing = "nothing is being recorded, so nothing can be marked: "
	return nothing + cmp.Or(r.problem, r.hindrance(), "start a recording first")
}

// GetRecorder implements the RecorderService.
func (s *service) GetRecorder(context.Context,
	*recorderv1.GetRecorderRequest) (*recorderv1.GetRecorderResponse, error) {
	return &recorderv1.GetRecorderResponse{State: s.now()}, nil
}

// WatchRecorder implements the RecorderService.
func (s *service) WatchRecorder(_ *recorderv1.WatchRecorderRequest,
	to grpc.ServerStreamingServer[recorderv1.WatchRecorderResponse]) error {
	return device.Watch(s.kit, to, s.states, s.now,
		func(state *recorderv1.RecorderState) *recorderv1.WatchRecorderResponse {
			return &recorderv1.WatchRecorderResponse{State: state}
		})
}

// ListRecordings implements the RecorderService.
func (s *service) ListRecordings(ctx context.Context, q *recorderv1.ListRecordingsRequest) (
	*recorderv1.ListRecordingsResponse, error) {
	n := int(q.GetPageSize())
	if n < 0 || n > maxPage {
		return nil, status.Errorf(codes.InvalidArgument, "page_size: %d is out of range: use 1 to %d, or 0 for %d", n,
			maxPage, defaultPage)
	}
	if n == 0 {
		n = defaultPage
	}
	leave, err := s.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	all, err := s.reader.List()
	if err != nil {
		return nil, failure(err)
	}
	if after := q.GetPageToken(); after != "" {
		if _, ok := folder.Parse(after); !ok {
			return nil, status.Error(codes.InvalidArgument, "page_token: is not one that was given")
		}
		begin := slices.IndexFunc(all, func(one *recorderv1.Recording) bool { return one.GetName() < after })
		if begin < 0 {
			begin = len(all)
		}
		all = all[begin:]
	}
	r := &recorderv1.ListRecordingsResponse{Recordings: all}
	if len(all) > n {
		r.Recordings, r.NextPageToken = all[:n], all[n-1].GetName()
	}
	return r, nil
}

// GetTimeline implements the RecorderService.
func (s *service) GetTimeline(ctx context.Context,
	q *recorderv1.GetTimelineRequest) (*recorderv1.GetTimelineResponse, error) {
	leave, err := s.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	r, err := s.library.Timeline(ctx, q)
	return r, failure(err)
}

// GetSegment implements the RecorderService.
func (s *service) GetSegment(ctx context.Context,
	q *recorderv1.GetSegmentRequest) (*recorderv1.GetSegmentResponse, error) {
	leave, err := s.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	r, err := s.library.Segment(ctx, q)
	return r, failure(err)
}

// ReadFile implements the RecorderService.
func (s *service) ReadFile(ctx context.Context, q *recorderv1.ReadFileRequest) (*recorderv1.ReadFileResponse, error) {
	n := int(q.GetMaxBytes())
	switch {
	case n < 0 || n > maxRead:
		return nil, status.Errorf(codes.InvalidArgument, "max_bytes: %d is out of range: use 1 to %d, or 0 for %d", n,
			maxRead, defaultRead)
	case n == 0:
		n = defaultRead
	}
	n = min(n, maxRead-maxHead) // fewer may be given
	path, err := s.reader.File(q.GetFile())
	if err != nil {
		return nil, failure(err)
	}
	if err := s.pace.WaitN(ctx, n); err != nil {
		return nil, status.FromContextError(cmp.Or(ctx.Err(), context.DeadlineExceeded)).Err() // it would be too late
	}
	leave, err := s.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	f, err := os.Open(path)
	if err != nil {
		return nil, failure(err)
	}
	defer func() { _ = f.Close() }() // only read
	about, err := f.Stat()
	if err != nil {
		return nil, failure(err)
	}
	if at := q.GetOffset(); at < 0 || at > about.Size() {
		return nil, status.Errorf(codes.OutOfRange, "offset: %d is not in the file, which has %d bytes", at, about.Size())
	}
	data := make([]byte, min(int64(n), about.Size()-q.GetOffset()))
	read, err := f.ReadAt(data, q.GetOffset())
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, failure(err)
	}
	return &recorderv1.ReadFileResponse{Data: data[:read], SizeBytes: about.Size()}, nil
}

// DeleteRecording implements the RecorderService.
func (s *service) DeleteRecording(ctx context.Context, q *recorderv1.DeleteRecordingRequest) (
	*recorderv1.DeleteRecordingResponse, error) {
	s.doing.Lock()
	owner := s.owner
	s.doing.Unlock()
	if owner == nil {
		return nil, failure(s.notOurs())
	}
	if err := owner.Delete(q.GetName()); err != nil {
		return nil, failure(err)
	}
	s.kit.Log.Info("a recording was deleted", "name", q.GetName(), "by", orUnknown(access.User(ctx)))
	s.kit.Audit.Write(audit.Event{Kind: audit.RecordingDeleted, Who: access.User(ctx), Token: access.TokenID(ctx),
		From: access.From(ctx), Device: s.kit.Address().Device, What: q.GetName(), Reason: whenAsked})
	s.poke()
	return &recorderv1.DeleteRecordingResponse{}, nil
}
