package rtsp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// rtpFrame is a frame with an RTP packet of SSRC 1 and payload type 96.
func rtpFrame(channel byte, sequence byte, size int) string {
	p := append([]byte{0x80, 96, 0, sequence, 0, 0, 0, 0, 0, 0, 0, 1}, make([]byte, size)...)
	return string(interleave(channel, p))
}

// trustedInTest trusts what rtpFrame makes for channel 0.
func trustedInTest(channel byte, head []byte) bool {
	return channel == 0 && len(head) == 12 && head[0] == 0x80 && head[1] == 96 && head[11] == 1
}

// shownMessage is a message as the tables write it.
func shownMessage(m any) string {
	switch m := m.(type) {
	case *response:
		return fmt.Sprintf("%d %s", m.status, m.body)
	case *request:
		return m.method
	case frame:
		return fmt.Sprintf("$%d %d", m.channel, len(m.payload))
	}
	return "?"
}

// streams pairs what a camera writes with what is read, up to the error.
var streams = []struct {
	name, bytes string
	want        []string
	err         error
}{
	{"an answer", "RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n", []string{"200 "}, io.EOF},
	{"a body", "RTSP/1.0 200 OK\r\nContent-length : 3\r\n\r\nabc$\x00\x00\x01x", []string{"200 abc", "$0 1"}, io.EOF},
	{"a description without length", "RTSP/1.0 200 OK\r\nContent-Type: application/sdp\r\n\r\nv=0", []string{"200 v=0"},
		io.EOF},
	{"line feeds", "RTSP/1.0 200 OK\nContent-Length: 3\n\nabc", []string{"200 abc"}, io.EOF},
	{"another version", "RTSP/2.0 404\r\n\r\n", []string{"404 "}, io.EOF},
	{"empty lines between", "\r\n\r\nRTSP/1.0 200 OK\r\n\r\n\r\n\nRTSP/1.0 201 Created\r\n\r\n", []string{"200 ", "201 "},
		io.EOF},
	{"no fields", "RTSP/1.0 200 OK\r\n\r\n", []string{"200 "}, io.EOF},
	{"a request", "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n", []string{"OPTIONS"}, io.EOF},
	{"an unknown request", "WHO_ARE_YOU rtsp://x RTSP/1.0\r\n\r\n", []string{"WHO_ARE_YOU"}, io.EOF},
	{"an empty frame", "$\x00\x00\x00" + rtpFrame(0, 1, 5), []string{"$0 0", "$0 17"}, io.EOF},
	{"the longest frame", rtpFrame(0, 1, 65535-12), []string{"$0 65535"}, io.EOF},
	{
		"a frame cut short", rtpFrame(0, 1, 50) + rtpFrame(0, 2, 500)[:300] + rtpFrame(0, 3, 50) + rtpFrame(0, 4, 600),
		[]string{"$0 62", "$0 62", "$0 612"}, io.EOF,
	},
	{
		"a part of a frame twice", rtpFrame(0, 1, 50) + rtpFrame(0, 2, 50)[40:] + rtpFrame(0, 3, 50),
		[]string{"$0 62"}, io.EOF, // and the frame before the damage is given up with it
	},
	{"an answer in the damage", rtpFrame(0, 1, 500)[:300] + "RTSP/1.0 200 OK\r\n\r\n" + strings.Repeat("x", 300),
		[]string{"200 "}, errFraming},
	{"damage twice", rtpFrame(0, 1, 5) + "xx" + rtpFrame(0, 2, 5) + rtpFrame(0, 3, 5) + "xx" + rtpFrame(0, 4, 5) + "xx",
		nil, errFraming},
	{"only garbage", strings.Repeat("x", maxSkip+10), nil, errFraming},
	{"a body without end", "RTSP/1.0 200 OK\r\nContent-Length: 9999999\r\n\r\n", nil, errFraming},
	{"a head without end", "RTSP/1.0 200 OK\r\n" + strings.Repeat("x: y\r\n", 20000), nil, errFraming},
	{"cut", "RTSP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nabc", []string{"200 abc"}, io.EOF},
	{"neither length nor type", "RTSP/1.0 200 OK\r\n\r\nv=0\nm=video", []string{"200 v=0\nm=video"}, io.EOF},
	{"counted too little, within a line",
		"RTSP/1.0 200 OK\r\nContent-Length: 7\r\n\r\nv=0\r\nm=video 0\r\na=b\r\nRTSP/1.0 201 OK\r\n\r\n",
		[]string{"200 v=0\r\nm=video 0\r\na=b\r\n", "201 "}, io.EOF},
	{"counted right, and more at once",
		"RTSP/1.0 200 OK\r\nContent-Type: application/sdp\r\nContent-Length: 3\r\n\r\nv=0RTSP/1.0 201 OK\r\n\r\n",
		[]string{"200 v=0", "201 "}, io.EOF},
	{"a frame behind a description without length", "RTSP/1.0 200 OK\r\n\r\nv=0\r\n" + rtpFrame(0, 1, 5),
		[]string{"200 v=0\r\n", "$0 17"}, io.EOF},
	{"a length that is none", "RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\nv=0\r\n", []string{"200 v=0\r\n"}, io.EOF},
}

