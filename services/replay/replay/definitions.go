package replay

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/descriptors"
)

// definitions are what a device said of its services and messages, the newest first. There are several if it became
// another version while it was recorded.
type definitions []*descriptors.Set

// newDefinitions reads definitions, the oldest first. Those that cannot be read are left out, and told in the error.
func newDefinitions(attachments [][]byte) (all definitions, err error) {
	const most = 16 // versions
	var errs []error
	for _, data := range slices.Backward(attachments) {
		set, err := define(data)
		switch {
		case err != nil:
			errs = append(errs, err)
		case len(all) < most && !slices.ContainsFunc(all, func(other *descriptors.Set) bool { return same(set, other) }):
			all = append(all, set)
		}
	}
	return all, errors.Join(errs...)
}

// define reads what a device said of its services and messages.
func define(data []byte) (*descriptors.Set, error) {
	said := &devicev1.GetDescriptorsResponse{}
	if err := proto.Unmarshal(data, said); err != nil {
		return nil, fmt.Errorf("its definitions: %w", err)
	}
	return descriptors.New(said.GetFiles(), said.GetServices())
}

// same reports whether two lives of a device had the same definitions.
func same(a, b *descriptors.Set) bool {
	if a.Size() != b.Size() || !slices.Equal(a.Services(), b.Services()) {
		return false
	}
	ofA, errA := a.Files()
	ofB, errB := b.Files()
	return errA == nil && errB == nil && proto.Equal(ofA, ofB)
}

// message returns the definition of a message, nil if there is none.
func (d definitions) message(name string) protoreflect.MessageDescriptor {
	for _, set := range d {
		if m, err := set.Message(name); err == nil {
			return m
		}
	}
	return nil
}

// of returns the definitions that a service is of.
func (d definitions) of(s protoreflect.ServiceDescriptor) *descriptors.Set {
	for _, set := range d {
		if slices.Contains(servicesOf(set), s) {
			return set
		}
	}
	return nil
}

// services returns the services that the device had, but for the one that all devices have: each as it was last. One of
// an older version is left out if its definitions clash with newer ones; it is named in left.
func (d definitions) services() (services []protoreflect.ServiceDescriptor, left []string) {
	for _, set := range d {
		for _, s := range servicesOf(set) {
			known := slices.ContainsFunc(services,
				func(k protoreflect.ServiceDescriptor) bool { return k.FullName() == s.FullName() })
			switch {
			case known:
			case set == d[0] || fits(services, s):
				services = append(services, s)
			default:
				left = append(left, string(s.FullName()))
			}
		}
	}
	return services, left
}

// fits reports whether one device can have services, and another one beside them.
func fits(services []protoreflect.ServiceDescriptor, another protoreflect.ServiceDescriptor) bool {
	all := []protoreflect.Descriptor{another}
	for _, s := range services {
		all = append(all, s)
	}
	slices.Reverse(all) // of a file that both have, that of the newer one counts
	described, err := descriptors.Describe(0, nil, all...)
	if err != nil {
		return false
	}
	_, err = descriptors.New(described.GetFiles(), described.GetServices())
	return err == nil
}

// servicesOf returns the services of a set that are the device's own.
func servicesOf(set *descriptors.Set) (services []protoreflect.ServiceDescriptor) {
	for _, m := range set.Methods() {
		s, ok := m.Parent().(protoreflect.ServiceDescriptor)
		if ok && !descriptors.IsCommon(s) && !slices.Contains(services, s) {
			services = append(services, s)
		}
	}
	return services
}
