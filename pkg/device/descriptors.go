package device

import (
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/descriptors"
)

// describe returns the definitions of the device's services and streams.
func (k *Kit) describe() *devicev1.GetDescriptorsResponse {
	k.mu.Lock()
	services, outs, ins := k.services, k.outs, k.ins
	k.mu.Unlock()
	r := &devicev1.GetDescriptorsResponse{Epoch: k.epoch}
	var wanted []protoreflect.Descriptor
	for _, s := range services {
		service, err := descriptors.Service(s.desc.ServiceName)
		if err != nil { // a service written by hand, for which there is no proto
			k.Log.Debug("a service is not described", "error", err)
			continue
		}
		r.Services = append(r.Services, s.desc.ServiceName)
		wanted = append(wanted, service)
	}
	for _, o := range outs {
		wanted = append(wanted, o.message)
	}
	for _, i := range ins {
		wanted = append(wanted, i.message)
	}
	slices.Sort(r.Services)
	r.Files = descriptors.Collect(wanted)
	return r
}
