package server

import (
	"net/http"

	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/rendezvous/notice"
)

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /robot", s.register)
	mux.HandleFunc("/r/{robot}", toFolder)
	mux.HandleFunc("/r/{robot}/", s.pass)
	mux.HandleFunc("GET /healthz", healthz)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { notice.Show(w, r, http.StatusOK, home) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { notice.Show(w, r, http.StatusNotFound, nowhere) })
	return mux
}

func healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(`{"status":"ok"}` + "\n")) // the visitor may have left
}

var (
	home = notice.Notice{Title: "Waldo rendezvous server",
		Text: "Robots connect out to this server, and people reach them through it. To reach a robot, open the link that " +
			"its owner has given to you; waldo link prints it."}
	nowhere = notice.Notice{Title: "There is no such page", Text: "Robots are at /r/ followed by their name and a slash."}
)

// absent answers a request for a robot that is not connected.
func (s *Server) absent(w http.ResponseWriter, r *http.Request, name string) {
	if robot.CheckName(name) != nil || !s.names.knows(name) {
		notice.Show(w, r, http.StatusNotFound,
			notice.Notice{Title: "There is no such robot", Text: "No robot of this name has ever " +
				"connected to this server. Is the link complete, and is the robot's gateway.rendezvous.url this server?"})
		return
	}
	notice.Show(w, r, http.StatusServiceUnavailable, notice.Notice{Title: "Robot " + name + " is away", Again: true,
		Text: "The robot is not connected to this server at the moment: it is off, or has no network. This page tries again " +
			"every few seconds."})
}
