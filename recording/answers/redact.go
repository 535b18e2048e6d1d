package answers

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/waldo-robot/waldo/pkg/robot"
)

// Redact takes secrets out of a message: fields and entries that are called like one, users, passwords and parameters
// in addresses, and what cannot be looked through.
func Redact(m protoreflect.ProtoMessage) { redact(m.ProtoReflect()) }

func redact(m protoreflect.Message) {
	m.SetUnknown(nil)
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case isSecret(f) || f.Message() != nil && f.Message().FullName() == "google.protobuf.Any":
			m.Clear(f)
		case f.IsMap():
			redactMap(f.MapValue(), v.Map())
		case f.IsList():
			for i := range v.List().Len() {
				if now, other := redacted(f, v.List().Get(i)); other {
					v.List().Set(i, now)
				}
			}
		default:
			if now, other := redacted(f, v); other {
				m.Set(f, now)
			}
		}
		return true
	})
}

// isSecret reports whether a field is called like a secret. In messages `key` is what something is called.
func isSecret(f protoreflect.FieldDescriptor) bool {
	return f.Name() != "key" && robot.IsSecret(string(f.Name()))
}

func redactMap(of protoreflect.FieldDescriptor, entries protoreflect.Map) {
	entries.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		if name, named := k.Interface().(string); named && robot.IsSecret(name) {
			entries.Clear(k)
		} else if now, other := redacted(of, v); other {
			entries.Set(k, now)
		}
		return true
	})
}

// redacted is a value without secrets; other reports whether it has to be set in place of the present one.
func redacted(f protoreflect.FieldDescriptor, v protoreflect.Value) (now protoreflect.Value, other bool) {
	switch f.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		redact(v.Message())
		return v, false
	case protoreflect.StringKind:
		text := robot.RedactText(v.String())
		return protoreflect.ValueOfString(text), text != v.String()
	default:
		return v, false
	}
}
