package simboard

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"
)

// frame is a command as it is written.
func frame(left, right int16) []byte {
	b := binary.LittleEndian.AppendUint16([]byte{commandStart}, uint16(left))
	b = binary.LittleEndian.AppendUint16(b, uint16(right))
	return append(b, crc8(b[1:]))
}

// join puts pieces one after the other.
func join(pieces ...[]byte) []byte { return bytes.Join(pieces, nil) }

// written pairs bytes written to a board at one moment with the commands in them.
var written = map[string]struct {
	bytes []byte
	want  []command
}{
	"nothing":  {nil, nil},
	"one":      {frame(100, -100), []command{{100, -100}}},
	"extremes": {frame(32767, -32768), []command{{32767, -32768}}},
	"two":      {join(frame(1, 2), frame(3, 4)), []command{{1, 2}, {3, 4}}},
	"noise around": {join([]byte{0, 1, 2}, frame(1, 2), []byte{9, 9}, frame(3, 4), []byte{7}),
		[]command{{1, 2}, {3, 4}}},
	"half":                      {frame(1, 2)[:3], nil},
	"all but the crc":           {frame(1, 2)[:5], nil},
	"wrong crc":                 {join(frame(1, 2)[:5], []byte{0}), nil},
	"wrong crc, then right":     {join(frame(1, 2)[:5], []byte{0}, frame(3, 4)), []command{{3, 4}}},
	"a byte lost":               {join(frame(1, 2)[:2], frame(1, 2)[3:], frame(3, 4)), []command{{3, 4}}},
	"the start byte lost":       {join(frame(1, 2)[1:], frame(3, 4)), []command{{3, 4}}},
	"cut, then whole":           {join(frame(1, 2)[:4], frame(3, 4)), []command{{3, 4}}},
	"start bytes only":          {bytes.Repeat([]byte{commandStart}, 50), nil},
	"many start bytes":          {join(bytes.Repeat([]byte{commandStart}, 7), frame(3, 4)), []command{{3, 4}}},
	"start bytes in the values": {frame(-0x5A5B, -0x5A5B), []command{{-0x5A5B, -0x5A5B}}}, // 0xA5 0xA5
	"a byte lost before those":  {join(frame(-0x5A5B, -0x5A5B)[1:], frame(3, 4)), []command{{3, 4}}},
	"telemetry":                 {telemetry{uptime: 1}.append(nil), nil},
}

// parse feeds a parser pieces of the given size.
func parse(data []byte) (got []command) {
	var p parser
	for _, b := range data {
		if c, ok := p.feed(b, time.Time{}); ok {
			got = append(got, c)
		}
	}
	return got
}

func TestParser(t *testing.T) {
	for name, tt := range written {
		t.Run(name, func(t *testing.T) {
			if got := parse(tt.bytes); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// search finds commands in the simplest way, with all bytes at hand.
func search(data []byte) (found []command) {
	for i := 0; i+commandSize <= len(data); i++ {
		f := data[i : i+commandSize]
		if f[0] == commandStart && crc8(f[1:5]) == f[5] {
			found = append(found, command{int16(binary.LittleEndian.Uint16(f[1:])), int16(binary.LittleEndian.Uint16(f[3:]))})
			i += commandSize - 1
		}
	}
	return found
}

// FuzzParser compares with a search through all bytes, and makes sure that any bytes before cost two
// commands at most.
func FuzzParser(f *testing.F) {
	for _, tt := range written {
		f.Add(tt.bytes)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if got, want := parse(data), search(data); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		got := parse(join(data, frame(1, 2), frame(3, 4), frame(5, 6)))
		if len(got) == 0 || got[len(got)-1] != (command{5, 6}) {
			t.Errorf("the third command after %x was lost: %v", data, got)
		}
	})
}

func TestBytesGetOld(t *testing.T) {
	whole := frame(1, 2)
	for name, tt := range map[string]struct {
		first, second []byte
		pause         time.Duration
		want          []command
	}{
		"soon enough":              {whole[:3], whole[3:], forgotten, []command{{1, 2}}},
		"too late":                 {whole[:3], whole[3:], forgotten + 1, nil},
		"too late, then another":   {whole[:3], join(whole[3:], frame(3, 4)), forgotten + 1, []command{{3, 4}}},
		"old bytes hide nothing":   {whole[:1], frame(3, 4), forgotten + 1, []command{{3, 4}}},
		"it would have been right": {[]byte{commandStart}, frame(3, 4)[1:], forgotten + 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var p parser
			var got []command
			now := time.Now()
			for _, piece := range [][]byte{tt.first, tt.second} {
				for _, b := range piece {
					if c, ok := p.feed(b, now); ok {
						got = append(got, c)
					}
				}
				now = now.Add(tt.pause)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// TestBytesGetOldOneByOne drips a frame: its start expires before its end comes, and a start byte within
// it takes over.
func TestBytesGetOldOneByOne(t *testing.T) {
	var p parser
	now := time.Now()
	for i, b := range join(frame(1, 2), []byte{commandStart}) {
		if c, ok := p.feed(b, now.Add(time.Duration(i)*11*time.Millisecond)); ok {
			t.Errorf("got %v from a frame that took 55 ms", c)
		}
	}
	for _, b := range frame(3, 4)[1:] {
		if c, ok := p.feed(b, now.Add(70*time.Millisecond)); ok && c == (command{3, 4}) {
			return
		}
	}
	t.Error("the frame that began last was lost")
}

func TestCRC(t *testing.T) {
	if got := crc8([]byte("123456789")); got != 0xF4 {
		t.Errorf("check value is %#x, want 0xF4", got)
	}
}

func TestTelemetryOnTheWire(t *testing.T) {
	got := telemetry{uptime: 0x01020304, left: -1, right: 255, battery: 8396, flags: 5}
	got.odometry.X, got.odometry.Y, got.odometry.Heading = -2, 3, -3142
	want := []byte{0x5A, 4, 3, 2, 1, 0xFF, 0xFF, 0xFF, 0, 0xFE, 0xFF, 0xFF, 0xFF, 3, 0, 0, 0, 0xBA, 0xF3, 0xCC, 0x20, 5}
	want = append(want, crc8(want[1:]))
	if b := got.append(nil); !bytes.Equal(b, want) || len(b) != telemetrySize {
		t.Errorf("got  %x\nwant %x", b, want)
	}
}
