package gateway

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waldo-robot/waldo/pkg/certs"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/config"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/trust"
)

// secure has the port of the page serve https as well, if there is a certificate.
func (g *Gateway) secure(c *config.Config, log *slog.Logger) (err error) {
	if g.secured, err = c.TLS.Files.Load(log); err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	if g.secured == nil {
		return nil
	}
	g.metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "waldo_gateway_certificate_expiry_timestamp_seconds",
		Help: "When the certificate of the page expires, in seconds since 1970; 0 while there is none.",
	}, func() float64 {
		if c := g.secured.Certificate(); c != nil {
			return float64(c.NotAfter.Unix())
		}
		return 0
	}))
	g.listener = certs.Port(g.listener, g.secured.Server("http/1.1"))
	return nil
}

// secureHandler keeps other machines to https, if there is a certificate.
func (g *Gateway) secureHandler(c *config.Config, page http.Handler) http.Handler {
	if g.secured == nil {
		return page
	}
	_, port, _ := net.SplitHostPort(g.listener.Addr().String()) // it is one
	return certs.WithTLS(trust.Handler(page, trust.Config{
		Robot: c.Robot, Folder: c.TLS.Authority, Challenges: c.TLS.Challenges, Port: port,
	}))
}
