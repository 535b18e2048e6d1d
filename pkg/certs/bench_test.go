package certs_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/certs"
	"github.com/waldo-robot/waldo/pkg/certs/certstest"
)

// BenchmarkTLS compares requests with and without TLS at one port, in turns: each on a new connection, with a whole
// handshake, and all on one that stays.
func BenchmarkTLS(b *testing.B) {
	a := certstest.NewAuthority(b)
	cert, key := a.Issue([]string{"127.0.0.1"})
	source, err := certs.Load(cert, key, nil)
	if err != nil {
		b.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}))
	s.Listener = certs.Port(s.Listener, source.Server("http/1.1"))
	s.Start()
	defer s.Close()
	address := s.Listener.Addr().String()
	for _, way := range []struct {
		name string
		anew bool
	}{{"connect", true}, {"call", false}} {
		b.Run(way.name, func(b *testing.B) {
			trust, err := certs.Client(a.File())
			if err != nil {
				b.Fatal(err)
			}
			transport := &http.Transport{TLSClientConfig: trust, DisableKeepAlives: way.anew}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport}
			timed := func(url string) time.Duration {
				begin := time.Now()
				response, err := client.Get(url)
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, response.Body)
				response.Body.Close()
				return time.Since(begin)
			}
			var plain, secured []time.Duration
			timed("http://" + address) // the first has to connect in any case
			timed("https://" + address)
			for b.Loop() {
				plain = append(plain, timed("http://"+address))
				secured = append(secured, timed("https://"+address))
			}
			slices.Sort(plain)
			slices.Sort(secured)
			for at, share := range map[string]float64{"p50": 0.5, "p99": 0.99} {
				i := int(share * float64(len(plain)-1))
				b.ReportMetric(float64(secured[i].Microseconds()), "TLS-us-"+at)
				b.ReportMetric(float64(plain[i].Microseconds()), "plain-us-"+at)
				b.ReportMetric(float64(secured[i])/float64(plain[i]), "ratio-"+at)
			}
			b.ReportMetric(0, "ns/op") // is of both together
		})
	}
}
