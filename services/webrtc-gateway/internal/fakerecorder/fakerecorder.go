// Package fakerecorder is a recorder for tests: a device on the bus that has the recordings which a test gives it, and
// records nothing. It answers as a real one does.
package fakerecorder

import (
	"context"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/pkg/device"
)

// Recording is what it has of one recording.
type Recording struct {
	// Timeline tells what is in it.
	Timeline *recorderv1.GetTimelineResponse
	// Streams are the pieces of each stream, by device/stream.
	Streams map[string]Stream
	// Files are its files, by name.
	Files map[string][]byte
}

// Stream is a stream in pieces, in order of time.
type Stream struct {
	Codec          string
	Initialization []byte
	Pieces         []Piece
}

// Piece begins at an offset and is as long as until the next.
type Piece struct {
	Offset time.Duration
	Media  []byte
}

// Recorder is a running device.
type Recorder struct {
	recorderv1.UnimplementedRecorderServiceServer
	*device.Process

	mu         sync.Mutex
	recordings map[string]Recording
	state      *recorderv1.RecorderState
	marks      []*recorderv1.Mark
}

// Start starts a life of a device on a bus.
func Start(url, robot, name string, recordings map[string]Recording) (*Recorder, error) {
	r := &Recorder{recordings: recordings, state: &recorderv1.RecorderState{
		Phase: recorderv1.RecorderPhase_RECORDER_PHASE_IDLE, FreeBytes: 12_345_678_901}}
	kind := device.Kind[struct{}]{Name: "recorder", Version: "1.0.0",
		New: func(kit *device.Kit, _ struct{}) (device.Driver, error) {
			recorderv1.RegisterRecorderServiceServer(kit, r)
			return r, nil
		}}
	var err error
	r.Process, err = device.Start(kind, device.Settings{Robot: robot, Device: name, NATS: url}, struct{}{}, nil)
	return r, err
}

// Run implements [device.Driver].
func (r *Recorder) Run(ctx context.Context, ready func()) error {
	ready()
	<-ctx.Done()
	return nil
}

func (r *Recorder) find(name string) (Recording, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	found, ok := r.recordings[name]
	if !ok {
		return Recording{}, status.Errorf(codes.NotFound, "there is no recording %q", name)
	}
	return found, nil
}

// GetRecorder implements RecorderService.
func (r *Recorder) GetRecorder(
	context.Context, *recorderv1.GetRecorderRequest,
) (*recorderv1.GetRecorderResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return &recorderv1.GetRecorderResponse{State: r.state}, nil
}

// SetState makes it say that it does something.
func (r *Recorder) SetState(s *recorderv1.RecorderState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state = s
}

// StartRecording implements RecorderService.
func (r *Recorder) StartRecording(
	_ context.Context, q *recorderv1.StartRecordingRequest,
) (*recorderv1.StartRecordingResponse, error) {
	s := &recorderv1.RecorderState{Phase: recorderv1.RecorderPhase_RECORDER_PHASE_RECORDING, StartedBy: q.GetBy(),
		FreeBytes: 12_345_678_901,
		Recording: &recorderv1.Recording{Name: "now.mcap", StartTime: timestamppb.Now(), Open: true}}
	r.SetState(s)
	return &recorderv1.StartRecordingResponse{State: s}, nil
}

// StopRecording implements RecorderService.
func (r *Recorder) StopRecording(
	context.Context, *recorderv1.StopRecordingRequest,
) (*recorderv1.StopRecordingResponse, error) {
	r.SetState(&recorderv1.RecorderState{Phase: recorderv1.RecorderPhase_RECORDER_PHASE_IDLE, FreeBytes: 12_345_678_901})
	return &recorderv1.StopRecordingResponse{}, nil
}

// AddMark implements RecorderService.
func (r *Recorder) AddMark(_ context.Context, q *recorderv1.AddMarkRequest) (*recorderv1.AddMarkResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state.GetPhase() != recorderv1.RecorderPhase_RECORDER_PHASE_RECORDING {
		return nil, status.Error(codes.FailedPrecondition, "nothing is being recorded")
	}
	m := &recorderv1.Mark{Time: timestamppb.Now(), Text: q.GetText(), By: q.GetBy()}
	r.marks = append(r.marks, m)
	return &recorderv1.AddMarkResponse{Mark: m}, nil
}

// ListRecordings implements RecorderService.
func (r *Recorder) ListRecordings(
	context.Context, *recorderv1.ListRecordingsRequest,
) (*recorderv1.ListRecordingsResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all recorderv1.ListRecordingsResponse
	for _, found := range r.recordings {
		all.Recordings = append(all.Recordings, found.Timeline.GetRecording())
	}
	slices.SortFunc(all.GetRecordings(), func(a, b *recorderv1.Recording) int {
		return b.GetStartTime().AsTime().Compare(a.GetStartTime().AsTime())
	})
	return &all, nil
}

// GetTimeline implements RecorderService.
func (r *Recorder) GetTimeline(
	_ context.Context, q *recorderv1.GetTimelineRequest,
) (*recorderv1.GetTimelineResponse, error) {
	found, err := r.find(q.GetName())
	return found.Timeline, err
}

// GetSegment implements RecorderService.
func (r *Recorder) GetSegment(
	_ context.Context, q *recorderv1.GetSegmentRequest,
) (*recorderv1.GetSegmentResponse, error) {
	found, err := r.find(q.GetName())
	if err != nil {
		return nil, err
	}
	stream, ok := found.Streams[q.GetDevice()+"/"+q.GetStream()]
	if !ok {
		return nil, status.Errorf(codes.NotFound, "%s has no stream %s/%s", q.GetName(), q.GetDevice(), q.GetStream())
	}
	answer := &recorderv1.GetSegmentResponse{Codec: stream.Codec, Offset: q.GetOffset()}
	if q.GetOffset().AsDuration() >= found.Timeline.GetRecording().GetDuration().AsDuration() {
		return answer, nil
	}
	i := 0
	for i+1 < len(stream.Pieces) && stream.Pieces[i+1].Offset <= q.GetOffset().AsDuration() {
		i++
	}
	answer.Media, answer.Offset = stream.Pieces[i].Media, durationpb.New(stream.Pieces[i].Offset)
	if i+1 < len(stream.Pieces) {
		answer.Next = durationpb.New(stream.Pieces[i+1].Offset)
	}
	if q.GetInitialization() {
		answer.Initialization = stream.Initialization
	}
	return answer, nil
}

// ReadFile implements RecorderService.
func (r *Recorder) ReadFile(_ context.Context, q *recorderv1.ReadFileRequest) (*recorderv1.ReadFileResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, found := range r.recordings {
		file, ok := found.Files[q.GetFile()]
		switch size := int64(len(file)); {
		case !ok:
			continue
		case q.GetOffset() > size:
			return nil, status.Errorf(codes.OutOfRange, "%s has %d bytes", q.GetFile(), size)
		default:
			end := min(q.GetOffset()+int64(q.GetMaxBytes()), size)
			return &recorderv1.ReadFileResponse{Data: file[q.GetOffset():end], SizeBytes: size}, nil
		}
	}
	return nil, status.Errorf(codes.NotFound, "there is no file %q", q.GetFile())
}

// DeleteRecording implements RecorderService.
func (r *Recorder) DeleteRecording(
	_ context.Context, q *recorderv1.DeleteRecordingRequest,
) (*recorderv1.DeleteRecordingResponse, error) {
	if _, err := r.find(q.GetName()); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.recordings, q.GetName())
	return &recorderv1.DeleteRecordingResponse{}, nil
}
