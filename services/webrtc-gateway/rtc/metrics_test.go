package rtc

import (
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/waldo-robot/waldo/pkg/socket"
)

func TestUnsentPacketsAreCounted(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := newMetrics(registry)
	for _, f := range []socket.Failure{
		{Call: socket.Segments, Err: fmt.Errorf("sendmsg: %w", syscall.EIO)},
		{Call: socket.Segments, Err: syscall.ENOBUFS, Lost: 7},
		{Call: socket.Single, Err: syscall.ENOBUFS, Lost: 1},
		{Call: socket.Single, Err: net.ErrClosed, Lost: 1},
	} {
		m.unsent(f)
	}
	const want = `
# HELP waldo_gateway_udp_packets_unsent_total UDP packets that the system did not take.
# TYPE waldo_gateway_udp_packets_unsent_total counter
waldo_gateway_udp_packets_unsent_total{reason="ENOBUFS"} 8
waldo_gateway_udp_packets_unsent_total{reason="other"} 1
`
	err := testutil.GatherAndCompare(registry, strings.NewReader(want), "waldo_gateway_udp_packets_unsent_total")
	if err != nil {
		t.Error(err)
	}
	if got := testutil.ToFloat64(m.calls.WithLabelValues("segments", "EIO")); got != 1 {
		t.Errorf("%v calls failed with EIO", got)
	}
}
