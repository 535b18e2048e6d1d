package descriptors

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
)

// file is a file of the package acme.v1 in the text form of its JSON, with changes.
func file(t testing.TB, text string) *descriptorpb.FileDescriptorProto {
	t.Helper()
	f := &descriptorpb.FileDescriptorProto{Name: proto.String("acme.proto"), Package: proto.String("acme.v1"),
		Syntax: proto.String("proto3")}
	var more descriptorpb.FileDescriptorProto
	if err := protojson.Unmarshal([]byte(text), &more); err != nil {
		t.Fatal(err)
	}
	proto.Merge(f, &more)
	return f
}

func set(files ...*descriptorpb.FileDescriptorProto) *descriptorpb.FileDescriptorSet {
	return &descriptorpb.FileDescriptorSet{File: files}
}

// acme is a file with a bit of everything.
const acme = `{
	"dependency": ["google/protobuf/any.proto", "google/protobuf/duration.proto", "google/protobuf/struct.proto", "google/protobuf/timestamp.proto",
		"google/protobuf/wrappers.proto"],
	"enumType": [{"name": "Mode", "value": [{"name": "MODE_UNSPECIFIED", "number": 0}, {"name": "MODE_ECO", "number": 1}]}],
	"messageType": [{"name": "Reading", "field": [
		{"name": "celsius", "number": 1, "type": "TYPE_DOUBLE", "label": "LABEL_OPTIONAL", "jsonName": "celsius"},
		{"name": "big", "number": 2, "type": "TYPE_INT64", "label": "LABEL_OPTIONAL", "jsonName": "big"},
		{"name": "mode", "number": 3, "type": "TYPE_ENUM", "typeName": ".acme.v1.Mode", "label": "LABEL_OPTIONAL", "jsonName": "mode"},
		{"name": "read_time", "number": 4, "type": "TYPE_MESSAGE", "typeName": ".google.protobuf.Timestamp", "label": "LABEL_OPTIONAL", "jsonName": "readTime"},
		{"name": "age", "number": 5, "type": "TYPE_MESSAGE", "typeName": ".google.protobuf.Duration", "label": "LABEL_OPTIONAL", "jsonName": "age"},
		{"name": "limit", "number": 6, "type": "TYPE_MESSAGE", "typeName": ".google.protobuf.DoubleValue", "label": "LABEL_OPTIONAL", "jsonName": "limit"},
		{"name": "extra", "number": 7, "type": "TYPE_MESSAGE", "typeName": ".google.protobuf.Any", "label": "LABEL_REPEATED", "jsonName": "extra"},
		{"name": "free", "number": 8, "type": "TYPE_MESSAGE", "typeName": ".google.protobuf.Struct", "label": "LABEL_OPTIONAL", "jsonName": "free"},
		{"name": "inner", "number": 9, "type": "TYPE_MESSAGE", "typeName": ".acme.v1.Reading.Inner", "label": "LABEL_REPEATED", "jsonName": "inner"},
		{"name": "by_name", "number": 10, "type": "TYPE_MESSAGE", "typeName": ".acme.v1.Reading.ByNameEntry", "label": "LABEL_REPEATED", "jsonName": "byName"}
	], "nestedType": [
		{"name": "Inner", "field": [{"name": "raw", "number": 1, "type": "TYPE_BYTES", "label": "LABEL_OPTIONAL", "jsonName": "raw"}]},
		{"name": "ByNameEntry", "options": {"mapEntry": true}, "field": [
			{"name": "key", "number": 1, "type": "TYPE_STRING", "label": "LABEL_OPTIONAL", "jsonName": "key"},
			{"name": "value", "number": 2, "type": "TYPE_FLOAT", "label": "LABEL_OPTIONAL", "jsonName": "value"}]}
	]}],
	"service": [{"name": "Thermometer", "method": [
		{"name": "Read", "inputType": ".google.protobuf.StringValue", "outputType": ".acme.v1.Reading"},
		{"name": "Watch", "inputType": ".acme.v1.Reading", "outputType": ".acme.v1.Reading", "serverStreaming": true}]}]
}`

// acmeSet has acme with all it imports.
func acmeSet(t testing.TB) *descriptorpb.FileDescriptorSet {
	t.Helper()
	c := collector{set: set(), done: map[string]bool{}}
	for _, path := range file(t, acme).Dependency {
		c.add(wellKnown(path))
	}
	return set(append(c.set.File, file(t, acme))...)
}

