// Package file plays a recorded video in a loop as if it were a camera: MP4 and QuickTime with H.264, plain H.264
// (Annex B), Motion JPEG, and uncompressed YUV4MPEG2. Compressed pictures are delivered as they are in the file.
//
// The file is read when it is opened, to check it, and again at the start of every capture, always from its first
// picture; in between only its description is kept. A picture's capture time is the moment it was played.
package file

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/services/camera/mp4"
	"github.com/waldo-robot/waldo/video/source"
)

const (
	// maxPlain is the largest file without an index, which must be read as a whole.
	maxPlain = 512 << 20
	// defaultRate is for files that do not state their frame rate.
	defaultRate = 30
	// maxLag is how far playback may fall behind its schedule before the schedule is moved.
	maxLag = time.Second
)

// Config configures playback. The zero value works.
type Config struct {
	FrameRate float64 // for files that do not state it (H.264 without a container, Motion JPEG); 0 means 30
}

// Extensions lists the file name extensions that can be played.
func Extensions() []string {
	return []string{".mp4", ".m4v", ".mov", ".h264", ".264", ".mjpeg", ".mjpg", ".y4m"}
}

// Supported reports whether a file can be played, judged by its extension.
func Supported(path string) bool {
	return slices.Contains(Extensions(), strings.ToLower(filepath.Ext(path)))
}

// clip is an open video.
type clip struct {
	format *mediav1.VideoFormat
	frames []frame
	turn   mp4.Turn // that makes pictures upright
	close  func() error
}

// frame is one picture of a clip. Reading it returns bytes that are never overwritten, and whether decoding can begin
// with them.
type frame struct {
	read     func() (data []byte, key bool, err error)
	duration time.Duration
}

// Source plays a file. See package source.
type Source struct {
	path   string
	config Config
	info   source.Info
	ended  chan struct{}
	close  sync.Once
}

// Open checks that a file can be played. The error wraps device.ErrAway if the file is missing, and source.ErrNotMedia
// if it is not a playable video.
func Open(path string, config Config) (*Source, error) {
	if config.FrameRate == 0 {
		config.FrameRate = defaultRate
	}
	c, err := load(path, config)
	if err != nil {
		return nil, err
	}
	return &Source{
		path: path, config: config, ended: make(chan struct{}),
		info: source.Info{
			Native: []*mediav1.VideoFormat{c.format}, Current: c.format, Mirror: c.turn.Mirror, Rotate: c.turn.Rotate,
			Attributes: map[string]string{
				"driver": "file", "card": filepath.Base(path), "path": path, "frames": strconv.Itoa(len(c.frames)),
				"rotated": rotated(c.turn),
			},
			Note: note(c.turn),
		},
	}, c.close()
}

const remedyTurn = "set rotate to a quarter turn, or convert the file with ffmpeg"

// note describes what is ignored in a file.
func note(t mp4.Turn) string {
	if !t.Unknown {
		return ""
	}
	return "the file wants its pictures slanted, or rotated by an angle that is not a quarter turn, which is ignored: " +
		remedyTurn
}

// rotated describes, for people, how the pictures of a file are rotated.
func rotated(t mp4.Turn) string {
	switch {
	case t.Unknown:
		return "0, not the angle in the file: " + remedyTurn
	case t.Mirror:
		return fmt.Sprintf("mirrored, then %d", t.Rotate)
	}
	return strconv.Itoa(t.Rotate)
}

// Info describes the file.
func (s *Source) Info() source.Info { return s.info }

// Close implements source.Source.
func (s *Source) Close() error {
	s.close.Do(func() { close(s.ended) })
	return nil
}

