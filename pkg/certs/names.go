package certs

import (
	"crypto/x509"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// maxAddresses bounds the addresses in a leaf; machines with many containers have many.
const maxAddresses = 64

// Names are what a robot is reached by.
type Names struct {
	DNS []string
	IPs []netip.Addr
}

// NamesOf returns the names by which a robot is reached in its network: localhost, the name of the machine and that of
// the robot, both alone and in the domain of multicast DNS (.local), and further ones.
func NamesOf(robot string, further []string) []string {
	names := []string{"localhost"}
	host, _ := os.Hostname() // none, if the system does not tell
	for _, name := range append([]string{strings.ToLower(host), robot}, further...) {
		name = strings.TrimSuffix(name, ".")
		if !isName(name) {
			continue
		}
		names = append(names, name)
		if label, domain, _ := strings.Cut(name, "."); domain == "" {
			names = append(names, label+".local")
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// constraints returns the names that an authority may be permitted. A permitted name stands for all below it too, so
// one below which others register theirs is left out: a robot called dev is dev.local.
func constraints(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), isPublicSuffix)
}

// TooWide returns the names that an authority is permitted and must not be: public suffixes, below which others have
// sites. An authority that an earlier version made has some if the robot or its machine is called so.
func TooWide(authority *x509.Certificate) []string {
	return slices.DeleteFunc(slices.Clone(authority.PermittedDNSDomains), func(domain string) bool {
		return !isPublicSuffix(strings.TrimPrefix(domain, "."))
	})
}

// isPublicSuffix reports whether a name is on the list of public suffixes (https://publicsuffix.org). By its rule for
// names that are not on it, any single label would be one.
func isPublicSuffix(name string) bool {
	suffix, icann := publicsuffix.PublicSuffix(name)
	return suffix == name && (icann || strings.Contains(name, "."))
}

// isName reports whether a text is a name of DNS, of letters, digits and hyphens (RFC 1123, 2.1).
func isName(text string) bool {
	if text == "" || len(text) > 253 || net.ParseIP(text) != nil {
		return false
	}
	for label := range strings.SplitSeq(text, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.ContainsFunc(label, func(r rune) bool {
				return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
			}) {
			return false
		}
	}
	return true
}

// addressesOf returns those of interfaces by which other machines can name this one, and the usual ones of loopback.
// Link-local ones of IPv6 mean nothing without an interface, and no browser takes them.
func addressesOf(interfaces []net.Addr) []netip.Addr {
	list := []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	for _, a := range interfaces {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		ip := prefix.Addr().Unmap().WithZone("")
		if ip.IsLoopback() || ip.Is6() && ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() {
			continue
		}
		list = append(list, ip)
	}
	slices.SortFunc(list, netip.Addr.Compare)
	list = slices.Compact(list)
	return list[:min(len(list), maxAddresses)]
}

// covers reports whether a certificate is for all of these names.
func covers(c *x509.Certificate, n Names) bool {
	return !slices.ContainsFunc(n.DNS, func(name string) bool { return c.VerifyHostname(name) != nil }) &&
		!slices.ContainsFunc(n.IPs, func(ip netip.Addr) bool { return c.VerifyHostname(ip.String()) != nil })
}

// Listed returns the names and addresses of a certificate, with commas between.
func Listed(c *x509.Certificate) string {
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return strings.Join(names, ", ")
}
