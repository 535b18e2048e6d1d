package rtc

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/sdp/v3"
	"github.com/pion/stun/v4"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

// Credentials of the offers in odd_test.go.
const farUfrag, farPwd = "aaaa", "aaaaaaaaaaaaaaaaaaaaaaaa"

// end is a socket of a far end: it answers checks, and tells when something else arrives.
type end struct {
	net.PacketConn
	t    *testing.T
	data chan struct{}
}

func newEnd(t *testing.T) *end {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &end{c, t, make(chan struct{}, 1000)}
	ended := make(chan struct{})
	t.Cleanup(func() {
		_ = c.Close()
		<-ended
	})
	go func() {
		defer close(ended)
		e.serve()
	}()
	return e
}

func (e *end) serve() {
	b := make([]byte, 1500)
	for {
		n, from, err := e.ReadFrom(b)
		if err != nil {
			return
		}
		if !stun.IsMessage(b[:n]) {
			select {
			case e.data <- struct{}{}:
			default:
			}
			continue
		}
		m := &stun.Message{Raw: append([]byte(nil), b[:n]...)}
		if m.Decode() != nil || m.Type != stun.BindingRequest {
			continue
		}
		a := from.(*net.UDPAddr)
		answer, err := stun.Build(m, stun.BindingSuccess, &stun.XORMappedAddress{IP: a.IP, Port: a.Port},
			stun.NewShortTermIntegrity(farPwd), stun.Fingerprint)
		if err == nil {
			_, _ = e.WriteTo(answer.Raw, from)
		}
	}
}

// nominate checks a path to the gateway, and nominates it.
func (e *end) nominate(gateway net.Addr, near Fragment, priority uint32) {
	e.t.Helper()
	m, err := stun.Build(stun.BindingRequest, stun.TransactionID, stun.NewUsername(near.Ufrag+":"+farUfrag),
		ice.UseCandidate(), ice.AttrControlling(7), ice.PriorityAttr(priority), stun.NewShortTermIntegrity(near.Pwd),
		stun.Fingerprint)
	if err != nil {
		e.t.Fatal(err)
	}
	if _, err := e.WriteTo(m.Raw, gateway); err != nil {
		e.t.Fatal(err)
	}
}

// until nominates a path until something arrives by it, or that is long overdue.
func (e *end) until(gateway net.Addr, near Fragment, priority uint32) {
	e.t.Helper()
	deadline := time.After(watcher.Timeout)
	for {
		e.nominate(gateway, near, priority)
		select {
		case <-e.data:
			return
		case <-deadline:
			e.t.Fatal("nothing arrives by the nominated path")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// The gateway goes on by the path that the far end nominates when the one before it is dead, whatever its priority.
func TestFollowsToALesserPath(t *testing.T) {
	e := newEngine(t)
	p, err := e.NewPeer(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	offer := strings.ReplaceAll(oddOffer(sees("0", h264)), "a=setup:actpass", "a=setup:passive") // the gateway begins DTLS
	answer, err := p.Answer(t.Context(), offer, []Track{{MID: "0", Stream: front}})
	if err != nil {
		t.Fatal(err)
	}
	var d sdp.SessionDescription
	if err := d.UnmarshalString(answer); err != nil {
		t.Fatal(err)
	}
	near := described(&d)
	gateway, err := net.ResolveUDPAddr("udp4", e.Address())
	if err != nil {
		t.Fatal(err)
	}
	wifi, mobile := newEnd(t), newEnd(t)
	wifi.until(gateway, near, 126<<24|65535<<8|255) // what arrives is the beginning of DTLS
	_ = wifi.Close()
	mobile.until(gateway, near, 110<<24|65535<<8|255)
}

// While the path in use lives, another one of lower priority does not take its place, even if it is nominated too: some
// far ends nominate all.
func TestKeepsAPathThatLives(t *testing.T) {
	far, near := net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}, net.UDPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 2}
	f := &follower{relayed: func(string) bool { return false }}
	if f.checked(nominating(t), candidateAt(t, near), candidateAt(t, far), &ice.CandidatePair{}) {
		t.Error("follows before any path is in use")
	}
	key := path(place("192.0.2.2", 2), place("192.0.2.1", 1))
	f.inUse.Store(&key)
	inUse := &ice.CandidatePair{Local: candidateAt(t, near), Remote: candidateAt(t, far)}
	inUse.UpdateRequestReceived()
	if f.checked(nominating(t), inUse.Local, inUse.Remote, inUse) {
		t.Error("the path in use is not known")
	}
	other := &ice.CandidatePair{Local: candidateAt(t, near), Remote: candidateAt(t, net.UDPAddr{IP: far.IP, Port: 3})}
	if f.checked(nominating(t), other.Local, other.Remote, other) {
		t.Error("follows to a path from which no answer came")
	}
	other.UpdateRoundTripTime(time.Millisecond)
	if f.checked(nominating(t), other.Local, other.Remote, other) {
		t.Error("leaves a path that lives")
	}
	f.relayed = func(address string) bool { return address == "192.0.2.2:2" }
	direct := &ice.CandidatePair{Local: candidateAt(t, net.UDPAddr{IP: near.IP, Port: 4}), Remote: other.Remote}
	direct.UpdateRoundTripTime(time.Millisecond)
	if !f.checked(nominating(t), direct.Local, direct.Remote, direct) {
		t.Error("stays at a relay although there is a direct path")
	}
}

func nominating(t *testing.T) *stun.Message {
	t.Helper()
	m, err := stun.Build(stun.BindingRequest, ice.UseCandidate())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func candidateAt(t *testing.T, a net.UDPAddr) ice.Candidate {
	t.Helper()
	c, err := ice.NewCandidateHost(&ice.CandidateHostConfig{Network: "udp", Address: a.IP.String(), Port: a.Port,
		Component: 1})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
