package picture

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/waldo-robot/waldo/pkg/media"
)

// mpeg4Units reads a clip of package fakecam of services/rtsp-ingest: its configuration, and its pictures, each cut
// before its group of pictures if it begins one.
func mpeg4Units(t testing.TB, name string) (config []byte, units [][]byte) {
	t.Helper()
	data, err := os.ReadFile("../../../services/rtsp-ingest/fakecam/testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	const picture = 0xb6
	start, began := bytes.Index(data, mpeg4Group), false
	config = data[:start]
	for i := start; i+4 <= len(data); i++ {
		if !bytes.Equal(data[i:i+3], []byte{0, 0, 1}) {
			continue
		}
		if began {
			units, start = append(units, data[start:i]), i
		}
		began = data[i+3] == picture
	}
	return config, append(units, data[start:])
}

// mpeg4Group begins a group of pictures.
var mpeg4Group = []byte{0, 0, 1, 0xb3}

// mpeg4Clip is MPEG-4 as it comes off the network, and its configuration. That comes in the first picture, and no more.
func mpeg4Clip(t testing.TB, name string) (pictures []Picture, config []byte) {
	t.Helper()
	config, units := mpeg4Units(t, name)
	for i, data := range units {
		n := time.Duration(i) * tick
		data = bytes.TrimPrefix(data, config)
		if i == 0 {
			data = slices.Concat(config, data)
		}
		p := Picture{MediaType: media.MPEG4, Data: [][]byte{data}, Time: n, Arrival: start.Add(n)}
		pictures = append(pictures, p)
	}
	return pictures, config
}

func announced(sets ...[]byte) *Stream {
	return New(media.MPEG4, sets)
}

func TestMPEG4(t *testing.T) {
	for name, want := range map[string]struct {
		width, height int32
		group         time.Duration
		profile       string
	}{
		"plain.m4v": {640, 360, 25 * tick, "Simple 1"}, "bframes.m4v": {320, 240, 12 * tick, "Advanced Simple 1"},
	} {
		pictures, config := mpeg4Clip(t, name)
		_, units := mpeg4Units(t, name)
		s := announced()
		for i, f := range show(s, pictures) {
			key := bytes.Contains(units[i], mpeg4Group)
			if f == nil || f.Key != key || !f.Recode || f.Lost > 0 || f.Format.GetMediaType() != media.MPEG4 {
				t.Fatalf("%s: frame %d: %v, key %v, format %v", name, i, f != nil, key, s.State().Format)
			}
			whole := pictures[i].Data[0]
			if f.Key && i > 0 {
				whole = slices.Concat(config, whole)
			}
			if !bytes.Equal(f.Data, whole) {
				t.Errorf("%s: frame %d begins with %.40x, want %.40x", name, i, f.Data, whole)
			}
		}
		state := s.State()
		size := [2]int32{state.Format.GetWidthPx(), state.Format.GetHeightPx()}
		if size != [2]int32{want.width, want.height} || state.Format.GetFrameRateHz() != 0 || state.Profile != want.profile {
			t.Errorf("%s: %v, %q", name, state.Format, state.Profile)
		}
		if state.Passage.Passes || state.Passage.Why != whyMPEG4 || state.Group != want.group {
			t.Errorf("%s: %+v", name, state)
		}
	}
}

// What cannot be decoded does not come out, and the state says why.
func TestMPEG4Waits(t *testing.T) {
	all, config := mpeg4Clip(t, "plain.m4v")
	bare := slices.Clone(all) // without the configuration
	bare[0].Data = [][]byte{bytes.TrimPrefix(all[0].Data[0], config)}
	change := func(list []Picture, at int, how func(*Picture)) []Picture {
		list = slices.Clone(list[:30])
		how(&list[at])
		return list
	}
	at := bytes.Index(config, []byte{0, 0, 1, 0x20})
	for name, test := range map[string]struct {
		pictures []Picture
		sets     [][]byte
		want     string
		waits    string
	}{
		"announced": {bare[:3], [][]byte{config}, "KPP", ""},
		"in a picture of its own": {slices.Insert(slices.Clone(bare[:3]), 0, Picture{MediaType: media.MPEG4,
			Data: [][]byte{config}}), nil, "-KPP", ""},
		"never":                  {bare[:3], nil, "---", "configuration"},
		"announced wrongly":      {bare[:3], [][]byte{{0, 0, 1, 0xb0, 1}}, "---", "set it to H.264"},
		"cut off":                {bare[:3], [][]byte{config[:at+8]}, "---", "set it to H.264"},
		"too long":               {bare[:3], [][]byte{slices.Concat(make([]byte, maxSet), config)}, "---", "set it to H.264"},
		"announced wrongly, but": {all[:3], [][]byte{{0, 0, 1, 0x20, 1}}, "KPP", ""},
		"from the middle":        {all[20:27], [][]byte{config}, "-----KP", ""},
		"no picture yet":         {all[20:22], [][]byte{config}, "--", "key frame is yet to come"},
		"damaged": {change(all, 3, func(p *Picture) { p.Damaged = true }), nil,
			"KPP" + strings.Repeat("-", 22) + "KPPPP", ""},
		"missing": {change(all, 3, func(p *Picture) { p.Missing = true }), nil,
			"KPP" + strings.Repeat("-", 22) + "KPPPP", ""},
		"still waiting": {change(all, 3, func(p *Picture) { p.Missing = true })[:6], nil, "KPP---", "was lost"},
		"nothing":       {change(all, 3, func(p *Picture) { p.Data = nil })[:4], nil, "KPP-", "was lost"},
	} {
		s := announced(test.sets...)
		frames := show(s, test.pictures)
		got, waits := pattern(frames), s.State().Waits
		if got != test.want || (waits == "") != (test.waits == "") || !strings.Contains(waits, test.waits) {
			t.Errorf("%s: %s, waits %q; want %s, %q", name, got, waits, test.want, test.waits)
		}
		if len(frames) == 30 && (frames[25].Lost < 22 || frames[25].Lost > 23) { // 23 if one did not come at all
			t.Errorf("%s: %d lost", name, frames[25].Lost)
		}
	}
}

// Another configuration in mid-stream is another format.
func TestMPEG4ChangesSize(t *testing.T) {
	large, _ := mpeg4Clip(t, "plain.m4v")
	small, _ := mpeg4Clip(t, "bframes.m4v")
	frames := show(announced(), slices.Concat(large[:2], small[:2]))
	if pattern(frames) != "KPKP" || frames[0].Format.GetWidthPx() != 640 || frames[3].Format.GetWidthPx() != 320 ||
		!proto.Equal(frames[0].Format, frames[1].Format) {
		t.Errorf("frames %v", frames)
	}
}

// bitString makes bytes of zeros and ones.
func bitString(s string) (out []byte) {
	s = strings.ReplaceAll(s, " ", "")
	for i, c := range s {
		if i%8 == 0 {
			out = append(out, 0)
		}
		out[i/8] |= byte(c-'0') << (7 - i%8)
	}
	return out
}

func TestLayers(t *testing.T) {
	const plain, size = "0 00000001 0 0001 0 00 1 0000000000011001 1 ", " 1 0000001100000 1 0000001000000 1 "
	zeros := strings.Repeat("0", 79)
	for name, test := range map[string]struct {
		bits string
		rate float64
		err  error
	}{
		"plain":          {plain + "0" + size, 0, nil},
		"a fixed rate":   {plain + "1 00001" + size, 25, nil},
		"no rate at all": {plain + "1 00000" + size, 0, nil},
		"a version":      {"0 00000001 1 0010001 0001 0 00 1 0000000000011001 1 0" + size, 0, nil},
		"an odd aspect":  {"0 00000001 0 1111 0000000100000001 0 00 1 0000000000011001 1 0" + size, 0, nil},
		"controls":       {"0 00000001 0 0001 1 011 0 00 1 0000000000011001 1 0" + size, 0, nil},
		"a buffer":       {"0 00000001 0 0001 1 011 1" + zeros + "00 1 0000000000011001 1 0" + size, 0, nil},
		"another shape":  {"0 00000001 0 0001 0 01 1 0000000000011001 1 0" + size, 0, errLayer},
		"a short one":    {plain, 0, errLayer},
		"a small one":    {plain + "0" + " 1 0000000000000 1 0000001000000 1 ", 0, errSize},
	} {
		l, err := parseLayer(append([]byte{0, 0, 1, 0x20}, bitString(test.bits)...))
		if !errors.Is(err, test.err) || err == nil && (l.width != 96 || l.height != 64 || l.rate != test.rate) {
			t.Errorf("%s: %+v, %v", name, l, err)
		}
	}
}

// FuzzMPEG4 gives a stream a configuration and two pictures.
func FuzzMPEG4(f *testing.F) {
	for _, name := range []string{"plain.m4v", "bframes.m4v"} {
		pictures, config := mpeg4Clip(f, name)
		f.Add(config, pictures[0].Data[0], pictures[1].Data[0], byte(0))
		f.Add([]byte{}, pictures[25%len(pictures)].Data[0], config, byte(3))
	}
	f.Fuzz(func(t *testing.T, config, a, b []byte, flags byte) {
		s := announced(config)
		begun := false
		for i, data := range [][]byte{a, b, a, b} {
			begun = playOne(t, s, Picture{MediaType: media.MPEG4, Data: [][]byte{data},
				Arrival: start.Add(time.Duration(i) * tick),
				Damaged: i == 2 && flags&1 > 0, Missing: i == 2 && flags&2 > 0}, begun)
		}
	})
}
