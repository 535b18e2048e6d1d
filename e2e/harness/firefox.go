package harness

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Firefox is one tab of a headless Firefox that belongs to the test; a program in Node drives it over WebDriver BiDi.
type Firefox struct {
	in      io.Writer
	answers chan string
}

// StartFirefox starts Debian's Firefox. A machine without it fails the test: `make e2e` installs it.
func StartFirefox(tb testing.TB) *Firefox {
	tb.Helper()
	path, err := exec.LookPath("firefox-esr")
	if err != nil {
		tb.Fatalf("%v: run `make deps-test`", err)
	}
	_, here, _, _ := runtime.Caller(0)
	command := exec.Command("node", filepath.Join(filepath.Dir(here), "../firefox/firefox.mjs"), path)
	var trouble strings.Builder
	command.Stderr = &trouble
	in, err := command.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := command.Start(); err != nil {
		tb.Fatal(err)
	}
	f := &Firefox{in: in, answers: make(chan string)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(f.answers)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			f.answers <- lines.Text()
		}
	}()
	tb.Cleanup(func() {
		_ = in.Close() // ends the program, unless it is stuck
		stuck := time.AfterFunc(5*time.Second, func() { _ = command.Process.Signal(syscall.SIGTERM) })
		defer stuck.Stop()
		for range f.answers { // of the operation that failed the test
		}
		<-read
		if err := command.Wait(); err != nil {
			tb.Errorf("Firefox: %v\n%s", err, trouble.String())
		}
	})
	return f
}

// do runs one operation and returns its value.
func (f *Firefox) do(operation, argument string) (json.RawMessage, error) {
	line, err := json.Marshal(map[string]string{operation: argument})
	if err != nil {
		return nil, err
	}
	if _, err := f.in.Write(append(line, '\n')); err != nil {
		return nil, err
	}
	select {
	case text, ok := <-f.answers:
		if !ok {
			return nil, io.ErrUnexpectedEOF
		}
		var answer struct {
			Value json.RawMessage
			Error string
		}
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			return nil, fmt.Errorf("%w in %q", err, text)
		}
		if answer.Error != "" {
			return nil, fmt.Errorf("%s %s: %s", operation, argument, answer.Error)
		}
		return answer.Value, nil
	case <-time.After(2 * Patience):
		return nil, fmt.Errorf("%s %s: no answer", operation, argument)
	}
}

func (f *Firefox) must(tb testing.TB, operation, argument string) json.RawMessage {
	tb.Helper()
	value, err := f.do(operation, argument)
	if err != nil {
		tb.Fatal(err)
	}
	return value
}

// Open opens a page. window.peers lists all RTCPeerConnections that it ever makes.
func (f *Firefox) Open(tb testing.TB, url string) {
	tb.Helper()
	f.must(tb, "open", url)
}

// Eval stores the value of an expression in v; it awaits a promise.
func (f *Firefox) Eval(tb testing.TB, js string, v any) {
	tb.Helper()
	if err := json.Unmarshal(f.must(tb, "eval", js), v); err != nil {
		tb.Fatalf("%s: %v", js, err)
	}
}

// Until waits until an expression is true.
func (f *Firefox) Until(tb testing.TB, js string) {
	tb.Helper()
	Until(tb, js, func() error {
		value, err := f.do("eval", js)
		if err == nil && string(value) != "true" {
			err = fmt.Errorf("it is %s", value)
		}
		return err
	})
}

// Click clicks the element that a CSS selector finds.
func (f *Firefox) Click(tb testing.TB, selector string) {
	tb.Helper()
	f.must(tb, "click", selector)
}

// Press holds a key until Release.
func (f *Firefox) Press(tb testing.TB, code string) {
	tb.Helper()
	f.must(tb, "press", code)
}

// Release releases a key.
func (f *Firefox) Release(tb testing.TB, code string) {
	tb.Helper()
	f.must(tb, "release", code)
}

// Screenshot writes the page as PNG.
func (f *Firefox) Screenshot(tb testing.TB, path string) {
	tb.Helper()
	f.must(tb, "screenshot", path)
}
