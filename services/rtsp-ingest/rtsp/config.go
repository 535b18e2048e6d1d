package rtsp

import (
	"slices"
	"sync"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
)

// Config says how to receive from a camera.
type Config struct {
	Address address.Address
	// UDP asks for packets over UDP; if none come, TCP is used. Without it, UDP is used only if the camera refuses TCP.
	UDP bool
	// Silent leaves out the sound.
	Silent bool
	// Fingerprint is the SHA-256 of the camera's certificate as hexadecimal digits, with colons or without; see
	// [dial.CheckFingerprint]. Without it, the certificate must be one that the system trusts.
	Fingerprint string
	// LegacyTLS allows versions and ciphers of TLS that are broken, for old cameras.
	LegacyTLS bool
	// Directory is where the id of the session is kept for the next process; none if empty. It must belong to this
	// device.
	Directory string
	// Memory is what is known of the camera from before. It may be shared by connections one after the other.
	Memory *Memory
	// Limits are bounds of time; zero values stand for the usual ones.
	Limits Limits
}

// Limits are how long something may take.
type Limits struct {
	Connect time.Duration // until a connection stands, TLS included: 3 s
	Answer  time.Duration // until the camera answers a request: 15 s, cameras that wake up need 10
	UDP     time.Duration // until the first packet comes over UDP: 3 s
	Goodbye time.Duration // that the camera may take to answer TEARDOWN: 100 ms
}

func (l Limits) filled() Limits {
	usual := Limits{3 * time.Second, 15 * time.Second, 3 * time.Second, 100 * time.Millisecond}
	for _, one := range []struct{ value, usual *time.Duration }{
		{&l.Connect, &usual.Connect}, {&l.Answer, &usual.Answer}, {&l.UDP, &usual.UDP}, {&l.Goodbye, &usual.Goodbye},
	} {
		if *one.value <= 0 {
			*one.value = *one.usual
		}
	}
	return l
}

// Memory is what connections to a camera have learnt, for the next one. The zero value knows nothing. It is safe for
// concurrent use.
type Memory struct {
	mu       sync.Mutex
	over     lower // what worked, other than asked for
	learnt   bool
	other    bool     // keep alive by another method than the camera's own list suggests
	fatal    []string // methods over which the camera closed a connection
	expiries int      // connections in a row that ended when their session would have, though it was kept alive
}

// lower is what carries packets.
type lower string

const (
	overTCP lower = "TCP"
	overUDP lower = "UDP"
)

// transport returns what to try first.
func (m *Memory) transport(asked lower) lower {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.learnt {
		return m.over
	}
	return asked
}

func (m *Memory) worked(over lower) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.over, m.learnt = over, true
}

// keepAlive returns whether the usual methods did not keep the camera alive, and over which it closes the connection.
func (m *Memory) keepAlive() (other bool, fatal []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.other, slices.Clone(m.fatal)
}

// closedOver notes methods over which the camera closed the connection.
func (m *Memory) closedOver(methods []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, one := range methods {
		if !slices.Contains(m.fatal, one) {
			m.fatal = append(m.fatal, one)
		}
	}
}

// ended notes how long a connection played before the camera closed it. If that is the timeout of its session, twice
// in a row, the camera does not take our keepalives for such.
func (m *Memory) ended(played, timeout time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if off := played - timeout; off.Abs() > timeout/10 {
		m.expiries = 0
		return
	}
	if m.expiries++; m.expiries == 2 {
		m.other, m.fatal, m.expiries = !m.other, nil, 0
	}
}