// TestJSON reads and writes a message with a bit of everything, as the JSON mapping of protobuf has it.
func TestJSON(t *testing.T) {
	s, err := New(acmeSet(t), []string{"acme.v1.Thermometer"})
	if err != nil {
		t.Fatal(err)
	}
	const text = `{"celsius":"NaN","big":"9007199254740993","mode":"MODE_ECO","readTime":"2026-11-29T01:02:03.000000004Z","age":"1.500s","limit":21.5,
		"extra":[{"@type":"type.googleapis.com/google.protobuf.Duration","value":"2s"},{"@type":"x/acme.v1.Reading","big":"1"}],
		"free":{"a":[1,null,true]},"inner":[{"raw":"AQI="},{}],"byName":{"left":0.5,"right":"Infinity"}}`
	reading, err := s.Message("acme.v1.Reading")
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Parse(reading, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.Decode("acme.v1.Reading", data)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.JSON(again)
	if err != nil {
		t.Fatal(err)
	}
	if plainJSON(t, got) != plainJSON(t, []byte(text)) {
		t.Errorf("%s, want %s", got, text)
	}
}

// plainJSON is JSON without the order and the spaces that it came with.
func plainJSON(t testing.TB, data []byte) string {
	t.Helper()
	var v structpb.Value
	if err := protojson.Unmarshal(data, &v); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return fmt.Sprint(v.AsInterface())
}

// TestUndefinedAny: of an Any that nobody defines there is the type, and the rest of the message is not lost.
func TestUndefinedAny(t *testing.T) {
	s, err := New(acmeSet(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	data := append([]byte{0x10, 7, 0x3a}, func() []byte {
		inner, _ := proto.Marshal(&anypb.Any{TypeUrl: "x/far.Away", Value: []byte{8, 1}})
		return append([]byte{byte(len(inner))}, inner...)
	}()...)
	m, err := s.Decode("acme.v1.Reading", data)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.JSON(m)
	if err != nil || plainJSON(t, got) != plainJSON(t, []byte(`{"big":"7","extra":[{"@type":"x/far.Away"}]}`)) {
		t.Errorf("%s, %v", got, err)
	}
}

func TestMethod(t *testing.T) {
	s, err := New(acmeSet(t), []string{"acme.v1.Thermometer"})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := s.Method("acme.v1.Thermometer/Read"); err != nil ||
		m.Input().FullName() != "google.protobuf.StringValue" {
		t.Errorf("%v, %v", m, err)
	}
	if all := s.Methods(); len(all) != 2 || all[0].Name() != "Read" {
		t.Errorf("%v", all)
	}
	for name, says := range map[string]string{
		"acme.v1.Thermometer/Watch": "stream",
		"acme.v1.Thermometer/Burn":  "its unary methods are Read",
		"acme.v1.Reading/Read":      "the services are acme.v1.Thermometer",
		"":                          "the services are acme.v1.Thermometer",
	} {
		if _, err := s.Method(name); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", name, err, says)
		}
	}
}

func TestErrors(t *testing.T) {
	s, err := New(acmeSet(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Decode("acme.v1.Writing", nil); !errors.Is(err, ErrNotDefined) {
		t.Error(err)
	}
	if _, err := s.Decode("acme.v1.Reading", []byte{0xff}); err == nil || errors.Is(err, ErrNotDefined) {
		t.Error(err)
	}
	reading, err := s.Message("acme.v1.Reading")
	if err != nil {
		t.Fatal(err)
	}
	for text, says := range map[string]string{
		`{"kelvin": 1}`: `unknown field "kelvin"; its fields are celsius, big, mode`,
		`{"mode": 1.5}`: "mode",
		`{"big": "x"}`:  "big",
		`{"age": 3}`:    "line 1:9",
		`[`:             "not a acme.v1.Reading",
		`{`:             "unexpected",
	} {
		if _, err := s.Parse(reading, []byte(text)); err == nil ||
			!strings.Contains(strings.ToLower(err.Error()), strings.ToLower(says)) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
}

// TestTwoDefinitions: two sets define one name differently, and neither is a type of the program.
func TestTwoDefinitions(t *testing.T) {
	number, err := New(set(file(t,
		`{"messageType": [{"name": "M", "field": [{"name": "v", "number": 1, "type": "TYPE_INT32", "label": "LABEL_OPTIONAL"}]}]}`)), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := New(set(file(t,
		`{"messageType": [{"name": "M", "field": [{"name": "v", "number": 1, "type": "TYPE_STRING", "label": "LABEL_OPTIONAL"}]}]}`)), nil)
	if err != nil {
		t.Fatal(err)
	}
	for want, tt := range map[string]struct {
		set  *Set
		data string
	}{`{"v":65}`: {number, "\x08A"}, `{"v":"A"}`: {text, "\x0a\x01A"}} {
		m, err := tt.set.Decode("acme.v1.M", []byte(tt.data))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tt.set.JSON(m); err != nil || plainJSON(t, got) != plainJSON(t, []byte(want)) {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	}
}

// broken are sets that are refused, and what the error names.
var broken = []struct {
	name, says string
	set        func(t testing.TB) *descriptorpb.FileDescriptorSet
}{
	{"no name", "path", func(testing.TB) *descriptorpb.FileDescriptorSet {
		return set(
			&descriptorpb.FileDescriptorProto{})
	}},
	{"twice", "twice", func(t testing.TB) *descriptorpb.FileDescriptorSet { return set(file(t, `{}`), file(t, `{}`)) }},
	{"an import that is missing", `"b.proto" does not stand before it`,
		func(t testing.TB) *descriptorpb.FileDescriptorSet {
			return set(file(t, `{"dependency": ["b.proto"]}`))
		}},
	{"an import of itself", "does not stand before it", func(t testing.TB) *descriptorpb.FileDescriptorSet {
		return set(file(t, `{"dependency": ["acme.proto"]}`))
	}},
	{"a type that is missing", "acme.v1.Gone", func(t testing.TB) *descriptorpb.FileDescriptorSet {
		return set(file(t, `{"messageType": [{"name": "M", "field": [{"name": "v", "number": 1, "type": "TYPE_MESSAGE",
			"typeName": ".acme.v1.Gone", "label": "LABEL_OPTIONAL"}]}]}`))
	}},
	{"a name twice", "acme.v1.M", func(t testing.TB) *descriptorpb.FileDescriptorSet {
		other := file(t, `{"messageType": [{"name": "M"}]}`)
		other.Name = proto.String("other.proto")
		return set(file(t, `{"messageType": [{"name": "M"}]}`), other)
	}},
	{"a future edition", "edition", func(t testing.TB) *descriptorpb.FileDescriptorSet {
		return set(file(t, `{"syntax": "editions", "edition": 9999}`))
	}},
	{"an unknown syntax", "syntax",
		func(t testing.TB) *descriptorpb.FileDescriptorSet { return set(file(t, `{"syntax": "proto4"}`)) }},
	{"another Timestamp", "differs from the file of protobuf", func(t testing.TB) *descriptorpb.FileDescriptorSet {
		f := file(t, `{"messageType": [{"name": "Timestamp"}]}`)
		f.Name, f.Package = proto.String("google/protobuf/timestamp.proto"), proto.String("google.protobuf")
		return set(f)
	}},
	{"a Timestamp elsewhere", "google.protobuf.Timestamp, which belongs to protobuf",
		func(t testing.TB) *descriptorpb.FileDescriptorSet {
			f := file(t, `{"messageType": [{"name": "Timestamp"}]}`)
			f.Package = proto.String("google.protobuf")
			return set(f)
		}},
	{"a Timestamp in a message", "google.protobuf.Timestamp, which belongs to protobuf",
		func(t testing.TB) *descriptorpb.FileDescriptorSet {
			f := file(t, `{"messageType": [{"name": "protobuf", "nestedType": [{"name": "Timestamp"}]}]}`)
			f.Package = proto.String("google")
			return set(f)
		}},
	{"too deep", "deep", func(t testing.TB) *descriptorpb.FileDescriptorSet {
		f := file(t, `{}`)
		at := &f.MessageType
		for range maxDepth + 1 {
			m := &descriptorpb.DescriptorProto{Name: proto.String("M")}
			*at = []*descriptorpb.DescriptorProto{m}
			at = &m.NestedType
		}
		return set(f)
	}},
	{"long names", "longer than", func(t testing.TB) *descriptorpb.FileDescriptorSet {
		return set(file(t, `{"messageType": [{"name": "`+strings.Repeat("M", maxName)+`"}]}`))
	}},
	{"many names", "names", func(t testing.TB) *descriptorpb.FileDescriptorSet {
		f := file(t, `{"enumType": [{"name": "E"}]}`)
		for i := range maxNames {
			f.EnumType[0].Value = append(f.EnumType[0].Value, &descriptorpb.EnumValueDescriptorProto{
				Name: proto.String(fmt.Sprint("V", i)), Number: proto.Int32(int32(i))})
		}
		return set(f)
	}},
	{"many files", "files", func(t testing.TB) *descriptorpb.FileDescriptorSet {
		return set(make([]*descriptorpb.FileDescriptorProto, maxFiles+1)...)
	}},
	{"many bytes", "bytes", func(t testing.TB) *descriptorpb.FileDescriptorSet {
		f := file(t, `{}`)
		f.SourceCodeInfo = &descriptorpb.SourceCodeInfo{Location: []*descriptorpb.SourceCodeInfo_Location{
			{LeadingComments: proto.String(strings.Repeat("x", MaxBytes))}}}
		return set(f)
	}},
	{"many ways of public imports", "ways", func(t testing.TB) *descriptorpb.FileDescriptorSet {
		var all []*descriptorpb.FileDescriptorProto
		for i := range 30 { // each imports the two before it
			f := file(t, `{}`)
			f.Name, f.Package = proto.String(fmt.Sprint(i)), nil
			for j := max(0, i-2); j < i; j++ {
				f.PublicDependency = append(f.PublicDependency, int32(len(f.Dependency)))
				f.Dependency = append(f.Dependency, fmt.Sprint(j))
			}
			all = append(all, f)
		}
		return set(all...)
	}},
}

func TestBroken(t *testing.T) {
	for _, tt := range broken {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := New(tt.set(t), nil); err == nil || !strings.Contains(err.Error(), tt.says) || len(err.Error()) > 2000 {
				t.Errorf("%v, want %q", err, tt.says)
			}
		})
	}
	if _, err := New(acmeSet(t), []string{"acme.v1.Reading"}); err == nil ||
		!strings.Contains(err.Error(), "acme.v1.Reading") {
		t.Errorf("a service that is a message: %v", err)
	}
}

// FuzzNew builds whatever is a set, and reads and prints messages of its types.
func FuzzNew(f *testing.F) {
	seed := func(s *descriptorpb.FileDescriptorSet) {
		data, err := proto.Marshal(s)
		if err == nil && len(data) < 16<<10 {
			f.Add(data, []byte("\x0a\x01A\x10\x05"), `{"v": 1}`)
		}
	}
	seed(acmeSet(f))
	own, err := Describe(1, []string{"waldo.device.v1.DeviceService"},
		(&wrapperspb.DoubleValue{}).ProtoReflect().Descriptor())
	if err != nil {
		f.Fatal(err)
	}
	seed(own.Files)
	for _, tt := range broken {
		if tt.name != "many files" { // of nothing, which has no encoding
			seed(tt.set(f))
		}
	}
	f.Fuzz(func(t *testing.T, data, message []byte, text string) {
		var files descriptorpb.FileDescriptorSet
		if proto.Unmarshal(data, &files) != nil {
			return
		}
		s, err := New(&files, nil)
		if err != nil {
			return
		}
		for _, file := range files.File {
			for _, m := range file.MessageType {
				name := strings.TrimPrefix(file.GetPackage()+"."+m.GetName(), ".")
				d, err := s.Message(name)
				if err != nil {
					t.Fatalf("%s is not there: %v", name, err)
				}
				if v, err := s.Decode(name, message); err == nil {
					_, _ = s.JSON(v) // some have no JSON, such as a Timestamp out of range
				}
				_, _ = s.Parse(d, []byte(text))
			}
		}
	})
}

// TestOwn builds what a device of ours describes.
func TestOwn(t *testing.T) {
	r, err := Describe(1, []string{"waldo.device.v1.DeviceService", "acme.v1.Missing"},
		(&anypb.Any{}).ProtoReflect().Descriptor())
	if err == nil || !strings.Contains(err.Error(), "acme.v1.Missing") {
		t.Errorf("a service that is not linked: %v", err)
	}
	s, err := New(r.Files, r.Services)
	if err != nil {
		t.Fatal(err)
	}
	data, err := proto.Marshal(&devicev1.Device{Name: "x", StartTime: timestamppb.New(timestamppb.Now().AsTime())})
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Decode("waldo.device.v1.Device", data) // an Any may contain it
	if err != nil {
		t.Fatal(err)
	}
	if text, err := s.JSON(m); err != nil || !strings.Contains(string(text), `"startTime"`) {
		t.Errorf("%s, %v", text, err)
	}
	t.Logf("%d bytes", s.Size())
}

// TestFiles: what a set gives can be read like what it was made of.
func TestFiles(t *testing.T) {
	other := file(t, `{"name": "other.proto", "package": "other.v1", "messageType": [{"name": "Thing"}]}`)
	all := acmeSet(t)
	all.File = append(all.File, other)
	s, err := New(all, []string{"acme.v1.Thermometer"})
	if err != nil {
		t.Fatal(err)
	}
	whole, err := s.Files()
	if err != nil || len(whole.GetFile()) != len(all.GetFile()) {
		t.Fatalf("%d of %d files, %v", len(whole.GetFile()), len(all.GetFile()), err)
	}
	again, err := New(whole, s.Services())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Method("acme.v1.Thermometer/Read"); err != nil {
		t.Error(err)
	}
	only, err := s.Files("other.v1.Thing")
	if err != nil || len(only.GetFile()) != 1 || only.GetFile()[0].GetName() != "other.proto" {
		t.Errorf("%v, %v, want the one file that defines it", only, err)
	}
	if _, err := s.Files("acme.v1.Unknown"); !errors.Is(err, ErrNotDefined) {
		t.Errorf("a type that is not defined: %v", err)
	}
}
