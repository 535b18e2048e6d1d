package server

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

// TestAnswerWithoutEnd: pictures of a camera go on when the times for reading a request and writing an answer are over,
// and nothing else does.
func TestAnswerWithoutEnd(t *testing.T) {
	const parts, limit = 4, 50 * time.Millisecond
	site := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := &endless{ResponseWriter: whole{w}}
		e.Header().Set("Content-Type", r.URL.Query().Get("type"))
		e.WriteHeader(http.StatusOK)
		for range parts {
			if _, err := e.Write([]byte("picture")); err != nil || http.NewResponseController(e).Flush() != nil {
				return
			}
			select {
			case <-time.After(2 * limit):
			case <-r.Context().Done():
				return
			}
		}
	}))
	site.Config.ReadTimeout, site.Config.WriteTimeout = limit, limit
	site.Start()
	defer site.Close()
	for kind, whole := range map[string]bool{"multipart/x-mixed-replace; boundary=b": true, "text/plain": false} {
		answer, err := http.Get(site.URL + "/?type=" + url.QueryEscape(kind))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if got := err == nil && len(body) == parts*len("picture"); got != whole {
			t.Errorf("%s: %d bytes came, %v", kind, len(body), err)
		}
	}
}
