package device

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/descriptors"
)

// describe returns the definitions of the device's services and streams.
func (k *Kit) describe() *devicev1.GetDescriptorsResponse {
	k.mu.Lock()
	registered, outs, ins := k.services, k.outs, k.ins
	k.mu.Unlock()
	var services []string
	var defined []protoreflect.Descriptor
	for _, s := range registered {
		if s.defined != nil {
			defined = append(defined, s.defined)
			continue
		}
		services = append(services, s.desc.ServiceName)
	}
	for _, o := range outs {
		defined = append(defined, o.message)
	}
	for _, i := range ins {
		defined = append(defined, i.message)
	}
	r, err := descriptors.Describe(k.epoch, services, defined...)
	if err != nil { // a service written by hand, for which there is no proto
		k.Log.Debug("not everything is described", "error", err)
	}
	return r
}
