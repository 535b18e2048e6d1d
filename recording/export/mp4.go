package export

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/frames"
	"github.com/waldo-robot/waldo/recording/mp4"
	"github.com/waldo-robot/waldo/recording/read"
)

const (
	videoFrame = "waldo.media.v1.VideoFrame"
	audioFrame = "waldo.media.v1.AudioFrame"
)

// otherFilms are endings of files that somebody could expect.
var otherFilms = []string{".avi", ".mkv", ".mov", ".webm", ".m4v", ".ts", ".mpg", ".mpeg", ".h264", ".h265", ".mcap"}

// Result is what was written.
type Result struct {
	Files []string
	Notes []string // what was left out, and why
}

// MP4 writes pictures and sound: to one file if the name ends in .mp4, else a file for each stream of pictures, with
// its sound, to a folder. A file begins with the newest key frame at or before the chosen time.
func (r *Recording) MP4(ctx context.Context, to string, c Choice) (Result, error) {
	if err := r.check(c); err != nil {
		return Result{}, err
	}
	if ending := strings.ToLower(filepath.Ext(to)); slices.Contains(otherFilms, ending) {
		return Result{}, fmt.Errorf("%s: %s is not written: name a file that ends in .mp4, or a folder", to, ending)
	}
	pictures, sounds, result, err := r.media(ctx, c)
	if err != nil {
		return result, err
	}
	if strings.EqualFold(filepath.Ext(to), ".mp4") {
		if err := directory(filepath.Dir(to)); err != nil {
			return result, err
		}
		if err := r.movie(ctx, to, append(pictures, sounds...), c, 0, 1); err != nil {
			return result, err
		}
		result.Files = append(result.Files, to)
		return result, nil
	}
	if err := directory(to); err != nil {
		return result, err
	}
	movies, named := films(pictures, sounds), names{}
	for i, m := range movies {
		path := filepath.Join(to, named.of(m[0].title())+".mp4")
		if err := r.movie(ctx, path, m, c, i, len(movies)); err != nil {
			return result, err
		}
		result.Files = append(result.Files, path)
	}
	return result, nil
}

// media finds the streams of pictures and sound that MP4 can hold.
func (r *Recording) media(ctx context.Context, c Choice) (pictures, sounds []*medium, result Result, err error) {
	for _, s := range r.streams(c) {
		if s.kind != videoFrame && s.kind != audioFrame || s.direction == recording.State {
			continue
		}
		m := &medium{stream: s}
		switch err := r.opening(ctx, m, c); {
		case errors.Is(err, mp4.ErrUnsupported) || errors.Is(err, errNothing):
			result.Notes = append(result.Notes, err.Error())
			continue
		case err != nil:
			return nil, nil, result, err
		}
		if s.kind == videoFrame {
			pictures = append(pictures, m)
		} else {
			sounds = append(sounds, m)
		}
	}
	if len(pictures)+len(sounds) == 0 {
		if len(result.Notes) > 0 {
			return nil, nil, result, errors.New(strings.Join(result.Notes, "; "))
		}
		return nil, nil, result, fmt.Errorf("there are neither pictures nor sound%s", what(c, r.devices()))
	}
	return pictures, sounds, result, nil
}

// what continues a sentence with the devices that were chosen.
func what(c Choice, there []string) string {
	if len(c.Devices) > 0 {
		there = c.Devices
	}
	if len(there) == 0 {
		return " in the recording"
	}
	return " of " + list(there)
}

// films says which streams go together: pictures with the sound of their device, or else with that of all devices which
// have no pictures. Sound without any pictures is by itself.
func films(pictures, sounds []*medium) [][]*medium {
	var all [][]*medium
	camera := func(device string) bool {
		return slices.ContainsFunc(pictures, func(p *medium) bool { return device != "" && p.device == device })
	}
	for _, p := range pictures {
		film := []*medium{p}
		own := p.device != "" && slices.ContainsFunc(sounds, func(s *medium) bool { return s.device == p.device })
		for _, s := range sounds {
			if own && s.device == p.device || !own && !camera(s.device) {
				film = append(film, s)
			}
		}
		all = append(all, film)
	}
	if len(pictures) == 0 {
		for _, s := range sounds {
			all = append(all, []*medium{s})
		}
	}
	return all
}

// medium is a stream of pictures or sound.
type medium struct {
	stream
	from        time.Time    // log time of what it begins with
	first       frames.Frame // what it begins with
	description mp4.Description
	track       *mp4.Track
	readers     map[*read.Channel]*frames.Reader
	begun       bool
	at          time.Time // where the sound ends so far
	zero        time.Time // of the file
}

