package foreign

import (
	"errors"
	"fmt"
	"time"

	"github.com/foxglove/mcap/go/mcap"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/waldo-robot/waldo/recording/internal/schema"
)

// fields are the numbers of the fields of a message; 0 for one that it does not have.
type fields struct{ time, data, format protowire.Number }

// values are those of the fields of one message. They share its memory.
type values struct {
	time   time.Time // zero if it does not say
	data   []byte
	format string
}

// fieldsOf finds the fields of a schema.
func fieldsOf(of *mcap.Schema) (fields, error) {
	if of.Encoding != "protobuf" {
		return fields{}, fmt.Errorf("its encoding is %.32q, must be protobuf", of.Encoding)
	}
	set, err := schema.Parse(of.Data)
	if err != nil {
		return fields{}, fmt.Errorf("it %w", err)
	}
	_, m := schema.Find(set, of.Name)
	if m == nil {
		return fields{}, errors.New("it does not define the message")
	}
	var f fields
	for _, one := range m.GetField() {
		number := protowire.Number(one.GetNumber())
		single := one.GetLabel() != descriptorpb.FieldDescriptorProto_LABEL_REPEATED && number.IsValid()
		switch {
		case !single:
		case one.GetName() == "timestamp" && one.GetTypeName() == ".google.protobuf.Timestamp":
			f.time = number
		case one.GetName() == "data" && one.GetType() == descriptorpb.FieldDescriptorProto_TYPE_BYTES:
			f.data = number
		case one.GetName() == "format" && one.GetType() == descriptorpb.FieldDescriptorProto_TYPE_STRING:
			f.format = number
		}
	}
	if f.data == 0 || f.format == 0 {
		return fields{}, errors.New("the message has no field data of bytes, or no field format of string")
	}
	return f, nil
}

// read reads the fields of a message.
func (f fields) read(message []byte) (v values, err error) {
	for len(message) > 0 {
		number, kind, tag := protowire.ConsumeTag(message)
		if tag < 0 {
			return values{}, fmt.Errorf("it is damaged: %w", protowire.ParseError(tag))
		}
		n := protowire.ConsumeFieldValue(number, kind, message[tag:])
		if n < 0 {
			return values{}, fmt.Errorf("it is damaged: %w", protowire.ParseError(n))
		}
		if kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(message[tag:])
			if err := f.set(&v, number, value); err != nil {
				return values{}, err
			}
		}
		message = message[tag+n:]
	}
	return v, nil
}

func (f fields) set(v *values, number protowire.Number, value []byte) error {
	switch number {
	case f.time:
		var at timestamppb.Timestamp
		if err := proto.Unmarshal(value, &at); err != nil {
			return fmt.Errorf("its timestamp is damaged: %w", err)
		}
		if at.IsValid() && at.GetSeconds() > 0 {
			v.time = at.AsTime()
		}
	case f.data:
		v.data = value
	case f.format:
		v.format = string(value)
	}
	return nil
}
