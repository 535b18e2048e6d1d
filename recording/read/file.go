package read

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/foxglove/mcap/go/mcap"
	"golang.org/x/sys/unix"

	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/index"
	"github.com/waldo-robot/waldo/recording/internal/files"
	"github.com/waldo-robot/waldo/recording/write"
)

// Channel is a channel of a file.
type Channel struct {
	ID     uint16
	Record *mcap.Channel
	Schema *mcap.Schema      // nil: it has none
	Waldo  recording.Channel // empty for a channel of another program
	Count  uint64            // of its messages
}

// File is a recording that is read.
type File struct {
	path     string
	file     *os.File
	size     int64
	index    *index.Index
	growing  bool  // it was being written when it was opened
	damage   error // of a channel
	channels map[uint16]*Channel
	bad      badChunks
	chunks   []*index.Chunk // by the time of their first message
}

// errNoFile is about a folder, a pipe, or a device.
var errNoFile = errors.New("it is not a file")

// Open opens a file. One that was completed since somebody saw it being written is found by its new name.
func Open(path string) (*File, error) {
	about, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) && write.Part(path) {
		path = strings.TrimSuffix(path, write.PartSuffix)
		about, err = os.Stat(path)
	}
	if err != nil {
		return nil, err // it names the file
	}
	if !about.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w", path, errNoFile)
	}
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe that took its place would wait for its writer
	if err != nil {
		return nil, err
	}
	f := &File{path: path, file: file, growing: write.Part(path) && files.InUse(path)}
	if err := f.load(); err != nil {
		_ = file.Close() // nothing was written
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

func (f *File) load() error {
	about, err := f.file.Stat()
	if err != nil {
		return err
	}
	if !about.Mode().IsRegular() {
		return errNoFile
	}
	f.size = about.Size()
	if f.index, err = index.Load(f.file, f.size); err != nil {
		return err
	}
	f.channels = map[uint16]*Channel{}
	for id, record := range f.index.Channels {
		c := &Channel{ID: id, Record: record, Schema: f.index.Schemas[record.SchemaID],
			Count: f.index.Statistics.ChannelMessageCounts[id]}
		if c.Waldo, err = recording.Parse(record, c.Schema); err != nil && !errors.Is(err, recording.ErrForeign) {
			f.damage = err // the others can be read
		}
		f.channels[id] = c
	}
	f.chunks = slices.Clone(f.index.Chunks)
	slices.SortStableFunc(f.chunks,
		func(a, b *index.Chunk) int { return cmp.Compare(a.MessageStartTime, b.MessageStartTime) })
	return nil
}

// Path is where the file was opened.
func (f *File) Path() string { return f.path }

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

// Damage says why the file was not read by its index, where its data ends, or which channel cannot be understood; nil
// for a whole file, and for one that is being written and whole so far. [Messages.Damage] tells of chunks.
func (f *File) Damage() error {
	if f.growing && index.Unfinished(f.index.Damage) {
		return f.damage
	}
	return cmp.Or(f.index.Damage, f.damage)
}

// Growing reports whether the file was being written when it was opened. What came later is not read.
func (f *File) Growing() bool { return f.growing }

// Channels returns the channels, by number.
func (f *File) Channels() []*Channel {
	all := make([]*Channel, 0, len(f.channels))
	for _, c := range f.channels {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *Channel) int { return int(a.ID) - int(b.ID) })
	return all
}

// Span returns the log times of the first and the last message.
func (f *File) Span() (first, last time.Time) {
	s := f.index.Statistics
	return wall(s.MessageStartTime), wall(s.MessageEndTime)
}

// Count is how many messages there are.
func (f *File) Count() uint64 { return f.index.Statistics.MessageCount }

// Library is what the header says of the program that wrote the file.
func (f *File) Library() string {
	if f.index.Header == nil {
		return ""
	}
	return f.index.Header.Library
}

// maxMetadata bounds what is read at once of what is no message.
const maxMetadata = 16 << 20

// Metadata returns the first metadata of a name, nil if there is none.
func (f *File) Metadata(name string) (map[string]string, error) {
	for _, m := range f.index.Metadata {
		if m.Name != name {
			continue
		}
		body, err := f.record(mcap.OpMetadata, m.Offset, m.Length)
		if err != nil {
			return nil, fmt.Errorf("%s: metadata: %w", f.path, err)
		}
		parsed, err := mcap.ParseMetadata(body)
		if err != nil {
			return nil, fmt.Errorf("%s: metadata: %w", f.path, err)
		}
		return parsed.Metadata, nil
	}
	return nil, nil
}

// Attachments returns the names of the attachments, in the order of the file.
func (f *File) Attachments() []string {
	var names []string
	for _, a := range f.index.Attachments {
		names = append(names, a.Name)
	}
	return names
}

// Attachment returns the data of the first attachment of a name, nil if there is none.
func (f *File) Attachment(name string) ([]byte, error) {
	for _, a := range f.index.Attachments {
		if a.Name == name {
			return f.attachment(a)
		}
	}
	return nil, nil
}

// AllAttachments returns the data of all attachments of a name, in the order of the file. Of several those
// are left out with which they would have more than so many bytes in the file.
func (f *File) AllAttachments(name string, most uint64) (all [][]byte, err error) {
	for _, a := range f.index.Attachments {
		if a.Name != name {
			continue
		}
		if len(all) > 0 && a.Length > most {
			break
		}
		most -= min(a.Length, most)
		data, err := f.attachment(a)
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

// attachment reads an attachment, and checks it.
func (f *File) attachment(a *mcap.AttachmentIndex) ([]byte, error) {
	record, err := f.record(mcap.OpAttachment, a.Offset, a.Length)
	if err != nil {
		return nil, fmt.Errorf("%s: attachment %.128q: %w", f.path, a.Name, err)
	}
	const crc = 4
	if uint64(len(record)) < a.DataSize+crc {
		return nil, fmt.Errorf("%s: attachment %.128q is shorter than it says", f.path, a.Name)
	}
	end := uint64(len(record)) - crc
	if sum := binary.LittleEndian.Uint32(record[end:]); sum != 0 && sum != crc32.ChecksumIEEE(record[:end]) {
		return nil, fmt.Errorf("%s: attachment %.128q is damaged: its checksum is wrong", f.path, a.Name)
	}
	return record[end-a.DataSize : end], nil
}

// record reads the body of a record whose place was checked.
func (f *File) record(op mcap.OpCode, at, length uint64) ([]byte, error) {
	if length > maxMetadata || length < index.HeaderBytes {
		return nil, fmt.Errorf("it has %d bytes: at most %d are read", length, maxMetadata)
	}
	data := make([]byte, length)
	if _, err := f.file.ReadAt(data, int64(at)); err != nil {
		return nil, err
	}
	if mcap.OpCode(data[0]) != op || binary.LittleEndian.Uint64(data[1:]) != length-index.HeaderBytes {
		return nil, errors.New("the index names it where it is not")
	}
	return data[index.HeaderBytes:], nil
}

// wall is a time of a file. Those beyond the year 2262 are that one.
func wall(ns uint64) time.Time {
	const most = 1<<63 - 1
	return time.Unix(0, int64(min(ns, most)))
}

func stamp(t time.Time) uint64 {
	if t.IsZero() || t.UnixNano() < 0 {
		return 0
	}
	return uint64(t.UnixNano())
}
