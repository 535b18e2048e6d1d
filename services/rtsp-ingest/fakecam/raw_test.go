package fakecam_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
)

// client speaks RTSP as it is told, and keeps what it sees.
type client struct {
	t      *testing.T
	camera *fakecam.Camera
	nc     net.Conn
	r      *bufio.Reader
	n      int
	fields []string // added to each request

	answers  map[string]string // the newest by method, whole
	packets  []packet          // that came interleaved
	reports  []rtcp.SenderReport
	asked    []string // requests of the camera
	broken   bool     // the framing broke, or a packet cannot be read
	badRTCP  bool
	received int // frames
	ended    bool
}

type packet struct {
	rtp.Packet
	channel byte
	at      time.Time
}

func dial(t *testing.T, camera *fakecam.Camera) *client {
	t.Helper()
	nc, err := net.Dial("tcp", camera.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(30 * time.Second))
	return &client{t: t, camera: camera, nc: nc, r: bufio.NewReader(nc), answers: map[string]string{}}
}

// send sends a request.
func (c *client) send(method, url string, fields ...string) {
	c.n++
	text := fmt.Sprintf("%s %s RTSP/1.0\r\nCSeq: %d\r\n", method, url, c.n)
	for _, f := range append(fields, c.fields...) {
		text += f + "\r\n"
	}
	_, _ = io.WriteString(c.nc, text+"\r\n") // reading shows a connection that is gone
}

// do sends a request and returns the answer, "" if the connection ends.
func (c *client) do(method, url string, fields ...string) string {
	c.send(method, url, fields...)
	delete(c.answers, method)
	for c.answers[method] == "" && c.read(method) {
	}
	return c.answers[method]
}

// read takes what comes next: a frame, a request of the camera, or the answer to a method.
func (c *client) read(method string) bool {
	first, err := c.r.Peek(1)
	switch {
	case err != nil:
		c.ended = true
		return false
	case first[0] == '$':
		return c.frame()
	case first[0] < 'A' || first[0] > 'Z':
		c.broken = true
		return false
	}
	text, body := "", 0
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.ended = true
			return false
		}
		text += line
		if name, value, ok := strings.Cut(line, ":"); ok && textproto.CanonicalMIMEHeaderKey(name) == "Content-Length" {
			body, _ = strconv.Atoi(strings.TrimSpace(value))
		}
		if strings.TrimSpace(line) == "" {
			break
		}
	}
	rest := make([]byte, body)
	_, _ = io.ReadFull(c.r, rest)
	if !strings.HasPrefix(text, "RTSP/") {
		c.asked = append(c.asked, text)
		_, _ = io.WriteString(c.nc, "RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n")
		return true
	}
	c.answers[method] = text + string(rest)
	return true
}

func (c *client) frame() bool {
	var head [4]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return false
	}
	data := make([]byte, binary.BigEndian.Uint16(head[2:]))
	if _, err := io.ReadFull(c.r, data); err != nil {
		return false
	}
	c.received++
	if head[1]%2 == 1 {
		c.report(data)
		return true
	}
	p := packet{channel: head[1], at: time.Now()}
	if err := p.Unmarshal(data); err != nil {
		c.broken = true
		return false
	}
	c.packets = append(c.packets, p)
	return true
}

func (c *client) report(data []byte) {
	var sr rtcp.SenderReport
	if err := sr.Unmarshal(data); err != nil {
		c.badRTCP = true
		return
	}
	c.reports = append(c.reports, sr)
}

// session returns the id in the newest answer that has one.
func (c *client) session(method string) string {
	_, rest, _ := strings.Cut(c.answers[method], "Session:")
	id, _, _ := strings.Cut(rest, "\r\n")
	id, _, _ = strings.Cut(id, ";")
	return strings.TrimSpace(id)
}

// play describes, sets all tracks up, and plays.
func (c *client) play(transport string) {
	url := c.camera.URL()
	c.do("DESCRIBE", url)
	if strings.Contains(c.answers["DESCRIBE"], " 401 ") {
		return
	}
	tracks := max(1, strings.Count(c.answers["DESCRIBE"], "a=control:trackID=")-
		strings.Count(c.answers["DESCRIBE"], "trackID=9"))
	var fields []string
	for i := range tracks {
		field := fmt.Sprintf("Transport: RTP/AVP/TCP;unicast;interleaved=%d-%d", 2*i, 2*i+1)
		if transport != "" {
			field = "Transport: " + transport
		}
		c.do("SETUP", fmt.Sprintf("%s/trackID=%d", url, i), append(fields, field)...)
		if id := c.session("SETUP"); id != "" {
			fields = []string{"Session: " + id}
		}
	}
	c.do("PLAY", url, fields...)
}

// until reads until something has been seen. It returns false when the connection ends before, or when it has seen more
// than a few seconds of the stream.
func (c *client) until(seen func(*client) bool) bool {
	for !seen(c) {
		if len(c.packets) > 3000 || !c.read("") {
			return seen(c)
		}
	}
	return true
}

// pictures returns the first packet of each timestamp, in the order in which they came.
func (c *client) pictures() []packet {
	var out []packet
	for _, p := range c.packets {
		if p.channel == 0 && (len(out) == 0 || out[len(out)-1].Timestamp != p.Timestamp) {
			out = append(out, p)
		}
	}
	return out
}

// steps returns the distances of the timestamps of pictures.
func (c *client) steps() []int32 {
	var out []int32
	all := c.pictures()
	for i := 1; i < len(all); i++ {
		out = append(out, int32(all[i].Timestamp-all[i-1].Timestamp))
	}
	return out
}

// payloads says whether any payload of the first track is like that.
func (c *client) payloads(like func(p []byte) bool) bool {
	for _, p := range c.packets {
		if p.channel == 0 && like(p.Payload) {
			return true
		}
	}
	return false
}

// plain is what a camera without oddities shows in its first 60 pictures.
var plain = sync.OnceValue(func() func(*testing.T) *client {
	var once sync.Once
	var c *client
	return func(t *testing.T) *client {
		once.Do(func() {
			camera := fakecam.Start(t, fakecam.Config{Speed: 2})
			c = dial(t, camera)
			c.do("OPTIONS", camera.URL())
			c.play("")
			c.until(func(c *client) bool { return len(c.pictures()) >= 60 && len(c.reports) > 1 })
		})
		return c
	}
})
