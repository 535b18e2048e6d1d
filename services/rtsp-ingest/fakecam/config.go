package fakecam

import (
	"crypto/tls"
	"io"
	"time"

	"github.com/pion/rtcp"
)

// Config says what a camera is like. The zero value is a camera that keeps the rules and sends the clip baseline.h264.
type Config struct {
	Listen string      // host:port; 127.0.0.1:0 if empty
	TLS    *tls.Config // rtsps, if not nil
	Path   string      // of the stream, escaped: "/live" if empty
	Query  string      // that a URL must have, as in user=a_password=b
	// OwnHost refuses requests whose URL names another host than that at which the camera listens.
	OwnHost bool

	Tracks    []Track
	SDP       func(sdp, url string) string // changes the session description of the stream with this URL
	Login     Login
	Answers   []Answer // those that match a request apply, in their order
	Session   Session
	Transport Transport
	Asks      []Ask

	// Obeys says which requests for a key picture the camera obeys.
	Obeys Obeys
	// FirstPicture is how long after PLAY the first picture comes.
	FirstPicture time.Duration
	// Speed is how much faster than real time the media is sent; timestamps stay as they are. 1 if 0.
	Speed float64
	// Closes is how long after PLAY the camera ends the connection; 0 is never.
	Closes time.Duration
	// Speaker is given what is said by the back channel, as 16 bit little endian samples; nil is nobody. Several talkers
	// write at a time.
	Speaker io.Writer
	// ContentBase changes the field of the answer to DESCRIBE; it gets the URL of the request. "" leaves it out.
	ContentBase func(url string) string
}

// Track is a stream of pictures or sound.
type Track struct {
	Media       *Media
	PayloadType uint8        // by encoding and place if 0
	PayloadSize int          // of a packet at most, 1400 if 0
	SSRC        *uint32      // random if nil
	Timestamp   *uint32      // of the first picture presented, random if nil
	StartAt     int          // the unit with which PLAY begins
	Hooks       func() Hooks // changes what is sent; called at each PLAY
	Reports     Reports
	BackChannel bool // the camera receives here, and only with Require: www.onvif.org/ver20/backchannel
	Silent      bool // nothing is ever sent
}

// Obeys says which requests for a key picture a camera obeys: the next unit it sends is one.
type Obeys struct {
	PLI, FIR bool          // RTCP
	After    time.Duration // how much later the camera obeys a PLI
}

// Reports says how the camera reports its clock (RTCP sender reports).
type Reports struct {
	Never bool
	Every time.Duration // 1 s if 0; the first comes after the first unit
	// NTP returns the time to report, in the format of NTP; the correct one if nil. Since is the time of the media
	// since PLAY.
	NTP func(now time.Time, since time.Duration) uint64
	// Edit changes a report.
	Edit func(*rtcp.SenderReport)
	// Raw changes its bytes.
	Raw func([]byte) []byte
}

// Login says who may watch. Without a user, everybody.
type Login struct {
	User, Password string
	// Challenges are the values of WWW-Authenticate, one field each. %n becomes the nonce. Digest with MD5 if nil.
	Challenges []string
	// Expire lists methods whose first request on a connection comes too late for the nonce: it gets a new one.
	Expire []string
	// Stale says so in the challenge of Expire.
	Stale bool
	// UserAgent refuses requests without this field.
	UserAgent bool
}

// Answer changes how the camera answers.
type Answer struct {
	Method string // "" for all
	// When says to which requests it applies; n counts those of this method at this camera, from 1 on. Nil is all.
	When   func(r *Request, n int) bool
	Status int // if not 0, the camera answers this and does nothing else
	Delay  time.Duration
	Silent bool // does what is asked, but does not answer
	Hangup bool // closes the connection instead
	Edit   func(*Request, *Response)
	// Raw changes the bytes of the answer, and cuts them into pieces that are sent one after the other.
	Raw func([]byte) [][]byte
}

// Session says how the camera keeps sessions.
type Session struct {
	Timeout time.Duration // 60 s if 0
	// Field returns the value of the Session field; n counts the answers of
	// the session that have one, from 0 on. The client must send the newest id. "id;timeout=60" if nil.
	Field func(id string, n int) string
	// Enforce ends the connection of a session for which no keepalive came for 0.9 of the timeout.
	Enforce bool
	// Keepalive lists the methods that count as such: all if nil.
	Keepalive []string
	// Viewers is how many sessions there may be at a time; 0 is no bound.
	Viewers int
	// FullStatus is what one too many gets: 453 if 0; < 0 closes the connection.
	FullStatus int
	// FullAt is the first method that is refused: SETUP if empty, else DESCRIBE or PLAY.
	FullAt string
	// Linger is how long a session whose connection was lost without TEARDOWN keeps its place.
	Linger time.Duration
	// Adopt lets a new connection take over a session whose id it names in SETUP.
	Adopt bool
}

// Transport says how packets travel.
type Transport struct {
	NoUDP, NoTCP bool // answered with 461
	SilentUDP    bool // accepted, but no packet comes
	TCPForUDP    bool // UDP is answered with TCP
	// Field changes the Transport field of an answer to SETUP.
	Field func(string) string
	// Channel returns the channel on which packets really come instead of the one announced (RTP; RTCP has the next).
	Channel func(announced int) int
	// Wire changes the bytes of each interleaved frame; called once for each connection.
	Wire func() func([]byte) []byte
	// MaxPacket bounds packets over UDP; longer ones are dropped, 0 is no bound.
	MaxPacket int
}

// Ask is a request that the camera makes while it plays.
type Ask struct {
	Method string
	After  time.Duration // after PLAY
	Every  time.Duration // 0 is once
}

// filled returns the config with all defaults put in.
func (c Config) filled() Config {
	set(&c.Listen, "127.0.0.1:0")
	set(&c.Path, "/live")
	set(&c.Session.Timeout, time.Minute)
	set(&c.Session.FullStatus, 453)
	set(&c.Session.FullAt, "SETUP")
	set(&c.Speed, 1)
	if c.Login.Challenges == nil {
		c.Login.Challenges = []string{`Digest realm="fake", nonce="%n"`}
	}
	if c.Tracks == nil {
		c.Tracks = []Track{{Media: Clip("baseline.h264")}}
	}
	tracks := make([]Track, len(c.Tracks))
	for i, t := range c.Tracks {
		if t.PayloadType == 0 {
			t.PayloadType = payloadType(t.Media, i)
		}
		set(&t.Reports.Every, time.Second)
		tracks[i] = t
	}
	c.Tracks = tracks
	return c
}

func set[T comparable](value *T, ifZero T) {
	var zero T
	if *value == zero {
		*value = ifZero
	}
}

// payloadType returns the type of RFC 3551, or a dynamic one.
func payloadType(m *Media, track int) uint8 {
	switch {
	case m.Encoding == PCMU && m.Clock == 8000:
		return 0
	case m.Encoding == PCMA && m.Clock == 8000:
		return 8
	case m.Encoding == JPEG:
		return 26
	}
	return uint8(96 + track)
}

func (t Track) payloadSize() int {
	if t.PayloadSize > 0 {
		return t.PayloadSize
	}
	return 1400
}
