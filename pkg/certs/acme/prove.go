package acme

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/acme"

	"github.com/waldo-robot/waldo/pkg/state"
)

const (
	// programTime bounds how long the user's program may take to publish a record.
	programTime = 5 * time.Minute
	// maxSaid bounds what of its output is told.
	maxSaid = 300
)

// authorize proves that the robot has the name, if that is not known.
func (i *Issuer) authorize(ctx context.Context, address string) error {
	z, err := i.client.GetAuthorization(ctx, address)
	if err != nil {
		return fmt.Errorf("authorization: %w", err)
	}
	if z.Status == acme.StatusValid {
		return nil
	}
	kind := "http-01"
	if i.config.DNS != "" {
		kind = "dns-01"
	}
	at := slices.IndexFunc(z.Challenges, func(c *acme.Challenge) bool { return c.Type == kind })
	if at < 0 {
		return fmt.Errorf("authorization: the authority does not take %s: dns: in robot.yaml names a program for dns-01; "+
			"without one it is http-01", kind)
	}
	challenge := z.Challenges[at]
	withdraw, err := i.publish(ctx, challenge)
	if err != nil {
		return fmt.Errorf("proof by %s: %w", kind, err)
	}
	defer withdraw()
	if _, err := i.client.Accept(ctx, challenge); err != nil {
		return fmt.Errorf("proof by %s: %w", kind, err)
	}
	if _, err := i.client.WaitAuthorization(ctx, z.URI); err != nil {
		return fmt.Errorf("proof by %s: %w: %s", kind, err, i.remedy())
	}
	return nil
}

func (i *Issuer) remedy() string {
	if i.config.DNS != "" {
		return "the record of " + i.config.DNS + " was not found in DNS; the program must not end before others see it"
	}
	return "port 80 of " + i.config.Domain + " must lead to the port of the gateway (gateway.http), or dns: must name a " +
		"program that publishes the proof in DNS"
}

// publish publishes a proof until withdraw is called.
func (i *Issuer) publish(ctx context.Context, c *acme.Challenge) (withdraw func(), err error) {
	if i.config.DNS != "" {
		return i.publishRecord(ctx, c)
	}
	proof, err := i.client.HTTP01ChallengeResponse(c.Token)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(Challenges(i.config.Folder), filepath.Base(c.Token))
	return func() { _ = os.Remove(path) }, state.Replace(path, []byte(proof), 0o644) // one that stays harms nobody
}

// publishRecord has the user's program publish a record: it is called with set or clear, the name of the record, and
// its value.
func (i *Issuer) publishRecord(ctx context.Context, c *acme.Challenge) (withdraw func(), err error) {
	value, err := i.client.DNS01ChallengeRecord(c.Token)
	if err != nil {
		return nil, err
	}
	name := "_acme-challenge." + i.config.Domain
	if err := i.call(ctx, "set", name, value); err != nil {
		return nil, err
	}
	return func() {
		if err := i.call(context.WithoutCancel(ctx), "clear", name, value); err != nil {
			i.config.Log.Warn("the record in DNS was not cleared", "error", err)
		}
	}, nil
}

func (i *Issuer) call(ctx context.Context, arguments ...string) error {
	ctx, cancel := context.WithTimeout(ctx, programTime)
	defer cancel()
	program := exec.CommandContext(ctx, i.config.DNS, arguments...)
	// It gets none of the secrets that Waldo is given in the environment.
	program.Env = slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "WALDO_") })
	program.WaitDelay = time.Second
	var said bytes.Buffer
	program.Stdout, program.Stderr = &said, &said
	if err := program.Run(); err != nil {
		text := strings.TrimSpace(said.String())
		return errors.Join(fmt.Errorf("%s %s: %w: %.*s", i.config.DNS, arguments[0], err, maxSaid, text), ctx.Err())
	}
	return nil
}
