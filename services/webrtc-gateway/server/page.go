package server

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
)

// policy lets the page run its own modules and talk to its own gateway, and nothing else. %s are the hashes of
// scripts in the page itself.
const policy = "default-src 'none'; script-src 'self'%s; style-src 'self'; img-src 'self' data: blob:; media-src " +
	"'self' blob:; " +
	"connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// types are explicit: systems disagree about file extensions, and browsers refuse modules of a wrong type.
var types = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/x-icon", ".json": "application/json",
	".webmanifest": "application/manifest+json", ".woff2": "font/woff2",
}

// recordingsAddress is where the page of the recordings is.
const recordingsAddress = "/recordings"

// robotPages are the pages of a robot: the files, by their addresses.
var robotPages = map[string]string{"/": "index.html", recordingsAddress: "recordings.html"}

// page serves static files from memory.
type page map[string]file // by URL path

type file struct {
	data              string
	contentType, etag string
	policy            string
}

// newPage returns the files of some pages, which have addresses of their own, and all modules and what is beside them.
func newPage(files fs.FS, pages map[string]string) (page, error) {
	p := page{}
	if files == nil {
		return p, nil
	}
	all, err := readFiles(files)
	if err != nil {
		return nil, err
	}
	own := slices.Collect(maps.Values(pages))
	for name, data := range all {
		if path.Ext(name) == ".html" {
			if !slices.Contains(own, name) {
				continue // another page's
			}
			if data, err = putIn(all, name, data); err != nil {
				return nil, err
			}
			if data, err = preload(all, name, data); err != nil {
				return nil, err
			}
		}
		p["/"+name] = file{
			data: string(data), contentType: types[path.Ext(name)], etag: fmt.Sprintf(`"%x"`, sha256.Sum256(data)),
			policy: fmt.Sprintf(policy, hashes(data)),
		}
	}
	for address, name := range pages {
		if html, ok := p["/"+name]; ok {
			p[address] = html
		}
	}
	return p, nil
}

// readFiles returns the files for browsers, by name.
func readFiles(files fs.FS) (map[string][]byte, error) {
	all := map[string][]byte{}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if _, known := types[path.Ext(name)]; err != nil || d.IsDir() || !known {
			return err
		}
		all[name], err = fs.ReadFile(files, name)
		return err
	})
	return all, err
}

// beside matches the scripts beside a page that are no modules.
var beside = regexp.MustCompile(`<script src="([^":?#]+)"></script>`)

// putIn puts the scripts that are no modules into a page: they run before anything else has come, or when nothing does.
func putIn(files map[string][]byte, name string, page []byte) ([]byte, error) {
	var missing error
	page = beside.ReplaceAllFunc(page, func(tag []byte) []byte {
		script := path.Clean(string(beside.FindSubmatch(tag)[1]))
		data, ok := files[script]
		if !ok {
			missing = fmt.Errorf("%s loads %s, which is not among the files built in", name, script)
		}
		return slices.Concat([]byte("<script>\n"), data, []byte("</script>"))
	})
	return page, missing
}

// inline matches the scripts that are in a page and not beside it.
var inline = regexp.MustCompile(`(?s)<script>(.*?)</script>`)

// hashes lists the scripts in a page as a content security policy names them.
func hashes(html []byte) (list string) {
	for _, script := range inline.FindAllSubmatch(html, -1) {
		sum := sha256.Sum256(script[1])
		list += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return list
}

// public reports whether a file is for everybody: the modules, which pages elsewhere import, and what is beside them.
// All of them are published with Waldo. Only the page itself wants the token, because it asks for it.
func (p page) public(path string) bool {
	f, ok := p[path]
	return ok && !strings.HasPrefix(f.contentType, "text/html")
}

// ServeHTTP implements [http.Handler]. Browsers keep files but ask each time whether they are still right, so that
// page and gateway never differ in version.
func (p page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := p[r.URL.Path]
	if !ok {
		http.Error(w, "there is no such page; the robot's page is /", http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("ETag", f.etag)
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Security-Policy", f.policy)
	if strings.Contains(r.Header.Get("If-None-Match"), f.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write([]byte(f.data)) // the visitor may have left
}
