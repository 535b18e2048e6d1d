package feed_test

import (
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

func TestPrintable(t *testing.T) {
	for said, want := range map[string]string{
		"":                         "",
		"OBS 30.1":                 "OBS 30.1",
		"a\x1b[31mred\r\n\x00\x7f": "a[31mred",
		"caméra \u202e\xff":        "camra ",
		strings.Repeat("long", 40): strings.Repeat("long", 16),
		strings.Repeat("é", 100):   "",
	} {
		if got := feed.Printable(said); got != want {
			t.Errorf("%q becomes %q, want %q", said, got, want)
		}
	}
}
