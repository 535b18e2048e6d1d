package supervise

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// printed returns what appears when f prints, without times.
func printed(f func(*Printer)) string {
	var out bytes.Buffer
	p := NewPrinter(&out, []string{"front", "gateway"}, false)
	f(p)
	p.Close()
	return withoutTimes(out.String())
}

// lines pairs the output of a process with what is shown. It also seeds the fuzz test.
var lines = []struct{ name, in, want string }{
	{"plain", "hello\n", "front   │ hello\n"},
	{"unfinished", "hello", "front   │ hello\n"},
	{"several", "a\n\nb\r\nc", "front   │ a\nfront   │ \nfront   │ b\nfront   │ c\n"},
	{"long", strings.Repeat("x", 5000) + "\ny\n", "front   │ " + strings.Repeat("x", 4096) +
		"… (904 bytes more)\nfront   │ y\n"},
	{"cut within a letter", "x" + strings.Repeat("é", 3000), "front   │ x" + strings.Repeat("é", 2047) +
		"… (1905 bytes more)\n"},
	{"terminal codes", "\x1b[2Jhi\x00\n", "front   │ ·[2Jhi·\n"},
	{"not UTF-8", "\xff\xfe\n", "front   │ \ufffd\ufffd\n"},
	{"slog text", "time=2026-01-01T00:00:00Z level=INFO msg=\"camera is \\\"ready\\\"\" width=640 card=\"a b\"\n",
		"front   │ INFO  camera is \"ready\" width=640 card=\"a b\"\n"},
	{"slog text, one word", "time=x level=ERROR msg=failed\n", "front   │ ERROR failed\n"},
	{"slog json", `{"time":"2026","level":"WARN","msg":"it \"is\" so","b":1,"a":{"x":"y"},"s":"a b"}` + "\n",
		"front   │ WARN  it \"is\" so b=1 a={\"x\":\"y\"} s=\"a b\"\n"},
	{"other json", `{"a":1}` + "\n", "front   │ {\"a\":1}\n"},
	{"broken json", `{"level":"INFO","msg":` + "\n", "front   │ {\"level\":\"INFO\",\"msg\":\n"},
	{"newline in json", `{"level":"INFO","msg":"a\nb"}` + "\n", "front   │ INFO  a·b\n"},
}

func TestLines(t *testing.T) {
	for _, tt := range lines {
		t.Run(tt.name, func(t *testing.T) {
			for _, chunk := range []int{1, 7, len(tt.in)} { // in whatever pieces it arrives
				got := printed(func(p *Printer) {
					w := p.Writer("front")
					for rest := tt.in; rest != ""; {
						n := min(chunk, len(rest))
						if _, err := io.WriteString(w, rest[:n]); err != nil {
							t.Fatal(err)
						}
						rest = rest[n:]
					}
					w.Close()
				})
				if got != tt.want {
					t.Errorf("in chunks of %d: got %q, want %q", chunk, got, tt.want)
				}
			}
		})
	}
}

func TestColor(t *testing.T) {
	s := newStyle([]string{"front"}, true)
	for text, want := range map[string]string{
		"hi":               "\x1b[36mT front │\x1b[0m hi\n",
		"level=INFO":       "\x1b[36mT front │\x1b[0m level=INFO\n",
		"ERROR it is lost": "\x1b[36mT front │\x1b[0m \x1b[31mERROR it is lost\x1b[0m\n",
		"WARN careful":     "\x1b[36mT front │\x1b[0m \x1b[33mWARN careful\x1b[0m\n",
	} {
		got := s.line(testTime, "front", text)
		if got = regexp.MustCompile(`\d\d:\d\d:\d\d\.\d{3}`).ReplaceAllString(got, "T"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestLinesOfManyStayWhole: lines of processes that print at the same time are never interleaved.
func TestLinesOfManyStayWhole(t *testing.T) {
	const writers, each = 8, 100 // together less than the printer's queue
	got := printed(func(p *Printer) {
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				w := p.Writer("front")
				defer w.Close()
				for j := range each {
					_, _ = fmt.Fprintf(w, "%d-%d-", i, j)
					_, _ = fmt.Fprintf(w, "%d\n", i)
				}
			})
		}
		wg.Wait()
	})
	whole := regexp.MustCompile(`^front   │ (\d)-\d+-(\d)$`)
	count := 0
	for line := range strings.Lines(got) {
		m := whole.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil || m[1] != m[2] {
			t.Fatalf("mixed line %q", line)
		}
		count++
	}
	if count != writers*each {
		t.Errorf("%d lines, want %d", count, writers*each)
	}
}

var testTime = time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)

// gate is an output that blocks until it is opened.
type gate struct {
	open chan struct{}
	took bytes.Buffer
}

func (g *gate) Write(b []byte) (int, error) {
	<-g.open
	return g.took.Write(b)
}

// TestSlowOutput: nobody waits for a blocked terminal, and the loss is reported.
func TestSlowOutput(t *testing.T) {
	g := &gate{open: make(chan struct{})}
	p := NewPrinter(g, nil, false)
	const count = 3000 // more than the queue holds
	for i := range count {
		p.Printf("front", "line %d", i) // would hang here
	}
	close(g.open)
	p.Close()
	shown, lost := 0, 0
	for line := range strings.Lines(g.took.String()) {
		if _, rest, ok := strings.Cut(line, "dropped "); ok {
			if _, err := fmt.Sscan(rest, &lost); err != nil {
				t.Fatal(err)
			}
			continue
		}
		shown++
	}
	if lost == 0 || shown+lost != count {
		t.Errorf("%d lines shown and %d reported as lost, of %d", shown, lost, count)
	}
}

func TestPrintAfterClose(t *testing.T) {
	got := printed(func(p *Printer) {
		p.Close()
		p.Printf("front", "too late")
	})
	if got != "" {
		t.Errorf("printed %q", got)
	}
}

// FuzzLines: for any output, each line shown is one line, begins with the process's name, and is bounded.
func FuzzLines(f *testing.F) {
	for _, tt := range lines {
		f.Add([]byte(tt.in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if bytes.Count(in, []byte("\n")) >= 1000 {
			t.Skip("lines may be dropped")
		}
		got := printed(func(p *Printer) {
			w := p.Writer("front")
			_, _ = w.Write(in)
			w.Close()
		})
		want := bytes.Count(in, []byte("\n"))
		if len(in) > 0 && in[len(in)-1] != '\n' {
			want++
		}
		if n := strings.Count(got, "\n"); n != want {
			t.Fatalf("%d lines became %d", want, n)
		}
		for line := range strings.Lines(got) {
			if !strings.HasPrefix(line, "front   │ ") || len(line) > 6*maxLine+100 {
				t.Fatalf("bad line %q", line)
			}
		}
	})
}
