package uvcsim

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
)

// Camera is one webcam, plugged in or not. Make it with [New].
type Camera struct {
	mu     sync.Mutex
	number uint32 // of the next picture
	drawn  map[drawing][]byte
}

// New returns a camera that is not plugged in.
func New() *Camera {
	return &Camera{drawn: make(map[drawing][]byte)}
}

// Pictures returns how many pictures the camera has started to send so far: the number of the next one.
func (c *Camera) Pictures() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.number
}

// Serve runs the camera on one USB/IP connection: it answers the host until the connection ends, closes it, and
// returns the cause; nil if either side closed it normally.
func (c *Camera) Serve(conn io.ReadWriteCloser) error {
	var (
		l         = newLink(conn)
		state     = newControls()
		done      = make(chan struct{})
		streaming sync.WaitGroup
		streamErr error
	)
	streaming.Go(func() {
		if streamErr = c.stream(l, state.current, done); streamErr != nil {
			conn.Close() // wakes the reader below
		}
	})
	err := serveCommands(conn, l, state)
	close(done)
	conn.Close()
	streaming.Wait()
	if closed(err) {
		err = nil
	}
	if closed(streamErr) {
		streamErr = nil
	}
	return errors.Join(err, streamErr)
}

// serveCommands handles all commands of the host; it returns when the connection ends.
func serveCommands(r io.Reader, l *link, state *controls) error {
	for {
		cmd, err := readCommand(r)
		if err != nil {
			return fmt.Errorf("read from the host: %w", err)
		}
		switch {
		case cmd.code == commandUnlink:
			err = l.unlink(cmd)
		case cmd.endpoint == 0:
			request := parseSetup(cmd.setup)
			data, ok := state.handle(request, cmd.data)
			if ok && request.restartsStream() {
				l.restart()
			}
			err = l.answer(cmd, ok, data)
		case cmd.toHost && cmd.endpoint == endpointVideo&0x0F:
			l.enqueue(cmd)
		default:
			err = l.answer(cmd, false, nil)
		}
		if err != nil {
			return fmt.Errorf("answer the host: %w", err)
		}
	}
}

// closed reports whether an error is the normal end of a connection.
func closed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, net.ErrClosed)
}
