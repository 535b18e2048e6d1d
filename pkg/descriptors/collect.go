package descriptors

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
)

const anyFile = "google/protobuf/any.proto"

// Describe returns the answer of a device to GetDescriptors: the definitions of its services, by their full names,
// and of messages and services that need not be linked into the program. The services that are named must be; those
// that are not are left out, with an error each. Of two files with the same path, that of a service that is named is
// returned.
func Describe(epoch int64, services []string,
	defined ...protoreflect.Descriptor) (*devicev1.GetDescriptorsResponse, error) {
	r := &devicev1.GetDescriptorsResponse{Epoch: epoch}
	var wanted []protoreflect.Descriptor
	var errs []error
	for _, name := range slices.Sorted(slices.Values(services)) {
		service, err := linkedService(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		r.Services = append(r.Services, name)
		wanted = append(wanted, service)
	}
	for _, d := range defined {
		if service, ok := d.(protoreflect.ServiceDescriptor); ok {
			r.Services = append(r.Services, string(service.FullName()))
		}
		wanted = append(wanted, d)
	}
	slices.Sort(r.Services)
	r.Files = collect(wanted)
	return r, errors.Join(errs...)
}

// linkedService returns the definition of a gRPC service whose generated code is linked into the program.
func linkedService(name string) (protoreflect.ServiceDescriptor, error) {
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

// collect returns the files that define these services and messages and, once each and always before the file that
// needs it, everything they import. An Any may contain any message of the program: if google/protobuf/any.proto is
// needed, all files that are linked into the program are added.
func collect(wanted []protoreflect.Descriptor) *descriptorpb.FileDescriptorSet {
	c := collector{set: &descriptorpb.FileDescriptorSet{}, done: map[string]bool{}}
	for _, d := range wanted {
		c.add(d.ParentFile())
	}
	if c.holdsAny {
		for _, file := range inOrder(protoregistry.GlobalFiles) {
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

// inOrder returns the files of a registry, sorted by path.
func inOrder(registry *protoregistry.Files) []protoreflect.FileDescriptor {
	var files []protoreflect.FileDescriptor
	registry.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		files = append(files, file)
		return true
	})
	slices.SortFunc(files, func(a, b protoreflect.FileDescriptor) int { return strings.Compare(a.Path(), b.Path()) })
	return files
}
