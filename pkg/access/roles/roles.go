// Package roles says what each role may do.
//
// A [Role] belongs to a token, and so to a person or program. Viewer, driver, operator and admin are ranks: each may do
// what the ones before it may. A service stands beside them: it acts for one device and is judged with the name of that
// device, see tokens.Grant.Allows.
//
// What a method needs stands in its definition (waldo.access.v1.role), so it is the same over gRPC, at the gateway and
// in the documentation, and for Waldo's own methods on the bus. The bus does not know the definitions of others: there
// only an admin calls methods of kinds of one's own. Pressing an e-stop needs the least of all roles, clearing it more
// than driving.
//
// Everything here is pure, and safe for concurrent use.
package roles

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	accessv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/access/v1"
)

// Role is what a token lets its owner do. The zero value may do nothing.
type Role int

// The roles, with the numbers of waldo.access.v1.
const (
	None     = Role(accessv1.Role_ROLE_UNSPECIFIED)
	Viewer   = Role(accessv1.Role_ROLE_VIEWER)
	Driver   = Role(accessv1.Role_ROLE_DRIVER)
	Operator = Role(accessv1.Role_ROLE_OPERATOR)
	Admin    = Role(accessv1.Role_ROLE_ADMIN)
	Service  = Role(accessv1.Role_ROLE_SERVICE)
)

// What the streams and topics of a robot need, whatever their names.
const (
	// ReadStream is needed to read what a device produces.
	ReadStream = Viewer
	// WriteStream is needed to send to a device, for example sound to a speaker.
	WriteStream = Driver
	// ReadTopic is needed to read the messages that pages and programs exchange.
	ReadTopic = Viewer
	// WriteTopic is needed to send them: a program may move something because of one.
	WriteTopic = Driver
)

// names are the roles as people write them.
var names = []string{None: "none", Viewer: "viewer", Driver: "driver", Operator: "operator", Admin: "admin",
	Service: "service"}

// All lists the roles that a token may have.
func All() []Role { return []Role{Viewer, Driver, Operator, Admin, Service} }

// Parse returns the role with a name, in lower case.
func Parse(name string) (Role, error) {
	for _, r := range All() {
		if names[r] == name {
			return r, nil
		}
	}
	return None, fmt.Errorf("%.40q is not a role: use one of %s", name, strings.Join(names[Viewer:], ", "))
}

// String returns the name of the role.
func (r Role) String() string {
	if r < 0 || int(r) >= len(names) {
		return fmt.Sprintf("role %d", int(r))
	}
	return names[r]
}

// Allows reports whether a role may do what needs another one. A service may do nothing of that kind by its role alone,
// and what needs no known role is allowed to nobody.
func (r Role) Allows(need Role) bool {
	return isRank(r) && isRank(need) && r >= need
}

func isRank(r Role) bool { return r >= Viewer && r <= Admin }

// Needed returns the role that a caller of a method needs. A method of a program that was built without roles has that
// of the method of the same name that this program knows. Methods without a role need the driver's, or the viewer's if
// they only read: their responses are a stream, and their request is not. So do those whose role is of a newer version
// than this program.
func Needed(m protoreflect.MethodDescriptor) Role {
	if r := annotated(m); r != None {
		return r
	}
	if known, err := protoregistry.GlobalFiles.FindDescriptorByName(m.FullName()); err == nil {
		if known, ok := known.(protoreflect.MethodDescriptor); ok {
			if r := annotated(known); r != None {
				return r
			}
		}
	}
	return byDefault(string(m.Parent().FullName()), m.IsStreamingServer() && !m.IsStreamingClient())
}

// Tells reports whether a method only tells something of its device, so that a program may call it on its own to keep
// the answer: it has one request and one response, a viewer may call it because its definition says so, and it is
// called Get…, as methods without effects are (https://google.aip.dev/131), or says idempotency_level =
// NO_SIDE_EFFECTS. The role alone does not tell: a viewer may also press an e-stop.
func Tells(m protoreflect.MethodDescriptor) bool {
	if m.IsStreamingClient() || m.IsStreamingServer() || Needed(m) != Viewer {
		return false
	}
	if rest, is := strings.CutPrefix(string(m.Name()), "Get"); is && rest != "" && rest[0] >= 'A' && rest[0] <= 'Z' {
		return true
	}
	options, ok := m.Options().(*descriptorpb.MethodOptions)
	return ok && options.GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS
}

// NeededFor is [Needed] for a method that this program serves, by its name on gRPC: /package.Service/Method.
func NeededFor(method string, readsOnly bool) Role {
	service, name, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	full := protoreflect.FullName(service).Append(protoreflect.Name(name))
	if known, err := protoregistry.GlobalFiles.FindDescriptorByName(full); err == nil {
		if m, ok := known.(protoreflect.MethodDescriptor); ok {
			return Needed(m)
		}
	}
	return byDefault(service, readsOnly)
}

// byDefault is what a method needs that does not say. Health and reflection are gRPC's own and say nothing of roles.
func byDefault(service string, readsOnly bool) Role {
	if readsOnly || strings.HasPrefix(service, "grpc.health.") || strings.HasPrefix(service, "grpc.reflection.") {
		return Viewer
	}
	return Driver
}

// annotated returns the role in the definition of a method; None without a known one.
func annotated(m protoreflect.MethodDescriptor) Role {
	options := m.Options()
	if options == nil || !options.ProtoReflect().IsValid() || !proto.HasExtension(options, accessv1.E_Role) {
		return None
	}
	r, _ := proto.GetExtension(options, accessv1.E_Role).(accessv1.Role)
	if !isRank(Role(r)) {
		return None
	}
	return Role(r)
}
