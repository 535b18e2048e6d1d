package write

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/foxglove/mcap/go/mcap"

	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/internal/files"
)

// PartSuffix ends the names of files that are being written.
const PartSuffix = ".part"

// What [Config] has for fields that are zero.
const (
	chunkTime  = 800 * time.Millisecond
	chunkBytes = 512 << 10
	queueBytes = 32 << 20
)

// Config adjusts a [File]. The zero value works.
type Config struct {
	ChunkTime  time.Duration // after which a chunk ends; 0: 0.8 s
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

// MaxMessage bounds the size of a message; those of the bus are far smaller.
const MaxMessage = 64 << 20

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

// MaxAttachment bounds the size of an attachment.
const MaxAttachment = 15 << 20

func (a Attachment) check() error {
	if len(a.Data) > MaxAttachment {
		return fmt.Errorf("attachment %s has %d bytes, more than %d", a.Name, len(a.Data), MaxAttachment)
	}
	return nil
}

func (a Attachment) record() *mcap.Attachment {
	now := uint64(time.Now().UnixNano())
	return &mcap.Attachment{Name: a.Name, MediaType: a.MediaType, LogTime: now, CreateTime: now,
		DataSize: uint64(len(a.Data)), Data: bytes.NewReader(a.Data)}
}

// Channel is a channel of one file.
type Channel uint16

// Message is what is written.
type Message struct {
	Logged    time.Time // when it reached the recorder; what is before an earlier message counts as at the same time
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
	pool   sync.Pool     // of chunks

	mu       sync.Mutex
	chunk    *chunk // of what comes now; nil: none has begun
	channels []*channel
	schemas  map[string]*definition // by name and content
	attached []*mcap.Attachment     // of a chunk that was lost, for the next one
	last     uint64                 // log time of the newest message
	stats    Stats
	closed   bool
}

// channel is what is known of one.
type channel struct {
	recording.Channel
	definition
	schema *definition // which channels may share
}

// definition is a record that stands in a file once, before what needs it.
type definition struct {
	channel *mcap.Channel // or
	schema  *mcap.Schema
	record  []byte
	written bool // it is in a chunk that was not lost
}

// Create begins a file, which must not be there yet. Its directory has to exist.
func Create(path string, head Head, c Config) (*File, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	}
	out, err := os.OpenFile(path+PartSuffix, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, err // it names the file
	}
	f, err := begin(path, out, head, c)
	if err == nil {
		err = errors.Join(files.Lock(out), files.SyncFolder(path))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", out.Name(), err), out.Close(), os.Remove(out.Name()))
	}
	f.start()
	return f, nil
}

// begin writes what a file begins with.
func begin(path string, out output, head Head, c Config) (*File, error) {
	d, err := newDisk(out, head)
	if err != nil {
		return nil, err
	}
	f := &File{path: path, config: c.withDefaults(), disk: d, done: make(chan struct{}), schemas: map[string]*definition{}}
	f.pool.New = func() any { return &chunk{} }
	d.used = f.used
	return f, nil
}

func (f *File) start() {
	go func() {
		defer close(f.done)
		f.disk.work(f.config.ChunkTime, f.due)
	}()
}

// used keeps a chunk for what comes later, unless it has grown unusually large.
func (f *File) used(c *chunk) {
	if cap(c.records) <= 2*f.config.ChunkBytes {
		c.reset()
		f.pool.Put(c)
	}
}

// Path is where the file is when it is closed.
func (f *File) Path() string { return f.path }

// Failed is closed when the file takes nothing any more because of an error.
func (f *File) Failed() <-chan struct{} { return f.disk.failed }

// Err returns the first error.
func (f *File) Err() error { return f.disk.err() }

// Written is how many bytes have been made durable.
func (f *File) Written() int64 { return f.disk.written.Load() }

// Stats is what a file has so far.
type Stats struct {
	Bytes       int64     // with those that wait for the disk
	Messages    uint64    // that are, or will be, in the file
	Lost        uint64    // that were dropped because the disk was too slow, or failed
	First, Last time.Time // log times of messages; zero: there was none
}

// Stats returns what the file has so far.
func (f *File) Stats() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.stats
	waiting, dropped := f.disk.state()
	s.Bytes = f.Written() + int64(waiting)
	if f.chunk != nil {
		s.Bytes += int64(f.chunk.size())
	}
	s.Lost += dropped
	s.Messages -= s.Lost
	return s
}

// Lost is how many messages were dropped because the disk was too slow, or failed.
func (f *File) Lost() uint64 { return f.Stats().Lost }

// Sum is the SHA-256 of the file after Close.
func (f *File) Sum() [sha256.Size]byte { return [sha256.Size]byte(f.disk.sum.Sum(nil)) }

// ErrClosed is returned for what comes after Close or Abandon.
var ErrClosed = errors.New("the recording is closed")

