package systemd

import (
	"context"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/pkg/text"
)

const (
	// patience bounds the wait for systemd to take a message.
	patience = time.Second
	// longestStatus is what fits on a line of `systemctl status`, in bytes.
	longestStatus = 512
	// feedsPerLimit is how often the watchdog is fed within its limit.
	feedsPerLimit = 4
)

// Unit is this process as systemd sees it.
type Unit struct {
	socket string        // where messages go; "" for nowhere
	limit  time.Duration // of the watchdog; 0 for none
}

// NewUnit reads what systemd says in the environment (NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID). What is not valid
// counts as not said: a process must not fail because nobody watches it.
func NewUnit(environ func(string) string) *Unit {
	u := &Unit{socket: environ("NOTIFY_SOCKET")}
	if strings.HasPrefix(u.socket, "@") {
		u.socket = "\x00" + u.socket[1:] // the kernel's spelling of an abstract name
	}
	if pid := environ("WATCHDOG_PID"); pid == "" || pid == strconv.Itoa(os.Getpid()) {
		us, err := strconv.ParseInt(environ("WATCHDOG_USEC"), 10, 64)
		if err == nil && us > 0 && us <= int64(time.Hour/time.Microsecond) {
			u.limit = time.Duration(us) * time.Microsecond
		}
	}
	return u
}

// Ready says that the process serves: it listens. Hardware may still be away; that is a matter of the status.
func (u *Unit) Ready(status string) { u.send("READY=1\n" + line(status)) }

// Status says what the process is doing, for `systemctl status`. Control characters are escaped, and what is longer
// than 512 bytes is cut.
func (u *Unit) Status(status string) { u.send(line(status)) }

func line(status string) string {
	status = text.Printable(status)
	if len(status) > longestStatus {
		status = strings.ToValidUTF8(status[:longestStatus], "") + "…"
	}
	return "STATUS=" + status
}

// Main says that another process is the main process of the unit from now on.
func (u *Unit) Main(pid int) { u.send("MAINPID=" + strconv.Itoa(pid)) }

// Stopping says that the process ends on request.
func (u *Unit) Stopping() { u.send("STOPPING=1") }

// Watched tells whether the unit has a watchdog.
func (u *Unit) Watched() bool { return u.limit > 0 && u.socket != "" }

// Watch feeds the watchdog until ctx ends, several times within its limit, as long as alive returns true. The context
// of alive ends after half of the limit. Without a watchdog Watch returns at once. It is called after Ready.
func (u *Unit) Watch(ctx context.Context, alive func(context.Context) bool) {
	if !u.Watched() {
		return
	}
	tick := time.NewTicker(u.limit / feedsPerLimit)
	defer tick.Stop()
	for {
		u.feed(ctx, alive)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (u *Unit) feed(ctx context.Context, alive func(context.Context) bool) {
	ctx, cancel := context.WithTimeout(ctx, u.limit/2)
	defer cancel()
	if alive(ctx) {
		u.send("WATCHDOG=1")
	}
}

// send gives systemd one message. There is nobody to tell of a failure but the log, which would repeat it for ever.
func (u *Unit) send(message string) {
	if u.socket == "" {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: u.socket, Net: "unixgram"})
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }() // a datagram has left or not
	_ = conn.SetWriteDeadline(time.Now().Add(patience))
	_, _ = conn.Write([]byte(message))
}

// Credential returns the path of a credential of the unit, "" if it has none of that name.
func Credential(name string, environ func(string) string) string {
	folder := environ("CREDENTIALS_DIRECTORY")
	if folder == "" {
		return ""
	}
	path := folder + "/" + name
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return path
}
