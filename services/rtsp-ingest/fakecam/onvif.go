package fakecam

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// ONVIFConfig says what a camera is like that is asked by ONVIF. The zero value keeps the rules, has two streams, and
// can be moved. Each call counts under its name, as in Kind("GetProfiles").
type ONVIFConfig struct {
	Listen string // host:port; 127.0.0.1:0 if empty
	// Login says who may ask. Challenges are answered with status 401; without any, a WS-UsernameToken is wanted, with
	// some, Digest.
	Login     Login
	Both      bool          // Digest and a token are wanted
	Clock     time.Duration // how far the clock is ahead
	Tolerance time.Duration // how old a token may be: 5 s if 0
	ShyClock  bool          // the time is told only to those who log in
	// Elsewhere is the host:port in all URLs that are returned; the camera's own if empty.
	Elsewhere string
	RTSP      string // host:port in URLs of streams; Elsewhere if empty
	Stream    string // path and query of the main stream; /live?channel=1&stream=0 if empty
	RawSigns  bool   // & is not escaped
	Prefix    string // of all elements; "tt" if empty, "-" for none
	Missing   []string
	Redirect  string // where all requests are sent on to
	Padding   int    // bytes that each answer has too many
	Media2    bool   // has the newer media service, in which the main stream is H.265
	PTZ       PTZBehaviour
	// Camera is whom SetSynchronizationPoint makes send a key picture; if it is nil, that is answered and does nothing.
	Camera    *Camera
	Discovery *Discovery // nil: it answers no probes
	// Told is called for each command that moves or stops the camera, whether it obeys or not; nil: nobody is.
	Told func(operation string, m Motion)
}

// PTZBehaviour says how a camera moves. The zero value keeps the rules.
type PTZBehaviour struct {
	IgnoreTimeout bool          // moves on when the time is over
	RefuseTimeout bool          // refuses moves with a time
	IgnoreStops   int           // so many stops are answered and do nothing, moves with zero velocity included
	IgnoreStop    bool          // Stop is answered and does nothing
	Coast         time.Duration // after a stop it says so long that it moves
	NoStatus      bool          // does not tell whether it moves
	Delay         time.Duration // before a command is carried out and answered
}

// Motion is a change of the velocity of a camera.
type Motion struct {
	Time            time.Time
	Pan, Tilt, Zoom float64
}

// ONVIFCamera is a fake camera that is asked by ONVIF.
type ONVIFCamera struct {
	counters
	config  ONVIFConfig
	address string
	server  *http.Server
	probes  *net.UDPConn
	running sync.WaitGroup

	state   sync.Mutex
	guard   *guard
	ahead   time.Duration
	motions []Motion
	until   time.Time // the end of the movement by its time; zero for none
	halted  time.Time // the last stop
	ignored int       // stops
}

// Kinds of events of an ONVIFCamera.
const (
	Moved   Kind = "began to move, or moves otherwise"
	Stood   Kind = "stood still"
	Probed  Kind = "probe received"
	tooLong      = 1 << 20 // bytes of a request
)

// StartONVIF starts a camera that ends with the test.
func StartONVIF(t TB, config ONVIFConfig) *ONVIFCamera {
	t.Helper()
	return start(t, NewONVIF, config)
}

// NewONVIF starts a camera.
func NewONVIF(config ONVIFConfig) (*ONVIFCamera, error) {
	set(&config.Listen, "127.0.0.1:0")
	set(&config.Tolerance, 5*time.Second)
	set(&config.Stream, "/live?channel=1&stream=0")
	set(&config.Prefix, "tt")
	ln, err := net.Listen("tcp", config.Listen)
	if err != nil {
		return nil, fmt.Errorf("fakecam: %w", err)
	}
	c := &ONVIFCamera{config: config, address: ln.Addr().String(), guard: newGuard(config.Login), ahead: config.Clock}
	set(&c.config.Elsewhere, c.address)
	set(&c.config.RTSP, c.config.Elsewhere)
	if config.Discovery != nil {
		if err := c.answerProbes(*config.Discovery); err != nil {
			_ = ln.Close() // nothing was accepted
			return nil, err
		}
	}
	c.server = &http.Server{Handler: http.HandlerFunc(c.serve), ReadHeaderTimeout: writeTime}
	c.running.Go(func() { _ = c.server.Serve(ln) }) // ends with Close
	return c, nil
}

// Address is host:port of the camera.
func (c *ONVIFCamera) Address() string { return c.address }

// URL is the address of the device service.
func (c *ONVIFCamera) URL() string { return "http://" + c.address + "/onvif/device_service" }

