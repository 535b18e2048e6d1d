package mp4_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/services/camera/mp4"
)

// testdata are the files that package file plays, or refuses.
const testdata = "../file/testdata/"

func load(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(testdata + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func box(kind string, payload ...byte) []byte {
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(8+len(payload))), kind...), payload...)
}

// wide is a box with a size of 64 bits.
func wide(kind string, payload []byte) []byte {
	b := append(binary.BigEndian.AppendUint32(nil, 1), kind...)
	return append(binary.BigEndian.AppendUint64(b, uint64(16+len(payload))), payload...)
}

// edit rebuilds a file. What change returns takes the place of a box; nil leaves it as it is.
func edit(data []byte, change func(kind string, payload []byte) []byte) (out []byte) {
	for len(data) >= 8 {
		n := binary.BigEndian.Uint32(data)
		kind, payload := string(data[4:8]), data[8:n]
		if slices.Contains([]string{"moov", "trak", "mdia", "minf", "stbl", "moof", "traf"}, kind) {
			payload = edit(payload, change)
		}
		if other := change(kind, payload); other != nil {
			out = append(out, other...)
		} else {
			out = append(out, box(kind, payload...)...)
		}
		data = data[n:]
	}
	return out
}

// replaced has another box in the place of those of a kind.
func replaced(data []byte, kind string, with func(payload []byte) []byte) []byte {
	return edit(data, func(k string, payload []byte) []byte {
		if k != kind {
			return nil
		}
		return with(payload)
	})
}

func full(words ...uint32) (b []byte) {
	for _, w := range append([]uint32{0}, words...) {
		b = binary.BigEndian.AppendUint32(b, w)
	}
	return b
}

// variants are valid files that other programs make of the same five pictures. The index lies behind the pictures, so
// that it may grow.
func variants(t testing.TB) map[string][]byte {
	plain := load(t, "without-edit-list.mp4")
	with := func(before []byte, kinds ...string) []byte {
		return edit(plain, func(kind string, payload []byte) []byte {
			if !slices.Contains(kinds, kind) {
				return nil
			}
			return slices.Concat(before, box(kind, payload...), before)
		})
	}
	uuid := box("uuid", []byte("sixteen bytes id: and more")...)
	reversed := replaced(plain, "trak", func(payload []byte) []byte {
		var boxes [][]byte
		for rest := payload; len(rest) >= 8; {
			n := binary.BigEndian.Uint32(rest)
			boxes, rest = append(boxes, rest[:n]), rest[n:]
		}
		slices.Reverse(boxes)
		return box("trak", slices.Concat(boxes...)...)
	})
	return map[string][]byte{
		"as it was":         plain,
		"free space":        with(box("free", 0, 0), "tkhd", "mdhd", "hdlr", "stsd", "stts", "stsz"),
		"boxes of others":   with(uuid, "mvhd", "tkhd", "mdia", "stsc"),
		"user data":         with(box("udta", box("meta", 0, 0, 0, 0)...), "mvhd", "mdia", "minf"),
		"boxes in reverse":  reversed,
		"no sync samples":   replaced(plain, "stss", func([]byte) []byte { return box("skip") }),
		"a constant delay":  with(box("ctts", full(1, 5, 2048)...), "stsz"),
		"a delay of nought": with(box("ctts", full(1, 5, 0)...), "stsz"),
		"a negative delay":  with(box("ctts", full(1, 5, 0xffff_fc00)...), "stsz"),
		"an empty edit":     with(box("edts", box("elst", full(2, 1000, 0xffff_ffff, 1<<16, 1000, 0, 1<<16)...)...), "tkhd"),
		"a later start":     with(box("edts", box("elst", full(1, 1000, 2048, 1<<16)...)...), "tkhd"),
		"offsets of 64 bits": replaced(plain, "stco", func(payload []byte) []byte {
			out := slices.Clone(payload[:8])
			for rest := payload[8:]; len(rest) >= 4; rest = rest[4:] {
				out = binary.BigEndian.AppendUint64(out, uint64(binary.BigEndian.Uint32(rest)))
			}
			return box("co64", out...)
		}),
		"sizes of 64 bits": replaced(plain, "stbl", func(payload []byte) []byte { return wide("stbl", payload) }),
		"handler of data": edit(plain, func(kind string, payload []byte) []byte {
			if kind != "minf" {
				return nil
			}
			return box("minf", append(box("hdlr", append(full(), []byte("dhlralis________________")...)...), payload...)...)
		}),
		"a second index":  append(slices.Clone(plain), plain[bytes.Index(plain, []byte("moov"))-4:]...),
		"a cut box after": append(slices.Clone(plain), 0, 0, 1, 0, 'm', 'o', 'o', 'f', 1, 2, 3),
		"cut bytes after": append(slices.Clone(plain), 0, 0, 1),
	}
}

