package socket

import (
	"bytes"
	"net"
	"testing"
)

func TestTrust(t *testing.T) {
	for _, tt := range []struct {
		release string
		virtio  bool
		trusted bool
	}{
		{"4.18.0", true, true},
		{"5.15.0-1053-raspi", false, true},
		{"6.1.0-40-amd64", true, true},
		{"6.12.25+rpt-rpi-v8", false, true},
		{"6.16.12", true, true},
		{"6.17.0-41-generic", true, false}, // tailscale/tailscale#21335
		{"6.17.0-41-generic", false, true},
		{"6.17", true, false},
		{"6.18.44", true, true},
		{"6.19.0-rc3", true, true},
		{"7.0.0", false, false}, // tailscale/tailscale#19777, like those that follow
		{"7.0.14-pve", false, false},
		{"7.1.4", true, false},
		{"7.1.5", true, true},
		{"7.2-rc1", false, true},
		{"8.0.0", true, true},
		{"", false, false},
		{"unknown", false, false},
	} {
		if err := trust(tt.release, tt.virtio); (err == nil) != tt.trusted {
			t.Errorf("%q with virtio %v: %v, want trust %v", tt.release, tt.virtio, err, tt.trusted)
		}
	}
}

func TestThisSystemCuts(t *testing.T) {
	if !supported {
		t.Skip("not on this system")
	}
	d := listen(t, "127.0.0.1:0").descriptor
	if !d.cuts {
		t.Skip("not with this kernel")
	}
	if err := test(); err != nil {
		t.Error(err)
	}
	if err := cutting(Off, d); err == nil {
		t.Error("packets are cut although that is off")
	}
	if err := cutting(On, d); err != nil {
		t.Error(err)
	}
	if err, untrusted := cutting(Auto, d), trust(kernel()); (err == nil) != (untrusted == nil) {
		t.Errorf("cutting: %v, trust: %v", err, untrusted)
	}
}

// damage is a system that damages what it cuts.
type damage struct {
	calls
	to  net.Addr
	as  func(packets [][]byte) [][]byte
	out *net.UDPConn
}

func (d *damage) segments(r *Run) error {
	var all [][]byte
	for packet := range r.Packets() {
		all = append(all, bytes.Clone(packet))
	}
	for _, packet := range d.as(all) {
		if _, err := d.out.WriteTo(packet, d.to); err != nil {
			return err
		}
	}
	return nil
}

func TestTestFindsDamage(t *testing.T) {
	for name, tt := range map[string]struct {
		as   func(packets [][]byte) [][]byte
		good bool
	}{
		"none":                 {func(p [][]byte) [][]byte { return p }, true},
		"another byte":         {func(p [][]byte) [][]byte { p[3][7]++; return p }, false},
		"a longer last packet": {func(p [][]byte) [][]byte { p[3] = append(p[3], 0); return p }, false},
		"two together": {func(p [][]byte) [][]byte {
			return [][]byte{append(p[0], p[1]...), p[2], p[3], p[3]}
		}, false},
		"another order": {func(p [][]byte) [][]byte { p[0], p[1] = p[1], p[0]; return p }, false},
	} {
		t.Run(name, func(t *testing.T) {
			out, in := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
			err := tryCutting(&damage{to: in.LocalAddr(), as: tt.as, out: out.UDPConn}, in.UDPConn)
			if (err == nil) != tt.good {
				t.Errorf("found %v", err)
			}
		})
	}
}
