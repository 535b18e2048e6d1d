package fakecam

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pion/rtcp"
)

// writeTime bounds one write to a client that does not read.
const writeTime = 10 * time.Second

// conn is one RTSP connection. One goroutine reads; any may write.
type conn struct {
	camera *Camera
	nc     net.Conn
	guard  *guard
	wire   func([]byte) []byte

	session *session // of the reading goroutine

	mu sync.Mutex // held while writing
}

func newConn(c *Camera, nc net.Conn) *conn {
	cn := &conn{camera: c, nc: nc, guard: newGuard(c.config.Login)}
	if c.config.Transport.Wire != nil {
		cn.wire = c.config.Transport.Wire()
	}
	return cn
}

// abort closes the socket with a reset, so that the client sees it at once whatever lies in the buffers.
func (cn *conn) abort() {
	if tcp, ok := cn.nc.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = cn.nc.Close()
}

// serve answers until the connection ends.
func (cn *conn) serve(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cn.end()
	defer cancel()
	r := bufio.NewReader(cn.nc)
	for {
		req, fr, err := read(r)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			cn.camera.add(Expired)
			return
		case err != nil:
			return
		case fr != nil:
			cn.received(fr)
		case cn.camera.mutes(all):
		case !cn.handle(ctx, req):
			return
		}
	}
}

// end closes the connection and lets its session go.
func (cn *conn) end() {
	_ = cn.nc.Close()
	cn.camera.lose(cn)
	cn.camera.mu.Lock()
	delete(cn.camera.conns, cn)
	cn.camera.mu.Unlock()
	cn.camera.add(Disconnected)
}

// received takes a frame of the client's: a report, or sound of the back channel.
func (cn *conn) received(f *frame) {
	if cn.session == nil {
		return
	}
	for _, t := range cn.session.tracks {
		switch {
		case t.udp != nil:
		case f.channel == t.channel+1:
			cn.camera.feedback(f.data)
		case f.channel == t.channel && t.track.BackChannel:
			cn.camera.hear(t.track, f.data)
		}
	}
}

// feedback takes RTCP of a client.
func (c *Camera) feedback(data []byte) {
	packets, err := rtcp.Unmarshal(data)
	if err != nil {
		return
	}
	for _, p := range packets {
		switch p.(type) {
		case *rtcp.PictureLossIndication:
			c.asked(PLICame, c.config.Obeys.PLI, c.config.Obeys.After)
		case *rtcp.FullIntraRequest:
			c.asked(FIRCame, c.config.Obeys.FIR, 0)
		case *rtcp.ReceiverReport:
			c.add(ReportCame)
		}
	}
}

// handle answers one request. It returns false to close the connection.
func (cn *conn) handle(ctx context.Context, req *Request) bool {
	if req.response() {
		cn.camera.add(Answered)
		cn.camera.add(Kind("answered " + req.URL))
		return true
	}
	n := cn.camera.count(req.Method)
	resp := &Response{Version: "RTSP/1.0", Status: 200, EOL: "\r\n"}
	resp.Add("CSeq", req.Header.Get("CSeq"))
	answers := cn.camera.matching(req, n)
	after := cn.decide(req, resp, answers)
	for _, a := range answers {
		if !sleep(ctx, a.Delay) || a.Hangup {
			return false
		}
		if a.Edit != nil {
			a.Edit(req, resp)
		}
	}
	silent := slices.ContainsFunc(answers, func(a Answer) bool { return a.Silent })
	if !silent && !cn.send(ctx, resp, answers) {
		return false
	}
	return after == nil || after(ctx)
}

// between is how long a camera waits between the pieces of an answer: long enough to be packets of their own.
const between = 30 * time.Millisecond

// send writes an answer. It returns false if the connection has gone.
func (cn *conn) send(ctx context.Context, resp *Response, answers []Answer) bool {
	pieces := [][]byte{resp.bytes()}
	for _, a := range answers {
		if a.Raw != nil {
			pieces = a.Raw(bytes.Join(pieces, nil))
		}
	}
	for i, piece := range pieces {
		if i > 0 && !sleep(ctx, between) || cn.write(piece) != nil {
			return false
		}
	}
	return true
}

// matching returns the answers that are configured for a request.
func (c *Camera) matching(req *Request, n int) []Answer {
	var out []Answer
	for _, a := range c.config.Answers {
		if (a.Method == "" || a.Method == req.Method) && (a.When == nil || a.When(req, n)) {
			out = append(out, a)
		}
	}
	return out
}

// decide fills the response, and returns what happens once it has been sent; nil is nothing.
func (cn *conn) decide(req *Request, resp *Response, answers []Answer) func(context.Context) bool {
	for _, a := range answers {
		if a.Status != 0 {
			resp.Status = a.Status
			return nil
		}
	}
	if req.Method != "OPTIONS" && !cn.login(req, resp) {
		return nil
	}
	method, ok := methods[req.Method]
	if !ok {
		resp.Status = 501
		return nil
	}
	return method(cn, req, resp)
}

