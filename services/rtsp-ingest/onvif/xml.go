package onvif

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

const (
	maxNodes = 20_000 // elements of a document
	maxDepth = 64
	maxText  = 16 << 10 // bytes of the text of an element; the rest is left out
)

// node is an element of a document, known by its local name.
type node struct {
	name     string
	attrs    []xml.Attr
	text     string // what it holds itself, without the spaces around it
	children []*node
}

// legal replaces what may not stand in XML, which ends the document for others.
func legal(r rune) rune {
	if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r >= 0xfffd && r <= 0xffff || r >= 0xd800 && r <= 0xdfff {
		return '?'
	}
	return r
}

// parse reads a document. It forgives what cameras do: a & that is no entity, tags that do not match, other character
// sets.
func parse(data []byte) (*node, error) {
	d := xml.NewDecoder(bytes.NewReader(bytes.Map(legal, data)))
	d.Strict = false
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	root := &node{}
	open := []*node{root}
	for count := 0; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		top := open[len(open)-1]
		switch t := token.(type) {
		case xml.StartElement:
			if count++; count > maxNodes || len(open) > maxDepth {
				return nil, errors.New("the document is too large")
			}
			child := &node{name: t.Name.Local, attrs: t.Attr}
			top.children = append(top.children, child)
			open = append(open, child)
		case xml.EndElement:
			top.text = strings.TrimSpace(top.text)
			open = open[:max(1, len(open)-1)]
		case xml.CharData:
			// text between elements means nothing here
			if len(top.children) == 0 && top != root && len(top.text)+len(t) <= maxText {
				top.text += string(t)
			}
		}
	}
	if len(root.children) == 0 {
		return nil, errors.New("the document is empty")
	}
	return root, nil
}

// find returns the first element below n that a path of names leads to; each name may stand at any depth below the one
// before. It returns nil for none. A nil node has nothing below it.
func (n *node) find(path ...string) *node {
	if n == nil || len(path) == 0 {
		return n
	}
	for _, c := range n.children {
		if c.name == path[0] {
			if found := c.find(path[1:]...); found != nil {
				return found
			}
		} else if found := c.find(path...); found != nil {
			return found
		}
	}
	return nil
}

// all returns the elements of a name below n, without those inside one another, at most most.
func (n *node) all(name string, most int) (found []*node) {
	if n == nil {
		return nil
	}
	for _, c := range n.children {
		if len(found) >= most {
			break
		}
		if c.name == name {
			found = append(found, c)
		} else {
			found = append(found, c.all(name, most-len(found))...)
		}
	}
	return found
}

// value is the text of the element that a path leads to, "" for none.
func (n *node) value(path ...string) string {
	if n = n.find(path...); n == nil {
		return ""
	}
	return n.text
}

// attr is an attribute, "" for none.
func (n *node) attr(name string) string {
	if n == nil {
		return ""
	}
	for _, a := range n.attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// escaped makes a text fit to stand in XML.
func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}
