package descriptors

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

const anyFile = "google/protobuf/any.proto"

// Service returns the definition of a gRPC service whose generated code is linked into the program.
func Service(name string) (protoreflect.ServiceDescriptor, error) {
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return nil, fmt.Errorf("service %s: %w", name, err)
	}
	service, ok := d.(protoreflect.ServiceDescriptor)
	if !ok {
		return nil, fmt.Errorf("%s is not a service", name)
	}
	return service, nil
}

// Collect returns the files that define these services and messages and, once each and always before the file that needs it, everything
// they import. An Any may contain any message of the program: if google/protobuf/any.proto is needed, all files that are linked into the
// program are added.
func Collect(wanted []protoreflect.Descriptor) *descriptorpb.FileDescriptorSet {
	c := collector{set: &descriptorpb.FileDescriptorSet{}, done: map[string]bool{}}
	for _, d := range wanted {
		c.add(d.ParentFile())
	}
	if c.holdsAny {
		for _, file := range linked() {
			c.add(file)
		}
	}
	return c.set
}

type collector struct {
	set      *descriptorpb.FileDescriptorSet
	done     map[string]bool
	holdsAny bool
}

// add adds a file after its imports.
func (c *collector) add(file protoreflect.FileDescriptor) {
	if c.done[file.Path()] || file.IsPlaceholder() {
		return
	}
	c.done[file.Path()] = true
	c.holdsAny = c.holdsAny || file.Path() == anyFile
	imports := file.Imports()
	for i := range imports.Len() {
		c.add(imports.Get(i).FileDescriptor)
	}
	c.set.File = append(c.set.File, protodesc.ToFileDescriptorProto(file))
}

// linked returns the files of the program, sorted by path.
func linked() []protoreflect.FileDescriptor {
	var files []protoreflect.FileDescriptor
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		files = append(files, file)
		return true
	})
	slices.SortFunc(files, func(a, b protoreflect.FileDescriptor) int { return strings.Compare(a.Path(), b.Path()) })
	return files
}
