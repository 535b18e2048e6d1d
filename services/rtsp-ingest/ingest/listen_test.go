package ingest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// A device that listens says that nobody publishes, and then who came and was refused.
func TestStateWithoutPublisher(t *testing.T) {
	nats, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nats.Close)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config := Defaults()
	config.Listen, config.Password = free.Addr().String(), secretWord
	config.Certificate, config.PrivateKey = certificate(t)
	_ = free.Close() // it was only to find a port
	if err := config.Validate(); err != nil {
		t.Fatal(err)
	}
	settings := device.Settings{Robot: onBus.Robot, Device: onBus.Device, NATS: nats.URL()}
	p, err := device.Start(Kind(), settings, config, logtest.New(t, slog.LevelInfo))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	conn, err := bus.Connect(bus.Config{URL: nats.URL(), Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	sub, err := bus.Subscribe[*devicev1.Device](conn.Conn, onBus.State(), stream.Latest())
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
	must := func(data []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(nil, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	public := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	private := must(x509.MarshalPKCS8PrivateKey(key))
	return file(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: public}))),
		file(t, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}
