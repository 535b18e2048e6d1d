package device

import (
	"net/http"
	"net/http/pprof"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/waldo-robot/waldo/pkg/access"
)

// newDebugServer serves /metrics and /debug/pprof. It is for the loopback listener only: it asks nobody for a token,
// and answers nobody who asks for another machine.
func newDebugServer(registry *prometheus.Registry) *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metricsOf(registry))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return &http.Server{Handler: access.LoopbackOnly(mux), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
}

// metricsOf serves the metrics of the device, and those of the process and of Go, which are not set up before somebody
// asks.
func metricsOf(registry *prometheus.Registry) http.Handler {
	addOwn := sync.OnceFunc(func() {
		registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	})
	metrics := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		addOwn()
		metrics.ServeHTTP(w, r)
	})
}
