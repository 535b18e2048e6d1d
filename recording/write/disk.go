package write

import (
	"bytes"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/foxglove/mcap/go/mcap"
)

// Profile is what the header of a recording says of it.
const Profile = "waldo"

// AboutRobot is the name of the metadata record that a recording begins with.
const AboutRobot = "waldo"

// disk writes chunks, one after the other.
type disk struct {
	file    *os.File
	writer  *mcap.Writer // used by the goroutine only
	written atomic.Int64
	failed  chan struct{} // closed after the first error
	wake    chan struct{} // holds a token when there is something to do

	mu      sync.Mutex
	queue   []*chunk
	waiting int   // bytes in the queue
	first   error // the first error
	ending  bool
}

// newDisk writes what a file begins with.
func newDisk(file *os.File, head Head) (*disk, error) {
	w, err := mcap.NewWriter(file, &mcap.WriterOptions{Chunked: true})
	if err != nil {
		return nil, err
	}
	if err := w.WriteHeader(&mcap.Header{Profile: Profile}); err != nil {
		return nil, err
	}
	if err := w.WriteMetadata(&mcap.Metadata{Name: AboutRobot, Metadata: head.Metadata}); err != nil {
		return nil, err
	}
	now := uint64(time.Now().UnixNano())
	for _, a := range head.Attachments {
		if err := w.WriteAttachment(&mcap.Attachment{
			Name: a.Name, MediaType: a.MediaType, LogTime: now, CreateTime: now, DataSize: uint64(len(a.Data)),
			Data: bytes.NewReader(a.Data),
		}); err != nil {
			return nil, err
		}
	}
	if err := file.Sync(); err != nil {
		return nil, err
	}
	d := &disk{file: file, writer: w, failed: make(chan struct{}), wake: make(chan struct{}, 1)}
	d.written.Store(int64(w.Offset()))
	return d, syncDirectory(file.Name())
}

func (d *disk) err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.first
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
	d.queue, d.waiting = d.queue[1:], d.waiting-c.size()
	if err != nil {
		d.first, d.queue, d.waiting = err, nil, 0
		close(d.failed)
	}
}

// work writes until stop. due is called for the chunk that has not ended.
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
	if err := c.writeTo(d.writer); err != nil {
		return fmt.Errorf("write the recording: %w", err)
	}
	if err := d.file.Sync(); err != nil {
		return fmt.Errorf("write the recording: %w", err)
	}
	d.written.Store(int64(d.writer.Offset()))
	return nil
}

func (d *disk) stop() {
	d.mu.Lock()
	d.ending = true
	d.mu.Unlock()
	d.signal()
}

// complete writes the index and closes the file.
func (d *disk) complete() error {
	err := d.err()
	if err == nil {
		err = d.writer.Close()
	}
	if err == nil {
		err = d.file.Sync()
	}
	if closed := d.file.Close(); err == nil {
		err = closed
	}
	return err
}

// abandon closes the file as it is.
func (d *disk) abandon() { _ = d.file.Close() }
