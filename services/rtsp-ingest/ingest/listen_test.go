package ingest

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"net"
	"strings"
	"testing"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/dial/dialtest"
)

// A device that listens says that nobody publishes, and then who came and was refused.
func TestStateWithoutPublisher(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config := Defaults()
	config.Listen, config.Password = free.Addr().String(), secretWord
	config.Certificate, config.PrivateKey = certificate(t)
	_ = free.Close() // it was only to find a port
	_, conn := startOnBus(t, config)
	sub, err := bus.Subscribe[*devicev1.Device](conn, onBus.State(), stream.Latest())
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	awaitReason(t, sub, "nobody publishes at rtmps://"+config.Listen)
	plain, err := net.Dial("tcp", config.Listen)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if _, err := plain.Write(append([]byte{3}, make([]byte, 1536)...)); err != nil { // the beginning of RTMP
		t.Fatal(err)
	}
	awaitReason(t, sub, "listen: 127.0.0.1 came, and does not speak RTMPS: write rtmps:// there")
}

// awaitReason waits until a device is away for a reason.
func awaitReason(t *testing.T, sub *bus.Subscription[*devicev1.Device], reason string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	last := ""
	for {
		d, err := sub.Next(ctx)
		if err != nil {
			t.Fatalf("the device says %q, want %q: %v", last, reason, err)
		}
		last = d.GetStateReason()
		if d.GetState() == devicev1.DeviceState_DEVICE_STATE_AWAY && strings.HasPrefix(last, reason) {
			return
		}
	}
}

// certificate writes a certificate and its private key, as PEM.
func certificate(t *testing.T) (certificate, privateKey string) {
	t.Helper()
	made := dialtest.Certificate(t)
	private, err := x509.MarshalPKCS8PrivateKey(made.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return file(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made.Certificate[0]}))),
		file(t, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}
