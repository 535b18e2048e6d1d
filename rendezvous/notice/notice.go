// Package notice answers requests with a short message to people: a page to browsers, text to programs.
package notice

import (
	"html/template"
	"net/http"
	"strings"
)

// Notice is a message.
type Notice struct {
	Title, Text string
	// Again makes the page load again every few seconds.
	Again bool
}

var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
{{if .Again}}<meta http-equiv="refresh" content="3">
{{end}}<title>{{.Title}}</title>
<h1>{{.Title}}</h1>
<p>{{.Text}}</p>
`))

// Show answers with a notice. Nothing in it becomes markup.
func Show(w http.ResponseWriter, r *http.Request, status int, n Notice) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if n.Again {
		h.Set("Retry-After", "3")
	}
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.Error(w, n.Title+". "+n.Text, status)
		return
	}
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = page.Execute(w, n) // the visitor may have left
}
