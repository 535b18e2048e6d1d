package robot

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/text"
)

// removed stands in place of a secret.
const removed = "removed"

var (
	// query is a parameter of an address. Each camera has its own name for a password.
	query = text.Pattern(`([?&;][^=&;#\s]+=)[^&;#\s"'` + "`" + `]+`)
	// option is a secret in a command line: --token=…, --token …, TOKEN=….
	option = text.Pattern(`(?i)((?:-[\w-]*(?:` + secretWords + `)[\w-]*[= ]|\w*(?:` + secretWords + `)\w*=)\s*)[^\s&;]+`)
)

// secretWords are what keys, options and variables with secrets are called, as a pattern.
const secretWords = "token|secret|password|passwd|passphrase|passcode|pwd|psk|seed|credential|auth|bearer|cookie|api_?key"

// Redacted returns the text of the file for people who may not know its secrets: without the values of keys and options
// that are called like one, without users, passwords and parameters in addresses, and without comments.
func (r *Robot) Redacted() ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(r.Text, &doc); err != nil {
		return nil, fmt.Errorf("%s: %s", r.File, access.RedactText(err.Error())) // it was read before
	}
	redact(&doc, false)
	return yaml.Marshal(&doc)
}

// redact changes a node and all below it; secret tells that it is the value of a key that is called like a secret.
func redact(n *yaml.Node, secret bool) {
	n.HeadComment, n.LineComment, n.FootComment = "", "", ""
	switch {
	case n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			redact(n.Content[i], false)
			redact(n.Content[i+1], secret || IsSecret(n.Content[i].Value))
		}
		return
	case n.Kind == yaml.ScalarNode && secret:
		n.Tag, n.Style, n.Value = "!!str", 0, removed
	case n.Kind == yaml.ScalarNode:
		n.Value = RedactText(n.Value)
	}
	for i, c := range n.Content { // of a list, which may be a command line
		redact(c, secret || i > 0 && isOption(n.Content[i-1]))
	}
}

// RedactText hides the secrets in a value: users, passwords and parameters in addresses, and options of command lines
// that are called like a secret.
func RedactText(s string) string {
	s = access.RedactText(s)
	if strings.Contains(s, "://") {
		s = query().ReplaceAllString(s, "${1}***")
	}
	return option().ReplaceAllString(s, "${1}"+removed)
}

// isOption reports whether what follows a word of a command line is a secret.
func isOption(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && strings.HasPrefix(n.Value, "-") && !strings.Contains(n.Value, "=") &&
		IsSecret(strings.TrimLeft(n.Value, "-"))
}

// IsSecret reports whether a key is called like one that has a secret.
func IsSecret(key string) bool {
	lower := strings.ToLower(key)
	for word := range strings.SplitSeq(secretWords, "|") {
		if strings.Contains(lower, strings.ReplaceAll(word, "_?", "")) {
			return true
		}
	}
	return lower == "key" || lower == "pin" || lower == "pass" || strings.HasSuffix(key, "Key") ||
		strings.HasSuffix(lower, "_key") || strings.HasSuffix(lower, "-key")
}
