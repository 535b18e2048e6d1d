package fakecam

import (
	"fmt"
	"net"
	"strings"
)

// Discovery says how a camera answers WS-Discovery.
type Discovery struct {
	Interface *net.Interface // where it listens; the loopback interface if nil
	Port      int            // any if 0; see ONVIFCamera.DiscoveryPort
	Types     string         // "dn:NetworkVideoTransmitter" if empty
	Scopes    string         // of a camera in a hall if empty
	XAddrs    string         // %a becomes host:port, %q the port; that of the device service if empty
	Untyped   bool           // answers only to probes without a type
	Twice     bool           // answers each probe twice
	Raw       []byte         // is the answer, if not nil
}

// answerProbes listens for probes until Close.
func (c *ONVIFCamera) answerProbes(d Discovery) error {
	set(&d.Types, "dn:NetworkVideoTransmitter")
	set(&d.Scopes, "onvif://www.onvif.org/type/video_encoder onvif://www.onvif.org/name/Fake%20F-1 "+
		"onvif://www.onvif.org/hardware/F-1 onvif://www.onvif.org/location/hall")
	set(&d.XAddrs, "http://0.0.0.0/onvif/wrong http://%a/onvif/device_service")
	if d.Interface == nil {
		lo, err := net.InterfaceByName("lo")
		if err != nil {
			return fmt.Errorf("fakecam: the loopback interface: %w", err)
		}
		d.Interface = lo
	}
	_, port, _ := net.SplitHostPort(c.address) // it is one
	d.XAddrs = strings.NewReplacer("%a", c.address, "%q", port).Replace(d.XAddrs)
	conn, err := net.ListenMulticastUDP("udp4", d.Interface, &net.UDPAddr{IP: net.IPv4(239, 255, 255, 250), Port: d.Port})
	if err != nil {
		return fmt.Errorf("fakecam: listen for probes: %w", err)
	}
	c.probes = conn
	c.running.Go(func() { c.hear(d) })
	return nil
}

// DiscoveryPort is where the camera listens for probes.
func (c *ONVIFCamera) DiscoveryPort() uint16 {
	return c.probes.LocalAddr().(*net.UDPAddr).AddrPort().Port()
}

func (c *ONVIFCamera) hear(d Discovery) {
	buffer := make([]byte, 64<<10)
	for {
		n, from, err := c.probes.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return
		}
		s, err := readSOAP(strings.NewReader(string(buffer[:n])))
		if err != nil || s.operation != "Probe" || d.Untyped && s.texts["Types"] != "" {
			continue
		}
		c.add(Probed)
		answer := d.Raw
		if answer == nil {
			answer = fmt.Appendf(nil, `<E:Envelope xmlns:E="http://www.w3.org/2003/05/soap-envelope"><E:Header><RelatesTo>%s`+
				`</RelatesTo></E:Header><E:Body><ProbeMatches><ProbeMatch><EndpointReference><Address>urn:uuid:%s</Address>`+
				`</EndpointReference><Types>%s</Types><Scopes>%s</Scopes><XAddrs>%s</XAddrs></ProbeMatch></ProbeMatches></E:Body>`+
				`</E:Envelope>`, s.texts["MessageID"], c.address, d.Types, d.Scopes, d.XAddrs)
		}
		for range map[bool]int{false: 1, true: 2}[d.Twice] {
			_, _ = c.probes.WriteToUDPAddrPort(answer, from) // who asked may have gone
		}
	}
}