// title is the name of a file with it.
func (m *medium) title() string {
	if m.device != "" && (m.name == "video" || m.kind == audioFrame && m.name == "audio") {
		return fileName(m.device)
	}
	return m.file()
}

var errNothing = errors.New("it has no key frame in this time")

// opening finds out with what a stream begins in the chosen time.
func (r *Recording) opening(ctx context.Context, m *medium, c Choice) error {
	m.readers = map[*read.Channel]*frames.Reader{}
	from := r.from(c)
	if m.kind == videoFrame {
		key, found, err := frames.KeyBefore(ctx, r.files, m.is, from)
		if err != nil {
			return err
		}
		if found {
			from = key.Arrived
		}
	}
	m.from = from
	stop := errors.New("found")
	err := r.each(ctx, m.is, from, r.until(c), func(message read.Message) error {
		f, err := m.frame(message)
		if err != nil || !f.Key {
			return nil // what is no frame is left out
		}
		m.first = f
		return stop
	})
	if err == nil {
		return fmt.Errorf("%s: %w", m, errNothing)
	}
	if !errors.Is(err, stop) {
		return err
	}
	if m.description, err = mp4.Describe(m.first.Format, m.first.Data); err != nil {
		return fmt.Errorf("%s: %w", m, err)
	}
	return nil
}

// frame reads a message.
func (m *medium) frame(message read.Message) (frames.Frame, error) {
	reader := m.readers[message.Channel]
	if reader == nil {
		var err error
		if reader, err = frames.Of(message.Channel); err != nil {
			return frames.Frame{}, err
		}
		m.readers[message.Channel] = reader
	}
	return reader.Frame(message)
}

// movie writes streams to one file.
func (r *Recording) movie(ctx context.Context, path string, media []*medium, c Choice, part, parts int) error {
	out, err := create(path)
	if err != nil {
		return err
	}
	defer out.discard()
	w, err := mp4.NewWriter(out)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	zero, from := media[0].first.Shown, media[0].from
	for _, m := range media {
		if m.first.Shown.Before(zero) {
			zero = m.first.Shown
		}
		if m.from.Before(from) {
			from = m.from
		}
	}
	for _, m := range media {
		*m = medium{stream: m.stream, from: m.from, first: m.first, description: m.description, readers: m.readers,
			track: w.Track(m.String()), zero: zero}
	}
	of := func(ch *read.Channel) *medium {
		for _, m := range media {
			if m.is(ch) {
				return m
			}
		}
		return nil
	}
	p := r.progress(c, part, parts)
	err = r.each(ctx, func(ch *read.Channel) bool { return of(ch) != nil }, from, r.until(c),
		func(message read.Message) error {
			p.at(message.Logged)
			return of(message.Channel).take(message)
		})
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return out.complete()
}

// take writes a message.
func (m *medium) take(message read.Message) error {
	f, err := m.frame(message)
	if err != nil || message.Logged.Before(m.from) || !m.begun && !f.Key {
		return nil // what is no frame is left out
	}
	if f.Key {
		// A key frame that cannot be described goes with what was before it.
		if d, err := mp4.Describe(f.Format, f.Data); err == nil && d.Scale == m.description.Scale {
			m.description = d
		}
	}
	if f.MediaType != m.description.MediaType {
		return nil
	}
	data := m.description.Sample(f.Data)
	if len(data) == 0 {
		return nil
	}
	if f.Length > 0 {
		return m.sound(f, data)
	}
	m.begun = true
	return m.track.Write(m.description, f.Shown.Sub(m.zero), f.Key, f.Reorders, data)
}

// maxSilence is the longest hole in sound that is filled. In a longer one the packet before it just lasts.
const maxSilence = 24 * time.Hour

// jitter is how far packets that follow one another can be from where the one before ends.
const jitter = 15 * time.Millisecond

// sound writes a packet after the one before, and silence where there was none.
func (m *medium) sound(f frames.Frame, data []byte) error {
	if !m.begun {
		m.begun, m.at = true, f.Shown
	}
	if f.End().Before(m.at.Add(f.Length / 2)) {
		return nil // it sounds at the same time as another
	}
	for f.Shown.Sub(m.at) >= mp4.Silence && f.Shown.Sub(m.at) <= maxSilence {
		if err := m.track.Write(m.description, m.at.Sub(m.zero), true, false,
			mp4.SilentPacket(m.description.Channels)); err != nil {
			return err
		}
		m.at = m.at.Add(mp4.Silence)
	}
	if f.Shown.Sub(m.at) > jitter {
		m.at = f.Shown
	}
	begin := m.at
	m.at = m.at.Add(f.Length)
	return m.track.Write(m.description, begin.Sub(m.zero), true, false, data)
}
