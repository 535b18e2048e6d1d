package timeline_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	workv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/work/v1"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/read"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/segment"
	"github.com/waldo-robot/waldo/recording/timeline"
	"github.com/waldo-robot/waldo/recording/write"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script writes a recording from what happened at which tenth of a second.
type script struct {
	t        *testing.T
	file     *write.File
	path     string
	channels map[string]write.Channel
}

func newScript(t *testing.T) *script {
	t.Helper()
	return newScriptOf(t, nil)
}

// newScriptOf says something about the recording.
func newScriptOf(t *testing.T, about map[string]string) *script {
	t.Helper()
	path := filepath.Join(t.TempDir(), "drive.mcap")
	f, err := write.Create(path, write.Head{Metadata: about}, write.Config{ChunkBytes: 2000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Abandon)
	return &script{t, f, path, map[string]write.Channel{}}
}

func moment(tenths int) time.Time {
	return recordingtest.Begin.Add(time.Duration(tenths) * time.Second / 10)
}

// say writes a message of a device's stream.
func (s *script) say(tenths int, device, stream string, direction recording.Direction, m proto.Message) {
	s.t.Helper()
	c := recording.Channel{Device: device, Kind: "serial", Stream: stream, Direction: direction,
		Type: string(m.ProtoReflect().Descriptor().FullName()), Files: recordingtest.Files(m)}
	data, err := proto.Marshal(m)
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(c, write.Message{Logged: moment(tenths), Data: data})
}

// count writes a message of the motors that says only its number.
func (s *script) count(tenths int, stream string, sequence int64, m proto.Message) {
	s.t.Helper()
	s.write(recording.Channel{Device: "motors", Kind: "serial", Stream: stream, Direction: recording.Out,
		Type: string(m.ProtoReflect().Descriptor().FullName()), Files: recordingtest.Files(m)},
		write.Message{Logged: moment(tenths), Sequence: uint32(sequence)})
}

func (s *script) write(c recording.Channel, m write.Message) {
	s.t.Helper()
	channel, known := s.channels[c.Name()]
	if !known {
		var err error
		if channel, err = s.file.Add(c); err != nil {
			s.t.Fatal(err)
		}
		s.channels[c.Name()] = channel
	}
	if err := s.file.Write(channel, m); err != nil {
		s.t.Fatal(err)
	}
}

func (s *script) done() *read.File {
	s.t.Helper()
	if err := s.file.Close(); err != nil {
		s.t.Fatal(err)
	}
	f, err := read.Open(s.path)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = f.Close() })
	return f
}

func held(by string) *controlv1.ControlState { return &controlv1.ControlState{Epoch: 1, Holder: by} }

func stopped(id int64) *controlv1.ControlState {
	return &controlv1.ControlState{Epoch: 1, EStop: &controlv1.EStop{Id: id, By: "bert", Reason: "lunch"}}
}

func judged(v controlv1.CommandVerdict) *controlv1.CommandRecord {
	return &controlv1.CommandRecord{Epoch: 1, Holder: "anna", Report: &controlv1.CommandReport{Verdict: v}}
}

func device(s devicev1.DeviceState) *devicev1.Device {
	return &devicev1.Device{Name: "motors", State: s, StateReason: "unplugged"}
}

// text writes an event down: kind, from, to, device, text, count.
func text(e timeline.Event) string {
	end := "-"
	if !e.End.IsZero() {
		end = fmt.Sprint(e.End.Sub(recordingtest.Begin))
	}
	kind := strings.TrimPrefix(e.Kind.String(), "TIMELINE_EVENT_KIND_")
	return fmt.Sprintf("%s %v %s %s: %s (%d)", kind, e.Begin.Sub(recordingtest.Begin), end, e.Device, e.Text, e.Count)
}

