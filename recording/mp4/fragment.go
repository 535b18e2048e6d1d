package mp4

import (
	"bytes"
	"errors"
	"fmt"

	box "github.com/Eyevinn/mp4ff/mp4"
)

// Sample is one picture or packet.
type Sample struct {
	Time
	Key  bool
	Data []byte // as Description.Sample returns it
}

// track is the number of the only track of a fragmented file.
const track = 1

// Init returns the initialization segment of a stream (ftyp, moov).
func Init(d Description) ([]byte, error) {
	segment := box.CreateEmptyInit()
	segment.AddEmptyTrack(d.Scale, d.handler(), "und")
	d.complete(segment.Moov.Trak, d)
	var out bytes.Buffer
	if err := segment.Encode(&out); err != nil {
		return nil, fmt.Errorf("write the initialization segment: %w", err)
	}
	return out.Bytes(), nil
}

func (d Description) handler() string {
	if d.Sound() {
		return "audio"
	}
	return "video"
}

// complete adds sample descriptions to a track that is described by d.
func (d Description) complete(trak *box.TrakBox, all ...Description) {
	trak.Tkhd.Width, trak.Tkhd.Height = box.Fixed32(d.Width<<16), box.Fixed32(d.Height<<16)
	for _, one := range all {
		trak.Mdia.Minf.Stbl.Stsd.AddChild(one.entry())
	}
}

// Fragment returns a media segment (moof, mdat) of samples that follow one another without a gap.
func Fragment(sequence uint32, samples []Sample) ([]byte, error) {
	if len(samples) == 0 {
		return nil, errors.New("a fragment needs a sample")
	}
	f, err := box.CreateFragment(sequence, track)
	if err != nil {
		return nil, fmt.Errorf("write a fragment: %w", err)
	}
	f.Moof.Traf.Tfdt.SetBaseMediaDecodeTime(uint64(max(samples[0].Decode, 0)))
	size := 0
	for _, s := range samples {
		size += len(s.Data)
	}
	data := make([]byte, 0, size)
	for _, s := range samples {
		flags := box.SyncSampleFlags
		if !s.Key {
			flags = box.SetNonSyncSampleFlags(0)
		}
		f.Moof.Traf.Trun.AddSample(box.NewSample(flags, s.Duration, uint32(len(s.Data)), s.Offset))
		data = append(data, s.Data...)
	}
	f.Mdat.SetData(data)
	var out bytes.Buffer
	out.Grow(int(f.Size()))
	if err := f.Encode(&out); err != nil {
		return nil, fmt.Errorf("write a fragment: %w", err)
	}
	return out.Bytes(), nil
}
