package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
	"github.com/waldo-robot/waldo/services/camera/mp4"
)

const (
	// maxPicture is the largest coded picture, in bytes.
	maxPicture = 64 << 20
	// maxLead is how many pictures may come before the first key frame.
	maxLead = 1000
	// shortest and longest limit how long a picture of an MP4 file is shown.
	shortest, longest = time.Millisecond, time.Minute
)

// openMP4 reads the index of an MP4 file, and keeps the file open for its pictures.
func openMP4(path string, config Config) (*clip, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	c, err := readMP4(f, config)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	c.close = f.Close
	return c, nil
}

func readMP4(f *os.File, config Config) (*clip, error) {
	stat, err := f.Stat()
	if err != nil {
		return nil, err
	}
	v, err := mp4.Read(f, stat.Size())
	switch {
	case errors.Is(err, mp4.ErrFile):
		return nil, bad("%v", err)
	case err != nil:
		return nil, err
	case len(v.Coding) == 0:
		return nil, bad("its video is %s, must be H.264: %s", codecName(v.Codec), convert)
	}
	m := &movie{Video: v, file: f}
	return m.clip(config)
}

// codecName is the name of a four-character code, for people.
func codecName(code string) string {
	for name, codes := range map[string][]string{
		"H.265 (HEVC)": {"hvc1", "hev1", "dvh1", "dvhe"}, "VP8": {"vp08"}, "VP9": {"vp09"}, "AV1": {"av01"},
		"MPEG-4 part 2 or Motion JPEG": {"mp4v"},
		"Motion JPEG":                  {"jpeg", "mjpa", "mjpb"}, "ProRes": {"apch", "apcn", "apcs", "apco", "ap4h", "ap4x"},
		"encrypted":                    {"encv"},
		"H.264 without its parameters": {"avc1", "avc3"},
	} {
		for _, c := range codes {
			if c == code {
				return fmt.Sprintf("%s (%s)", name, code)
			}
		}
	}
	return fmt.Sprintf("%q", code)
}

// movie is an open MP4 file.
type movie struct {
	*mp4.Video
	file io.ReaderAt
}

func (m *movie) clip(config Config) (*clip, error) {
	first, err := m.firstKey()
	if err != nil {
		return nil, err
	}
	size, err := m.size(first)
	if err != nil {
		return nil, err
	}
	m.Samples = m.Samples[first:]
	durations, total, err := m.durations(config)
	if err != nil {
		return nil, err
	}
	c := &clip{turn: m.Turn, format: &mediav1.VideoFormat{
		MediaType: media.H264, WidthPx: int32(size.Width), HeightPx: int32(size.Height),
		FrameRateHz: min(float64(len(m.Samples))/total.Seconds(), media.MaxFrameRate),
	}}
	for i, s := range m.Samples {
		c.frames = append(c.frames, frame{duration: durations[i], read: func() ([]byte, bool, error) { return m.read(s) }})
	}
	return c, nil
}

// firstKey returns the number of the first picture that decoding can begin with. The file's own claims about that are
// often wrong.
func (m *movie) firstKey() (int, error) {
	for i, s := range m.Samples[:min(len(m.Samples), maxLead)] {
		_, key, err := m.read(s)
		if err != nil {
			return 0, bad("its picture %d cannot be read: %v", i+1, err)
		}
		if key {
			return i, nil
		}
	}
	if len(m.Samples) == 0 && m.Missing > 0 {
		return 0, bad("it is cut off before its first picture")
	}
	if len(m.Samples) == 0 {
		return 0, bad("it contains no pictures")
	}
	return 0, bad("none of its first %d pictures is a key frame (IDR): %s", min(len(m.Samples), maxLead), convert)
}

// size checks how the pictures are coded, and returns their size.
func (m *movie) size(first int) (annexb.SPS, error) {
	var sets [][]byte
	for _, c := range m.Coding {
		sets = append(sets, c.SPS...)
	}
	au, _, err := m.read(m.Samples[first])
	if err != nil {
		return annexb.SPS{}, err
	}
	for nal := range annexb.NALs(au) {
		if annexb.Type(nal) == annexb.TypeSPS {
			sets = append(sets, nal)
		}
	}
	return checkSPS(sets)
}

// durations returns how long each picture is shown, and the total.
func (m *movie) durations(config Config) (all []time.Duration, total time.Duration, err error) {
	last := len(m.Samples) - 1
	for i, s := range m.Samples {
		units := int64(s.Duration)
		if i < last {
			units = m.Samples[i+1].Shown - s.Shown
		}
		if units < 0 {
			return nil, 0, bad("it has B frames, which viewers cannot show live: %s", convert)
		}
		if m.TimeScale > 0 {
			all = append(all, time.Duration(units)*time.Second/time.Duration(m.TimeScale))
			total += min(all[i], longest)
		}
	}
	if total <= 0 { // it does not state its rate
		every := time.Duration(float64(time.Second) / config.FrameRate)
		all = make([]time.Duration, len(m.Samples))
		for i := range all {
			all[i] = every
		}
		return all, every * time.Duration(len(all)), nil
	}
	if all[last] == 0 && last > 0 { // some writers do not know how long the last picture lasts
		all[last] = total / time.Duration(last)
	}
	total = 0
	for i := range all {
		all[i] = min(max(all[i], shortest), longest)
		total += all[i]
	}
	return all, total, nil
}

// read reads a picture and returns it as Annex B, with parameter sets in front of a key frame.
func (m *movie) read(s mp4.Sample) (au []byte, key bool, err error) {
	if s.Size > maxPicture {
		return nil, false, fmt.Errorf("it has %d bytes, the limit is %d", s.Size, maxPicture)
	}
	data := make([]byte, s.Size)
	if _, err := m.file.ReadAt(data, s.Offset); err != nil {
		return nil, false, err
	}
	coding := m.Coding[s.Coding]
	var sps, pps bool
	for len(data) > 0 {
		nal, rest, ok := cutNAL(data, coding.LengthSize)
		if !ok {
			return nil, false, errors.New("its NAL units do not fill it exactly")
		}
		data = rest
		switch annexb.Type(nal) {
		case annexb.TypeIDR:
			key = true
		case annexb.TypeSPS:
			sps = true
		case annexb.TypePPS:
			pps = true
		}
		if len(nal) > 0 {
			au = annexb.Append(au, nal)
		}
	}
	if key && !(sps && pps) {
		var sets []byte
		for _, set := range append(bytesOf(coding.SPS), coding.PPS...) {
			sets = annexb.Append(sets, set)
		}
		au = append(sets, au...)
	}
	return au, key, nil
}

func bytesOf(sets [][]byte) [][]byte { return append([][]byte(nil), sets...) }

// cutNAL takes one NAL unit, which is preceded by its length, off data.
func cutNAL(data []byte, lengthSize int) (nal, rest []byte, ok bool) {
	if len(data) < lengthSize {
		return nil, nil, len(bytes.Trim(data, "\x00")) == 0 // padding
	}
	n := 0
	for _, b := range data[:lengthSize] {
		n = n<<8 | int(b)
	}
	if n > len(data)-lengthSize {
		return nil, nil, false
	}
	return data[lengthSize : lengthSize+n], data[lengthSize+n:], true
}
