package server

import (
	"html/template"
	"net/http"
	"strings"

	"github.com/waldo-robot/waldo/pkg/robot"
)

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /robot", s.register)
	mux.HandleFunc("/r/{robot}", toFolder)
	mux.HandleFunc("/r/{robot}/", s.pass)
	mux.HandleFunc("GET /healthz", healthz)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { show(w, r, http.StatusOK, home) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { show(w, r, http.StatusNotFound, nowhere) })
	return mux
}

func healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(`{"status":"ok"}` + "\n")) // the visitor may have left
}

// message is a page of the server's own.
type message struct {
	Title, Text string
	// Again makes the page load again after some seconds.
	Again bool
}

var (
	home = message{Title: "Waldo rendezvous server", Text: "Robots connect out to this server, and people reach them " +
		"through it. To reach a robot, open the link that its owner has given to you; waldo link prints it."}
	nowhere = message{Title: "There is no such page", Text: "Robots are at /r/ followed by their name and a slash."}
)

// absent answers a request for a robot that is not connected.
func (s *Server) absent(w http.ResponseWriter, r *http.Request, name string) {
	if robot.CheckName(name) != nil || !s.names.knows(name) {
		show(w, r, http.StatusNotFound, message{Title: "There is no such robot", Text: "No robot of this name has ever " +
			"connected to this server. Is the link complete, and is the robot's gateway.rendezvous.url this server?"})
		return
	}
	w.Header().Set("Retry-After", "3")
	show(w, r, http.StatusServiceUnavailable, message{Title: "Robot " + name + " is away", Again: true,
		Text: "The robot is not connected to this server at the moment: it is off, or has no network. This page tries again " +
			"every few seconds."})
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

// show answers with a page, in text to programs.
func show(w http.ResponseWriter, r *http.Request, status int, m message) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.Error(w, m.Title+". "+m.Text, status)
		return
	}
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = page.Execute(w, m) // the visitor may have left
}
