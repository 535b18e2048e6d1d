package recorder

import (
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/recording/folder"
)

// TestUnmarked: what is said to somebody who marks while nothing is recorded.
func TestUnmarked(t *testing.T) {
	const free = 1 << 30
	for _, tt := range []struct {
		what    string
		free    int64
		full    string
		problem string
		says    string
	}{
		{"there is room", free + leastRoom, fullStop, "", "start a recording first"},
		{"it is not known", -1, fullStop, "", "start a recording first"},
		{"old recordings make room", 0, fullDelete, "", "start a recording first"},
		{"too little room", free + leastRoom - 1, fullStop, "", "delete recordings"},
		{"no room", 0, fullStop, "", "delete recordings"},
		{"another problem", free + leastRoom, fullStop, "the disk burns", "the disk burns"},
	} {
		r := &recorder{reader: folder.New(t.TempDir()), free: tt.free, problem: tt.problem,
			config: Config{Keep: Keep{Free: free, Full: tt.full}}}
		if got := r.unmarked(); !strings.HasPrefix(got, "nothing is being recorded, so nothing can be marked: ") ||
			!strings.Contains(got, tt.says) {
			t.Errorf("%s: %q", tt.what, got)
		}
	}
}