// Add adds a channel.
func (f *File) Add(c recording.Channel) (Channel, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.usable(); err != nil {
		return 0, err
	}
	n := len(f.channels)
	if n >= math.MaxUint16 {
		return 0, errors.New("the file has no room for another channel")
	}
	added, err := f.channel(c, uint16(n))
	if err != nil {
		return 0, err
	}
	f.channels = append(f.channels, added)
	return Channel(n), nil
}

// channel returns what defines a channel. f.mu is held.
func (f *File) channel(c recording.Channel, id uint16) (*channel, error) {
	record, schema, err := c.Records(id, id+1) // a schema has no number 0
	if err != nil {
		return nil, err
	}
	same := schema.Name + "\x00" + string(schema.Data)
	shared := f.schemas[same]
	if shared == nil {
		shared = &definition{schema: schema}
	}
	record.SchemaID = shared.schema.ID
	own := definition{channel: record}
	if err := errors.Join(shared.encode(), own.encode()); err != nil {
		return nil, err
	}
	f.schemas[same] = shared
	return &channel{Channel: c, definition: own, schema: shared}, nil
}

// Attach adds an attachment to those of the head, of what was not known then. It goes to the disk with the next
// messages.
func (f *File) Attach(a Attachment) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := errors.Join(f.usable(), a.check()); err != nil {
		return err
	}
	if f.chunk == nil {
		f.begin()
	}
	f.chunk.attached = append(f.chunk.attached, a.record())
	return nil
}

// usable returns why the file takes nothing. f.mu is held.
func (f *File) usable() error {
	if f.closed {
		return ErrClosed
	}
	return f.disk.err()
}

// Write adds a message. It does not wait for the disk.
func (f *File) Write(to Channel, m Message) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.usable(); err != nil {
		return err
	}
	if int(to) >= len(f.channels) {
		return fmt.Errorf("the file has no channel %d", to)
	}
	if len(m.Data) > MaxMessage {
		return fmt.Errorf("a message has %d bytes, more than %d", len(m.Data), MaxMessage)
	}
	if m.Key && f.chunk != nil && f.half(f.chunk) {
		f.end()
	}
	c := f.channels[to]
	if f.chunk == nil {
		f.begin()
	}
	f.chunk.define(c)
	f.last = max(f.last, stamp(m.Logged, 0))
	f.chunk.add(c, m, f.last, stamp(m.Published, f.last))
	f.count(f.last)
	if f.chunk.size() >= f.config.ChunkBytes {
		f.end()
	}
	return nil
}

// stamp is a time as it is in a file. One that was not said, or that a file cannot have, is another.
func stamp(t time.Time, other uint64) uint64 {
	const mostSeconds = math.MaxInt64 / int64(time.Second) // in the year 2262
	if s := t.Unix(); s < 0 || s >= mostSeconds {
		return other
	}
	return uint64(t.UnixNano())
}

func (f *File) count(logged uint64) {
	at := time.Unix(0, int64(logged))
	if f.stats.Messages == 0 {
		f.stats.First = at
	}
	f.stats.Last = at
	f.stats.Messages++
}

// half reports whether a chunk is full enough to end before a key frame.
func (f *File) half(c *chunk) bool {
	return c.size() >= f.config.ChunkBytes/2 || time.Since(c.begun) >= f.config.ChunkTime/2
}

// begin begins a chunk, with the channels that have not been defined. f.mu is held.
func (f *File) begin() {
	f.chunk = f.pool.Get().(*chunk)
	f.chunk.begun = time.Now()
	f.chunk.attached, f.attached = f.attached, nil
	for _, c := range f.channels {
		f.chunk.define(c)
	}
	f.disk.begun()
}

// end hands the chunk to the disk. f.mu is held.
func (f *File) end() {
	c := f.chunk
	f.chunk = nil
	if c == nil || f.disk.put(c, f.config.QueueBytes) {
		return
	}
	f.stats.Lost += c.messages
	for _, one := range c.defines {
		one.written = false // the next chunk has it
	}
	f.attached = c.attached
	f.used(c)
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

// Close writes what is left, and completes and renames the file. It returns the first error of the file, in which case
// the file keeps its name with .part.
func (f *File) Close() error {
	if !f.stop() {
		return ErrClosed
	}
	if err := f.disk.complete(); err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	return files.Rename(f.path+PartSuffix, f.path)
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
		f.endLast()
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

// endLast ends the last chunk. It defines the channels without messages that no other chunk does. f.mu is held.
func (f *File) endLast() {
	if f.chunk == nil && f.disk.err() == nil &&
		slices.ContainsFunc(f.channels, func(c *channel) bool { return !c.written }) {
		f.begin()
	}
	f.end()
}

// Part reports whether a file of this name is being written, or was left behind.
func Part(name string) bool { return strings.HasSuffix(name, PartSuffix) }
