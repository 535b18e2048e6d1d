package descriptors

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// wellKnown returns the file of protobuf with this path, if the JSON of protobuf has forms of its own for the types
// in it; else nil. The JSON library takes the fields of these types for granted, so no other definition may take
// their names.
func wellKnown(path string) protoreflect.FileDescriptor {
	for _, f := range []protoreflect.FileDescriptor{
		anypb.File_google_protobuf_any_proto, durationpb.File_google_protobuf_duration_proto,
		fieldmaskpb.File_google_protobuf_field_mask_proto,
		structpb.File_google_protobuf_struct_proto, timestamppb.File_google_protobuf_timestamp_proto,
		wrapperspb.File_google_protobuf_wrappers_proto,
	} {
		if f.Path() == path {
			return f
		}
	}
	return nil
}

// reserved are the names that only these files may define.
var reserved = strings.Fields("Any Duration FieldMask Struct Value ListValue NullValue Timestamp BoolValue " +
	"Int32Value Int64Value " +
	"UInt32Value UInt64Value FloatValue DoubleValue StringValue BytesValue")

// own returns the program's own file in place of one that defines well-known types, nil for any other file.
func own(f *descriptorpb.FileDescriptorProto) (protoreflect.FileDescriptor, error) {
	file := wellKnown(f.GetName())
	if file != nil && !proto.Equal(bare(f), bare(protodesc.ToFileDescriptorProto(file))) {
		return nil, errors.New("it differs from the file of protobuf with this name")
	}
	return file, nil
}

// checkReserved fails if another file than that of protobuf defines a well-known type.
func checkReserved(files *protoregistry.Files) error {
	for _, name := range reserved {
		d, err := files.FindDescriptorByName(protoreflect.FullName("google.protobuf." + name))
		if err == nil && d.ParentFile() != wellKnown(d.ParentFile().Path()) {
			return fmt.Errorf("file %.128q: it defines %s, which belongs to protobuf", d.ParentFile().Path(), d.FullName())
		}
	}
	return nil
}

// bare is a file without what generators may add to it.
func bare(f *descriptorpb.FileDescriptorProto) *descriptorpb.FileDescriptorProto {
	f = proto.CloneOf(f)
	f.Options, f.SourceCodeInfo = nil, nil
	for _, m := range f.MessageType {
		bareMessage(m)
	}
	return f
}

func bareMessage(m *descriptorpb.DescriptorProto) {
	for _, field := range m.Field {
		field.JsonName = nil
	}
	for _, nested := range m.NestedType {
		bareMessage(nested)
	}
}
