package server

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// snapshotTimeout allows for a camera that must be switched on first.
const snapshotTimeout = 5 * time.Second

// maxSnapshotSide bounds width and height, as VideoFormat does.
const maxSnapshotSide = 8192

// snapshot answers GET /snapshot/{device}.jpg.
func (s *Server) snapshot(w http.ResponseWriter, r *http.Request) {
	device, ok := strings.CutSuffix(r.PathValue("file"), ".jpg")
	if !ok {
		fail(w, status.Error(codes.NotFound, "pictures are at /snapshot/<device>.jpg"))
		return
	}
	if err := s.directory.Check(device); err != nil {
		fail(w, err)
		return
	}
	width, err := side(r, "width")
	if err != nil {
		fail(w, err)
		return
	}
	height, err := side(r, "height")
	if err != nil {
		fail(w, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), snapshotTimeout)
	defer cancel()
	frame, err := s.directory.Snapshot(ctx, device, width, height)
	if err != nil {
		fail(w, err)
		return
	}
	if frame.GetFormat().GetMediaType() != "image/jpeg" {
		http.Error(w, "device "+device+" did not answer with a JPEG", http.StatusBadGateway)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "image/jpeg")
	h.Set("Content-Length", strconv.Itoa(len(frame.GetData())))
	h.Set("Cache-Control", "no-store")
	h.Set("Last-Modified", frame.GetCaptureTime().AsTime().UTC().Format(http.TimeFormat))
	_, _ = w.Write(frame.GetData()) // the visitor may have left
}

// side parses a width or height; 0 if it is not given.
func side(r *http.Request, name string) (int32, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 || n > maxSnapshotSide {
		return 0, status.Errorf(codes.InvalidArgument, "%s: %q is not a number of pixels: use 2 to %d, or leave it out",
			name, text, maxSnapshotSide)
	}
	return int32(n), nil
}

// devices answers GET /devices.
func (s *Server) devices(w http.ResponseWriter, _ *http.Request) {
	list, _ := s.directory.List()
	writeJSON(w, list)
}

// writeJSON answers with a message as JSON.
func writeJSON(w http.ResponseWriter, m proto.Message) {
	data, err := protojson.MarshalOptions{Multiline: true, EmitUnpopulated: true}.Marshal(m)
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(append(data, '\n')) // the visitor may have left
}

// healthz answers GET /healthz. A gateway without a bus still serves the page and recovers by itself, so it must not be
// restarted: the status code is 200.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	writeHealth(w, s.config.BusConnected, "the bus is not reachable",
		health{Instance: s.config.Instance, Rendezvous: rendezvousState(s.config.Rendezvous)})
}

// health is what /healthz answers.
type health struct {
	Status     string `json:"status"`
	Reason     string `json:"reason,omitempty"`
	Rendezvous string `json:"rendezvous,omitempty"`
	Instance   string `json:"instance,omitempty"`
}

// rendezvousState says whether the gateway is connected to its rendezvous server; nothing if it has none.
func rendezvousState(connected func() bool) string {
	switch {
	case connected == nil:
		return ""
	case connected():
		return "connected"
	}
	return "away"
}

// writeHealth answers with the health of a gateway, which is degraded for that reason unless it is connected.
func writeHealth(w http.ResponseWriter, connected func() bool, reason string, h health) {
	// A page elsewhere looks here for a gateway that it lost or that refuses it, before it asks why: the browser must
	// not hide the answer.
	w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if h.Status = "ok"; !connected() {
		h.Status, h.Reason = "degraded", reason
	}
	_ = json.NewEncoder(w).Encode(h) // the visitor may have left
}
