package codec

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/services/serial/frame"
)

func record(t testing.TB, format string, keys ...string) *Record {
	t.Helper()
	c, err := NewRecord(format, keys)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRead(t *testing.T) {
	for name, tt := range map[string]struct {
		reader Reader
		data   string
		body   string // the message as protobuf text, without json
		json   string
	}{
		"line":     {Line{}, "hello \"you\"\r", `line: "hello \"you\"\r"`, `"hello \"you\"\r"`},
		"markup":   {Line{}, "a<b>&c", `line: "a<b>&c"`, `"a<b>&c"`},
		"no UTF-8": {Line{}, "a\xffb", `line: "a�b"`, `"a�b"`},
		"raw":      {Raw{}, "\x00\xff", `raw: "\x00\xff"`, `"AP8="`},
		"by key": {record(t, "<hB", "left", "flag"), "\xff\xff\x07",
			`record: {fields: {key: "left", value: {integer: -1}}, fields: {key: "flag", value: {integer: 7}}}`,
			`{"left":-1,"flag":7}`},
		"in order": {record(t, "<2b?"), "\x01\xfe\x02",
			`record: {fields: {value: {integer: 1}}, fields: {value: {integer: -2}}, fields: {value: {boolean: true}}}`,
			`[1,-2,true]`},
		"64 bits": {record(t, "<qQ"), "\xff\xff\xff\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
			`record: {fields: {value: {integer: 9223372036854775807}}, fields: {value: {large_integer: 18446744073709551615}}}`,
			`[9223372036854775807,18446744073709551615]`},
		"floats": {record(t, "<fd"), "\x00\x00\xc0\x3f\x00\x00\x00\x00\x00\x00\xf8\x7f",
			`record: {fields: {value: {number: 1.5}}, fields: {value: {number: nan}}}`, `[1.5,null]`},
		"bytes": {record(t, "3s", "name"), "a\xe9\x00", `record: {fields: {key: "name", value: {raw: "a\xe9\x00"}}}`,
			`{"name":"aé\u0000"}`},
		"time of a GPS": {NewNMEA(), "$GPZDA,160012.71,11,03,2004,-1,00*7D\r",
			`sentence: {talker: "GP", type: "ZDA", raw: "$GPZDA,160012.71,11,03,2004,-1,00*7D", fields: {key: "time", value: {text: "16:00:12.7100"}}, fields: {key: "day", value: {integer: 11}}, fields: {key: "month", value: {integer: 3}}, fields: {key: "year", value: {integer: 2004}}, fields: {key: "offsetHours", value: {integer: -1}}, fields: {key: "offsetMinutes", value: {integer: 0}}}`,
			`{"talker":"GP","type":"ZDA","time":"16:00:12.7100","day":11,"month":3,"year":2004,"offsetHours":-1,"offsetMinutes":0}`},
		"an unknown sentence": {NewNMEA(), "$GPXYZ,a,1.5*07",
			`sentence: {talker: "GP", type: "XYZ", raw: "$GPXYZ,a,1.5*07", fields: {value: {text: "a"}}, fields: {value: {text: "1.5"}}}`, `{"talker":"GP","type":"XYZ","fields":["a","1.5"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			want := &serialv1.SerialMessage{}
			if err := prototext.Unmarshal([]byte(tt.body), want); err != nil {
				t.Fatal(err)
			}
			want.Json = tt.json
			var got serialv1.SerialMessage
			if err := tt.reader.Read([]byte(tt.data), &got); err != nil {
				t.Fatal(err)
			}
			if !proto.Equal(&got, want) {
				t.Errorf("got\n%v\nwant\n%v", &got, want)
			}
			if !json.Valid([]byte(got.GetJson())) {
				t.Errorf("%s is not JSON", got.GetJson())
			}
		})
	}
}

func TestPosition(t *testing.T) {
	var m serialv1.SerialMessage
	if err := NewNMEA().Read([]byte("$GPGGA,015540.000,3150.68378,N,11711.93139,E,1,17,0.6,0051.6,M,0.0,M,,*58"),
		&m); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Type                          string
		Latitude, Longitude, Altitude float64
	}
	if err := json.Unmarshal([]byte(m.GetJson()), &got); err != nil {
		t.Fatal(err)
	}
	if got.Type != "GGA" || math.Abs(got.Latitude-31.844730) > 1e-6 || math.Abs(got.Longitude-117.198857) > 1e-6 ||
		got.Altitude != 51.6 {
		t.Errorf("%+v of %s", got, m.GetJson())
	}
	err := NewNMEA().Read([]byte("$GPGGA,015540.000,3150.68378,N,11711.93139,E,1,17,0.6,0051.6,M,0.0,M,,*59"), &m)
	if err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("a wrong checksum: %v", err)
	}
}

// writes are messages to write: the writer, the message in the API's text form, and the result: hex, or
// the beginning of the error.
var writes = map[string]struct {
	writer  func(testing.TB) Writer
	request string
	hex     string
	err     string
}{
	"line":                {line, `line: "go"`, "676f", ""},
	"line of JSON":        {line, `json: "\"go\""`, "676f", ""},
	"line that is JSON":   {line, `json: "{ \"a\": [1, 2] }"`, hex.EncodeToString([]byte(`{"a":[1,2]}`)), ""},
	"line of a JSON null": {line, `json: "null"`, hex.EncodeToString([]byte(`null`)), ""},
	"two lines":           {line, `line: "a\nb"`, "", `line: contains the delimiter "\n"`},
	"two lines of JSON":   {line, `json: "\"a\\nb\""`, "", `json: contains the delimiter`},
	"no JSON":             {line, `json: "{"`, "", `json: is not JSON`},
	"nothing":             {line, ``, "", `body: there is no message`},
	"a record for a line": {line, `record: {}`, "", `record: this board takes lines`},
	"bytes":               {raw, `raw: "\x00\x01"`, "0001", ""},
	"bytes of base64":     {raw, `json: "\"AAE=\""`, "0001", ""},
	"bytes of null":       {raw, `json: "null"`, "", `json: this board takes bytes`},
	"no base64":           {raw, `json: "\"?\""`, "", `json: this board takes bytes`},
	"by key":              {motors, `json: "{\"right\": -1, \"left\": 258}"`, "0201ffff", ""},
	"in order":            {motors, `json: " [1, 2] "`, "01000200", ""},
	"typed by key": {motors,
		`record: {fields: {key: "right", value: {integer: 2}}, fields: {key: "left", value: {integer: 1}}}`, "01000200", ""},
	"typed in order": {motors, `record: {fields: {value: {integer: 1}}, fields: {value: {integer: 2}}}`,
		"01000200", ""},
	"as bytes":      {motors, `raw: "abcd"`, "61626364", ""},
	"too few bytes": {motors, `raw: "abc"`, "", `raw: has 3 bytes: a message of the format "<hh" has 4`},
	"out of range":  {motors, `json: "{\"left\": 40000, \"right\": 0}"`, "", `left: `},
	"no whole number": {motors, `json: "{\"left\": 1.5, \"right\": 0}"`, "",
		`left: 1.5 is not a whole number that fits: use -32768 to 32767`},
	"too large a number": {motors, `json: "{\"left\": 99999999999999999999, \"right\": 0}"`, "",
		`left: 99999999999999999999 is not a whole number`},
	"text for a number": {motors, `json: "{\"left\": \"1\", \"right\": 0}"`, "", `left: `},
	"null for a number": {motors, `json: "{\"left\": null, \"right\": 0}"`, "", `left: null is not a value`},
	"a key is missing":  {motors, `json: "{\"left\": 1}"`, "", `right: missing`},
	"an unknown key": {motors, `json: "{\"left\": 1, \"right\": 1, \"up\": 1}"`, "",
		`"up": is not a key of this board; there are: left, right`},
	"too few values":     {motors, `json: "[1]"`, "", `1 values are given`},
	"a value is not set": {motors, `record: {fields: {}, fields: {}}`, "", `left: `},
	"a key given twice": {motors, `record: {fields: {key: "left"}, fields: {key: "left"}}`, "",
		`left: is given twice`},
	"a float for whole": {motors, `record: {fields: {value: {number: 1}}, fields: {value: {number: 1}}}`, "",
		`left: `},
	"neither":             {motors, `json: "7"`, "", `json: is neither an object`},
	"a line for a record": {motors, `line: "x"`, "", `line: this board takes messages of the format "<hh"`},
	"text of bytes":       {name, `json: "{\"name\": \"é\", \"on\": true}"`, "e9000001", ""},
	"a flag for a number": {motors, `json: "{\"left\": true, \"right\": 0}"`, "",
		`left: true does not fit: send a number`},
	"a number for a flag":  {name, `json: "{\"name\": \"\", \"on\": 1}"`, "", `on: 1 does not fit: send true or false`},
	"text above U+00FF":    {name, `json: "{\"name\": \"€\", \"on\": true}"`, "", `name: has a character above U+00FF`},
	"large whole number":   {large, `json: "[18446744073709551615]"`, "ffffffffffffffff", ""},
	"exponent for a whole": {large, `json: "[1e3]"`, "", `value 0: 1e3 is not a whole number`},
}

func line(testing.TB) Writer      { return Line{Delimiter: "\n"} }
func raw(testing.TB) Writer       { return Raw{} }
func motors(tb testing.TB) Writer { return record(tb, "<hh", "left", "right") }
func name(tb testing.TB) Writer   { return record(tb, "<3s?", "name", "on") }
func large(tb testing.TB) Writer  { return record(tb, "<Q") }

func TestWrite(t *testing.T) {
	for name, tt := range writes {
		t.Run(name, func(t *testing.T) {
			var r serialv1.WriteMessageRequest
			if err := prototext.Unmarshal([]byte(tt.request), &r); err != nil {
				t.Fatal(err)
			}
			w := tt.writer(t)
			payload, err := w.Write(&r)
			var wrong *MessageError
			if tt.err != "" {
				if !errors.As(err, &wrong) || !strings.HasPrefix(err.Error(), tt.err) {
					t.Errorf("% x, %v, want %q", payload, err, tt.err)
				}
				return
			}
			if err != nil || hex.EncodeToString(payload) != tt.hex {
				t.Errorf("%x, %v, want %s", payload, err, tt.hex)
			}
			again, err := w.Write(&serialv1.WriteMessageRequest{Body: &serialv1.WriteMessageRequest_Json{Json: w.JSON(payload)}})
			if err != nil || string(again) != string(payload) {
				t.Errorf("its JSON %s is %x, %v", w.JSON(payload), again, err)
			}
		})
	}
	long := &serialv1.WriteMessageRequest{Body: &serialv1.WriteMessageRequest_Raw{Raw: make([]byte, frame.MaxMessage+1)}}
	for _, w := range []Writer{Raw{}, Line{}, motors(t)} {
		if _, err := w.Write(long); err == nil {
			t.Errorf("%T takes %d bytes", w, frame.MaxMessage+1)
		}
	}
}

func TestSameAndBlend(t *testing.T) {
	c := record(t, "<hf3s", "speed", "share", "name")
	pack := func(values ...any) []byte {
		payload, err := c.pack(values)
		if err != nil {
			t.Fatal(err)
		}
		return payload
	}
	if !c.Same(pack(0, 0.0, "a"), pack(0, math.Copysign(0, -1), "a")) || c.Same(pack(0, 0.0, "a"), pack(1, 0.0, "a")) {
		t.Error("-0 is not 0, or 1 is")
	}
	from, to := pack(100, -1.0, "abc"), pack(0, 0.0, "xyz")
	for share, want := range map[float64][]byte{0: pack(100, -1.0, "xyz"), 0.25: pack(75, -0.75, "xyz"), 1: to, 2: to} {
		if got := c.Blend(from, to, share); string(got) != string(want) {
			t.Errorf("at %v: %s, want %s", share, c.JSON(got), c.JSON(want))
		}
	}
	extreme := record(t, "<qQ")
	low, high := must(extreme.pack([]any{math.MinInt64, uint64(0)})),
		must(extreme.pack([]any{math.MaxInt64, uint64(math.MaxUint64)}))
	for _, share := range []float64{0, 0.5, 0.999999999999} {
		if got := extreme.Blend(low, high, share); len(got) != 16 {
			t.Errorf("at %v: % x", share, got)
		}
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestNewRecord(t *testing.T) {
	for name, tt := range map[string]struct {
		format string
		keys   []string
		want   string
	}{
		"no format":    {"<k", nil, "k"},
		"no values":    {"4x", nil, "has no values"},
		"too few keys": {"<hh", []string{"a"}, "has 2 values, but there are 1 keys"},
		"a key twice":  {"<hh", []string{"a", "a"}, `"a" is empty or given twice`},
		"an empty key": {"<hh", []string{"a", ""}, `"" is empty or given twice`},
	} {
		if _, err := NewRecord(tt.format, tt.keys); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func FuzzWrite(f *testing.F) {
	for _, tt := range writes {
		var r serialv1.WriteMessageRequest
		if err := prototext.Unmarshal([]byte(tt.request), &r); err != nil {
			f.Fatal(err)
		}
		f.Add(r.GetJson())
	}
	writers := []Writer{line(f), raw(f), motors(f), name(f), large(f)}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return // no protobuf message can contain it
		}
		for _, w := range writers {
			payload, err := w.Write(&serialv1.WriteMessageRequest{Body: &serialv1.WriteMessageRequest_Json{Json: text}})
			if err != nil {
				continue
			}
			again, err := w.Write(&serialv1.WriteMessageRequest{Body: &serialv1.WriteMessageRequest_Json{Json: w.JSON(payload)}})
			if err != nil || !w.Same(again, payload) && w.Same(payload, payload) {
				t.Errorf("%q is %x; its JSON %s is %x, %v", text, payload, w.JSON(payload), again, err)
			}
		}
	})
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{"", "a\xff", "$GPZDA,160012.71,11,03,2004,-1,00*7D", "$GPXYZ,a,1.5*07",
		"!AIVDM,1,1,,A,13aGt0PP0jPN@9fMPKVDJgwfR>`<,0*55",
		"$GPGSV,3,1,11,03,03,111,00,04,15,270,00,06,01,010,12,13,06,292,00*77",
		`\g:1-3-1234,s:r3669961,c:1120959341*0c\$GPXYZ,a,1.5*07`,
		sentence("GPX\xb0Z,\xff"), sentence("GP\xb0PQ,GGA"), sentence("GPGSV,1,1,01,02,00,179,,B"),
		"$GPRMC,,V,,,,,,,,,,N", "$*00"} {
		f.Add([]byte(seed))
	}
	readers := []Reader{Line{}, Raw{}, NewNMEA(), &NMEA{ChecksumOptional: true}, record(f, "<3sfe?"),
		record(f, "@cq", "a", "b")}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, r := range readers {
			var m serialv1.SerialMessage
			if err := r.Read(data, &m); err != nil {
				continue
			}
			if !json.Valid([]byte(m.GetJson())) {
				t.Errorf("%T: %q is not JSON", r, m.GetJson())
			}
			if _, err := proto.Marshal(&m); err != nil {
				t.Errorf("%T: %v", r, err)
			}
		}
	})
}
