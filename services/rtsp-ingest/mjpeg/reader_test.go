package mjpeg

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// shot returns a JPEG that differs by n.
func shot(n int) []byte {
	m := image.NewGray(image.Rect(0, 0, 64, 48))
	for i := range m.Pix {
		m.Pix[i] = color.Gray{Y: uint8(i*i>>3 + n*40)}.Y
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// without returns a JPEG without its Huffman tables.
func without(data []byte) []byte {
	tables := bytes.Index(data, []byte{0xff, dht})
	size := 2 + int(data[tables+2])<<8 + int(data[tables+3])
	return append(append([]byte{}, data[:tables]...), data[tables+size:]...)
}

func noEnd(data []byte) []byte { return data[:len(data)-2] }

// thumbnail returns a JPEG with another inside a segment, as EXIF has it.
func thumbnail(data []byte) []byte {
	inner := shot(7)
	size := len(inner) + 2
	segment := append([]byte{0xff, 0xe1, byte(size >> 8), byte(size)}, inner...)
	return append(append(append([]byte{}, data[:2]...), segment...), data[2:]...)
}

func part(header string, data []byte, after string) string {
	return "--b\r\n" + header + "\r\n" + string(data) + after
}

func length(data []byte) string { return fmt.Sprintf("Content-Length: %d\r\n", len(data)) }

// bodies are what cameras send for two pictures, and what becomes of it.
var bodies = map[string]struct {
	body string
	want [][]byte
	lost bool // before the second
}{
	"as it should be": {part(length(shot(1)), shot(1), "\r\n") + part(length(shot(2)), shot(2), "\r\n--b--\r\n"),
		two(), false},
	"no length": {part("Content-Type: image/jpeg\r\n", shot(1), "\r\n") + part("", shot(2), ""), two(), false},
	"lower case, spaces": {part(strings.ToLower(length(shot(1))), shot(1), "\r\n") +
		part("CONTENT-LENGTH :  "+fmt.Sprint(len(shot(2)))+" \r\n", shot(2), ""), two(), false},
	"line feeds only": {"--b\n" + length(shot(1)) + "\n" + string(shot(1)) + "\n--b\n\n" + string(shot(2)),
		two(), false},
	"no boundary at all": {string(shot(1)) + string(shot(2)), two(), false},
	"no first boundary":  {length(shot(1)) + "\r\n" + string(shot(1)) + "\r\n" + part("", shot(2), ""), two(), false},
	"closing boundary":   {part("", shot(1), "\r\n--b--\r\n") + part("", shot(2), "\r\n--b--\r\n"), two(), false},
	"length too large":   {part("Content-Length: 999999\r\n", shot(1), "\r\n") + part("", shot(2), ""), two(), false},
	"length too small":   {part("Content-Length: 900\r\n", shot(1), "\r\n") + part("", shot(2), ""), two(), false},
	"length nonsense": {part("Content-Length: -5\r\n", shot(1), "") + part("Content-Length: 9e99\r\n", shot(2),
		""), two(), false},
	"padding":        {part("", append(shot(1), 0, 0, 0, 0), "\r\n") + part("", shot(2), ""), two(), false},
	"no end, length": {part(length(noEnd(shot(1))), noEnd(shot(1)), "\r\n") + part("", shot(2), ""), two(), false},
	"thumbnail": {part("", thumbnail(shot(1)), "\r\n") + part("", thumbnail(shot(2)), ""),
		[][]byte{thumbnail(shot(1)), thumbnail(shot(2))}, false},
	"no tables": {part("", without(shot(1)), "\r\n") + part("", without(shot(2)), ""), two(), false},
	"cut short": {part("", shot(1)[:500], "\r\n") + part("", shot(1), "\r\n") + part("", shot(2), ""), nil, true},
	"broken": {part("", []byte{0xff, 0xd8, 0xff, 0xe0, 0, 1}, "\r\n") + part("", shot(1), "\r\n") + part("",
		shot(2), ""), two(), false},
	"other parts": {part("Content-Type: text/plain\r\n", []byte("hello"), "\r\n") + part("", shot(1),
		"\r\n") + part("", shot(2), ""), two(), false},
}

func two() [][]byte { return [][]byte{shot(1), shot(2)} }

func newReader(in io.Reader) *reader {
	return &reader{in: bufio.NewReader(in), now: func() time.Time { return time.Unix(1, 0) }}
}

func TestBodies(t *testing.T) {
	for name, test := range bodies {
		t.Run(name, func(t *testing.T) {
			r := newReader(iotest.OneByteReader(strings.NewReader(test.body)))
			for i, want := range test.want {
				got, _, _, err := r.next()
				if err != nil {
					t.Fatal(err)
				}
				if _, err := jpeg.Decode(bytes.NewReader(got)); err != nil {
					t.Errorf("picture %d: %v", i, err)
				}
				if !strings.HasPrefix(name, "no tables") && !bytes.Equal(got, want) {
					t.Errorf("picture %d has %d bytes, want %d", i, len(got), len(want))
				}
			}
			if test.want == nil { // the first is lost, or swallows what follows it; what comes is whole in the end
				drain(t, r, shot(2))
			}
			if _, _, _, err := r.next(); !errors.Is(err, io.EOF) {
				t.Errorf("at the end: %v", err)
			}
		})
	}
}

func drain(t *testing.T, r *reader, last []byte) {
	t.Helper()
	for {
		got, _, _, err := r.next()
		if err != nil {
			t.Fatalf("%v, and the last picture did not come", err)
		}
		if bytes.Equal(got, last) {
			return
		}
	}
}

// A picture is there with its last byte, not with the first of the next.
func TestPictureIsDeliveredAtOnce(t *testing.T) {
	for _, header := range []string{"", length(shot(1))} {
		in, out := io.Pipe()
		go func() { _, _ = io.WriteString(out, part(header, shot(1), "")) }()
		if got, _, _, err := newReader(in).next(); err != nil || !bytes.Equal(got, shot(1)) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		_ = out.Close()
	}
}

type endless byte

func (e endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(e)
	}
	return len(b), nil
}

func TestSizesAreBounded(t *testing.T) {
	begin := []byte{0xff, soi, 0xff, sos, 0, 2}
	if _, _, _, err := newReader(io.MultiReader(bytes.NewReader(begin),
		endless(1))).next(); feed.ReasonOf(err) != feed.Unsupported {
		t.Errorf("a picture without end: %v", err)
	}
	if _, _, _, err := newReader(endless('a')).next(); feed.ReasonOf(err) != feed.Unsupported {
		t.Errorf("no picture: %v", err)
	}
}

func FuzzReader(f *testing.F) {
	for _, test := range bodies {
		f.Add([]byte(test.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := newReader(bytes.NewReader(body))
		for total := 0; ; {
			got, _, _, err := r.next()
			if err != nil {
				return
			}
			if total += len(got); !bytes.HasPrefix(got, []byte{0xff, soi}) || !bytes.HasSuffix(got, []byte{0xff,
				eoi}) ||
				total > 1000+200*len(body) {
				t.Fatalf("%x", got)
			}
		}
	})
}
