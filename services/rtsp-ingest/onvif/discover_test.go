package onvif

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/text"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
)

// search looks for a fake camera until it is found, or for a moment if it must not be.
func search(t *testing.T, camera *fakecam.ONVIFCamera, wait time.Duration) []Found {
	t.Helper()
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	for begin := time.Now(); ; {
		found, err := Discover(t.Context(), Search{Wait: wait, Interfaces: []net.Interface{*lo},
			Port: camera.DiscoveryPort()})
		if err != nil {
			t.Fatal(err)
		}
		if len(found) > 0 || time.Since(begin) > patience || camera.Count(fakecam.Probed) > 0 && wait > time.Second {
			return found
		}
	}
}

func TestDiscover(t *testing.T) {
	for name, d := range map[string]fakecam.Discovery{
		"the rules are kept":           {},
		"only probes without a type":   {Untyped: true},
		"every answer twice":           {Twice: true},
		"an address that is nobody's":  {XAddrs: "http://0.0.0.0:%q/onvif/device_service"},
		"several addresses":            {XAddrs: "ftp://x junk http://169.254.1.1:81/a http://%a/onvif/device_service"},
		"another's address":            {XAddrs: "http://8.8.8.8:%q/onvif/device_service"},
		"types without, scopes with":   {Types: "tds:Device"},
		"types with, scopes elsewhere": {Scopes: "odm:name:x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			camera := fakecam.StartONVIF(t, fakecam.ONVIFConfig{Discovery: &d})
			found := search(t, camera, 300*time.Millisecond)
			if len(found) != 1 || found[0].Address.URL() != camera.URL() {
				t.Fatalf("%+v", found)
			}
			if f := found[0]; d.Scopes == "" && (f.Name != "Fake F-1" || f.Hardware != "F-1" || f.Location != "hall") {
				t.Errorf("%+v", f)
			}
		})
	}
}

// TestStrangersAreNoCameras: printers answer probes as well, and not everything that answers is harmless.
func TestStrangersAreNoCameras(t *testing.T) {
	for name, d := range map[string]fakecam.Discovery{
		"a printer":        {Types: "wsdp:Device", Scopes: "ldap:///x"},
		"no address":       {XAddrs: "ftp://x"},
		"an endless one":   {Raw: []byte(strings.Repeat("<onvif>", maxAnswer))[:60<<10]},
		"something other":  {Raw: []byte("onvif")},
		"an empty message": {Raw: []byte{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			camera := fakecam.StartONVIF(t, fakecam.ONVIFConfig{Discovery: &d})
			if found := search(t, camera, 1100*time.Millisecond); len(found) > 0 {
				t.Errorf("%+v", found)
			}
			if camera.Count(fakecam.Probed) == 0 {
				t.Error("nobody asked")
			}
		})
	}
}

func TestEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if found, err := Discover(ctx, Search{Wait: time.Hour, Port: 1}); len(found) > 0 {
		t.Errorf("%v, %v", found, err)
	}
}

const match = `<Envelope><Body><ProbeMatches><ProbeMatch><Types>NetworkVideoTransmitter</Types>` +
	`<XAddrs>http://10.0.0.7/x</XAddrs></ProbeMatch></ProbeMatches></Body></Envelope>`

func TestOnlyNeighboursAnswer(t *testing.T) {
	for from, want := range map[string]string{
		"10.0.0.7": "http://10.0.0.7/x", "192.168.1.2": "http://192.168.1.2/x", "169.254.3.4": "http://169.254.3.4/x",
		"::ffff:10.0.0.7": "http://10.0.0.7/x", "fe80::1%eth0": "http://[fe80::1]/x", "fd00::1": "http://[fd00::1]/x",
		"127.0.0.1": "http://127.0.0.1/x", "8.8.8.8": "", "2001:db8::1": "", "::ffff:8.8.8.8": "", "100.64.0.1": "",
	} {
		f, ok := readAnswer([]byte(match), netip.MustParseAddr(from))
		if ok != (want != "") || ok && f.Address.URL() != want {
			t.Errorf("%s: %v, %v", from, f.Address, ok)
		}
		if ok && strings.Contains(from, "%") && f.Address.HostPort() != "[fe80::1%eth0]:80" {
			t.Errorf("the zone is lost: %s", f.Address.HostPort())
		}
	}
}

// TestOneOfEach: a camera that answers on several networks is one camera, by IPv4 if it can.
func TestOneOfEach(t *testing.T) {
	answers := make(chan Found)
	go func() {
		defer close(answers)
		id := strings.Replace(match, "<Types>", "<EndpointReference><Address>urn:1</Address></EndpointReference><Types>", 1)
		for _, from := range []string{"fe80::1%eth0", "10.0.0.7", "192.168.0.7", "10.0.0.3"} {
			data := id
			if from == "10.0.0.3" {
				data = match
			}
			f, _ := readAnswer([]byte(data), netip.MustParseAddr(from))
			answers <- f
		}
		for i := range 2 * maxFound {
			f, _ := readAnswer([]byte(match), netip.AddrFrom4([4]byte{10, 1, byte(i / 256), byte(i)}))
			answers <- f
		}
	}()
	found := collect(answers)
	if len(found) != maxFound || found[0].Address.Host != "10.0.0.3" || found[1].Address.Host != "10.0.0.7" ||
		found[2].Address.Host != "10.1.0.0" {
		t.Errorf("%d: %v, %v, %v", len(found), found[0].Address, found[1].Address, found[2].Address)
	}
}

func FuzzDiscovery(f *testing.F) {
	f.Add([]byte(match))
	f.Add(bytes.ReplaceAll([]byte(match), []byte("10.0.0.7"), []byte("[::1]:80")))
	f.Add([]byte(`<ProbeMatches><ProbeMatch><Scopes>onvif://www.onvif.org/name/%1b%zz</Scopes></ProbeMatch>` +
		`</ProbeMatches>`))
	for _, d := range documents {
		f.Add([]byte(d))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		one, ok := readAnswer(data, netip.MustParseAddr("10.0.0.7"))
		if ok && (one.Address.Host != "10.0.0.7" || one.Address.User != "" || !text.IsPrintable(one.ID+one.Name+
			one.Hardware+one.Location)) {
			t.Fatalf("%+v", one)
		}
	})
}
