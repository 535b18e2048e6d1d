package write

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/foxglove/mcap/go/mcap"

	"github.com/waldo-robot/waldo/recording"
)

// PartSuffix ends the names of files that are being written.
const PartSuffix = ".part"

// What [Config] has for fields that are zero.
const (
	chunkTime  = time.Second
	chunkBytes = 512 << 10
	queueBytes = 32 << 20
)

// Config adjusts a [File]. The zero value works.
type Config struct {
	ChunkTime  time.Duration // after which a chunk ends; 0: 1 s
	ChunkBytes int           // at which a chunk ends; 0: 512 KB
	QueueBytes int           // of chunks that wait for the disk; 0: 32 MiB
}

func (c Config) withDefaults() Config {
	if c.ChunkTime == 0 {
		c.ChunkTime = chunkTime
	}
	if c.ChunkBytes == 0 {
		c.ChunkBytes = chunkBytes
	}
	if c.QueueBytes == 0 {
		c.QueueBytes = queueBytes
	}
	return c
}

// Head is what a file begins with, so that it can be understood by itself.
type Head struct {
	Metadata    map[string]string // about the recording
	Attachments []Attachment
}

// Attachment is a file within the file, for example robot.yaml.
type Attachment struct {
	Name, MediaType string
	Data            []byte
}

// Channel is a channel of one file.
type Channel uint16

// Message is what is written.
type Message struct {
	Logged    time.Time // when it reached the recorder; never before that of an earlier message
	Published time.Time // when its content was captured; zero: when it reached the recorder
	Sequence  uint32    // of the message on the bus; wraps around
	Key       bool      // decoding can begin here
	Data      []byte    // as it was on the bus
}

// File is a recording that is being written.
type File struct {
	path   string
	config Config
	disk   *disk
	done   chan struct{} // closed when the goroutine of disk has ended

	mu       sync.Mutex
	chunk    *chunk // of what comes now; nil: none has begun
	channels []channel
	lost     uint64
	closed   bool
}

// channel is what is known of one.
type channel struct {
	recording.Channel
	record *mcap.Channel
	schema *mcap.Schema
	encode []byte // for the next message
}

// Create begins a file, which must not be there yet. Its directory has to exist.
func Create(path string, head Head, c Config) (*File, error) {
	f := &File{path: path, config: c.withDefaults(), done: make(chan struct{})}
	out, err := os.OpenFile(path+PartSuffix, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, err // it names the file
	}
	if f.disk, err = newDisk(out, head); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", out.Name(), err), out.Close(), os.Remove(out.Name()))
	}
	go func() {
		defer close(f.done)
		f.disk.work(f.config.ChunkTime, f.due)
	}()
	return f, nil
}

// Path is where the file is when it is closed.
func (f *File) Path() string { return f.path }

// Failed is closed when the file takes nothing any more because of an error.
func (f *File) Failed() <-chan struct{} { return f.disk.failed }

// Err returns the first error.
func (f *File) Err() error { return f.disk.err() }

// Written is how many bytes have been made durable.
func (f *File) Written() int64 { return f.disk.written.Load() }

// Lost is how many messages were dropped because the disk was too slow.
func (f *File) Lost() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lost
}

// ErrClosed is returned for what comes after Close or Abandon.
var ErrClosed = errors.New("the recording is closed")

// Add adds a channel.
func (f *File) Add(c recording.Channel) (Channel, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.channels)
	if n >= math.MaxUint16 {
		return 0, errors.New("the file has no room for another channel")
	}
	record, schema, err := c.Records(uint16(n), uint16(n+1)) // a schema has no number 0
	if err != nil {
		return 0, err
	}
	if err := f.begin(); err != nil {
		return 0, err
	}
	if err := f.chunk.define(record, schema); err != nil {
		return 0, err
	}
	f.channels = append(f.channels, channel{Channel: c, record: record, schema: schema})
	return Channel(n), nil
}

// Write adds a message. It does not wait for the disk.
func (f *File) Write(to Channel, m Message) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if int(to) >= len(f.channels) {
		return fmt.Errorf("the file has no channel %d", to)
	}
	if m.Key && f.chunk != nil && f.half(f.chunk) {
		f.end()
	}
	if err := f.begin(); err != nil {
		return err
	}
	c := &f.channels[to]
	c.encode = c.Encode(c.encode[:0], m.Data)
	if m.Published.IsZero() {
		m.Published = m.Logged
	}
	if err := f.chunk.add(&mcap.Message{
		ChannelID: uint16(to), Sequence: m.Sequence, Data: c.encode,
		LogTime: uint64(m.Logged.UnixNano()), PublishTime: uint64(m.Published.UnixNano()),
	}, c.record); err != nil {
		return err
	}
	if cap(c.encode) > f.config.ChunkBytes {
		c.encode = nil // of a message that was larger than others
	}
	if f.chunk.size() >= f.config.ChunkBytes {
		f.end()
	}
	return nil
}

// half reports whether a chunk is full enough to end before a key frame.
func (f *File) half(c *chunk) bool {
	return c.messages > 0 && (c.size() >= f.config.ChunkBytes/2 || time.Since(c.begun) >= f.config.ChunkTime/2)
}

// begin begins a chunk unless there is one. f.mu is held.
func (f *File) begin() error {
	if f.closed {
		return ErrClosed
	}
	if err := f.disk.err(); err != nil {
		return err
	}
	if f.chunk != nil {
		return nil
	}
	c, err := newChunk()
	if err != nil {
		return err
	}
	c.begun = time.Now()
	f.chunk = c
	f.disk.begun()
	return nil
}

// end hands the chunk to the disk. f.mu is held.
func (f *File) end() {
	c := f.chunk
	f.chunk = nil
	if c == nil || f.disk.put(c, f.config.QueueBytes) {
		return
	}
	f.lost += uint64(c.messages)
	if len(c.channels) == 0 {
		return
	}
	// What it defines is needed by later chunks.
	if again, err := newChunk(); err == nil {
		again.begun = time.Now()
		for i, one := range c.channels {
			_ = again.define(one, c.schemas[i]) // it was encoded before
		}
		f.chunk = again
	}
}

// due ends the chunk if it is old enough, and says when it has to be looked at again; 0: when there is a chunk.
func (f *File) due() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.chunk == nil {
		return 0
	}
	if left := f.config.ChunkTime - time.Since(f.chunk.begun); left > 0 {
		return left
	}
	f.end()
	return 0
}

// Close writes what is left, and completes and renames the file. It returns the first error of the file, in which case the
// file keeps its name with .part.
func (f *File) Close() error {
	if !f.stop() {
		return ErrClosed
	}
	if err := f.disk.complete(); err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	if err := os.Rename(f.path+PartSuffix, f.path); err != nil {
		return err // it names the files
	}
	return syncDirectory(f.path)
}

// Abandon ends the file as it is.
func (f *File) Abandon() {
	if f.stop() {
		f.disk.abandon()
	}
}

// stop ends the goroutine when it has written everything. It returns false if the file is closed already.
func (f *File) stop() bool {
	f.mu.Lock()
	was := f.closed
	if !was {
		f.end()
	}
	f.closed = true
	f.mu.Unlock()
	if was {
		return false
	}
	f.disk.stop()
	<-f.done
	return true
}

// syncDirectory makes the name of a file durable.
func syncDirectory(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Part reports whether a file of this name is being written, or was left behind.
func Part(name string) bool { return strings.HasSuffix(name, PartSuffix) }
