package rtsp_test

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	pion "github.com/pion/rtp"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/dial/dialtest"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/rtsp"
)

// foreign is gortsplib's server with one stream, which is also that of mediamtx.
type foreign struct {
	stream  *gortsplib.ServerStream
	playing chan struct{}
}

func (f *foreign) OnDescribe(*gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return &base.Response{StatusCode: base.StatusOK}, f.stream, nil
}

func (f *foreign) OnSetup(*gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return &base.Response{StatusCode: base.StatusOK}, f.stream, nil
}

func (f *foreign) OnPlay(*gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	offer(f.playing, struct{}{})
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// TestForeignServer: over TCP, UDP, and TLS, where it describes SRTP and insists on it over UDP.
func TestForeignServer(t *testing.T) {
	certificate := dialtest.Certificate(t)
	for _, tt := range []struct {
		name string
		tls  *tls.Config
		udp  bool
	}{
		{name: "TCP"}, {name: "UDP", udp: true},
		{name: "TLS", tls: &tls.Config{Certificates: []tls.Certificate{certificate}}},
		{name: "SRTP", tls: &tls.Config{Certificates: []tls.Certificate{certificate}}, udp: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, server := startForeign(t, tt.tls)
			scheme := "rtsp"
			if tt.tls != nil {
				scheme = "rtsps"
			}
			a, err := address.Parse(fmt.Sprintf("%s://%s/stream", scheme, server), "", "")
			if err != nil {
				t.Fatal(err)
			}
			config := rtsp.Config{Address: a, UDP: tt.udp, Limits: rtsp.Limits{UDP: 20 * time.Second}}
			if tt.tls != nil {
				config.Fingerprint = fmt.Sprintf("%x", sha256.Sum256(certificate.Certificate[0]))
			}
			done := make(chan struct{})
			defer func() { <-done }()
			stop := make(chan struct{})
			defer close(stop)
			go func() {
				defer close(done)
				f.write(stop)
			}()
			v := view(t, config)
			for range 5 {
				if p := next(t, v.pictures); len(p.Data) != 1 {
					t.Errorf("%d NAL units", len(p.Data))
				}
			}
			if got, want := v.Attributes()["encryption"], tt.tls != nil && tt.udp; (got == "SRTP") != want {
				t.Errorf("attributes: %v", v.Attributes())
			}
			if err := v.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// write sends key frames of one NAL unit from the first PLAY on.
func (f *foreign) write(stop chan struct{}) {
	select {
	case <-f.playing:
	case <-stop:
		return
	}
	pace := time.NewTicker(10 * time.Millisecond)
	defer pace.Stop()
	for i := uint16(0); ; i++ {
		_ = f.stream.WritePacketRTP(f.stream.Desc.Medias[0], &pion.Packet{
			Header: pion.Header{Version: 2, Marker: true, PayloadType: 96, SequenceNumber: i, Timestamp: uint32(i) * 900,
				SSRC: 7},
			Payload: []byte{0x65, 0x88, 1, 2},
		})
		select {
		case <-pace.C:
		case <-stop:
			return
		}
	}
}

func startForeign(t *testing.T, secure *tls.Config) (f *foreign, address string) {
	t.Helper()
	f = &foreign{playing: make(chan struct{}, 1)}
	server, address := startServer(t, f, secure)
	t.Cleanup(server.Close)
	f.stream = &gortsplib.ServerStream{Server: server, Desc: &description.Session{Medias: []*description.Media{{
		Type: description.MediaTypeVideo, Formats: []format.Format{&format.H264{PayloadTyp: 96, PacketizationMode: 1}},
	}}}}
	if err := f.stream.Initialize(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.stream.Close)
	return f, address
}

// startServer starts a server; another process may take a port that was free.
func startServer(t *testing.T, f *foreign, secure *tls.Config) (server *gortsplib.Server, address string) {
	t.Helper()
	var err error
	for range 20 {
		var ln net.Listener
		if ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		even, odd := pair(t)
		server = &gortsplib.Server{
			Handler: f, RTSPAddress: "127.0.0.1:0", TLSConfig: secure,
			Listen:        func(string, string) (net.Listener, error) { return ln, nil },
			UDPRTPAddress: fmt.Sprintf("127.0.0.1:%d", even), UDPRTCPAddress: fmt.Sprintf("127.0.0.1:%d", odd),
		}
		if err = server.Start(); err == nil {
			return server, ln.Addr().String()
		}
		ln.Close()
	}
	t.Fatal(err)
	return nil, ""
}

// pair finds two neighbouring UDP ports that are free.
func pair(t *testing.T) (even, odd int) {
	t.Helper()
	for range 100 {
		first, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := first.LocalAddr().(*net.UDPAddr).Port
		second, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", port^1))
		first.Close()
		if err != nil {
			continue
		}
		second.Close()
		return port &^ 1, port | 1
	}
	t.Fatal("no pair of ports is free")
	return 0, 0
}
