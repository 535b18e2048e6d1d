package replay

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
)

// TestBehind: pictures wait for sound as long as it is heard later, and as much longer as it was recorded later.
func TestBehind(t *testing.T) {
	const ms = time.Millisecond
	for name, tt := range map[string]struct {
		picture, sound time.Duration // after their capture
		silent         bool
		want           time.Duration
	}{
		"as late as one another":          {picture: 20 * ms, sound: 20 * ms, want: heardAfter},
		"sound late":                      {picture: 5 * ms, sound: 21 * ms, want: heardAfter + 16*ms},
		"pictures a little late":          {picture: 30 * ms, sound: 20 * ms, want: heardAfter - 10*ms},
		"pictures later than sound":       {picture: 300 * ms, sound: 20 * ms, want: 0},
		"sound very late":                 {picture: 0, sound: 900 * ms, want: mostBehind},
		"clock of the sound ahead":        {picture: 20 * ms, sound: -time.Hour, want: heardAfter},
		"clock of the pictures is behind": {picture: time.Hour, sound: 20 * ms, want: heardAfter},
		"no sound":                        {picture: 5 * ms, silent: true, want: 0},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "av.mcap")
			recordBoth(t, path, tt.picture, tt.sound, tt.silent)
			d, err := find([]string{path}, "front")
			if err != nil {
				t.Fatal(err)
			}
			if got := d.behind(d.Channels[0]); got != tt.want {
				t.Errorf("pictures come %v late, want %v", got, tt.want)
			}
			if err := d.recording.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// recordBoth records a second of pictures, and of sound unless it is silent, which are logged so long after their
// capture.
func recordBoth(t *testing.T, path string, picture, sound time.Duration, silent bool) {
	t.Helper()
	f, err := write.Create(path, write.Head{}, write.Config{})
	if err != nil {
		t.Fatal(err)
	}
	type message struct {
		write.Message
		to write.Channel
	}
	var all []message
	put := func(to write.Channel, m write.Message, late time.Duration) {
		m.Logged = m.Published.Add(late)
		all = append(all, message{m, to})
	}
	front := recordingtest.Add(t, f, recordingtest.Video("front"))
	for n := range 30 {
		at := recordingtest.Begin.Add(time.Duration(n) * time.Second / 30)
		put(front, recordingtest.VideoMessage(n, at, recordingtest.H264(64, 64), n == 0, []byte{1}), picture)
	}
	if !silent {
		voice := recordingtest.Add(t, f, recordingtest.Sound("voice"))
		for n := range 50 {
			at := recordingtest.Begin.Add(time.Duration(n) * 20 * time.Millisecond)
			put(voice, recordingtest.AudioMessage(n, at, 1, []byte{0xf8}), sound)
		}
	}
	slices.SortStableFunc(all, func(a, b message) int { return a.Logged.Compare(b.Logged) })
	for _, m := range all {
		if err := f.Write(m.to, m.Message); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
