package board

import (
	"bytes"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/services/serial/codec"
	"github.com/waldo-robot/waldo/services/serial/frame"
)

// journal is a log for tests to read.
type journal struct{ logtest.Text }

func (j *journal) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	got := slices.Collect(strings.Lines(j.Take())) // since the last call
	if len(got) != len(want) {
		t.Errorf("%d warnings, want %d: %q", len(got), len(want), got)
		return
	}
	for i := range want {
		for part := range strings.SplitSeq(want[i], "|") {
			if !strings.Contains(got[i], part) {
				t.Errorf("%s does not contain %s", got[i], part)
			}
		}
	}
}

func logged(c Config) (Config, *journal) {
	j := &journal{}
	c.Log = slog.New(slog.NewTextHandler(j, nil))
	return c, j
}

func sentences(optional bool) Config {
	c := lines(Config{Hint: "check baud"})
	c.Reader = &codec.NMEA{ChecksumOptional: optional}
	c.Splitter = func(d frame.Discarded) (frame.Splitter, error) { return frame.NewSentences(d), nil }
	return c
}

// TestWhatHasNoEnd: a message without an end is reported once, after a while, with the remedy.
func TestWhatHasNoEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, log := logged(lines(Config{Hint: "set the delimiter"}))
		r := run(t, c)
		r.port.in <- []byte("$GPRMC,,V\r")
		time.Sleep(unreadFor - time.Millisecond)
		log.expect(t)
		r.port.in <- []byte("$GPGGA\r")
		time.Sleep(time.Minute)
		log.expect(t, `remedy="set the delimiter"|bytes=17|begin="$GPRMC,,V\r`)
		r.port.in <- bytes.Repeat([]byte("x"), readSize)
		time.Sleep(time.Minute)
		log.expect(t)
		r.port.in <- nil
		synctest.Wait()
		r.plug(t)
		r.port.in <- []byte("x")
		time.Sleep(time.Minute)
		log.expect(t, `bytes=1 `)
	})
	synctest.Test(t, func(t *testing.T) {
		c, log := logged(lines(Config{}))
		r := run(t, c)
		r.port.in <- []byte("a whole line\n")
		r.port.in <- []byte("half a line, as a prompt may be")
		time.Sleep(time.Minute)
		log.expect(t)
		r.port.in <- bytes.Repeat([]byte("x"), readSize)
		time.Sleep(time.Minute)
		log.expect(t, "half a line")
	})
}

// TestRefusedSentences: the first of each kind is reported, with the remedy.
func TestRefusedSentences(t *testing.T) {
	none, err := os.ReadFile("../frame/testdata/nmea-no-checksum.txt")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		c, log := logged(sentences(false))
		r := run(t, c)
		r.port.in <- none
		log.expect(t, "$GPRMC,092750|has no checksum: set checksumOptional: true")
		r.port.in <- []byte("$GPVTG,,,,,,,,,A*00\r\n$GPVTG,,,,,,,,,A*00\r\n")
		log.expect(t, "$GPVTG|has a wrong checksum")
		r.port.in <- none
		log.expect(t)
	})
	synctest.Test(t, func(t *testing.T) {
		c, log := logged(sentences(true))
		r := run(t, c)
		reader := r.Subscribe()
		r.port.in <- none
		for _, want := range []string{"RMC", "GGA", "GGA"} {
			if m, err := reader.Next(t.Context()); err != nil || m.GetSentence().GetType() != want ||
				!strings.Contains(m.GetJson(), `"latitude":48,`) {
				t.Errorf("%v, %v, want %s", m, err, want)
			}
		}
		log.expect(t)
	})
}

// TestDisturbedReceivers: all complete sentences are read, whatever stands between them.
func TestDisturbedReceivers(t *testing.T) {
	for file, want := range map[string][]string{
		"nmea-glued-and-binary.bin": {"VTG", "RMC", "GGA", "RMC", "RMC"}, "nmea-cr-only.txt": {"RMC", "GGA"},
	} {
		data, err := os.ReadFile("../frame/testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Test(t, func(t *testing.T) {
			c, log := logged(sentences(false))
			r := run(t, c)
			reader := r.Subscribe()
			for _, b := range data {
				r.port.in <- []byte{b}
			}
			for _, kind := range want {
				if m, err := reader.Next(t.Context()); err != nil || m.GetSentence().GetType() != kind {
					t.Errorf("%s: %v, %v, want %s", file, m, err, kind)
				}
			}
			time.Sleep(time.Minute)
			log.expect(t)
		})
	}
}
