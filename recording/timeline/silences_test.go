package timeline_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/read"
	"github.com/waldo-robot/waldo/recording/timeline"
	"github.com/waldo-robot/waldo/recording/write"
)

// holders is a state of motors with so many readers of its streams control, which is recorded, and small, which is not.
func holders(control int32) *devicev1.Device {
	const out = devicev1.StreamDirection_STREAM_DIRECTION_OUT
	return &devicev1.Device{Name: "motors", Streams: []*devicev1.StreamInfo{
		{Name: "control", Direction: out, HolderCount: control}, {Name: "small", Direction: out},
		{Name: "speaker", Direction: devicev1.StreamDirection_STREAM_DIRECTION_IN},
	}}
}

// span is a time, in tenths of a second, in which a device says something.
type span struct{ from, to, holders int }

// play says states of motors every second of some times, and five times a second of others who drives.
func (s *script) play(states, drives []span) {
	s.t.Helper()
	for at := range 201 {
		for _, one := range states {
			if at >= one.from && at <= one.to && (at-one.from)%10 == 0 {
				s.say(at, "motors", "", recording.State, holders(int32(one.holders)))
			}
		}
		for _, one := range drives {
			if at >= one.from && at <= one.to && (at-one.from)%2 == 0 {
				s.say(at, "motors", "control", recording.Out, held(""))
			}
		}
	}
}

// TestSilences: when nothing can have come, which no numbers tell.
func TestSilences(t *testing.T) {
	const silent, unheld = " motors: nothing was recorded: the device was not heard (1)",
		" motors: nothing of control was recorded: nobody held it (1)"
	for _, tt := range []struct {
		name           string
		states, drives []span
		want           []string
	}{
		{"a bus that was away", []span{{0, 40, 1}, {150, 200, 1}}, []span{{0, 46, 0}, {152, 200, 0}},
			[]string{"GAP 4.6s 15s" + silent}},
		{"a device that did not come back", []span{{0, 40, 1}}, []span{{0, 40, 0}}, []string{"GAP 4s 20s" + silent}},
		{"states that came late, beside messages", []span{{0, 40, 1}, {150, 200, 1}}, []span{{0, 200, 0}}, nil},
		{"a state that is missing", []span{{0, 40, 1}, {60, 200, 1}}, []span{{0, 10, 0}}, nil},
		{"a stream that nobody held", []span{{0, 40, 1}, {45, 95, 0}, {97, 200, 1}}, []span{{0, 41, 0}, {98, 200, 0}},
			[]string{"GAP 4.5s 9.7s" + unheld}},
		{"a stream that nobody held any more", []span{{0, 40, 1}, {50, 200, 0}}, []span{{0, 40, 0}},
			[]string{"GAP 5s 20s" + unheld}},
		{"a stream of a device that does not count who holds it", []span{{0, 200, 0}}, []span{{0, 200, 0}}, nil},
		{"a stream that is not recorded", []span{{0, 200, 0}}, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScript(t)
			s.play(tt.states, tt.drives)
			s.say(200, "recorder", "recorder", recording.Out, &recorderv1.RecorderState{})
			s.wants(t, []*read.File{s.done()}, tt.want)
		})
	}
}

// wants compares what happened with what is wanted.
func (s *script) wants(t *testing.T, files []*read.File, want []string) {
	t.Helper()
	events, leftOut, err := timeline.Events(context.Background(), files)
	if err != nil || leftOut != 0 {
		t.Fatal(leftOut, err)
	}
	var got []string
	for _, e := range events {
		got = append(got, text(e))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestSilenceOfFiles: a silence goes on in the next file, and the time between two processes of the recorder is none.
func TestSilenceOfFiles(t *testing.T) {
	for _, tt := range []struct {
		name  string
		about map[string]string
		want  []string
	}{
		{"the next file", nil, []string{"GAP 1s 5s motors: nothing was recorded: the device was not heard (1)"}},
		{"another process", map[string]string{write.Resumed: "true"}, []string{
			"GAP 3s 3.1s : nothing was recorded: the recorder had ended, and was started again (1)",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			first, second := newScript(t), newScriptOf(t, tt.about)
			first.play([]span{{0, 10, 1}}, nil)
			first.say(30, "recorder", "recorder", recording.Out, &recorderv1.RecorderState{})
			second.say(31, "recorder", "recorder", recording.Out, &recorderv1.RecorderState{})
			second.play([]span{{50, 60, 1}}, nil)
			first.wants(t, []*read.File{first.done(), second.done()}, tt.want)
		})
	}
}
