package units

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/pkg/state"
)

// accessFile has the tokens of people and programs, see package tokens.
const accessFile = "/var/lib/waldo/access.json"

// Exists tells whether a robot was installed before.
func (i *Installation) Exists() bool {
	_, err := os.Stat(i.host(CheckedFile))
	return err == nil
}

// think thinks a token up for Apply to write, if one is to be made for a robot.
func (i *Installation) think(r *robot.Robot) error {
	_, err := os.Stat(i.host(TokenFile))
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case err == nil || i.fresh != "" || !i.MakeToken:
		return nil
	case r.NATS.URL != "" || r.Gateway.Text("token") != "": // the bus of others decides for itself
		return nil
	}
	if known, err := tokens.List(i.host(accessFile)); err == nil && len(known) > 0 {
		return nil // everybody is asked for one of these
	}
	i.fresh = rand.Text()
	return nil
}

// token is the secret that the units will have.
func (i *Installation) token() (string, error) {
	if _, err := os.Stat(i.host(TokenFile)); err != nil {
		return i.fresh, nil // there is none
	}
	return access.Token("", i.host(TokenFile), func(string) string { return "" })
}

// keepToken writes the token that was thought up, for root alone, unless there is one by now.
func (i *Installation) keepToken() (made bool, err error) {
	file := i.host(TokenFile)
	if _, err := os.Stat(file); err == nil || i.fresh == "" {
		return false, nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { // what is in it is protected
		return false, err
	}
	return true, state.Replace(file, []byte(i.fresh+"\n"), 0o600)
}

// tokenTime makes units differ when the secret has changed, without saying anything about it.
func (i *Installation) tokenTime() string {
	info, err := os.Stat(i.host(TokenFile))
	if err != nil {
		return ""
	}
	return " token of " + info.ModTime().UTC().Format(time.RFC3339Nano)
}
