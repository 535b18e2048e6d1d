package access

import (
	"context"

	"github.com/waldo-robot/waldo/pkg/text"
)

// maxUser bounds the name of a user in bytes, as a store of tokens does.
const maxUser = 64

type userKey struct{}

// WithUser says on whose behalf a call is made: the name of their token. The bus carries it to the device; an empty or
// unprintable name is as good as none.
func WithUser(ctx context.Context, name string) context.Context {
	if name == "" || len(name) > maxUser || !text.IsPrintable(name) {
		return ctx
	}
	return context.WithValue(ctx, userKey{}, name)
}

// Named returns the name under which a user acts: that of their token, and what they call themselves in brackets, which
// tells two programs of one user apart. Without a user it is what they call themselves.
func Named(user, name string) string {
	switch {
	case user == "":
		return name
	case name == "":
		return user
	}
	return user + " (" + name + ")"
}

// User returns on whose behalf a call is made; empty if that is not known, as where no token is needed. It is for
// people to read, and no proof: on the bus everybody who may call a device can state any name.
func User(ctx context.Context) string {
	name, _ := ctx.Value(userKey{}).(string)
	return name
}