// TestEvents: each sort of event, by what tells of it.
func TestEvents(t *testing.T) {
	const accepted, expired = controlv1.CommandVerdict_COMMAND_VERDICT_ACCEPTED,
		controlv1.CommandVerdict_COMMAND_VERDICT_EXPIRED
	for _, tt := range []struct {
		name string
		play func(s *script)
		want []string
	}{
		{"a mark", func(s *script) {
			s.say(0, "recorder", "marks", recording.Out, &recorderv1.Mark{Text: "a\x1bb", By: "anna"})
			s.say(5, "recorder", "marks", recording.Out, &recorderv1.Mark{Text: "two"})
		}, []string{`MARK 0s - : a\u001bb (anna) (1)`, "MARK 500ms - : two (1)"}},
		{"drives", func(s *script) {
			for i, by := range []string{"", "anna", "anna", "bert", "", "bert"} {
				s.say(i, "motors", "control", recording.Out, held(by))
			}
		}, []string{
			"DRIVE 100ms 300ms motors: anna (1)", "DRIVE 300ms 400ms motors: bert (1)", "DRIVE 500ms 500ms motors: bert (1)",
		}},
		{"an e-stop, and another", func(s *script) {
			for i, id := range []int64{4, 4, 5} {
				s.say(i, "motors", "control", recording.Out, stopped(id))
			}
			s.say(3, "motors", "control", recording.Out, held(""))
		}, []string{"E_STOP 0s 200ms motors: bert: lunch (1)", "E_STOP 200ms 300ms motors: bert: lunch (1)"}},
		{"refused commands", func(s *script) {
			for _, i := range []int{0, 1, 2, 30} {
				s.say(i, "motors", "commands", recording.Out, judged(expired))
			}
			s.say(31, "motors", "commands", recording.Out, judged(accepted))
		}, []string{
			"REFUSED 0s 200ms motors: anna: it came too late (3)", "REFUSED 3s - motors: anna: it came too late (1)",
		}},
		{"a device that was away", func(s *script) {
			s.say(0, "motors", "", recording.State, device(devicev1.DeviceState_DEVICE_STATE_AWAY))
			s.say(4, "motors", "", recording.State, device(devicev1.DeviceState_DEVICE_STATE_READY))
			s.say(9, "motors", "", recording.State, device(devicev1.DeviceState_DEVICE_STATE_AWAY))
			s.say(10, "front", "", recording.State, device(devicev1.DeviceState_DEVICE_STATE_READY))
		}, []string{"AWAY 0s 400ms motors: unplugged (1)", "AWAY 900ms 1s motors: unplugged (1)"}},
		{"pictures that were lost", func(s *script) {
			for n := range 90 {
				if n < 40 || n > 47 && n != 50 {
					s.write(recordingtest.Video("front"), recordingtest.Picture(n, 100))
				}
			}
		}, []string{"GAP 1.3s 1.7s front: 9 pictures of video were not recorded (9)"}},
		{"one of each that was lost", func(s *script) {
			for n := range 9 {
				if n != 4 {
					s.write(recordingtest.Video("front"), recordingtest.Picture(n, 100))
				}
			}
			for n := range 9 {
				if n != 4 {
					s.write(recordingtest.Sound("voice"), recordingtest.AudioMessage(n, moment(20+n), 1, []byte("x")))
				}
			}
			for i, lost := range []int64{0, 1} {
				s.say(50+i, "recorder", "recorder", recording.Out, &recorderv1.RecorderState{Epoch: 1, LostCount: lost})
			}
		}, []string{
			"GAP 100ms 166.666666ms front: 1 picture of video was not recorded (1)",
			"GAP 2.32s 2.52s voice: 1 piece of sound of audio was not recorded (1)",
			"GAP 5s 5.1s recorder: 1 message was lost: the disk, or the recorder, was too slow (1)",
		}},
		{"a camera that was restarted", func(s *script) {
			for n := range 60 {
				m := recordingtest.Picture(n, 100)
				m.Sequence %= 25
				s.write(recordingtest.Video("front"), m)
			}
		}, nil},
		{"what a recorder lost", func(s *script) {
			for i, lost := range []int64{0, 7, 7, 9} {
				s.say(i, "recorder", "recorder", recording.Out, &recorderv1.RecorderState{Epoch: 1, LostCount: lost})
			}
		}, []string{
			"GAP 0s 100ms recorder: 7 messages were lost: the disk, or the recorder, was too slow (7)",
			"GAP 200ms 300ms recorder: 2 messages were lost: the disk, or the recorder, was too slow (2)",
		}},
		{"what a recorder lost, as numbers show", func(s *script) {
			for n := range 90 {
				if n < 40 || n > 47 {
					s.write(recordingtest.Video("front"), recordingtest.Picture(n, 100))
				}
				if lost, told := map[int]int64{30: 0, 60: 8}[n]; told {
					s.say(n/3, "recorder", "recorder", recording.Out, &recorderv1.RecorderState{Epoch: 1, LostCount: lost})
				}
			}
		}, []string{"GAP 1.3s 1.6s front: 8 pictures of video were not recorded (8)"}},
		{"what a recorder lost besides", func(s *script) {
			for n := range 150 {
				if n < 40 || n > 47 {
					s.write(recordingtest.Video("front"), recordingtest.Picture(n, 100))
				}
				if lost, told := map[int]int64{30: 0, 60: 11, 90: 11, 120: 13}[n]; told {
					s.say(n/3, "recorder", "recorder", recording.Out, &recorderv1.RecorderState{Epoch: 1, LostCount: lost})
				}
			}
		}, []string{
			"GAP 1s 2s recorder: 3 more messages were lost: the disk, or the recorder, was too slow (3)",
			"GAP 1.3s 1.6s front: 8 pictures of video were not recorded (8)",
			"GAP 3s 4s recorder: 2 messages were lost: the disk, or the recorder, was too slow (2)",
		}},
		{"messages of a board that were lost", func(s *script) {
			for i, n := range []int64{401, 402, 545, 546} {
				s.count(i, "rx", n, &serialv1.SerialMessage{})
			}
		}, []string{"GAP 100ms 200ms motors: 142 messages of rx were not recorded (142)"}},
		{"results of some pictures, which a worker skips on purpose", func(s *script) {
			for i, n := range []int64{1, 30, 60} {
				s.count(i, "results", n, &workv1.Result{})
			}
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScript(t)
			tt.play(s)
			s.wants(t, []*read.File{s.done()}, tt.want)
		})
	}
}

