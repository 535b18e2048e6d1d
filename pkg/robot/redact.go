package robot

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waldo-robot/waldo/pkg/access"
)

// removed stands in place of a secret.
const removed = "removed"

// Redacted returns the text of the file for people who may not know its secrets: without the values of keys that are
// called like one, without what is secret in addresses, and without comments.
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
			redact(n.Content[i+1], secret || isSecret(n.Content[i].Value))
		}
		return
	case n.Kind == yaml.ScalarNode && secret:
		n.Tag, n.Style, n.Value = "!!str", 0, removed
	case n.Kind == yaml.ScalarNode:
		n.Value = access.RedactText(n.Value)
	}
	for _, c := range n.Content {
		redact(c, secret)
	}
}

// isSecret reports whether a key is called like one that has a secret.
func isSecret(key string) bool {
	lower := strings.ToLower(key)
	for _, word := range []string{"token", "secret", "password", "passwd", "passphrase", "credential"} {
		if strings.Contains(lower, word) {
			return true
		}
	}
	return lower == "key" || lower == "pin" || strings.HasSuffix(key, "Key") || strings.HasSuffix(lower, "_key") ||
		strings.HasSuffix(lower, "-key") || strings.HasSuffix(lower, "apikey")
}
