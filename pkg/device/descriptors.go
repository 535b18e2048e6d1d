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
	for _, s := range registered {
		services = append(services, s.desc.ServiceName)
	}
	var messages []protoreflect.MessageDescriptor
	for _, o := range outs {
		messages = append(messages, o.message)
	}
	for _, i := range ins {
		messages = append(messages, i.message)
	}
	r, err := descriptors.Describe(k.epoch, services, messages...)
	if err != nil { // a service written by hand, for which there is no proto
		k.Log.Debug("not everything is described", "error", err)
	}
	return r
}
