package server

import (
	"bytes"
	"fmt"
	"html"
	"path"
	"regexp"
	"strings"
)

var (
	// entries matches the modules that a page starts with.
	entries = regexp.MustCompile(`<script type="module" src="([^":?#]+)"></script>`)
	// imports matches the static imports of a module. They stand at the start of a line, and may go over several.
	imports = regexp.MustCompile(`(?m)^(?:import|export)\s(?:[\w\s{},*$]*\sfrom\s)?['"](\.\.?/[^'"]+)['"]`)
)

// preload names, ahead of the first module of a page, all those that it imports, directly or not: each after those it
// imports itself. So a browser requests them at once, not each when the one before has named it.
func preload(files map[string][]byte, name string, page []byte) ([]byte, error) {
	g := graph{files: files, seen: map[string]bool{}}
	starts := entries.FindAllSubmatchIndex(page, -1)
	for _, at := range starts {
		entry := path.Clean(string(page[at[2]:at[3]]))
		if err := g.visit(name, entry); err != nil {
			return nil, err
		}
		g.order = g.order[:len(g.order)-1] // the page requests it anyway
	}
	if len(starts) == 0 {
		return page, nil
	}
	var links strings.Builder
	for _, name := range g.order {
		fmt.Fprintf(&links, "<link rel=\"modulepreload\" href=\"%s\">\n    ", html.EscapeString(name))
	}
	head, rest := page[:starts[0][0]], page[starts[0][0]:]
	return bytes.Join([][]byte{head, rest}, []byte(links.String())), nil
}

// graph finds the modules that others import.
type graph struct {
	files map[string][]byte // by name, without a slash in front
	seen  map[string]bool
	order []string
}

// visit takes in a module after all that it imports. A circle is entered once.
func (g *graph) visit(by, name string) error {
	if g.seen[name] {
		return nil
	}
	g.seen[name] = true
	data, ok := g.files[name]
	if !ok {
		return fmt.Errorf("%s imports %s, which is not among the files built in: name its folder in web/embed.go", by, name)
	}
	for _, found := range imports.FindAllSubmatch(data, -1) {
		if err := g.visit(name, path.Join(path.Dir(name), string(found[1]))); err != nil {
			return err
		}
	}
	g.order = append(g.order, name)
	return nil
}
