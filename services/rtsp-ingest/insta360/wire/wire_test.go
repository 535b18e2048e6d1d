package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"reflect"
	"runtime"
	"testing"
	"testing/iotest"
)

// packets are bytes as descriptions of the protocol give them.
var packets = map[string]struct {
	hex    string
	packet Packet
}{
	"sync":      {"1100000006000073794e63654e64696e53", Packet{Kind: Sync}},
	"keepalive": {"07000000050000", Packet{Kind: KeepAlive}},
	"start of the preview": {"1c00000004000001000201000080000010012080f702380940015022", Packet{
		Kind: Message, Code: StartLiveStream, Sequence: 1,
		Data: LiveStream{Video: true, Gyro: true, SampleRate: 48000, Resolution: 9, Resolution1: 34}.Marshal(),
	}},
	"stop of the preview": {"10000000040000020002ffffff800000", Packet{Kind: Message, Code: StopLiveStream,
		Sequence: MaxSequence}},
	"notification": {"14000000040000042002000000800000" + "08011032", Packet{
		Kind: Message, Code: BatteryLow, Data: []byte{8, 1, 16, 50},
	}},
	"picture": {"15000000010000200807060504030201" + "0000000165", Packet{
		Kind: Stream, Type: Video, Time: 0x0102030405060708, Data: []byte{0, 0, 0, 1, 0x65},
	}},
}

func TestPackets(t *testing.T) {
	for name, tt := range packets {
		t.Run(name, func(t *testing.T) {
			want := unhex(t, tt.hex)
			if got := tt.packet.Append(nil); !bytes.Equal(got, want) {
				t.Errorf("sent  %x\nwant  %x", got, want)
			}
			got, err := NewReader(bytes.NewReader(want)).Next()
			if err != nil || !same(got, tt.packet) {
				t.Errorf("read %+v, %v\nwant %+v", got, err, tt.packet)
			}
		})
	}
}

func same(a, b Packet) bool {
	if !bytes.Equal(a.Data, b.Data) {
		return false
	}
	a.Data, b.Data = nil, nil
	return reflect.DeepEqual(a, b)
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The end of a header varies in answers.
func TestBytesThatVaryAreIgnored(t *testing.T) {
	p, err := Parse(unhex(t, "040000c800022a00008012340801"))
	if err != nil || p.Code != OK || p.Sequence != 42 || !bytes.Equal(p.Data, []byte{8, 1}) {
		t.Errorf("got %+v, %v", p, err)
	}
}

// TCP neither keeps packets apart nor together.
func TestWritesThatAreSplitOrMerged(t *testing.T) {
	var all []byte
	var want []Packet
	for _, tt := range packets {
		all = tt.packet.Append(all)
		want = append(want, tt.packet)
	}
	large := Packet{Kind: Stream, Type: Video, Data: bytes.Repeat([]byte{7}, 300_000)}
	all, want = large.Append(all), append(want, large)
	for name, from := range map[string]io.Reader{
		"merged": bytes.NewReader(all), "byte by byte": iotest.OneByteReader(bytes.NewReader(all)),
		"halves": iotest.HalfReader(bytes.NewReader(all)),
	} {
		r := NewReader(from)
		for i, w := range want {
			if got, err := r.Next(); err != nil || !same(got, w) {
				t.Fatalf("%s: packet %d: %v, or another one than sent", name, i, err)
			}
		}
		if _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v at the end, want EOF", name, err)
		}
	}
}