// Capture implements source.Source.
func (s *Source) Capture(ctx context.Context, deliver func(source.Frame)) (err error) {
	if ctx.Err() != nil {
		return nil
	}
	c, err := load(s.path, s.config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if !same(c.format, s.info.Current) {
		return fmt.Errorf("%s: %w: the file was replaced by one in another format", s.path, device.ErrAway)
	}
	return s.play(ctx, c, deliver)
}

func same(a, b *mediav1.VideoFormat) bool {
	return a.GetMediaType() == b.GetMediaType() && a.GetWidthPx() == b.GetWidthPx() && a.GetHeightPx() == b.GetHeightPx()
}

// play delivers frames on a schedule that does not drift, until ctx ends.
func (s *Source) play(ctx context.Context, c *clip, deliver func(source.Frame)) error {
	due, position := time.Now(), time.Duration(0)
	wait := time.NewTimer(0)
	defer wait.Stop()
	for i := 0; ; i = (i + 1) % len(c.frames) {
		select {
		case <-ctx.Done():
			return nil
		case <-s.ended:
			return fmt.Errorf("%s: %w: closed", s.path, device.ErrAway)
		case <-wait.C:
		}
		if ctx.Err() != nil { // both may be true, if delivering is slow
			return nil
		}
		if i == 0 {
			position = 0
		}
		f := c.frames[i]
		data, key, err := f.read()
		if err != nil {
			return fmt.Errorf("%s: %w: %w", s.path, device.ErrAway, err)
		}
		deliver(source.Frame{
			Format: s.info.Current, Time: time.Now(), Data: data, Key: key,
			Metadata: map[string]string{"position": position.Round(time.Millisecond).String()},
		})
		position += f.duration
		if due = due.Add(f.duration); time.Since(due) > maxLag {
			due = time.Now()
		}
		wait.Reset(time.Until(due))
	}
}

// load opens a video and finds its pictures.
func load(path string, config Config) (*clip, error) {
	c, err := parse(path, config)
	if err == nil {
		err = c.check()
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: %w: the file does not exist", path, device.ErrAway)
	case errors.Is(err, source.ErrNotMedia):
		return nil, fmt.Errorf("%s: %w", path, err)
	case err != nil:
		return nil, fmt.Errorf("%s: %w: %w", path, device.ErrAway, err)
	}
	return c, nil
}

func parse(path string, config Config) (*clip, error) {
	if name, err := foreign(path); err != nil || name != "" && Supported(path) {
		return nil, cmp.Or(err, bad("it is %s, despite its name: %s", name, convert))
	}
	plain := map[string]func([]byte, Config) (*clip, error){
		".h264": parseH264, ".264": parseH264, ".mjpeg": parseMJPEG, ".mjpg": parseMJPEG, ".y4m": parseY4M,
	}
	switch ext := strings.ToLower(filepath.Ext(path)); {
	case ext == ".mp4" || ext == ".m4v" || ext == ".mov":
		return openMP4(path, config)
	case plain[ext] != nil:
		data, err := readPlain(path)
		if err != nil {
			return nil, err
		}
		return plain[ext](data, config)
	}
	return nil, bad("its name must end in one of %s", strings.Join(Extensions(), ", "))
}

// foreign recognizes a format that is not played by how the file begins; it returns an empty string for all others.
func foreign(path string) (name string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	head := make([]byte, 189)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	head = head[:n]
	for magic, name := range map[string]string{
		"\x1a\x45\xdf\xa3": "Matroska or WebM", "FLV\x01": "Flash video", "OggS": "Ogg", "\x30\x26\xb2\x75": "Windows Media",
		"\x00\x00\x01\xba": "an MPEG program stream",
	} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return name, nil
		}
	}
	switch {
	case bytes.HasPrefix(head, []byte("RIFF")) && n >= 12 && string(head[8:12]) == "AVI ":
		return "AVI", nil
	case n == 189 && head[0] == 0x47 && head[188] == 0x47:
		return "an MPEG transport stream", nil
	}
	return "", nil
}

func readPlain(path string) ([]byte, error) {
	stat, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if stat.Size() > maxPlain {
		return nil, bad("it has %d bytes, the limit is %d without an index: convert it to .mp4", stat.Size(), maxPlain)
	}
	return os.ReadFile(path)
}

// check finds problems that would show up only later.
func (c *clip) check() error {
	err := media.Validate(c.format)
	if err != nil {
		err = bad("%v", err)
	}
	if len(c.frames) == 0 {
		err = bad("it contains no pictures")
	}
	for _, f := range c.frames {
		if f.duration <= 0 {
			err = bad("a picture in it lasts %v", f.duration)
		}
	}
	if err != nil {
		return errors.Join(err, c.close())
	}
	return nil
}

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: %s", source.ErrNotMedia, fmt.Sprintf(format, args...))
}