// login answers 401 unless the request may pass.
func (cn *conn) login(req *Request, resp *Response) bool {
	authorization := req.Header.Get("Authorization")
	v := cn.guard.check(req.Method, authorization, req.Header.Get("User-Agent") != "")
	if v == welcome {
		if authorization != "" {
			cn.camera.add(LoggedIn)
		}
		return true
	}
	cn.camera.add(Challenged)
	if v == wrong {
		cn.camera.add(Refused)
	}
	resp.Status = 401
	for _, c := range cn.guard.challenges(v) {
		resp.Add("WWW-Authenticate", c)
	}
	return false
}

// methods are what the camera does on a request.
var methods = map[string]func(*conn, *Request, *Response) func(context.Context) bool{
	"OPTIONS":       (*conn).options,
	"DESCRIBE":      (*conn).describe,
	"SETUP":         (*conn).setup,
	"PLAY":          (*conn).play,
	"PAUSE":         (*conn).keep,
	"GET_PARAMETER": (*conn).keep,
	"SET_PARAMETER": (*conn).keep,
	"TEARDOWN":      (*conn).teardown,
}

func (cn *conn) options(req *Request, resp *Response) func(context.Context) bool {
	resp.Add("Public", "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER, TEARDOWN")
	if req.Header.Get("Session") != "" {
		return cn.keep(req, resp)
	}
	return nil
}

func (cn *conn) describe(req *Request, resp *Response) func(context.Context) bool {
	if !cn.camera.serves(req.URL) {
		resp.Status = 404
		return nil
	}
	if cn.camera.full(cn, req.Method) {
		return cn.refuse(resp)
	}
	base := req.URL + "/"
	if edit := cn.camera.config.ContentBase; edit != nil {
		base = edit(req.URL)
	}
	if base != "" {
		resp.Add("Content-Base", base)
	}
	resp.Add("Content-Type", "application/sdp")
	resp.Body = cn.camera.sdp
	if !backChannelRequired(req) {
		resp.Body = withoutBackChannel(resp.Body)
	}
	return nil
}

// keep prolongs the session; PAUSE, GET_PARAMETER and SET_PARAMETER do nothing else.
func (cn *conn) keep(req *Request, resp *Response) func(context.Context) bool {
	if !cn.mine(req, resp) {
		return nil
	}
	keepalive := cn.camera.config.Session.Keepalive
	if keepalive == nil || slices.Contains(keepalive, req.Method) {
		cn.camera.add(Prolonged)
		cn.prolong()
	}
	if req.Method == "PAUSE" {
		cn.session.stop()
	}
	return nil
}

// prolong moves the end of an enforced session.
func (cn *conn) prolong() {
	if s := cn.camera.config.Session; s.Enforce && cn.session.playing() {
		_ = cn.nc.SetReadDeadline(time.Now().Add(s.Timeout * 9 / 10))
	}
}

// mine answers 454 unless the request names the session of this connection.
func (cn *conn) mine(req *Request, resp *Response) bool {
	if cn.session == nil || sessionID(req) != cn.session.sent {
		resp.Status = 454
		return false
	}
	resp.Add("Session", cn.session.field())
	return true
}

func sessionID(req *Request) string {
	id, _, _ := strings.Cut(req.Header.Get("Session"), ";")
	return strings.TrimSpace(id)
}

func (cn *conn) teardown(req *Request, resp *Response) func(context.Context) bool {
	if !cn.mine(req, resp) {
		return nil
	}
	cn.camera.tearDown(cn)
	return nil
}

// refuse answers that there are too many viewers.
func (cn *conn) refuse(resp *Response) func(context.Context) bool {
	cn.camera.add(Full)
	if resp.Status = cn.camera.config.Session.FullStatus; resp.Status < 0 {
		cn.abort()
	}
	return nil
}

// ask sends a request of the camera's.
func (cn *conn) ask(method, session string, n int) error {
	cn.camera.add(Asked)
	return cn.write(fmt.Appendf(nil, "%s rtsp://%s%s RTSP/1.0\r\nCSeq: %d\r\nSession: %s\r\n\r\n",
		method, cn.nc.LocalAddr(), cn.camera.config.Path, n, session))
}

// write writes bytes in one piece.
func (cn *conn) write(b []byte) error {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	if err := cn.nc.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	_, err := cn.nc.Write(b)
	return err
}

// writeFrame writes an interleaved frame.
func (cn *conn) writeFrame(channel byte, data []byte) error {
	f := append([]byte{'$', channel, byte(len(data) >> 8), byte(len(data))}, data...)
	if cn.wire != nil {
		cn.mu.Lock()
		f = cn.wire(f)
		cn.mu.Unlock()
	}
	return cn.write(f)
}

// sleep waits; it returns false if ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// trackOf returns the number of the track that a SETUP is about: of trackID=n in its URL, or the first.
func trackOf(url string) int {
	_, rest, ok := strings.Cut(url, "trackID=")
	if !ok {
		return 0
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	n, err := strconv.Atoi(rest[:end])
	if err != nil {
		return 0
	}
	return n
}