func TestImpossiblePackets(t *testing.T) {
	for name, tt := range map[string]struct {
		hex  string
		want error
	}{
		"length 0":               {"00000000", ErrLength},
		"length without kind":    {"06000000" + "0500", ErrLength},
		"length beyond all":      {"ffffffff" + "010000", ErrLength},
		"length beyond the most": {"01004000" + "010000", ErrLength},
		"short message":          {"0f000000" + "0400000100020100008000", ErrLength},
		"short stream":           {"0f000000" + "0100002000000000000000", ErrLength},
		"end in the length":      {"1100", io.ErrUnexpectedEOF},
		"end in the payload":     {"11000000" + "060000", io.ErrUnexpectedEOF},
		"end behind the length":  {"11000000", io.ErrUnexpectedEOF},
		"nothing":                {"", io.EOF},
	} {
		if _, err := NewReader(bytes.NewReader(unhex(t, tt.hex))).Next(); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	if p, err := NewReader(bytes.NewReader(unhex(t, "08000000"+"63000001"))).Next(); err != nil || p.Kind != 99 {
		t.Errorf("a packet of an unknown kind: %+v, %v, want it to be readable", p, err)
	}
}

// A length alone must not take memory.
func TestALengthReservesLittle(t *testing.T) {
	claim := unhex(t, "00004000"+"010000")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const times = 20
	for range times {
		if _, err := NewReader(bytes.NewReader(claim)).Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if got := (after.TotalAlloc - before.TotalAlloc) / times; got > 4*firstBlock {
		t.Errorf("%d bytes for a packet of which 3 bytes came", got)
	}
}

func TestMessages(t *testing.T) {
	check(t, "files", Files{URIs: []string{"/DCIM/a.insv", "/DCIM/b.insp"}, Total: 340}, Files.Marshal, ParseFiles)
	check(t, "file list", FileList{MediaType: VideoAndPhoto, Start: 100, Limit: 50}, FileList.Marshal, ParseFileList)
	check(t, "file", File{URI: "/DCIM/a.insv", Size: 5 << 30, Seconds: 61}, File.MarshalStopCapture, ParseStopCapture)
	check(t, "error", Error{Code: 3, Message: "no card"}, Error.Marshal, ParseError)
	check(t, "battery", Battery{Type: 1, Level: 80, Scale: 100}, Battery.Marshal, ParseBattery)
	check(t, "storage", Storage{State: 2, Free: 1 << 40, Total: 2 << 40}, Storage.Marshal, ParseStorage)
	status := CaptureStatus{State: 1, Seconds: 12, Count: 3}
	check(t, "status", status, CaptureStatus.MarshalAnswer, ParseCaptureStatus)
	check(t, "status in a notification", status, CaptureStatus.Marshal, ParseCaptureStatus)
	check(t, "preview", LiveStream{Video: true, SampleRate: 48000, Resolution: 9, Resolution1: 34},
		LiveStream.Marshal, ParseLiveStream)
	if got, err := ParseBattery(message(nil, 1, Battery{Level: 7, Scale: 9}.Marshal())); err != nil ||
		got != (Battery{Level: 7, Scale: 9}) {
		t.Errorf("battery that is wrapped: %+v, %v", got, err)
	}
}

func check[M any](t *testing.T, name string, m M, marshal func(M) []byte, parse func([]byte) (M, error)) {
	t.Helper()
	if got, err := parse(marshal(m)); err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("%s: %+v, %v, want %+v", name, got, err, m)
	}
}

func TestOptions(t *testing.T) {
	want := Options{
		Battery: &Battery{Level: 55, Scale: 100}, LocalTime: 1795939200, TimeZone: -3600, Serial: "IXSE42", UUID: "u",
		Storage: &Storage{Free: 1 << 33, Total: 1 << 36}, Firmware: "v1.2.3", CameraType: "Insta360 X4",
	}
	all := []Option{OptionBattery, OptionLocalTime, OptionTimeZone, OptionSerial, OptionUUID, OptionStorage,
		OptionFirmware, OptionCameraType}
	types, got, err := ParseOptions(MarshalOptions(want, all...))
	if err != nil || !reflect.DeepEqual(got, want) || !reflect.DeepEqual(types, all) {
		t.Errorf("got %v %+v, %v", types, got, err)
	}
	// One by one, as older clients write a repeated number.
	if types, _, err := ParseOptions([]byte{8, 12, 8, 13}); err != nil || !reflect.DeepEqual(types, []Option{12, 13}) {
		t.Errorf("got %v, %v", types, err)
	}
	if got := hex.EncodeToString(WantOptions(OptionSerial, OptionUUID)); got != "0a020f10" {
		t.Errorf("asked %s", got)
	}
}

func TestMessagesThatCannotBeRead(t *testing.T) {
	for name, b := range map[string]string{
		"no tag": "ff", "no value": "08", "too short": "0a05aa", "group without end": "0b", "field 0": "0001",
		"in a message": "5a02" + "08ff",
	} {
		body := message(nil, 2, unhex(t, b))
		if _, _, err := ParseOptions(body); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: %v, want ErrMessage", name, err)
		}
	}
	// Fields of another type than expected, and unknown ones, are left out.
	f, err := ParseFiles(unhex(t, "0807"+"1202aabb"+"1d00000000"+"fa0701ff"))
	if err != nil || len(f.URIs) != 0 {
		t.Errorf("got %+v, %v", f, err)
	}
	if e, err := ParseError(Error{Message: string(bytes.Repeat([]byte{0xc3}, 5000))}.Marshal()); err != nil ||
		len(e.Message) > 3*maxText {
		t.Errorf("a message of %d bytes, %v", len(e.Message), err)
	}
}

func FuzzReader(f *testing.F) {
	for _, tt := range packets {
		f.Add(unhex(f, tt.hex))
	}
	f.Add(unhex(f, "ffffffff010000"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := NewReader(bytes.NewReader(stream))
		for used := 0; ; {
			p, err := r.Next()
			if err != nil {
				return
			}
			if used += lengthSize + kindSize + len(p.Data); used > len(stream) {
				t.Fatalf("%d bytes out of %d", used, len(stream))
			}
			if p.Kind != Stream && p.Kind != Message {
				continue
			}
			again, err := Parse(p.Append(nil)[lengthSize:])
			if err != nil || !same(again, p) {
				t.Fatalf("%+v became %+v, %v", p, again, err)
			}
		}
	})
}

func FuzzMessages(f *testing.F) {
	f.Add(Files{URIs: []string{"/a"}, Total: 1}.Marshal())
	f.Add(MarshalOptions(Options{Battery: &Battery{Level: 1}, TimeZone: -1, Serial: "s"}, 11, 13, 15))
	f.Add(CaptureStatus{State: 1, Seconds: 1}.MarshalAnswer())
	f.Add(File{URI: "/a", Size: 1, Seconds: 1}.MarshalStopCapture())
	f.Add(Error{Code: 1, Message: "m"}.Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		again(t, b, Files.Marshal, ParseFiles)
		again(t, b, FileList.Marshal, ParseFileList)
		again(t, b, File.MarshalStopCapture, ParseStopCapture)
		again(t, b, Error.Marshal, ParseError)
		again(t, b, Battery.Marshal, ParseBattery)
		again(t, b, Storage.Marshal, ParseStorage)
		again(t, b, CaptureStatus.Marshal, ParseCaptureStatus)
		again(t, b, LiveStream.Marshal, ParseLiveStream)
		_, _, _ = ParseOptions(b)
	})
}

// again checks that what was read can be written and read.
func again[M any](t *testing.T, b []byte, marshal func(M) []byte, parse func([]byte) (M, error)) {
	m, err := parse(b)
	if err != nil {
		return
	}
	if _, err := parse(marshal(m)); err != nil {
		t.Fatalf("%+v cannot be read again: %v", m, err)
	}
}
