package annexb

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
)

// Parameter sets written by x264 and by hand.
var spsTable = []struct {
	name string
	hex  string
	want SPS
}{
	{"high 640x360", "6764001eacd940a02ff970110000030001000003003c0f162d96", SPS{100, 0, 30, 640, 360}},
	{"baseline 1080, cropped", "6742c028d900780227e5c044000003000400000300f03c60c920", SPS{66, 0xc0, 40, 1920, 1080}},
	{"4:4:4, cropped", "67f4000d919b282833f1b80880000003008000001e078a14cb", SPS{244, 0, 13, 320, 180}},
	{"interlaced", "67640028acd9405a044fde0220000003002000000643e2c5b2c0", SPS{100, 0, 40, 1440, 1080}},
	{"high 10", "676e000aa6cb423d808800000300080000030050789135", SPS{110, 0, 10, 64, 48}},
	{"lossless", "67f4000aaeb423d80880000003008000000507891350", SPS{244, 0, 10, 64, 48}},
	{"monochrome", "6764000af2c823d80b64000003000400000300283c489920", SPS{100, 0, 10, 64, 48}},
	{"4:2:2", "677a000abcb208f6022000000300200000030141e244c9", SPS{122, 0, 10, 64, 48}},
}

func TestParseSPS(t *testing.T) {
	for _, tt := range spsTable {
		t.Run(tt.name, func(t *testing.T) {
			nal, err := hex.DecodeString(tt.hex)
			if err != nil {
				t.Fatal(err)
			}
			got, err := ParseSPS(nal)
			if err != nil || got != tt.want {
				t.Errorf("got %+v %v, want %+v", got, err, tt.want)
			}
			for n := range 8 {
				if _, err := ParseSPS(nal[:n]); !errors.Is(err, ErrSPS) {
					t.Errorf("cut to %d bytes: got %v, want ErrSPS", n, err)
				}
			}
		})
	}
}

func TestCoding(t *testing.T) {
	for name, want := range map[string]Coding{
		"high 640x360": {Chroma: 1, Depth: 8}, "baseline 1080, cropped": {Chroma: 1, Depth: 8},
		"4:4:4, cropped": {Chroma: 3, Depth: 8},
		"interlaced":     {Chroma: 1, Depth: 8, Interlaced: true}, "high 10": {Chroma: 1, Depth: 10},
		"lossless":   {Chroma: 1, Depth: 8, Lossless: true},
		"monochrome": {Chroma: 0, Depth: 8}, "4:2:2": {Chroma: 2, Depth: 8},
	} {
		for _, tt := range spsTable {
			if tt.name != name {
				continue
			}
			nal, err := hex.DecodeString(tt.hex)
			if err != nil {
				t.Fatal(err)
			}
			if _, got, err := ParseSPSAndCoding(nal); err != nil || got != want {
				t.Errorf("%s: got %+v, %v; want %+v", name, got, err, want)
			}
		}
	}
}

func TestIsB(t *testing.T) {
	for name, tt := range map[string]struct {
		nal  []byte
		want bool
	}{
		"B":             {[]byte{0x01, 0b1_010_0000}, true},  // slice_type 1
		"B only":        {[]byte{0x01, 0b1_00111_00}, true},  // slice_type 6
		"P":             {[]byte{0x41, 0b1_1_000000}, false}, // slice_type 0
		"I of a key":    {[]byte{0x65, 0b1_00010_00, 0}, false},
		"parameter set": {[]byte{0x67, 0b1_010_0000}, false},
		"cut off":       {[]byte{0x01}, false},
		"empty":         {nil, false},
	} {
		if got := IsB(tt.nal); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func FuzzParseSPS(f *testing.F) {
	for _, tt := range spsTable {
		nal, _ := hex.DecodeString(tt.hex)
		f.Add(nal)
	}
	f.Add(bytes.Repeat([]byte{0x67, 100, 0}, 100))
	f.Fuzz(func(t *testing.T, nal []byte) {
		if s, err := ParseSPS(nal); err == nil && (s.Width < 1 || s.Height < 1) {
			t.Errorf("size %dx%d without an error", s.Width, s.Height)
		}
	})
}

var streams = []struct {
	name   string
	stream []byte
	types  []int  // of the NAL units
	units  []bool // access units: whether each is a key frame
}{
	{"empty", nil, nil, nil},
	{"no start code", []byte{1, 2, 3}, nil, nil},
	{"start codes only", []byte{0, 0, 1, 0, 0, 0, 1, 0, 0, 1}, nil, nil},
	{"parameters alone", join(7, 8), []int{7, 8}, nil},
	{"two pictures", join(7, 8, 5, 1), []int{7, 8, 5, 1}, []bool{true, false}},
	{"delimiters, remarks", join(9, 7, 8, 6, 5, 9, 6, 1), []int{9, 7, 8, 6, 5, 9, 6, 1}, []bool{true, false}},
	{"several slices", join(7, 8, 5, -5, -5, 1, -1, 1), []int{7, 8, 5, 5, 5, 1, 1, 1}, []bool{true, false, false}},
	{"short start code, padding", []byte{9, 9, 0, 0, 1, 0x65, 0x88, 0, 0, 0, 0, 1, 0x41, 0x9a, 0}, []int{5, 1},
		[]bool{true, false}},
}

// join makes a stream of NAL units with the given types; a negative type is a slice that continues a picture.
func join(types ...int) []byte {
	var out []byte
	for _, t := range types {
		if t < 0 {
			out = Append(out, []byte{byte(0x60 - t), 0x40, 0x11})
		} else {
			out = Append(out, []byte{byte(0x60 + t), 0x80, 0x11})
		}
	}
	return out
}

func TestStreams(t *testing.T) {
	for _, tt := range streams {
		t.Run(tt.name, func(t *testing.T) {
			var types []int
			for nal := range NALs(tt.stream) {
				types = append(types, Type(nal))
			}
			if !equal(types, tt.types) {
				t.Errorf("types %v, want %v", types, tt.types)
			}
			var units []bool
			for au := range AccessUnits(tt.stream) {
				units = append(units, IsKeyFrame(au))
			}
			if !equal(units, tt.units) {
				t.Errorf("key frames %v, want %v", units, tt.units)
			}
		})
	}
}

func equal[T comparable](a, b []T) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestParameterSets(t *testing.T) {
	sps, pps := ParameterSets(join(7, 8, 5, 1))
	if Type(sps) != TypeSPS || Type(pps) != TypePPS {
		t.Errorf("got %x and %x", sps, pps)
	}
	if sps, pps = ParameterSets(join(1)); sps != nil || pps != nil {
		t.Errorf("found %x and %x where there are no parameter sets", sps, pps)
	}
}

// FuzzStreams checks that cutting any bytes into access units loses no slice.
func FuzzStreams(f *testing.F) {
	for _, tt := range streams {
		f.Add(tt.stream)
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		n := 0
		for au := range AccessUnits(stream) {
			in := countSlices(t, au)
			if in == 0 {
				t.Fatalf("access unit without a slice: %x", au)
			}
			n += in
		}
		if want := countSlices(t, stream); n != want {
			t.Errorf("%d slices in access units, %d in the stream", n, want)
		}
		ParameterSets(stream)
		for nal := range NALs(stream) {
			IsB(nal)
		}
	})
}

func countSlices(t *testing.T, stream []byte) (n int) {
	t.Helper()
	for nal := range NALs(stream) {
		if len(nal) == 0 {
			t.Error("an empty unit")
		}
		if isSlice(nal) {
			n++
		}
	}
	return n
}
