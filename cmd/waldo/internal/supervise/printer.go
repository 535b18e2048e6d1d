package supervise

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/pkg/output"
	"github.com/waldo-robot/waldo/pkg/text"
)

const (
	// maxLine is how much of one line is shown, in bytes.
	maxLine = 4096
	// flushTime bounds how long Close waits for a blocked terminal.
	flushTime = time.Second
)

// Printer writes the lines of several processes to one output, each with the time and the name of its
// process. All methods may be called from any goroutine, and only Close waits for the output.
type Printer struct {
	out   *output.Writer
	style style
}

// NewPrinter returns a printer for processes with these names, which it aligns. With color, each name
// gets its own.
func NewPrinter(out io.Writer, names []string, color bool) *Printer {
	p := &Printer{style: newStyle(names, color)}
	p.out = output.NewWriter(out, func(lines int64) string {
		return p.style.line(time.Now(), "waldo", "dropped "+text.Count(lines, "line", "lines")+": the output could not keep up")
	})
	return p
}

// Printf prints one line in the name of a process.
func (p *Printer) Printf(name, format string, args ...any) {
	p.print(name, fmt.Sprintf(format, args...))
}

func (p *Printer) print(name, text string) {
	_, _ = io.WriteString(p.out, p.style.line(time.Now(), name, text)) // never fails
}

// Close returns when all lines are written, or after a second if the output is blocked. Anything printed
// later is ignored.
func (p *Printer) Close() { p.out.Close(flushTime) }

// Writer returns a writer that prints what is written to it line by line. One goroutine may use it;
// Close prints an unfinished last line.
func (p *Printer) Writer(name string) io.WriteCloser {
	return &lineWriter{printer: p, name: name}
}

// lineWriter cuts a stream of bytes into lines and keeps at most maxLine bytes of each.
type lineWriter struct {
	printer *Printer
	name    string
	line    []byte
	cut     int // bytes of the line that were dropped
}

// Write never fails.
func (w *lineWriter) Write(b []byte) (int, error) {
	rest := b
	for len(rest) > 0 {
		i := 0
		for i < len(rest) && rest[i] != '\n' {
			i++
		}
		keep := min(i, maxLine-len(w.line))
		w.line = append(w.line, rest[:keep]...)
		w.cut += i - keep
		if i == len(rest) {
			break
		}
		w.flush()
		rest = rest[i+1:]
	}
	return len(b), nil
}

// Close prints an unfinished last line.
func (w *lineWriter) Close() error {
	if len(w.line) > 0 {
		w.flush()
	}
	return nil
}

func (w *lineWriter) flush() {
	text := string(w.line)
	if w.cut > 0 {
		text = fmt.Sprintf("%s… (%d bytes more)", strings.ToValidUTF8(text, ""), w.cut)
	}
	w.printer.print(w.name, text)
	w.line, w.cut = w.line[:0], 0
}