func TestVariants(t *testing.T) {
	want := read(t, load(t, "without-edit-list.mp4"))
	if len(want.Samples) != 5 || want.Codec != "avc1" || len(want.Coding) != 1 || want.Coding[0].LengthSize != 4 ||
		len(want.Coding[0].SPS) != 1 || len(want.Coding[0].PPS) != 1 {
		t.Fatalf("%+v", want)
	}
	for name, data := range variants(t) {
		t.Run(name, func(t *testing.T) {
			got := read(t, data)
			if got.Codec != want.Codec || got.TimeScale != want.TimeScale || len(got.Samples) != len(want.Samples) {
				t.Fatalf("%+v", got)
			}
			for i, s := range got.Samples {
				s.Shown += want.Samples[0].Shown - got.Samples[0].Shown
				if s != want.Samples[i] {
					t.Errorf("picture %d is %+v, want %+v", i, s, want.Samples[i])
				}
			}
		})
	}
}

func read(t *testing.T, data []byte) *mp4.Video {
	t.Helper()
	v, err := mp4.Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// broken are files that cannot be read, or only in part.
func broken(t testing.TB) map[string]struct {
	data    []byte
	says    string // "" if it can be read
	samples int
} {
	plain, fragments := load(t, "without-edit-list.mp4"), load(t, "fragment-per-picture.mp4")
	table := func(kind string, words ...uint32) []byte {
		return replaced(plain, kind, func([]byte) []byte { return box(kind, full(words...)...) })
	}
	deep := box("free")
	for range 1000 {
		deep = box("mdia", deep...)
	}
	type file = struct {
		data    []byte
		says    string
		samples int
	}
	return map[string]file{
		"empty":             {nil, "moov", 0},
		"text":              {[]byte("this is no video at all"), "moov", 0},
		"no index":          {plain[:bytes.Index(plain, []byte("moov"))-4], "cut off", 0},
		"index cut off":     {plain[:len(plain)-100], "cut off", 0},
		"no track":          {box("moov", box("mvhd")...), "no video track", 0},
		"nested":            {box("moov", box("trak", deep...)...), "no video track", 0},
		"fragment cut off":  {fragments[:len(fragments)*2/3], "", 2},
		"too many pictures": {table("stsz", 1, math.MaxUint32), "", 5},
		"billions of nothing": {append(slices.Clone(fragments), box("moof", box("traf", slices.Concat(
			box("tfhd", full(1)...), box("trun", full(math.MaxUint32)...), box("trun",
				full(math.MaxUint32)...))...)...)...), "", 5},
		"no pictures":        {table("stsz", 0, 0), "", 0},
		"no chunks":          {table("stco", 0), "", 0},
		"no runs":            {table("stsc", 0), "", 0},
		"no times":           {table("stts", 0), "", 5},
		"table cut off":      {table("stsz", 0, 1000), "stsz", 0},
		"pictures elsewhere": {table("stco", 1, math.MaxUint32), "", 0},
	}
}

func TestBrokenFiles(t *testing.T) {
	for name, tt := range broken(t) {
		t.Run(name, func(t *testing.T) {
			v, err := mp4.Read(bytes.NewReader(tt.data), int64(len(tt.data)))
			if tt.says != "" {
				if !errors.Is(err, mp4.ErrFile) || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("got %v, want ErrFile with %q", err, tt.says)
				}
				return
			}
			if err != nil || len(v.Samples) != tt.samples {
				t.Errorf("%v, %v; want %d pictures", v, err, tt.samples)
			}
		})
	}
}

// TestOtherTracks has files with sound before the pictures, and with other codings.
func TestOtherTracks(t *testing.T) {
	for name, codec := range map[string]string{"sound-first.mp4": "avc1", "hevc.mp4": "hev1",
		"in-band-parameters.mp4": "avc3"} {
		v := read(t, load(t, name))
		if v.Codec != codec || (codec == "hev1") != (len(v.Coding) == 0) {
			t.Errorf("%s: %s, %d codings", name, v.Codec, len(v.Coding))
		}
	}
}