func TestWire(t *testing.T) {
	for _, tt := range streams {
		t.Run(tt.name, func(t *testing.T) {
			w := newWire(strings.NewReader(tt.bytes), trustedInTest)
			var got []string
			m, err := w.next()
			for ; err == nil; m, err = w.next() {
				got = append(got, shownMessage(m))
			}
			if tt.want != nil && fmt.Sprint(got) != fmt.Sprint(tt.want) || !errors.Is(err, tt.err) {
				t.Errorf("read %q, %v; want %q, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

// TestWireInPieces: it does not matter how the bytes arrive, unless they are damaged.
func TestWireInPieces(t *testing.T) {
	for _, tt := range streams[3:11] {
		w := newWire(iotest.OneByteReader(strings.NewReader(tt.bytes)), trustedInTest)
		for _, want := range tt.want {
			m, err := w.next()
			if err != nil || shownMessage(m) != want {
				t.Errorf("%s: read %s, %v; want %s", tt.name, shownMessage(m), err, want)
			}
		}
	}
}

func FuzzWire(f *testing.F) {
	for _, tt := range streams {
		f.Add([]byte(tt.bytes))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		w := newWire(bytes.NewReader(data), trustedInTest)
		read := 0
		for {
			m, err := w.next()
			if err != nil {
				return
			}
			if fr, ok := m.(frame); ok {
				read += len(fr.payload)
			}
			if read > len(data) {
				t.Fatalf("%d bytes of frames were read from %d", read, len(data))
			}
		}
	})
}

func FuzzMessage(f *testing.F) {
	for _, tt := range streams {
		f.Add([]byte(tt.bytes))
	}
	f.Add([]byte("RTSP/1.0 200 OK\r\n a: b\r\nfolded: x\r\n\ty\r\n:\r\nz\r\n"))
	f.Fuzz(func(t *testing.T, head []byte) {
		m, _, err := parseHead(head)
		if err != nil {
			return
		}
		if r, ok := m.(*response); ok && (r.status < 100 || r.status > 999) {
			t.Fatalf("status %d", r.status)
		}
	})
}

func TestFoldedFields(t *testing.T) {
	_, f, err := parseHead([]byte("RTSP/1.0 200 OK\r\nPublic: OPTIONS,\r\n  " +
		"PLAY\r\nWWW-Authenticate:a\r\nwww-authenticate: b\r\n"))
	if err != nil || f.get("public") != "OPTIONS, PLAY" || fmt.Sprint(f.all("WWW-Authenticate")) != "[a b]" {
		t.Error(f, err)
	}
}

func BenchmarkWire(b *testing.B) {
	data := []byte(strings.Repeat(rtpFrame(0, 1, 1388), 1000))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		w := newWire(bytes.NewReader(data), trustedInTest)
		for range 1000 {
			if _, err := w.next(); err != nil {
				b.Fatal(err)
			}
		}
	}
}
