package vital

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
)

const (
	// Instance is the environment variable in which a launcher gives its gateway a word that no other has. /healthz
	// repeats it: whatever else answers at the address is another's.
	Instance = "WALDO_INSTANCE"
	// maxHealth bounds the answer of /healthz that is read, in bytes.
	maxHealth = 4 << 10
)

// Page asks a gateway for signs of life. It is for one goroutine.
type Page struct {
	url    string
	client *http.Client
}

// NewPage returns a Page for the gateway whose page is at url, which ends with a slash.
func NewPage(url string) *Page {
	return &Page{url, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
}

// Ask asks for /healthz. Any answer is a sign of life.
func (p *Page) Ask(ctx context.Context) Answer {
	response, err := p.health(ctx)
	switch {
	case ctx.Err() != nil:
		return Silent
	case err != nil:
		return Unasked
	}
	_ = response.Body.Close() // any answer will do
	return Answered
}

// Serves reports whether the page is served by the gateway that was given this word, see [Instance].
func (p *Page) Serves(ctx context.Context, instance string) bool {
	response, err := p.health(ctx)
	if err != nil {
		return false
	}
	defer func() { _ = response.Body.Close() }() // only read
	var health struct {
		Instance string `json:"instance"`
	}
	err = json.NewDecoder(io.LimitReader(response.Body, maxHealth)).Decode(&health)
	return err == nil && response.StatusCode == http.StatusOK && health.Instance == instance
}

func (p *Page) health(ctx context.Context) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"healthz", http.NoBody)
	if err != nil {
		return nil, err
	}
	return p.client.Do(request)
}

// Close ends the connections.
func (p *Page) Close() { p.client.CloseIdleConnections() }
