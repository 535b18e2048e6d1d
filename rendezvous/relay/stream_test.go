package relay

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

// messages are what a client says over TCP, cut in pieces by the network, and what the relay finds in it.
var messages = []struct {
	name  string
	bytes string
	sizes []int // of the messages
	bad   bool
}{
	{"nothing", "", nil, false},
	{"a message", binding, []int{20}, false},
	{"a part of one", binding[:19], nil, false},
	{"two", binding + binding, []int{20, 20}, false},
	{"data", "\x40\x00\x00\x04data", []int{8}, false},
	{"data with padding", "\x40\x00\x00\x01d\x00\x00\x00" + binding, []int{5, 20}, false},
	{"data whose padding is missing", "\x40\x00\x00\x01d", nil, false},
	{"empty data", "\x40\x00\x00\x00" + binding, []int{4, 20}, false},
	{"data of the highest channel", "\x7f\xff\x00\x04data", []int{8}, false},
	{"a message that is too long", "\x00\x01\x10\x00\x21\x12\xa4\x42", nil, true},
	{"data that is too long", "\x40\x00\xff\xff", nil, true},
	{"RTP", "\x80\x60\x00\x00", nil, true},
	{"TLS", "\xc6\x03\x01\x00", nil, true},
}

const binding = "\x00\x01\x00\x00\x21\x12\xa4\x42identifier12"

func TestFrames(t *testing.T) {
	for _, m := range messages {
		rest, sizes, bad := []byte(m.bytes), []int(nil), false
		for {
			size, padded, err := frameSize(rest)
			if bad = err != nil; bad || size == 0 || padded > len(rest) {
				break
			}
			sizes = append(sizes, size)
			rest = rest[padded:]
		}
		if bad != m.bad || !equal(sizes, m.sizes) {
			t.Errorf("%s: got %v, bad is %v", m.name, sizes, bad)
		}
	}
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// said is a connection that says something, in pieces, and hears nothing.
type said struct {
	net.Conn
	bytes io.Reader
	piece int
}

func (s *said) Read(b []byte) (int, error)       { return s.bytes.Read(b[:min(s.piece, len(b))]) }
func (s *said) Write(b []byte) (int, error)      { return len(b), nil }
func (s *said) Close() error                     { return nil }
func (s *said) SetReadDeadline(time.Time) error  { return nil }
func (s *said) SetWriteDeadline(time.Time) error { return nil }

// FuzzStream checks that a client is understood the same however the network cuts what it says.
func FuzzStream(f *testing.F) {
	for _, m := range messages {
		f.Add([]byte(m.bytes), 3)
	}
	r, err := New(Config{Public: []netip.Addr{here}, Limits: Limits{Requests: 1 << 30}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { r.Close() })
	port := newStreamPort(r, nil)
	read := func(b []byte, piece int) ([]byte, error) {
		s := &stream{Conn: &said{bytes: bytes.NewReader(b), piece: piece}, port: port, at: netip.AddrPortFrom(here, 1)}
		var all []byte
		message := make([]byte, maxControl)
		for {
			n, err := s.Read(message)
			if err != nil {
				return all, err
			}
			if n < stunHeader || !stun.IsMessage(message[:n]) {
				t := message[:n]
				return nil, errors.New(string(t) + " is no message")
			}
			all = append(all, message[:n]...)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, piece int) {
		whole, wholeErr := read(b, len(b)+1)
		parts, partsErr := read(b, max(1, piece%1000))
		if !bytes.Equal(whole, parts) || wholeErr.Error() != partsErr.Error() {
			t.Fatalf("%q, %v, but in parts %q, %v", whole, wholeErr, parts, partsErr)
		}
	})
}

// FuzzDatagram checks that nothing that arrives stops the relay, and that ChannelData is within its message.
func FuzzDatagram(f *testing.F) {
	for _, m := range messages {
		f.Add([]byte(m.bytes))
	}
	r, err := New(Config{Public: []netip.Addr{here}, Limits: Limits{Requests: 1 << 30}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { r.Close() })
	f.Fuzz(func(t *testing.T, b []byte) {
		if number, data, ok := channelData(b); ok &&
			(number < 0x4000 || number > 0x7fff || len(data) > len(b)-channelHeader) {
			t.Errorf("channel %x of %d bytes", number, len(data))
		}
		v := r.gate.check(b, netip.AddrPortFrom(here, 1), nil)
		if v.pass && !stun.IsMessage(b) {
			t.Error("it is no message, but passes")
		}
		if v.answer != nil && len(v.answer) > len(b)+20 {
			t.Errorf("%d bytes are answered with %d", len(b), len(v.answer))
		}
	})
}

func TestNonsenseOverTCPEndsTheConnection(t *testing.T) {
	r := start(t, Config{})
	port := onePort(t, r)
	c, err := net.Dial("tcp", port)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("\x00\x01\x00\x00GET / HTTP/1.1\r\n\r\n\x80\x80\x80\x80\x80\x80")); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !isReset(err) {
		t.Errorf("got %v", err)
	}
}

func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && !op.Timeout()
}

// What a client does not read holds up nobody else, and Close does not wait for it.
func TestClientsThatDoNotRead(t *testing.T) {
	r := start(t, Config{Permit: machine})
	port := onePort(t, r)
	_, stuck := allocate(t, r, byTCP, port, r.Credentials("rover", "stuck"))
	peer, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	if _, err := stuck.WriteTo([]byte("hello"), peer.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	// The client of pion reads only as much as its own queue holds; more than all sockets on the way hold follows.
	packet := make([]byte, 1400)
	for range 20000 {
		_, _ = peer.WriteTo(packet, stuck.LocalAddr())
	}
	_, other := allocate(t, r, byTCP, port, r.Credentials("rover", "page"))
	exchange(t, other, echo(t, "127.0.0.1:0"), []byte("still served"))
}
