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

type tokenKey struct{}

// maxTokenID bounds the id of a token in bytes.
const maxTokenID = 64

// WithTokenID says by which token a call is made, by its id, which is no secret. The bus carries it to the device.
func WithTokenID(ctx context.Context, id string) context.Context {
	if id == "" || len(id) > maxTokenID || !text.IsPrintable(id) {
		return ctx
	}
	return context.WithValue(ctx, tokenKey{}, id)
}

// TokenID returns the id of the token by which a call is made; empty if that is not known. It is no proof, as [User].
func TokenID(ctx context.Context) string {
	id, _ := ctx.Value(tokenKey{}).(string)
	return id
}

type fromKey struct{}

// maxFrom bounds an address in bytes.
const maxFrom = 128

// WithFrom says from where a call is made: host:port, or host. The bus carries it to the device.
func WithFrom(ctx context.Context, address string) context.Context {
	if address == "" || len(address) > maxFrom || !text.IsPrintable(address) {
		return ctx
	}
	return context.WithValue(ctx, fromKey{}, address)
}

// From returns from where a call is made, as host:port or host; empty if that is not known. It is no proof, as [User].
func From(ctx context.Context) string {
	address, _ := ctx.Value(fromKey{}).(string)
	return address
}

// User returns on whose behalf a call is made; empty if that is not known, as where no token is needed. It is for
// people to read, and no proof: on the bus everybody who may call a device can state any name.
func User(ctx context.Context) string {
	name, _ := ctx.Value(userKey{}).(string)
	return name
}
