package player

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/recording/play"
)

// keptFiles are files of a process before, by what is wrong with them. They were written 110 s after the machine was
// started, at 20 s of a minute.
var keptFiles = map[string]string{
	"":                  keptFile(`"Jump":3,"Playing":true,"Offset":20e9,"At":100e9,"Speed":2,"Duration":60e9`, 110),
	"empty":             "",
	"no JSON":           "{",
	"of another type":   "[]",
	"no clock":          `{"boot":"b","files":["a"],"written":110000000000,"clock":null}`,
	"no speed":          keptFile(`"Offset":20e9,"At":100e9,"Duration":60e9`, 110),
	"too fast":          keptFile(`"Offset":20e9,"At":100e9,"Speed":1e300,"Duration":60e9`, 110),
	"no number":         keptFile(`"Offset":20e9,"At":100e9,"Speed":NaN,"Duration":60e9`, 110),
	"another recording": keptFile(`"Offset":20e9,"At":100e9,"Speed":2,"Duration":61e9`, 110),
	"before it begins":  keptFile(`"Offset":-1,"At":100e9,"Speed":2,"Duration":60e9`, 110),
	"beyond its end":    keptFile(`"Offset":61e9,"At":100e9,"Speed":2,"Duration":60e9`, 110),
	"of the future":     keptFile(`"Playing":true,"Offset":20e9,"At":9e18,"Speed":2,"Duration":60e9`, 110),
	"before the start":  keptFile(`"Playing":true,"Offset":20e9,"At":-9e18,"Speed":2,"Duration":60e9`, 110),
	"written too early": keptFile(`"Offset":20e9,"At":100e9,"Speed":2,"Duration":60e9`, 101),
	"written later":     keptFile(`"Offset":20e9,"At":100e9,"Speed":2,"Duration":60e9`, 113),
	"of another run": strings.Replace(
		keptFile(`"Offset":20e9,"At":100e9,"Speed":2,"Duration":60e9`, 110), `"b"`, `"c"`, 1),
	"of another file": strings.Replace(
		keptFile(`"Offset":20e9,"At":100e9,"Speed":2,"Duration":60e9`, 110), `"a"`, `"a","b"`, 1),
}

// keptFile is a file with a clock, whose powers of ten it writes out, that was written after so many seconds.
func keptFile(clock string, seconds int) string {
	clock = strings.NewReplacer("e9", "000000000", "e18", "000000000000000000").Replace(clock)
	return fmt.Sprintf(`{"boot":"b","files":["a"],"written":%d000000000,"clock":{%s}}`, seconds, clock)
}

// loadKept loads a file 112 s after the machine was started.
func loadKept(t *testing.T, data []byte) (play.Clock, bool) {
	t.Helper()
	f := file{path: filepath.Join(t.TempDir(), "kept.json"), boot: "b", files: []string{"a"}}
	if err := os.WriteFile(f.path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return f.load(112*second, 60*second)
}

// TestKept: the next process goes on by a clock that makes sense, and by no other.
func TestKept(t *testing.T) {
	for wrong, data := range keptFiles {
		if c, ok := loadKept(t, []byte(data)); ok != (wrong == "") {
			t.Errorf("%q: %+v is taken: %v", wrong, c, ok)
		}
	}
	if c, _ := loadKept(t, []byte(keptFiles[""])); c.Place(112*second) != 44*second || c.Jump != 3 {
		t.Errorf("it goes on by %+v", c)
	}
}

// FuzzKept: whatever is in the file, the transport that goes on by it stays in the recording, and ends at a time that
// comes.
func FuzzKept(f *testing.F) {
	for _, data := range keptFiles {
		f.Add([]byte(data), int64(30*second), 2.0)
	}
	f.Fuzz(func(t *testing.T, data []byte, to int64, speed float64) {
		c, ok := loadKept(t, data)
		if !ok {
			return
		}
		now := func() time.Duration { return 112 * second }
		transport := &transport{now: now, changed: func(play.Clock) {}, clock: c}
		check := func(did string, c play.Clock) {
			if place := c.Place(112 * second); place < 0 || place > 60*second || !play.CheckSpeed(c.Speed) {
				t.Errorf("%s: at %v, %+v", did, place, c)
			}
		}
		check("load", c)
		check("play", transport.play())
		check("seek", transport.seek(time.Duration(to)))
		if play.CheckSpeed(speed) {
			check("speed", transport.setSpeed(speed))
		}
		if left, comes := transport.end(); comes && left <= 0 {
			t.Errorf("it ends in %v", left)
		}
	})
}