// SetClock sets how far the clock is ahead.
func (c *ONVIFCamera) SetClock(ahead time.Duration) {
	c.state.Lock()
	defer c.state.Unlock()
	c.ahead = ahead
}

// Close closes all sockets and waits until the camera has ended.
func (c *ONVIFCamera) Close() {
	_ = c.server.Close()
	if c.probes != nil {
		_ = c.probes.Close()
	}
	c.running.Wait()
}

func (c *ONVIFCamera) now() time.Time {
	c.state.Lock()
	defer c.state.Unlock()
	return time.Now().Add(c.ahead)
}

// soap is a request: the name of the operation, and texts and attributes below it by local names.
type soap struct {
	operation string
	texts     map[string]string // "ProfileToken"; "PanTilt@x" for an attribute
}

// readSOAP reads a request.
func readSOAP(in io.Reader) (soap, error) {
	s := soap{texts: map[string]string{}}
	d := xml.NewDecoder(io.LimitReader(in, tooLong))
	var open []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return s, nil
		}
		if err != nil {
			return s, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if len(open) == 2 && open[1] == "Body" {
				s.operation = t.Name.Local
			}
			open = append(open, t.Name.Local)
			s.texts[t.Name.Local] = ""
			for _, a := range t.Attr {
				s.texts[t.Name.Local+"@"+a.Name.Local] = a.Value
			}
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				s.texts[open[len(open)-1]] += string(t)
			}
		}
	}
}

func (c *ONVIFCamera) serve(w http.ResponseWriter, r *http.Request) {
	s, err := readSOAP(r.Body)
	if err != nil || s.operation == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.add(Kind(s.operation))
	if c.config.Redirect != "" {
		http.Redirect(w, r, c.config.Redirect, http.StatusTemporaryRedirect)
		return
	}
	if open := s.operation == "GetSystemDateAndTime" && !c.config.ShyClock; !open {
		if allowed, challenges := c.admit(r, s); !allowed {
			c.add(Refused)
			for _, challenge := range challenges {
				w.Header().Add("WWW-Authenticate", challenge)
			}
			status := http.StatusBadRequest
			if challenges != nil {
				status = http.StatusUnauthorized
			}
			c.fault(w, status, "NotAuthorized")
			return
		}
	}
	c.answer(w, s)
}

// admit judges the login of a request.
func (c *ONVIFCamera) admit(r *http.Request, s soap) (allowed bool, challenges []string) {
	login := c.config.Login
	if login.User == "" {
		return true, nil
	}
	if login.Challenges != nil {
		c.state.Lock()
		v := c.guard.check(r.Method, r.Header.Get("Authorization"), r.UserAgent() != "")
		challenges = c.guard.challenges(v)
		c.state.Unlock()
		if v != welcome || !c.config.Both {
			return v == welcome, challenges
		}
	}
	return c.proves(s), nil
}

// proves checks a WS-UsernameToken.
func (c *ONVIFCamera) proves(s soap) bool {
	nonce, err := base64.StdEncoding.DecodeString(s.texts["Nonce"])
	at, err2 := time.Parse(time.RFC3339, s.texts["Created"])
	if err != nil || err2 != nil || c.now().Sub(at).Abs() > c.config.Tolerance {
		return false
	}
	sum := sha1.Sum([]byte(string(nonce) + s.texts["Created"] + c.config.Login.Password))
	return s.texts["Username"] == c.config.Login.User &&
		s.texts["Password"] == base64.StdEncoding.EncodeToString(sum[:])
}

// write sends an answer, in which %p stands for the prefix of elements.
func (c *ONVIFCamera) write(w http.ResponseWriter, status int, body string) {
	prefix := c.config.Prefix + ":"
	if prefix == "-:" {
		prefix = ""
	}
	if c.config.RawSigns {
		body = strings.ReplaceAll(body, "&amp;", "&")
	}
	w.Header().Set("Content-Type", "application/soap+xml; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `<?xml version="1.0" encoding="ISO-8859-1"?><%[1]sEnvelope><%[1]sBody>%[2]s</%[1]sBody>`+
		`%[3]s</%[1]sEnvelope>`, prefix, strings.ReplaceAll(body, "%p", prefix), // who asked may have gone
		strings.Repeat(" ", c.config.Padding))
}

func (c *ONVIFCamera) fault(w http.ResponseWriter, status int, code string) {
	c.write(w, status, `<%pFault><%pCode><%pValue>env:Sender</%pValue><%pSubcode><%pValue>ter:`+code+
		`</%pValue></%pSubcode></%pCode><%pReason><%pText xml:lang="en">it says `+code+`</%pText></%pReason></%pFault>`)
}
