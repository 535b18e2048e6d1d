package systemd

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// say writes one piece of a log.
func say(t *testing.T, j *Journal, text string) {
	t.Helper()
	if n, err := j.Write([]byte(text)); err != nil || n != len(text) {
		t.Errorf("it took %d bytes of %.100q: %v", n, text, err)
	}
}

// decode takes an entry apart, as the journal does.
func decode(t *testing.T, entry string) map[string]string {
	t.Helper()
	fields := map[string]string{}
	for entry != "" {
		line, rest, ok := strings.Cut(entry, "\n")
		if !ok {
			t.Fatalf("a line without an end: %q", entry)
		}
		if key, value, short := strings.Cut(line, "="); short {
			fields[key], entry = value, rest
			continue
		}
		if len(rest) < 8 {
			t.Fatalf("no length: %q", rest)
		}
		n := binary.LittleEndian.Uint64([]byte(rest))
		if uint64(len(rest)) < 8+n+1 || rest[8+n] != '\n' {
			t.Fatalf("length %d of %q", n, rest)
		}
		fields[line], entry = rest[8:8+n], rest[8+n+1:]
	}
	return fields
}

func TestJournal(t *testing.T) {
	path, receive := listen(t)
	j := newJournal(path, os.Stderr, map[string]string{"WALDO_DEVICE": "front", "WALDO_EPOCH": "7"})
	log := slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, tt := range []struct {
		say               func()
		priority, message string
	}{
		{func() { log.Info("ready") }, "6", "ready"},
		{func() { log.Warn("is away", "reason", "no camera", "n", 1) }, "4", `is away reason="no camera" n=1`},
		{func() { log.Error("panic", "stack", "a\nb") }, "3", `panic stack="a\nb"`},
		{func() { log.Debug("one\ntwo") }, "7", `"one\ntwo"`},
		{func() { log.Log(t.Context(), slog.LevelInfo+2, "between") }, "6", "between"},
		{func() { log.Log(t.Context(), slog.LevelError+4, "beyond") }, "3", "beyond"},
		{func() { say(t, j, "of another library\n") }, "6", "of another library"},
		{func() { say(t, j, "two\nlines\n") }, "6", "two\nlines"},
		{func() { say(t, j, "level=\n") }, "6", "level="},
		{func() { say(t, j, strings.Repeat("x", 1<<17)) }, "6", strings.Repeat("x", longestEntry) + "…"},
	} {
		tt.say()
		got := decode(t, receive())
		if got["PRIORITY"] != tt.priority || got["MESSAGE"] != tt.message || got["WALDO_DEVICE"] != "front" ||
			got["WALDO_EPOCH"] != "7" {
			t.Errorf("entry %.200q, want priority %s, message %.200q", got, tt.priority, tt.message)
		}
	}
}

// TestJournalRestarts: the journal's socket is another one after a restart; while there is none, lines go to stderr.
func TestJournalRestarts(t *testing.T) {
	path, receive := listen(t)
	var stderr bytes.Buffer
	j := newJournal(path, &stderr, nil)
	say(t, j, "one\n")
	receive()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	j.conn.Close()
	say(t, j, "two\n")
	if stderr.String() != "two\n" {
		t.Errorf("stderr has %q", stderr.String())
	}
	next, receive := listen(t)
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
	say(t, j, "three\n")
	if got := decode(t, receive()); got["MESSAGE"] != "three" {
		t.Errorf("entry %q", got)
	}
	j.conn.Close()
}

// TestLog: lines go to the journal only if the output is the stream that systemd names.
func TestLog(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if Log(f, from(nil), nil) != f || Log(f, from(map[string]string{"JOURNAL_STREAM": "1:2"}), nil) != f {
		t.Error("a file that is not the stream is taken for it")
	}
	var memory bytes.Buffer
	if Log(&memory, from(map[string]string{"JOURNAL_STREAM": "1:2"}), nil) != &memory {
		t.Error("memory is taken for the stream")
	}
	if _, ok := Log(f, from(map[string]string{"JOURNAL_STREAM": stream(t, f)}), nil).(*Journal); !ok {
		t.Error("the stream is not recognised")
	}
}

// FuzzJournal: whatever a line holds, the entry has one message and one priority.
func FuzzJournal(f *testing.F) {
	for _, line := range []string{"", "\n", "time=1 level=INFO msg=ready\n", `level=WARN msg="a b" c="d\ne"`,
		"level=INFO-4 ",
		"time=", "level=ERROR", "MESSAGE\n\x05", `level=INFO msg="`, "a=b\nPRIORITY=0\n"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		priority, message := parse(strings.TrimRight(line, "\n"))
		if priority < 3 || priority > 7 {
			t.Errorf("%q has priority %d", line, priority)
		}
		entry := appendField(appendField(nil, "PRIORITY", "6"), "MESSAGE", message)
		if got := decode(t, string(entry)); len(got) != 2 || got["PRIORITY"] != "6" || got["MESSAGE"] != message {
			t.Errorf("%q became %q", line, got)
		}
	})
}

// stream is how systemd names an open file.
func stream(t *testing.T, f *os.File) string {
	t.Helper()
	var stat unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &stat); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}
