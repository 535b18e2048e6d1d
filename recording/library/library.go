// Package library answers what is asked about the recordings of a folder: what happened in them, and pieces of them to
// play.
//
// A [Library] keeps the few recordings open that were used last, with what it found out about them. A recording that is
// being written is looked at again when it has grown, at most every few seconds.
//
// Everything is safe for concurrent use. [Library.Close] does not wait: what is in use is closed after its last use.
package library

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/recording/mp4"
	"github.com/waldo-robot/waldo/recording/read"
	"github.com/waldo-robot/waldo/recording/segment"
	"github.com/waldo-robot/waldo/recording/timeline"
)

// Folder finds recordings, as folder.Folder does.
type Folder interface {
	// Find returns a recording by its name.
	Find(name string) (*recorderv1.Recording, error)
	// File returns the path of one of its files.
	File(name string) (string, error)
}

const (
	// maxOpen is how many recordings stay open.
	maxOpen = 4
	// stale is for how long a recording that grows is not looked at again.
	stale = 3 * time.Second
)

// ErrDamaged is about a recording that cannot be read.
var ErrDamaged = errors.New("the recording cannot be read")

// Codes are the gRPC codes of errors, but for those of the folder.
func Codes() map[error]codes.Code {
	return map[error]codes.Code{
		ErrDamaged: codes.DataLoss, segment.ErrNoStream: codes.NotFound, mp4.ErrUnsupported: codes.FailedPrecondition,
	}
}

// Library answers about recordings.
type Library struct {
	folder Folder

	mu     sync.Mutex
	open   []*opened // the one that was used last is the last
	closed bool
}

// New returns a library of a folder.
func New(folder Folder) *Library { return &Library{folder: folder} }

// opened is a recording that is open.
type opened struct {
	name      string
	signature string // of its files: it changes when they do
	growing   bool
	since     time.Time
	files     []*read.File
	source    *segment.Source
	users     int
	dropped   bool // to be closed after the last use

	mu     sync.Mutex // held while the timeline is made
	events *events
}

type events struct {
	streams []*recorderv1.RecordedStream
	events  []*recorderv1.TimelineEvent
	leftOut int64
}

// Timeline answers GetTimeline.
func (l *Library) Timeline(ctx context.Context,
	r *recorderv1.GetTimelineRequest) (*recorderv1.GetTimelineResponse, error) {
	about, err := l.folder.Find(r.GetName())
	if err != nil {
		return nil, err
	}
	o, err := l.use(about)
	if err != nil {
		return nil, err
	}
	defer l.release(o)
	found, err := o.timeline(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if about.GetOpen() && o.growing { // as long as the pieces are that can be had
		about.Duration = durationpb.New(o.source.End().Sub(o.source.Begin()))
	}
	return &recorderv1.GetTimelineResponse{
		Recording: about, Streams: found.streams, Events: found.events, LeftOutCount: found.leftOut,
	}, nil
}

func (o *opened) timeline(ctx context.Context) (*events, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.events != nil {
		return o.events, nil
	}
	all, leftOut, err := timeline.Events(ctx, o.files)
	if err != nil {
		return nil, err
	}
	if o.growing { // its end is no gap
		all = slices.DeleteFunc(all, func(e timeline.Event) bool {
			return e.Kind == recorderv1.TimelineEventKind_TIMELINE_EVENT_KIND_GAP && e.End.IsZero() &&
				!e.Begin.Before(o.source.End())
		})
	}
	streams, err := timeline.Streams(ctx, o.files, o.source)
	if err != nil {
		return nil, err
	}
	o.events = &events{streams, timeline.Proto(all, o.source.Begin()), leftOut}
	return o.events, nil
}

// Segment answers GetSegment.
func (l *Library) Segment(ctx context.Context,
	r *recorderv1.GetSegmentRequest) (*recorderv1.GetSegmentResponse, error) {
	about, err := l.folder.Find(r.GetName())
	if err != nil {
		return nil, err
	}
	o, err := l.use(about)
	if err != nil {
		return nil, err
	}
	defer l.release(o)
	p, err := o.source.Piece(ctx, r.GetDevice(), r.GetStream(), r.GetOffset().AsDuration(), r.GetInitialization())
	if err != nil {
		return nil, err
	}
	answer := &recorderv1.GetSegmentResponse{
		Initialization: p.Init, Media: p.Media, Offset: durationpb.New(p.Offset), Codec: p.Codec,
	}
	if p.Next > 0 {
		answer.Next = durationpb.New(p.Next)
	}
	return answer, nil
}

// use opens a recording, or returns it if it is open.
func (l *Library) use(about *recorderv1.Recording) (*opened, error) {
	paths := make([]string, len(about.GetFiles()))
	for i, name := range about.GetFiles() {
		var err error
		if paths[i], err = l.folder.File(name); err != nil {
			return nil, err
		}
	}
	signature, err := sign(paths)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errors.New("the recorder is being stopped")
	}
	if o := l.find(about, signature); o != nil {
		o.users++
		return o, nil
	}
	o, err := load(paths)
	if err != nil {
		return nil, err
	}
	o.name, o.signature, o.growing, o.since, o.users = about.GetName(), signature, about.GetOpen(), time.Now(), 1
	l.open = append(l.open, o)
	if len(l.open) > maxOpen {
		l.open[0].drop()
		l.open = l.open[1:]
	}
	return o, nil
}

// find returns a recording that is open, as it is now, or nil. l.mu is held.
func (l *Library) find(about *recorderv1.Recording, signature string) *opened {
	for i, o := range l.open {
		if o.name != about.GetName() {
			continue
		}
		l.open = append(l.open[:i:i], l.open[i+1:]...)
		if o.signature != signature && (!o.growing || !about.GetOpen() || time.Since(o.since) >= stale) {
			o.drop()
			return nil
		}
		l.open = append(l.open, o)
		return o
	}
	return nil
}

// sign returns what changes when a file does.
func sign(paths []string) (string, error) {
	var s strings.Builder
	for _, p := range paths {
		about, err := os.Stat(p)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&s, "%s %d %d\n", p, about.Size(), about.ModTime().UnixNano())
	}
	return s.String(), nil
}

// load opens the files of a recording. One that cannot be read is left out if there are others.
func load(paths []string) (*opened, error) {
	o := &opened{}
	var failed error
	for _, p := range paths {
		f, err := read.Open(p)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		o.files = append(o.files, f)
	}
	if len(o.files) == 0 {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, failed)
	}
	o.source = segment.New(o.files)
	return o, nil
}

// release ends a use.
func (l *Library) release(o *opened) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if o.users--; o.users == 0 && o.dropped {
		o.close()
	}
}

// drop closes a recording after its last use. The library's lock is held.
func (o *opened) drop() {
	o.dropped = true
	if o.users == 0 {
		o.close()
	}
}

func (o *opened) close() {
	for _, f := range o.files {
		_ = f.Close() // nothing was written
	}
}

// Close closes the recordings.
func (l *Library) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range l.open {
		o.drop()
	}
	l.open, l.closed = nil, true
}
