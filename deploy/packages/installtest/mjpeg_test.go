package installtest

import (
	"bufio"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// watcher is somebody who watches a camera over one connection, as Motion JPEG.
type watcher struct {
	m *machine

	mu       sync.Mutex
	pictures int
	last     time.Time // when the newest picture was taken
	longest  time.Duration
	ended    error
}

// mjpeg begins to watch a camera, until the end of the test.
func (m *machine) mjpeg(camera string) *watcher {
	m.t.Helper()
	token, _ := os.ReadFile(m.path("etc/waldo/token"))
	command := exec.Command("nsenter", "--target", strconv.Itoa(m.pid), "--net", "curl", "--silent", "--no-buffer",
		"--include", "--raw", "--header", "@-", "http://127.0.0.1:8080/mjpeg/"+camera)
	command.Stdin = strings.NewReader("Authorization: Bearer " + strings.TrimSpace(string(token)))
	out, err := command.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		m.t.Fatal(err)
	}
	w := &watcher{m: m}
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := w.read(out)
		w.mu.Lock()
		w.ended = err
		w.mu.Unlock()
	}()
	m.t.Cleanup(func() {
		_ = command.Process.Kill()
		<-done
		_ = command.Wait() // it was killed
	})
	w.more(10)
	return w
}

// read counts pictures until the connection ends, and returns why it does.
func (w *watcher) read(from io.Reader) error {
	response, err := http.ReadResponse(bufio.NewReader(from), nil)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	_, parameters, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	for parts := multipart.NewReader(response.Body, parameters["boundary"]); ; {
		part, err := parts.NextPart()
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, part); err != nil {
			return err
		}
		seconds, err := strconv.ParseFloat(part.Header.Get("X-Timestamp"), 64)
		if err != nil {
			return err
		}
		w.note(time.UnixMicro(int64(seconds * 1e6)))
	}
}

func (w *watcher) note(taken time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pictures > 0 {
		w.longest = max(w.longest, taken.Sub(w.last))
	}
	w.pictures, w.last = w.pictures+1, taken
}

// more waits for this many further pictures on the same connection.
func (w *watcher) more(pictures int) {
	w.m.t.Helper()
	before, _ := w.now()
	w.m.eventually("more pictures on the same connection", func() bool {
		now, err := w.now()
		if err != nil {
			w.m.t.Fatalf("the connection has ended after %d pictures: %v\n%s", now, err, w.m.journal())
		}
		return now >= before+pictures
	})
}

func (w *watcher) now() (pictures int, ended error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pictures, w.ended
}

// pause returns the longest time between two pictures so far, by when they were taken, and forgets it.
func (w *watcher) pause() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	longest := w.longest
	w.longest = 0
	return longest
}
