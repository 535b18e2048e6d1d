package systemd

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// journalSocket takes entries; systemd.journal-fields(7) lists their fields, and
	// https://systemd.io/JOURNAL_NATIVE_PROTOCOL their form.
	journalSocket = "/run/systemd/journal/socket"
	// longestEntry is what is kept of a line, in bytes; it fits into a datagram whatever the system's limits are.
	longestEntry = 48 << 10
)

// priorities are the levels of slog as syslog.Priority knows them.
var priorities = map[string]int{"DEBUG": 7, "INFO": 6, "WARN": 4, "ERROR": 3}

// Journal passes lines of a log on to the journal of systemd, each as an entry with fields. It is not safe for
// concurrent use.
type Journal struct {
	socket   string
	fields   []byte // of every entry, encoded
	conn     *net.UnixConn
	fallback io.Writer
}

// Fields are those of the entries of a process of a robot: SYSLOG_IDENTIFIER, the program; WALDO_ROBOT; WALDO_DEVICE,
// which is "gateway" and "bus" for these; and WALDO_EPOCH, one life of the process. What is empty is left out: a
// gateway of many robots is of none.
func Fields(program, robot, device string, epoch int64) map[string]string {
	fields := map[string]string{"SYSLOG_IDENTIFIER": program, "WALDO_ROBOT": robot, "WALDO_DEVICE": device,
		"WALDO_EPOCH": strconv.FormatInt(epoch, 10)}
	maps.DeleteFunc(fields, func(_, value string) bool { return value == "" })
	return fields
}

// Log returns where a process writes the lines of its log: if stderr is a stream to the journal, a [Journal] with these
// fields, otherwise stderr itself. Names of fields have upper-case letters, digits and underscores, such as
// WALDO_DEVICE.
func Log(stderr io.Writer, environ func(string) string, fields map[string]string) io.Writer {
	if f, ok := stderr.(*os.File); !ok || !isStream(f, environ("JOURNAL_STREAM")) {
		return stderr
	}
	return newJournal(journalSocket, stderr, fields)
}

// isStream tells whether a file is the one that systemd names, <device>:<inode>: a child whose output goes elsewhere
// inherits the name.
func isStream(f *os.File, stream string) bool {
	info, err := f.Stat()
	if err != nil || stream == "" {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stream == fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}

func newJournal(socket string, fallback io.Writer, fields map[string]string) *Journal {
	j := &Journal{socket: socket, fallback: fallback}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		j.fields = appendField(j.fields, key, fields[key])
	}
	return j
}

// Write makes a line of [log/slog.TextHandler], or any other, an entry. One that the journal does not take goes to
// standard error.
func (j *Journal) Write(line []byte) (int, error) {
	priority, message := parse(string(bytes.TrimRight(line, "\n")))
	if message == "" {
		return len(line), nil
	}
	if len(message) > longestEntry {
		message = strings.ToValidUTF8(message[:longestEntry], "") + "…"
	}
	entry := appendField(slices.Clone(j.fields), "PRIORITY", strconv.Itoa(priority))
	if err := j.send(appendField(entry, "MESSAGE", message)); err != nil {
		return j.fallback.Write(line)
	}
	return len(line), nil
}

// send dials again once if the journal was restarted.
func (j *Journal) send(entry []byte) (err error) {
	for range 2 {
		if j.conn == nil {
			j.conn, err = net.DialUnix("unixgram", nil, &net.UnixAddr{Name: j.socket, Net: "unixgram"})
			if err != nil {
				return err
			}
		}
		_ = j.conn.SetWriteDeadline(time.Now().Add(patience))
		if _, err = j.conn.Write(entry); err == nil {
			return nil
		}
		_ = j.conn.Close() // it has failed
		j.conn = nil
	}
	return err
}

// parse takes a line of slog apart. The journal has a time of its own.
func parse(line string) (priority int, message string) {
	rest := line
	if strings.HasPrefix(rest, "time=") {
		_, rest, _ = strings.Cut(rest, " ")
	}
	level, rest, ok := strings.Cut(rest, " ")
	level, isLevel := strings.CutPrefix(level, "level=")
	if !ok || !isLevel {
		return priorities["INFO"], line
	}
	name, _, _ := strings.Cut(level, "+") // INFO+2
	name, _, _ = strings.Cut(name, "-")
	priority, known := priorities[name]
	if !known {
		priority = priorities["INFO"]
	}
	return priority, sentence(rest)
}

// sentence puts the message before its attributes without its key, as people read it.
func sentence(rest string) string {
	text, isMessage := strings.CutPrefix(rest, "msg=")
	if !isMessage {
		return rest
	}
	quoted, err := strconv.QuotedPrefix(text)
	if err != nil {
		return text // it needs no quotes
	}
	plain, err := strconv.Unquote(quoted)
	if err != nil || strings.ContainsFunc(plain, func(r rune) bool { return r < ' ' }) {
		return text
	}
	return plain + text[len(quoted):]
}

// appendField encodes a field: in one line if that is possible, otherwise with its length.
func appendField(entry []byte, key, value string) []byte {
	entry = append(entry, key...)
	if !strings.Contains(value, "\n") {
		return append(append(append(entry, '='), value...), '\n')
	}
	entry = binary.LittleEndian.AppendUint64(append(entry, '\n'), uint64(len(value)))
	return append(append(entry, value...), '\n')
}
