package timeline

import (
	"cmp"
	"context"
	"errors"
	"slices"

	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/frames"
	"github.com/waldo-robot/waldo/recording/read"
	"github.com/waldo-robot/waldo/recording/segment"
)

// maxStreams bounds how many streams are told of.
const maxStreams = 1000

// stream is what makes one.
type stream struct{ device, name string }

// Streams returns what is in a recording, by device and name. Source is made of the files.
func Streams(ctx context.Context, files []*read.File, source *segment.Source) ([]*recorderv1.RecordedStream, error) {
	found := map[stream]*recorderv1.RecordedStream{}
	var all []*recorderv1.RecordedStream
	for _, f := range files {
		for _, c := range f.Channels() {
			if c.Count == 0 {
				continue
			}
			var s stream
			s.device, s.name = frames.Name(c)
			p := found[s]
			if p == nil {
				if len(all) == maxStreams {
					continue
				}
				p = describe(s, c)
				if err := media(ctx, c, s, source, p); err != nil {
					return nil, err
				}
				found[s] = p
				all = append(all, p)
			}
			p.MessageCount += int64(c.Count)
		}
	}
	slices.SortFunc(all, func(a, b *recorderv1.RecordedStream) int {
		return cmp.Or(cmp.Compare(a.GetDevice(), b.GetDevice()), cmp.Compare(a.GetStream(), b.GetStream()))
	})
	return all, nil
}

func describe(s stream, c *read.Channel) *recorderv1.RecordedStream {
	p := &recorderv1.RecordedStream{
		Device: clean(s.device), Kind: clean(c.Waldo.Kind), Stream: clean(s.name), MessageType: clean(c.Waldo.Type),
	}
	if p.GetMessageType() == "" && c.Schema != nil {
		p.MessageType = clean(c.Schema.Name)
	}
	if c.Waldo.Direction == recording.State {
		p.Stream = ""
	}
	return p
}

// media fills in what pictures and sound have besides.
func media(ctx context.Context, c *read.Channel, s stream, source *segment.Source, p *recorderv1.RecordedStream) error {
	if _, err := frames.Of(c); errors.Is(err, frames.ErrNoMedia) {
		return nil
	}
	mediaType, codec, err := source.Stream(ctx, s.device, s.name)
	if err != nil {
		return err
	}
	p.MediaType, p.Codec = clean(mediaType), clean(codec)
	return nil
}
