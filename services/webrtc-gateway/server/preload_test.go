package server

import (
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/web"
)

var preloads = regexp.MustCompile(`<link rel="modulepreload" href="([^"]+)">`)

// preloaded lists the modules that a page names ahead.
func preloaded(html string) (names []string) {
	for _, found := range preloads.FindAllStringSubmatch(html, -1) {
		names = append(names, found[1])
	}
	return names
}

func TestPreload(t *testing.T) {
	const index = `<head><script type="module" src="page/main.js"></script></head>`
	tests := []struct {
		name  string
		files map[string]string // besides index.html
		want  []string
		fails string
	}{
		{"nothing is imported", map[string]string{"page/main.js": "let x = 1;"}, nil, ""},
		{"each after what it imports", map[string]string{
			"page/main.js": "import { a } from '../a.js';\nimport b from \"./b.js\";\n",
			"a.js":         "export { c } from './lib/c.js';", "page/b.js": "",
			"lib/c.js": "import '../d.js';\n", "d.js": "", "tests/d.test.js": "", "lib/c.d.ts": "",
		}, []string{"d.js", "lib/c.js", "a.js", "page/b.js"}, ""},
		{"an import over several lines", map[string]string{"page/main.js": "import {\n  one,\n  two as $2,\n} from " +
			"'./b.js';\n", "page/b.js": ""}, []string{"page/b.js"}, ""},
		{"a star", map[string]string{"page/main.js": "import * as b from './b.js';", "page/b.js": ""}, []string{"page/b.js"},
			""},
		{"a circle", map[string]string{"page/main.js": "import './b.js';", "page/b.js": "import './c.js'",
			"page/c.js": "import './b.js'"}, []string{"page/c.js", "page/b.js"}, ""},
		{"an example in a comment", map[string]string{"page/main.js": "/**\n *   import './x.js';\n */\n// import " +
			"'./y.js';\nexport const z = './z.js';\n"}, nil, ""},
		{"a name that HTML would read", map[string]string{"page/main.js": "import './a&b.js';", "page/a&b.js": ""},
			[]string{"page/a&amp;b.js"}, ""},
		{"a file that is not built in", map[string]string{"page/main.js": "import '../lib/x.js';"}, nil,
			"page/main.js imports lib/x.js"},
		{"no such entry", nil, nil, "index.html imports page/main.js"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := fstest.MapFS{"index.html": {Data: []byte(index)}}
			for name, data := range tt.files {
				files[name] = &fstest.MapFile{Data: []byte(data)}
			}
			p, err := newPage(files, robotPages)
			if tt.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fails) {
					t.Errorf("%v, want %q", err, tt.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			html := p["/"].data
			if got := preloaded(html); !slices.Equal(got, tt.want) {
				t.Errorf("preloads %q, want %q", got, tt.want)
			}
			if head, tail, _ := strings.Cut(index, "<script"); !strings.HasPrefix(html, head) ||
				!strings.HasSuffix(html, "<script"+tail) {
				t.Errorf("the rest has changed: %s", html)
			}
		})
	}
}

// TestPreloadPage finds modules that nothing uses as well.
func TestPreloadPage(t *testing.T) {
	p, err := newPage(web.Files, robotPages)
	if err != nil {
		t.Fatal(err)
	}
	var modules []string
	for name := range maps.Keys(p) {
		other := name == "/page/main.js" || name == "/page/unloaded.js" || name == "/rtcbot.js" // that is for pages of others
		if path.Ext(name) == ".js" && !other {
			modules = append(modules, strings.TrimPrefix(name, "/"))
		}
	}
	list, err := newPage(web.Files, frontPages)
	if err != nil {
		t.Fatal(err)
	}
	got := slices.Concat(preloaded(p["/"].data), preloaded(p[recordingsAddress].data), preloaded(list["/"].data))
	got = slices.Compact(slices.Sorted(slices.Values(append(got, "page/fleetmain.js", "page/recordingsmain.js"))))
	slices.Sort(modules)
	if len(got) == 0 || !slices.Equal(got, modules) {
		t.Errorf("preloads %q,\nbuilt in are %q", got, modules)
	}
	// One more module is preloaded without a line elsewhere.
	more := fstest.MapFS{"page/more.js": {}}
	for name := range p {
		if data, err := fs.ReadFile(web.Files, name[1:]); err == nil {
			more[name[1:]] = &fstest.MapFile{Data: data}
		}
	}
	more["page/main.js"].Data = append([]byte("import './more.js';\n"), more["page/main.js"].Data...)
	next, err := newPage(more, robotPages)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(preloaded(next["/"].data), "page/more.js") || next["/"].etag == p["/"].etag {
		t.Error("a module that was added is not preloaded, or the page's ETag has stayed")
	}
}
