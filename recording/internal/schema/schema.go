// Package schema reads the schemas of protobuf messages in recordings. Functions may be called concurrently.
package schema

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/waldo-robot/waldo/pkg/descriptors"
)

// Parse decodes a schema, whose size is bounded. Its errors are to follow what the schema is called.
func Parse(data []byte) (*descriptorpb.FileDescriptorSet, error) {
	if len(data) > descriptors.MaxBytes {
		return nil, fmt.Errorf("has %d bytes, more than %d", len(data), descriptors.MaxBytes)
	}
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(data, set); err != nil {
		return nil, fmt.Errorf("cannot be decoded: %w", err)
	}
	return set, nil
}

// Find returns a message that is defined at the top of a file, and the file; nil if there is none of the full name.
func Find(set *descriptorpb.FileDescriptorSet, full string) (*descriptorpb.FileDescriptorProto,
	*descriptorpb.DescriptorProto) {
	for _, f := range set.GetFile() {
		for _, m := range f.GetMessageType() {
			if strings.TrimPrefix(f.GetPackage()+"."+m.GetName(), ".") == full {
				return f, m
			}
		}
	}
	return nil, nil
}
