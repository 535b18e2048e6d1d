package mjpeg

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
)

func packed(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, s) // all in memory
	_ = w.Close()
	return b.String()
}

// answers pairs what a camera writes with the status, the body, and whether the connection ends with it.
var answers = []struct {
	name, bytes string
	status      int
	body        string
	last        bool
}{
	{"as it should be", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd", 200, "abc", false},
	{"it closes", "HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 3\r\n\r\nabc", 200, "abc", true},
	{"without length", "HTTP/1.1 200 OK\r\n\r\nabc", 200, "abc", true},
	{"HTTP/1.0", "HTTP/1.0 404 Not Found\r\nContent-Length: 3\r\n\r\nabc", 404, "abc", true},
	{"HTTP/1.0 that stays", "HTTP/1.0 200 OK\nConnection: keep-alive\nContent-Length: 3\n\nabc", 200, "abc", false},
	{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200, "abc", false},
	{"a stream with a length", "HTTP/1.1 200 OK\r\nContent-Type: Multipart/x\r\nContent-Length: 1\r\n\r\nabc",
		200, "abc", true},
	{"packed", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + packed("abc"), 200, "abc", true},
	{"not changed", "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", 304, "", false},
	{"lines that are no fields", "\r\n\nICY 200\r\nx\r\n: y\r\nContent-Length: -3\r\n\r\nabc", 200, "abc", true},
	{"the first part at once", "HTTP/1.0 200 OK\r\nX: y\r\n--b\r\n\r\nabc", 200, "\r\nabc", true},
	{"no head", "--b\r\n\r\nabc", 200, "--b\r\n\r\nabc", true},
	{"no answer", "SSH-2.0\r\n\r\n", 0, "", false},
	{"no status", "HTTP/1.1 ok\r\n\r\n", 0, "", false},
	{"cut", "HTTP/1.1 200 OK\r\nX: y", 0, "", false},
	{"nothing", "\r\n", 0, "", false},
}

func TestAnswerHeads(t *testing.T) {
	for _, tt := range answers {
		t.Run(tt.name, func(t *testing.T) {
			answer, err := readAnswer(bufio.NewReader(strings.NewReader(tt.bytes)))
			if tt.status == 0 {
				if err == nil {
					t.Fatalf("status %d", answer.status)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(answer.body)
			if answer.status != tt.status || string(body) != tt.body || err != nil || answer.last != tt.last {
				t.Errorf("%d %q, %v, last %v", answer.status, body, err, answer.last)
			}
		})
	}
}

func FuzzAnswer(f *testing.F) {
	for _, tt := range answers {
		f.Add([]byte(tt.bytes))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		answer, err := readAnswer(bufio.NewReader(bytes.NewReader(data)))
		if err != nil {
			return
		}
		answer.holdsPictures()
		n, _ := io.Copy(io.Discard, io.LimitReader(answer.body, 1<<20)) // of damaged chunks it is an error
		if answer.status < 100 || answer.status > 999 || n > 1<<20 {
			t.Fatalf("status %d, %d bytes", answer.status, n)
		}
	})
}

// What says that it is text is read as pictures only if it holds some, and read whole then.
func TestTextWithPictures(t *testing.T) {
	for page, want := range map[string]bool{
		"<html>" + strings.Repeat("x", 9000): false,
		"<html>":                             false,
		"--b\r\n\r\n" + string(shot(1)):      true,
	} {
		a := &reply{body: strings.NewReader(page)}
		if got := a.holdsPictures(); got != want {
			t.Errorf("%.9q holds pictures: %v", page, got)
		}
		if all, err := io.ReadAll(a.body); string(all) != page || err != nil {
			t.Errorf("%d of %d bytes are left: %v", len(all), len(page), err)
		}
	}
}

func TestCookies(t *testing.T) {
	c := cookies{}
	c.take(http.Header{"Set-Cookie": {"a=1; path=/", "b = 2", "nothing", "c=" + strings.Repeat("x", maxCookie)}})
	c.take(http.Header{"Set-Cookie": {"a=3"}})
	header := http.Header{}
	c.give(header)
	if got := header.Get("Cookie"); len(c) != 2 || !strings.Contains(got, "a=3") || !strings.Contains(got, "; ") {
		t.Errorf("%q", got)
	}
	for i := range 2 * maxCookies {
		c.take(http.Header{"Set-Cookie": {strings.Repeat("x", i) + "=1"}})
	}
	if len(c) > maxCookies {
		t.Errorf("%d cookies", len(c))
	}
}
