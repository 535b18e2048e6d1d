package mjpeg

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
)

// errAnswer says that what came is no answer by HTTP.
var errAnswer = errors.New("no answer by HTTP")

// readAnswer reads the head of an answer, of which cameras write less and more than they should: another protocol's
// name, no text behind the status, lines that are no fields, no head at all. Its length is that of the whole only where
// there is one picture; a stream ends with the connection.
func readAnswer(in *bufio.Reader) (*reply, error) {
	start, err := beginning(in)
	if err != nil {
		return nil, err
	}
	answer := &reply{status: http.StatusOK, header: http.Header{}, last: true}
	if start[0] != 0xff && !bytes.HasPrefix(start, []byte("--")) {
		if err := answer.readHead(in); err != nil {
			return nil, err
		}
	}
	answer.body = answer.bodyOf(in)
	return answer, nil
}

// beginning skips empty lines, and returns the two bytes behind them.
func beginning(in *bufio.Reader) ([]byte, error) {
	for {
		start, err := in.Peek(2)
		if err != nil {
			return nil, err
		}
		if start[0] != '\r' && start[0] != '\n' {
			return start, nil
		}
		_, _ = in.Discard(1) // it is there
	}
}

func (a *reply) readHead(in *bufio.Reader) error {
	line, err := headLine(in)
	if err != nil {
		return err
	}
	words := strings.Fields(line)
	if len(words) < 2 {
		return errAnswer
	}
	if a.status, err = strconv.Atoi(words[1]); err != nil || a.status < 100 || a.status > 999 {
		return errAnswer
	}
	for {
		line, err := headLine(in)
		if err != nil {
			return err
		}
		if line == "" || strings.HasPrefix(line, "--") { // some begin with the first part at once
			break
		}
		if name, value, ok := strings.Cut(line, ":"); ok {
			a.header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
		}
	}
	connection := strings.ToLower(a.header.Get("Connection"))
	a.last = connection == "close" || words[0] != "HTTP/1.1" && connection != "keep-alive"
	return nil
}

// headLine reads a line without its end. Its length is bounded by what the head may have.
func headLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// bodyOf returns what follows the head.
func (a *reply) bodyOf(in *bufio.Reader) io.Reader {
	body := io.Reader(in)
	length, err := strconv.ParseUint(a.header.Get("Content-Length"), 10, 62)
	parts := strings.HasPrefix(strings.ToLower(a.header.Get("Content-Type")), "multipart/")
	switch {
	case a.status < 200, a.status == http.StatusNoContent, a.status == http.StatusNotModified:
		return http.NoBody
	case strings.Contains(strings.ToLower(a.header.Get("Transfer-Encoding")), "chunked"):
		body = httputil.NewChunkedReader(in)
	case err == nil && !parts:
		body = io.LimitReader(in, int64(length))
	default:
		a.last = true
	}
	if strings.EqualFold(a.header.Get("Content-Encoding"), "gzip") {
		a.last = true
		return &unzipped{from: body}
	}
	return body
}

// unzipped unpacks a body that nobody asked to be packed, when it is read.
type unzipped struct {
	from io.Reader
	to   *gzip.Reader
}

func (u *unzipped) Read(b []byte) (n int, err error) {
	if u.to == nil {
		if u.to, err = gzip.NewReader(u.from); err != nil {
			return 0, fmt.Errorf("a body that is no gzip: %w", err)
		}
	}
	return u.to.Read(b)
}

// cookies are those that a host has set. Cameras that count their viewers by cookies send those without one on, again
// and again.
type cookies map[string]string

// Bounds of cookies.
const (
	maxCookies = 16
	maxCookie  = 4 << 10
)

func (c cookies) take(header http.Header) {
	for _, one := range header.Values("Set-Cookie") {
		pair, _, _ := strings.Cut(one, ";")
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if _, known := c[name]; ok && len(pair) <= maxCookie && (known || len(c) < maxCookies) {
			c[name] = value
		}
	}
}

func (c cookies) give(header http.Header) {
	for name, value := range c {
		if before := header.Get("Cookie"); before != "" {
			name = before + "; " + name
		}
		header.Set("Cookie", name+"="+value)
	}
}

// promise is how much of a body is looked at for pictures if its type promises none.
const promise = 4 << 10

// holdsPictures tells whether a body begins with pictures, whatever its type says. It does not take anything of it.
func (a *reply) holdsPictures() bool {
	in := bufio.NewReaderSize(a.body, 64<<10)
	a.body = in
	for n := 2; n <= promise; n = in.Buffered() + 1 {
		_, err := in.Peek(min(n, promise))
		start, _ := in.Peek(in.Buffered()) // never fails: it is there
		if bytes.Contains(start, []byte{0xff, soi, 0xff}) {
			return true
		}
		if err != nil {
			return false
		}
	}
	return false
}
