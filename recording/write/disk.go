package write

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/foxglove/mcap/go/mcap"
)

// library is what the header of a recording names as its writer, besides the library.
const library = "waldo"

// AboutRobot is the name of the metadata record that a recording begins with.
const AboutRobot = "waldo"

// Resumed is the key of that metadata which is "true" in a file with which a recording went on after its recorder had
// ended.
const Resumed = "resumed"

// bufferBytes is how much is written at once of what is small.
const bufferBytes = 64 << 10

// output is where a recording goes: a file, but for tests.
type output interface {
	io.WriteCloser
	Sync() error
}

// disk writes chunks, one after the other.
type disk struct {
	file    output
	buffer  *bufio.Writer // to file and sum
	sum     hash.Hash
	writer  *mcap.Writer // to buffer; used by the goroutine only
	written atomic.Int64
	failed  chan struct{} // closed after the first error
	wake    chan struct{} // holds a token when there is something to do
	used    func(*chunk)  // gets chunks that were written

	mu      sync.Mutex
	queue   []*chunk
	waiting int    // bytes in the queue
	dropped uint64 // messages in the queue when an error came
	first   error  // the first error
	ending  bool
}

// newDisk writes what a file begins with.
func newDisk(file output, head Head) (*disk, error) {
	d := &disk{file: file, sum: sha256.New(), failed: make(chan struct{}), wake: make(chan struct{}, 1),
		used: func(*chunk) {}}
	d.buffer = bufio.NewWriterSize(io.MultiWriter(file, d.sum), bufferBytes)
	var err error
	if d.writer, err = mcap.NewWriter(d.buffer, &mcap.WriterOptions{Chunked: true, IncludeCRC: true}); err != nil {
		return nil, err
	}
	if err := d.writer.WriteHeader(&mcap.Header{Library: library}); err != nil {
		return nil, err
	}
	if err := d.writer.WriteMetadata(&mcap.Metadata{Name: AboutRobot, Metadata: head.Metadata}); err != nil {
		return nil, err
	}
	for _, a := range head.Attachments {
		if err := a.check(); err != nil {
			return nil, err
		}
		if err := d.writer.WriteAttachment(a.record()); err != nil {
			return nil, err
		}
	}
	return d, d.flush()
}

// flush makes what was written durable.
func (d *disk) flush() error {
	if err := d.buffer.Flush(); err != nil {
		return err
	}
	if err := d.file.Sync(); err != nil {
		return err
	}
	d.written.Store(int64(d.writer.Offset()))
	return nil
}

func (d *disk) err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.first
}

// state is how many bytes wait to be written, and how many messages an error has cost.
func (d *disk) state() (waiting int, dropped uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.waiting, d.dropped
}

// begun has the age of the chunk that begins observed.
func (d *disk) begun() { d.signal() }

func (d *disk) signal() {
	select {
	case d.wake <- struct{}{}:
	default: // it is awake
	}
}

// put adds a chunk to those that wait. It returns false if there is no room, or nothing is written any more.
func (d *disk) put(c *chunk, most int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.first != nil || d.waiting+c.size() > most && len(d.queue) > 0 {
		return false
	}
	d.queue, d.waiting = append(d.queue, c), d.waiting+c.size()
	d.signal()
	return true
}

// next returns a chunk to write, nil if there is none, and whether there will be none any more.
func (d *disk) next() (c *chunk, ended bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.queue) == 0 {
		return nil, d.ending
	}
	return d.queue[0], false
}

// wrote removes the chunk that has been written, or keeps the first error and removes all.
func (d *disk) wrote(c *chunk, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		for _, one := range d.queue {
			d.dropped += one.messages
		}
		d.fail(err)
		d.queue, d.waiting = nil, 0
		return
	}
	d.queue[0] = nil
	d.queue, d.waiting = d.queue[1:], d.waiting-c.size()
	d.used(c)
}

// fail keeps the first error. d.mu is held.
func (d *disk) fail(err error) {
	if d.first == nil {
		d.first = err
		close(d.failed)
	}
}

// work writes until stop. due is called for the chunk that has not ended, and says when that has to be done again.
func (d *disk) work(interval time.Duration, due func() time.Duration) {
	timer := time.NewTimer(interval)
	defer timer.Stop()
	for {
		c, ended := d.next()
		switch {
		case ended:
			return
		case c != nil:
			d.wrote(c, d.write(c))
			continue
		}
		left := due()
		if left == 0 {
			left = interval
		}
		timer.Reset(left)
		select {
		case <-d.wake:
		case <-timer.C:
		}
	}
}

// write writes a chunk and makes it durable.
func (d *disk) write(c *chunk) error {
	err := c.writeTo(d.writer)
	if err == nil {
		err = d.flush()
	}
	if err != nil {
		return fmt.Errorf("write the recording: %w", err)
	}
	return nil
}

func (d *disk) stop() {
	d.mu.Lock()
	d.ending = true
	d.mu.Unlock()
	d.signal()
}

// complete writes the index and closes the file. It returns the first error.
func (d *disk) complete() error {
	err := d.err()
	if err == nil {
		err = d.writer.Close()
	}
	if err == nil {
		err = d.flush()
	}
	if closed := d.file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.fail(err)
	}
	return err
}

// abandon closes the file as it is.
func (d *disk) abandon() { _ = d.file.Close() }
