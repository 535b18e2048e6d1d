package rtsp

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// Methods that keep a session alive. Some cameras count only one of them, others close the connection over the second.
const (
	askOptions   = "OPTIONS"
	askParameter = "GET_PARAMETER"
)

// methods is what is known of how a camera can be kept alive.
type methods struct {
	mu      sync.Mutex
	public  string               // the methods that the camera says it has
	refused []string             // those that it answered with an error
	asked   map[string]time.Time // those that it has not answered
}

const (
	longestPeriod = 25 * time.Second
	suspicious    = 3 * time.Second // from a keepalive to the end of the connection
)

// period is how often the camera hears of us: twice within the timeout of its session.
func (c *Conn) period() time.Duration { return min(max(c.timeout/2, time.Second/2), longestPeriod) }

// notePublic learns from an answer which methods the camera has.
func (c *Conn) notePublic(r *response) {
	if public := r.fields.get("Public"); public != "" {
		c.methods.mu.Lock()
		defer c.methods.mu.Unlock()
		c.methods.public = strings.ToUpper(public)
	}
}

// list returns the methods to use: OPTIONS, and GET_PARAMETER for a camera that says it has it. A camera that this
// did not keep alive gets only the one that it suggests less.
func (m *methods) list(other bool, fatal []string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []string
	switch listed := strings.Contains(m.public, askParameter); {
	case !listed && other:
		list = []string{askParameter}
	case listed && !other:
		list = []string{askOptions, askParameter}
	default:
		list = []string{askOptions}
	}
	isRefused := func(method string) bool { return slices.Contains(m.refused, method) || slices.Contains(fatal, method) }
	if list = slices.DeleteFunc(list, isRefused); len(list) > 0 {
		return list
	}
	if list = slices.DeleteFunc([]string{askOptions, askParameter}, isRefused); len(list) > 0 {
		return list
	}
	if slices.Contains(fatal, askOptions) && slices.Contains(fatal, askParameter) {
		return nil // receiver reports have to do
	}
	return []string{askOptions} // better than silence
}

// keepAlive tells the camera that we are there. Whether it answers does not matter.
func (c *Conn) keepAlive() {
	c.place.touch(time.Now())
	c.sendKeepAlive(nil)
}

// sendKeepAlive sends what was not sent already.
func (c *Conn) sendKeepAlive(sent []string) {
	for _, method := range c.methods.list(c.Memory.keepAlive()) {
		if !slices.Contains(sent, method) {
			sent = append(slices.Clip(sent), method)
			c.askAlive(method, sent, true)
		}
	}
}

func (c *Conn) askAlive(method string, sent []string, again bool) {
	c.methods.note(method, time.Now())
	// If it cannot be sent, the goroutine that reads notices.
	_ = c.client.send(method, c.base.URL(), nil, func(r *response) { c.keptAlive(method, sent, again, r) })
}

// keptAlive learns from the answer to a keepalive. What it suggests is sent at once, since the camera may count
// nothing else.
func (c *Conn) keptAlive(method string, sent []string, again bool, r *response) {
	c.notePublic(r)
	c.methods.note(method, time.Time{})
	switch {
	case r.status < 300:
		c.client.login.Accept()
		c.renewed(r)
	case r.status == 401:
		if c.client.login.Take(r.fields.all("WWW-Authenticate")) && again {
			c.askAlive(method, sent, false)
		}
		return
	case r.status == 454 || r.status >= 500 && r.status != 501 && r.status != 551:
		return // it has other troubles
	default:
		c.methods.refuse(method)
	}
	c.sendKeepAlive(sent)
}

// note notes when a method was asked, zero when it was answered.
func (m *methods) note(method string, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.asked == nil {
		m.asked = map[string]time.Time{}
	}
	m.asked[method] = at
}

// fatal returns the methods over which a connection that has just ended may have ended.
func (m *methods) fatal(now time.Time) (list []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for method, at := range m.asked {
		if now.Sub(at) < suspicious {
			list = append(list, method)
		}
	}
	return list
}

func (m *methods) refuse(method string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Contains(m.refused, method) {
		m.refused = append(m.refused, method)
	}
}