// TestSeveralDescriptions has files whose pictures may be coded in two ways, of which the second is used.
func TestSeveralDescriptions(t *testing.T) {
	plain := load(t, "without-edit-list.mp4")
	described := func(codec string) []byte {
		return edit(plain, func(kind string, payload []byte) []byte {
			switch kind {
			case "stsd":
				other := slices.Clone(payload[8:])
				copy(other[4:], codec)
				return box("stsd", slices.Concat(full(2), other, payload[8:])...)
			case "stsc":
				for at := 16; at < len(payload); at += 12 {
					payload[at+3] = 2
				}
				return box("stsc", payload...)
			}
			return nil
		})
	}
	v := read(t, described("avc3"))
	if len(v.Coding) != 2 || len(v.Samples) != 5 {
		t.Fatalf("%d codings, %d pictures", len(v.Coding), len(v.Samples))
	}
	for i, s := range v.Samples {
		if s.Coding != 1 {
			t.Errorf("picture %d has coding %d", i, s.Coding)
		}
	}
	if v := read(t, described("hvc1")); v.Codec != "hvc1" || len(v.Coding) != 0 {
		t.Errorf("with one that is not H.264: %s, %d codings", v.Codec, len(v.Coding))
	}
}

func FuzzRead(f *testing.F) {
	names, err := filepath.Glob(testdata + "*.m*")
	if err != nil || len(names) == 0 {
		f.Fatal(err, names)
	}
	for _, name := range names {
		f.Add(load(f, filepath.Base(name)))
	}
	for _, data := range variants(f) {
		f.Add(data)
	}
	for _, tt := range broken(f) {
		f.Add(tt.data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := mp4.Read(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			if !errors.Is(err, mp4.ErrFile) {
				t.Fatal(err)
			}
			return
		}
		for i, s := range v.Samples {
			if s.Offset < 0 || s.Offset+int64(s.Size) > int64(len(data)) || len(v.Coding) > 0 &&
				(s.Coding < 0 || s.Coding >= len(v.Coding)) {
				t.Fatalf("picture %d is %+v in a file of %d bytes with %d codings", i, s, len(data), len(v.Coding))
			}
		}
	})
}

// TestTurns reads what the matrix of a track asks for: where it puts the right and the lower edge of a picture.
func TestTurns(t *testing.T) {
	plain := load(t, "without-edit-list.mp4")
	const one, matrix = 1 << 16, 40 // where the matrix is in a tkhd of version 0
	for name, tt := range map[string]struct {
		right, down [2]int32
		want        mp4.Turn
	}{
		"upright":               {[2]int32{one, 0}, [2]int32{0, one}, mp4.Turn{}},
		"a quarter":             {[2]int32{0, one}, [2]int32{-one, 0}, mp4.Turn{Rotate: 90}},
		"half":                  {[2]int32{-one, 0}, [2]int32{0, -one}, mp4.Turn{Rotate: 180}},
		"three quarters":        {[2]int32{0, -one}, [2]int32{one, 0}, mp4.Turn{Rotate: 270}},
		"mirrored":              {[2]int32{-one, 0}, [2]int32{0, one}, mp4.Turn{Mirror: true}},
		"upside down, mirrored": {[2]int32{one, 0}, [2]int32{0, -one}, mp4.Turn{Mirror: true, Rotate: 180}},
		"about one diagonal":    {[2]int32{0, one}, [2]int32{one, 0}, mp4.Turn{Mirror: true, Rotate: 270}},
		"about the other":       {[2]int32{0, -one}, [2]int32{-one, 0}, mp4.Turn{Mirror: true, Rotate: 90}},
		"twice as wide":         {[2]int32{2 * one, 0}, [2]int32{0, one}, mp4.Turn{}},
		"no matrix":             {[2]int32{}, [2]int32{}, mp4.Turn{}},
		"37 degrees":            {[2]int32{52339, 39440}, [2]int32{-39440, 52339}, mp4.Turn{Unknown: true}},
		"sheared":               {[2]int32{one, 1000}, [2]int32{0, one}, mp4.Turn{Unknown: true}},
	} {
		t.Run(name, func(t *testing.T) {
			data := replaced(plain, "tkhd", func(payload []byte) []byte {
				turned := slices.Clone(payload)
				for i, v := range []int32{tt.right[0], tt.right[1], 0, tt.down[0], tt.down[1]} {
					binary.BigEndian.PutUint32(turned[matrix+4*i:], uint32(v))
				}
				return box("tkhd", turned...)
			})
			v, err := mp4.Read(bytes.NewReader(data), int64(len(data)))
			if err != nil || v.Turn != tt.want {
				t.Errorf("%+v, %v; want %+v", v.Turn, err, tt.want)
			}
		})
	}
}
