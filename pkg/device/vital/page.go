package vital

import (
	"context"
	"net/http"
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
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"healthz", http.NoBody)
	if err != nil {
		return Unasked
	}
	response, err := p.client.Do(request)
	switch {
	case ctx.Err() != nil:
		return Silent
	case err != nil:
		return Unasked
	}
	_ = response.Body.Close() // any answer will do
	return Answered
}

// Close ends the connections.
func (p *Page) Close() { p.client.CloseIdleConnections() }
