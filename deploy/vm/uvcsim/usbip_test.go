package uvcsim

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
)

// message builds a message of the kernel.
func message(code, seq, toHost, endpoint, length uint32, setup [8]byte, data ...byte) []byte {
	b := make([]byte, headSize)
	be := binary.BigEndian
	for i, v := range []uint32{code, seq, deviceID, toHost, endpoint, 0, length} {
		be.PutUint32(b[4*i:], v)
	}
	if code == commandUnlink { // the victim takes the place of the flags
		be.PutUint32(b[20:], length)
	}
	copy(b[40:], setup[:])
	return append(b, data...)
}

var commandCases = []struct {
	name  string
	bytes []byte
	want  command
	err   error // nil with want.code 0: any
}{
	{"in", message(commandSubmit, 7, 1, 1, 16384, [8]byte{}), command{code: 1, seq: 7, toHost: true, endpoint: 1,
		length: 16384}, nil},
	{"out", message(commandSubmit, 8, 0, 0, 2, [8]byte{0x21, 1}, 5, 6),
		command{code: 1, seq: 8, length: 2, setup: [8]byte{0x21, 1}, data: []byte{5, 6}}, nil},
	{"unlink", message(commandUnlink, 9, 0, 0, 7, [8]byte{}), command{code: 2, seq: 9, victim: 7}, nil},
	{"nothing", nil, command{}, io.EOF},
	{"half a head", make([]byte, 20), command{}, io.ErrUnexpectedEOF},
	{"data missing", message(commandSubmit, 8, 0, 0, 2, [8]byte{}, 5), command{}, io.ErrUnexpectedEOF},
	{"unknown", message(77, 1, 0, 0, 0, [8]byte{}), command{}, nil},
	{"huge", message(commandSubmit, 1, 0, 0, 1<<31, [8]byte{}), command{}, nil},
}

func TestReadCommand(t *testing.T) {
	t.Parallel()
	for _, c := range commandCases {
		got, err := readCommand(bytes.NewReader(c.bytes))
		switch {
		case c.want.code != 0 && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want.code == 0 && (err == nil || c.err != nil && !errors.Is(err, c.err)):
			t.Errorf("%s: error %v, want %v", c.name, err, c.err)
		case c.want.code != 0 && !sameCommand(got, c.want):
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func sameCommand(a, b command) bool {
	same := bytes.Equal(a.data, b.data)
	a.data, b.data = nil, nil
	return same && a.code == b.code && a.seq == b.seq && a.toHost == b.toHost && a.endpoint == b.endpoint &&
		a.length == b.length && a.victim == b.victim && a.setup == b.setup
}

func FuzzReadCommand(f *testing.F) {
	for _, c := range commandCases {
		f.Add(c.bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := readCommand(bytes.NewReader(b))
		if err == nil && len(c.data) > len(b)-headSize {
			t.Errorf("%d bytes of data out of %d", len(c.data), len(b))
		}
	})
}

var statusCases = []struct {
	name, table string
	want        int
	err         error
}{
	{"first free", "hub port sta spd dev      sockfd local_busid\nhs  0000 006 003 00010001 000003 1-1\nhs  0001 004 " +
		"000 00000000 000000 0-0\n", 1, nil},
	{"only super speed", "ss  0008 004 000 00000000 000000 0-0\n", 0, ErrNoPort},
	{"garbage", "hs x y\nhs\n\x00", 0, ErrNoPort},
	{"empty", "", 0, ErrNoPort},
}

func TestParseFreePort(t *testing.T) {
	t.Parallel()
	for _, c := range statusCases {
		got, err := parseFreePort(strings.NewReader(c.table))
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %d, %v; want %d, %v", c.name, got, err, c.want, c.err)
		}
	}
}

func FuzzParseFreePort(f *testing.F) {
	for _, c := range statusCases {
		f.Add(c.table)
	}
	f.Fuzz(func(t *testing.T, table string) {
		if port, err := parseFreePort(strings.NewReader(table)); err == nil && port < 0 {
			t.Errorf("port %d", port)
		}
	})
}
