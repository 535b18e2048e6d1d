package handover

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"
)

const (
	// ChannelFD is the environment variable that has the number of the file descriptor through which a launcher offers
	// successors.
	ChannelFD = "WALDO_HANDOVER_FD"
	// PredecessorFD is the environment variable that has the number of the file descriptor through which a successor
	// reaches its predecessor.
	PredecessorFD = "WALDO_PREDECESSOR_FD"
	// MaxMessage is the size of the largest message, in bytes.
	MaxMessage = 96 << 10
	// maxFiles is how many files a message may carry.
	maxFiles = 2
)

// Kind is what a message is about.
type Kind string

// Kinds of messages; see the package comment.
const (
	Offer   Kind = "offer"
	Hello   Kind = "hello"
	Welcome Kind = "welcome"
	Refused Kind = "refused"
	Take    Kind = "take"
	Taken   Kind = "taken"
	Yield   Kind = "yield"
	Yielded Kind = "yielded"
	Serve   Kind = "serve"
	Served  Kind = "served"
	Done    Kind = "done"
	Failed  Kind = "failed"
)

// Message is one message. Which fields are set depends on its kind.
type Message struct {
	Kind Kind `json:"kind"`
	// Force, of Offer: hand over even while somebody holds a lease.
	Force bool `json:"force,omitempty"`
	// Alone, of Hello: the hardware can be open only once.
	Alone bool `json:"alone,omitempty"`
	// Reason, of Refused and Failed, for people to read.
	Reason string `json:"reason,omitempty"`
	// Stream, of Take.
	Stream string `json:"stream,omitempty"`
	// Estate, of Welcome, Yielded and Served: what the predecessor leaves.
	Estate *Estate `json:"estate,omitempty"`
}

// Estate is what a predecessor leaves to its successor. With Welcome come the sockets on which it listens.
type Estate struct {
	// Epoch is its life.
	Epoch int64 `json:"epoch"`
	// Ready tells whether its hardware works.
	Ready bool `json:"ready"`
	// Flowing are the streams that it publishes now.
	Flowing []string `json:"flowing,omitempty"`
	// Holds are those of its readers on the bus.
	Holds []Hold `json:"holds,omitempty"`
	// Listens are the addresses, as they were configured, of the sockets that come with the message, in their order.
	Listens []string `json:"listens,omitempty"`
	// Kept is what its parts leave to theirs.
	Kept map[string][]byte `json:"kept,omitempty"`
}

// Hold is the promise of a reader to read a stream.
type Hold struct {
	Stream string        `json:"stream"`
	Holder string        `json:"holder"`
	TTL    time.Duration `json:"ttl"`
}

// ErrGone means that the other process has ended, or has closed its end.
var ErrGone = errors.New("the other process has ended")

// Conn is one end. Send and Receive may be called at the same time, each by one goroutine.
type Conn struct{ conn *net.UnixConn }

// Pair returns the two ends of a new connection, to be inherited by processes or given to [Open].
func Pair() (a, b *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make a connection for a successor: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "handover"), os.NewFile(uintptr(fds[1]), "handover"), nil
}

// Open makes a Conn of an end, which it closes.
func Open(end *os.File) (*Conn, error) {
	c, err := net.FileConn(end)
	_ = end.Close() // c has its own
	if err != nil {
		return nil, fmt.Errorf("open a connection for a successor: %w", err)
	}
	conn, ok := c.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(errors.New("a connection for a successor is not a local socket"), c.Close())
	}
	return &Conn{conn}, nil
}

// Inherited opens the end that the environment variable names, and takes the variable out of the environment, so that
// no other program is told of it. It returns nil if there is none.
func Inherited(variable string) (*Conn, error) {
	given := os.Getenv(variable)
	if given == "" {
		return nil, nil
	}
	_ = os.Unsetenv(variable) // fails only for a name that is none
	fd, err := strconv.ParseUint(given, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("%s: %.20q is not the number of a file descriptor: leave it to waldo", variable, given)
	}
	end := os.NewFile(uintptr(fd), "handover")
	if end == nil {
		return nil, fmt.Errorf("%s: %d is not open: leave it to waldo", variable, fd)
	}
	c, err := Open(end)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", variable, err)
	}
	return c, nil
}

// Send sends a message with files, which stay open. It fails with ErrGone if nobody is at the other end, and after a
// second if that one does not read.
func (c *Conn) Send(m Message, files ...*os.File) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if len(data) > MaxMessage {
		return fmt.Errorf("a message of %d bytes to another process is too long: the most is %d", len(data), MaxMessage)
	}
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			if fds[i], err = number(f); err != nil {
				return err
			}
		}
		rights = syscall.UnixRights(fds...)
	}
	if err := c.conn.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		return gone(err)
	}
	_, _, err = c.conn.WriteMsgUnix(data, rights, nil)
	return gone(err)
}

// number is the descriptor of a file, which stays as it is: [os.File.Fd] would make it block.
func number(f *os.File) (fd int, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	err = raw.Control(func(n uintptr) { fd = int(n) })
	return fd, err
}

// Receive waits for the next message. Its files belong to the caller. It fails with ErrGone at the end.
func (c *Conn) Receive() (Message, []*os.File, error) {
	data, rights := make([]byte, MaxMessage), make([]byte, syscall.CmsgSpace(4*maxFiles))
	n, oobn, flags, _, err := c.conn.ReadMsgUnix(data, rights)
	if err == nil && n == 0 && oobn == 0 {
		err = io.EOF
	}
	if err != nil {
		return Message{}, nil, gone(err)
	}
	files := received(rights[:oobn])
	m, err := parse(data[:n], flags)
	if err != nil {
		closeAll(files)
		return Message{}, nil, fmt.Errorf("another process sent an invalid message: %w", err)
	}
	return m, files, nil
}

// parse reads a packet that came with these flags.
func parse(packet []byte, flags int) (m Message, err error) {
	switch {
	case flags&syscall.MSG_TRUNC != 0:
		return m, fmt.Errorf("it is longer than %d bytes", MaxMessage)
	case flags&syscall.MSG_CTRUNC != 0:
		return m, fmt.Errorf("it comes with more than %d files", maxFiles)
	}
	if err = json.Unmarshal(packet, &m); err == nil && m.Kind == "" {
		err = errors.New("it has no kind")
	}
	return m, err
}

// received are the files that came with a message.
func received(rights []byte) (files []*os.File) {
	messages, err := syscall.ParseSocketControlMessage(rights)
	if err != nil {
		return nil
	}
	for i := range messages {
		fds, err := syscall.ParseUnixRights(&messages[i])
		if err != nil {
			continue
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "handed over"))
		}
	}
	return files
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // it was only received
	}
}

// gone is ErrGone for the errors that mean it.
func gone(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.Is(err, syscall.EPIPE),
		errors.Is(err, syscall.ECONNRESET):
		return ErrGone
	}
	return err
}

// Interrupt ends a Receive under way, and those to come, with an error.
func (c *Conn) Interrupt() { _ = c.conn.SetReadDeadline(time.Unix(1, 0)) } // fails only if it is closed

// Close ends the connection, and a Receive under way.
func (c *Conn) Close() { _ = c.conn.Close() } // nothing waits to be sent
