package timeline_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
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

// TestSilenceWithNumbers: one outage is one gap, whatever tells of it, and others of the device are others.
func TestSilenceWithNumbers(t *testing.T) {
	s := newScript(t)
	rx := func(at int, sequence int64) { s.count(at, "rx", sequence, &serialv1.SerialMessage{}) }
	s.play([]span{{0, 20, 1}}, []span{{0, 20, 0}})
	rx(20, 300)
	rx(21, 302)
	s.play([]span{{30, 40, 1}}, []span{{22, 46, 0}})
	rx(46, 303)
	s.play([]span{{150, 150, 1}}, nil)
	rx(150, 446)
	s.play([]span{{160, 170, 1}}, []span{{152, 170, 0}})
	rx(170, 447)
	rx(171, 449)
	s.play([]span{{180, 200, 1}}, []span{{172, 200, 0}})
	s.wants(t, []*read.File{s.done()}, []string{
		"GAP 2s 2.1s motors: 1 message of rx was not recorded (1)",
		"GAP 4.6s 15s motors: nothing was recorded: the device was not heard; 142 messages of rx were not recorded (142)",
		"GAP 17s 17.1s motors: 1 message of rx was not recorded (1)",
	})
}

// TestNumbersOfFiles: what is missing between two files is told as in one, unless the time between them is told.
func TestNumbersOfFiles(t *testing.T) {
	resumed := map[string]string{write.Resumed: "true"}
	for name, tt := range map[string]struct {
		about map[string]string
		at    int   // when the second file begins
		next  int64 // its first number
		want  []string
	}{
		"nothing is missing": {nil, 2, 403, nil},
		"some are missing": {nil, 2, 406, []string{
			"GAP 100ms 200ms motors: 3 messages of rx were not recorded (3)"}},
		"the device was restarted": {nil, 2, 1, nil},
		"the recorder was restarted": {resumed, 2, 406, []string{
			"GAP 100ms 200ms : nothing was recorded: the recorder had ended, and was started again (1)"}},
		"nothing was recorded": {nil, 50, 406, []string{"GAP 100ms 5s : nothing was recorded between two files (1)"}},
	} {
		t.Run(name, func(t *testing.T) {
			first, second := newScript(t), newScriptOf(t, tt.about)
			first.count(0, "rx", 401, &serialv1.SerialMessage{})
			first.count(1, "rx", 402, &serialv1.SerialMessage{})
			second.count(tt.at, "rx", tt.next, &serialv1.SerialMessage{})
			second.count(tt.at+1, "rx", tt.next+1, &serialv1.SerialMessage{})
			first.wants(t, []*read.File{first.done(), second.done()}, tt.want)
		})
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
