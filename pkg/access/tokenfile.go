package access

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/waldo-robot/waldo/pkg/systemd"
)

// maxTokenFile bounds what is read of a file with a token.
const maxTokenFile = 4096

// Token returns the secret that a process was given: token if that is set, else the content of file, else that of the
// unit's credential "token", without the white space around it. An empty file holds no token. Secrets in files are not
// seen by others, as those on command lines are, and not inherited, as those in environments are.
func Token(token, file string, environ func(string) string) (string, error) {
	if token != "" {
		return token, nil
	}
	if file = cmp.Or(file, systemd.Credential("token", environ)); file == "" {
		return "", nil
	}
	token, err := readToken(file)
	if err != nil {
		return "", fmt.Errorf("the file with the token: %w", err)
	}
	return token, nil
}

func readToken(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(f, maxTokenFile+1))
	switch {
	case err != nil:
		return "", err
	case len(text) > maxTokenFile:
		return "", fmt.Errorf("%s has more than %d bytes: it holds the token alone, on one line", file, maxTokenFile)
	}
	token := strings.TrimSpace(string(text))
	if strings.ContainsAny(token, "\r\n") {
		return "", errors.New(file + " has several lines: it holds the token alone, on one line")
	}
	return token, nil
}
