package fakecam

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"strconv"
	"strings"
)

// Bounds of what a client may send.
const (
	maxLine   = 8 << 10
	maxFields = 100
	maxBody   = 64 << 10
)

// Request is a request, or the response to a request of the camera's.
type Request struct {
	Method string // or the version, in a response
	URL    string // or the status, in a response
	Header textproto.MIMEHeader
	Body   []byte
}

// response says whether it is the response to a request of the camera's.
func (r *Request) response() bool { return strings.HasPrefix(r.Method, "RTSP/") }

// Response is what the camera answers. Fields are written as they stand, in their order.
type Response struct {
	Version string // RTSP/1.0
	Status  int
	Reason  string // by Status if empty
	Header  []Field
	Body    string // Content-Length is added
	EOL     string // what ends a line: CR LF
}

// Field is one field of a header.
type Field struct{ Name, Value string }

// Set replaces the fields of that name, in any case, by one.
func (r *Response) Set(name, value string) {
	r.Delete(name)
	r.Header = append(r.Header, Field{name, value})
}

// Add adds a field.
func (r *Response) Add(name, value string) { r.Header = append(r.Header, Field{name, value}) }

// Delete removes the fields of that name, in any case.
func (r *Response) Delete(name string) {
	var kept []Field
	for _, f := range r.Header {
		if !strings.EqualFold(f.Name, name) {
			kept = append(kept, f)
		}
	}
	r.Header = kept
}

// Get returns the first field of that name, in any case.
func (r *Response) Get(name string) string {
	for _, f := range r.Header {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

var reasons = map[int]string{
	200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
	451: "Parameter Not Understood", 453: "Not Enough Bandwidth", 454: "Session Not Found",
	455: "Method Not Valid in This State", 459: "Aggregate Operation Not Allowed", 461: "Unsupported Transport",
	500: "Internal Server Error", 501: "Not Implemented", 503: "Service Unavailable", 551: "Option not supported",
}

// bytes returns the response as it goes on the wire.
func (r *Response) bytes() []byte {
	var b bytes.Buffer
	reason := r.Reason
	if reason == "" {
		reason = reasons[r.Status]
	}
	fmt.Fprintf(&b, "%s %d %s%s", r.Version, r.Status, reason, r.EOL)
	for _, f := range r.Header {
		fmt.Fprintf(&b, "%s: %s%s", f.Name, f.Value, r.EOL)
	}
	if r.Body != "" {
		fmt.Fprintf(&b, "Content-Length: %d%s", len(r.Body), r.EOL)
	}
	b.WriteString(r.EOL + r.Body)
	return b.Bytes()
}

// frame is what a client sends between requests, by the channel.
type frame struct {
	channel byte
	data    []byte
}

// read reads a request, or a frame if the request is nil.
func read(r *bufio.Reader) (*Request, *frame, error) {
	first, err := r.Peek(1)
	if err != nil {
		return nil, nil, err
	}
	if first[0] == '$' {
		f, err := readFrame(r)
		return nil, f, err
	}
	req, err := readRequest(r)
	return req, nil, err
}

func readFrame(r *bufio.Reader) (*frame, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	f := &frame{channel: head[1], data: make([]byte, int(head[2])<<8|int(head[3]))}
	_, err := io.ReadFull(r, f.data)
	return f, err
}

func readRequest(r *bufio.Reader) (*Request, error) {
	line, err := readLine(r)
	if err != nil {
		return nil, err
	}
	parts := strings.SplitN(line, " ", 3)
	if len(parts) < 2 || parts[0] == "" || parts[1] == "" {
		return nil, fmt.Errorf("not the first line of a request: %q", line)
	}
	req := &Request{Method: parts[0], URL: parts[1], Header: textproto.MIMEHeader{}}
	for range maxFields {
		line, err := readLine(r)
		if err != nil {
			return nil, err
		}
		if line == "" {
			return req, readBody(r, req)
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("not a field of a header: %q", line)
		}
		req.Header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return nil, errors.New("a request with too many fields")
}

func readBody(r *bufio.Reader, req *Request) error {
	length := req.Header.Get("Content-Length")
	if length == "" {
		return nil
	}
	n, err := strconv.Atoi(length)
	if err != nil || n < 0 || n > maxBody {
		return fmt.Errorf("content-length %q: up to %d bytes are taken", length, maxBody)
	}
	req.Body = make([]byte, n)
	_, err = io.ReadFull(r, req.Body)
	return err
}

func readLine(r *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, more, err := r.ReadLine()
		if err != nil {
			return "", err
		}
		if line = append(line, part...); len(line) > maxLine {
			return "", errors.New("a line that is too long")
		}
		if !more {
			return string(line), nil
		}
	}
}