// TestTwoFiles: what goes on in the next file is one event, and a hole between them is told.
func TestTwoFiles(t *testing.T) {
	first, second := newScript(t), newScript(t)
	first.say(0, "motors", "control", recording.Out, held("anna"))
	first.say(10, "motors", "control", recording.Out, held("anna"))
	second.say(50, "motors", "control", recording.Out, held("anna"))
	second.say(60, "motors", "control", recording.Out, held(""))
	events, _, err := timeline.Events(context.Background(), []*read.File{first.done(), second.done()})
	if err != nil || len(events) != 2 {
		t.Fatalf("%v, %v", events, err)
	}
	for i, want := range []string{
		"DRIVE 0s 6s motors: anna (1)", "GAP 1s 5s : nothing was recorded between two files (1)",
	} {
		if got := text(events[i]); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestResumed: a recorder that was ended and started again leaves a gap, however short.
func TestResumed(t *testing.T) {
	first, second := newScript(t), newScriptOf(t, map[string]string{write.Resumed: "true"})
	first.say(10, "motors", "control", recording.Out, held(""))
	second.say(11, "motors", "control", recording.Out, held(""))
	events, _, err := timeline.Events(context.Background(), []*read.File{first.done(), second.done()})
	if err != nil || len(events) != 1 || events[0].Kind != recorderv1.TimelineEventKind_TIMELINE_EVENT_KIND_GAP ||
		!events[0].Begin.Equal(moment(10)) || !events[0].End.Equal(moment(11)) {
		t.Errorf("%v, %v", events, err)
	}
}

// TestTooMany: of too many events the important ones are kept, and the others are counted.
func TestTooMany(t *testing.T) {
	s := newScript(t)
	const n = timeline.MaxEvents + 50
	for i := range n {
		s.say(20*i, "motors", "commands", recording.Out, judged(controlv1.CommandVerdict_COMMAND_VERDICT_BLIND))
	}
	s.say(20*n, "recorder", "marks", recording.Out, &recorderv1.Mark{Text: "the end"})
	events, leftOut, err := timeline.Events(context.Background(), []*read.File{s.done()})
	if err != nil || len(events) != timeline.MaxEvents || leftOut != 51 {
		t.Fatalf("%d events, %d left out, %v", len(events), leftOut, err)
	}
	if last := text(events[len(events)-1]); !strings.Contains(last, "the end") {
		t.Errorf("the last one is %s", last)
	}
	if p := timeline.Proto(events[:1],
		recordingtest.Begin.Add(-time.Second)); p[0].GetOffset().AsDuration() != time.Second {
		t.Errorf("%v", p)
	}
}

// TestStreams: what there is, with its media type and codec.
func TestStreams(t *testing.T) {
	s := newScript(t)
	for n, unit := range recordingtest.Clip(t, "320x240", "0.2", "30") {
		m := recordingtest.Picture(n, 0)
		m = recordingtest.VideoMessage(n, m.Published, recordingtest.H264(320, 240), n == 0, unit)
		s.write(recordingtest.Video("front"), m)
	}
	s.say(9, "motors", "", recording.State, device(devicev1.DeviceState_DEVICE_STATE_READY))
	s.say(9, "motors", "speaker", recording.In, held(""))
	f := s.done()
	streams, err := timeline.Streams(context.Background(), []*read.File{f}, segment.New([]*read.File{f}))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range streams {
		got = append(got, fmt.Sprintf("%s/%s %s %s %s %d", s.GetDevice(), s.GetStream(), s.GetMessageType(), s.GetMediaType(),
			s.GetCodec(), s.GetMessageCount()))
	}
	if want := []string{
		"front/video waldo.media.v1.VideoFrame video/H264 avc1.42c00d 6", "motors/ waldo.device.v1.Device   1",
		"motors/in/speaker waldo.control.v1.ControlState   1",
	}; !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}
