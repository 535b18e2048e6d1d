package onvif

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
)

const (
	discoveryPort = 3702
	maxAnswer     = 16 << 10 // bytes of an answer; a longer one is dropped
	maxAnswers    = 4096     // read from one socket
	maxFound      = 256      // cameras
	maxSockets    = 64
)

var (
	group4 = netip.AddrFrom4([4]byte{239, 255, 255, 250})
	group6 = netip.MustParseAddr("ff02::c")
)

// probes are when the question is asked: a datagram may be lost.
var probes = []time.Duration{0, 350 * time.Millisecond, 900 * time.Millisecond}

// Found is a camera that has answered. Its texts are printable.
type Found struct {
	ID       string          // its own; the same over all networks
	Address  address.Address // of its device service
	Name     string          // often maker and model
	Hardware string          // often the model
	Location string
}

// Search says how to look for cameras.
type Search struct {
	// Wait is how long answers are waited for: 3 s if 0.
	Wait time.Duration
	// Interfaces are where to ask; all that are up and can multicast, and the loopback interface, if nil.
	Interfaces []net.Interface
	// Port is where cameras listen: 3702 if 0.
	Port uint16
}

// Discover asks on every interface, over IPv4 and IPv6, which cameras there are. It returns those that answered within
// the time, ordered by address; each once, by IPv4 if it can. It fails only if nobody could be asked.
func Discover(ctx context.Context, s Search) ([]Found, error) {
	if s.Wait <= 0 {
		s.Wait = 3 * time.Second
	}
	if s.Port == 0 {
		s.Port = discoveryPort
	}
	sockets, err := s.sockets()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.Wait)
	defer cancel()
	answers := make(chan Found)
	var asking sync.WaitGroup
	for _, one := range sockets {
		asking.Go(func() { one.receive(answers) })
		asking.Go(func() { one.ask(ctx) })
	}
	go func() {
		asking.Wait()
		close(answers)
	}()
	return collect(answers), nil
}

// collect takes answers until they end.
func collect(answers <-chan Found) []Found {
	var found []Found
	for one := range answers {
		same := func(f Found) bool {
			return f.Address.HostPort() == one.Address.HostPort() || f.ID != "" && f.ID == one.ID
		}
		if i := slices.IndexFunc(found, same); i < 0 && len(found) < maxFound {
			found = append(found, one)
		} else if i >= 0 && isIPv6(found[i]) && !isIPv6(one) {
			found[i] = one
		}
	}
	slices.SortFunc(found, func(a, b Found) int { return host(a).Compare(host(b)) })
	return found
}

func host(f Found) netip.Addr {
	ip, _ := netip.ParseAddr(f.Address.Host) // it was made of one
	return ip
}

func isIPv6(f Found) bool { return host(f).Is6() }

// socket asks on one interface.
type socket struct {
	conn *net.UDPConn
	to   netip.AddrPort
}

// sockets opens one for each interface and version of IP.
func (s Search) sockets() ([]socket, error) {
	interfaces := s.Interfaces
	if interfaces == nil {
		all, err := net.Interfaces()
		if err != nil {
			return nil, fmt.Errorf("list the network interfaces: %w", err)
		}
		interfaces = slices.DeleteFunc(all, func(i net.Interface) bool {
			return i.Flags&net.FlagUp == 0 || i.Flags&(net.FlagMulticast|net.FlagLoopback) == 0
		})
	}
	var sockets []socket
	failed := errors.New("there is no network interface that is up")
	for _, i := range interfaces {
		addresses, err := i.Addrs()
		if err != nil {
			failed = err
			continue
		}
		for _, local := range locals(addresses) {
			if len(sockets) == maxSockets {
				return sockets, nil
			}
			one, err := s.open(local, i)
			if err != nil {
				failed = err
				continue
			}
			sockets = append(sockets, one)
		}
	}
	if len(sockets) == 0 {
		return nil, fmt.Errorf("no network can be searched: %w", failed)
	}
	return sockets, nil
}

// locals are the addresses of an interface to ask from: every IPv4 one, since each may be of another network, and the
// link-local IPv6 one.
func locals(addresses []net.Addr) (from []netip.Addr) {
	for _, a := range addresses {
		prefix, err := netip.ParsePrefix(a.String())
		if ip := prefix.Addr().Unmap(); err == nil && (ip.Is4() || ip.IsLinkLocalUnicast()) {
			from = append(from, ip)
		}
	}
	return from
}

func (s Search) open(local netip.Addr, i net.Interface) (socket, error) {
	network, group := "udp4", group4 // what is sent from an address of an interface leaves by it
	if local.Is6() {
		network, group, local = "udp6", group6.WithZone(i.Name), local.WithZone(i.Name)
	}
	conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, 0)))
	return socket{conn, netip.AddrPortFrom(group, s.Port)}, err
}

const probe = `<?xml version="1.0" encoding="UTF-8"?>
<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" ` +
	`xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" ` +
	`xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:dn="http://www.onvif.org/ver10/network/wsdl">` +
	`<s:Header><a:Action s:mustUnderstand="1">http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action>` +
	`<a:MessageID>urn:uuid:%s</a:MessageID><a:ReplyTo><a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/` +
	`role/anonymous</a:Address></a:ReplyTo>` +
	`<a:To s:mustUnderstand="1">urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>` +
	`</s:Header><s:Body><d:Probe>%s</d:Probe></s:Body></s:Envelope>`

// ask sends the question, and ends the socket with ctx. Some cameras answer only to their type, some only without one.
func (s socket) ask(ctx context.Context) {
	defer func() { _ = s.conn.Close() }() // ends receive
	questions := []string{
		fmt.Sprintf(probe, uuid(), "<d:Types>dn:NetworkVideoTransmitter</d:Types>"), fmt.Sprintf(probe, uuid(), ""),
	}
	begin := time.Now()
	for _, at := range probes {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(begin.Add(at))):
		}
		for _, q := range questions {
			_, _ = s.conn.WriteToUDPAddrPort([]byte(q), s.to) // an interface without a route has no cameras
		}
	}
	<-ctx.Done()
}

// uuid is a random one (version 4).
func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// receive passes on answers until the socket ends.
func (s socket) receive(to chan<- Found) {
	buffer := make([]byte, maxAnswer+1)
	for range maxAnswers {
		n, from, err := s.conn.ReadFromUDPAddrPort(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil || n > maxAnswer {
			continue
		}
		if one, ok := readAnswer(buffer[:n], from.Addr()); ok {
			to <- one
		}
	}
}

// readAnswer reads what an address answers to a probe; false if it is no camera.
func readAnswer(data []byte, from netip.Addr) (Found, bool) {
	from = from.Unmap()
	if !from.IsPrivate() && !from.IsLinkLocalUnicast() && !from.IsLoopback() {
		return Found{}, false
	}
	root, err := parse(data)
	match := root.find("ProbeMatches", "ProbeMatch")
	if err != nil || match == nil {
		return Found{}, false
	}
	types, scopes := match.value("Types"), match.value("Scopes")
	if !strings.Contains(types, "NetworkVideoTransmitter") && !strings.Contains(strings.ToLower(scopes), "onvif") {
		return Found{}, false
	}
	at, ok := service(match.value("XAddrs"), from)
	if !ok {
		return Found{}, false
	}
	f := Found{ID: shown(match.value("EndpointReference", "Address")), Address: at}
	for scope := range strings.FieldsSeq(scopes) {
		f.describe(scope)
	}
	return f, true
}

// service takes port and path of a device service from what a camera says, and the host from where it came.
func service(xaddrs string, from netip.Addr) (at address.Address, ok bool) {
	for raw := range strings.FieldsSeq(xaddrs) {
		u, err := url.Parse(raw)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" {
			continue
		}
		port := ""
		if u.Port() != "" {
			port = ":" + u.Port()
		}
		one, err := address.Parse(u.Scheme+"://"+bracketed(from)+port+u.RequestURI(), "", "")
		if err != nil {
			continue
		}
		if ip, err := netip.ParseAddr(u.Hostname()); err == nil && ip.Unmap() == from.WithZone("") {
			return one, true
		}
		if !ok {
			at, ok = one, true
		}
	}
	return at, ok
}

func bracketed(ip netip.Addr) string {
	if ip.Is6() {
		return "[" + ip.String() + "]"
	}
	return ip.String()
}

// describe takes what a scope says: onvif://www.onvif.org/name/Front%20door.
func (f *Found) describe(scope string) {
	_, rest, ok := strings.Cut(scope, "www.onvif.org/")
	kind, value, both := strings.Cut(rest, "/")
	if plain, err := url.PathUnescape(value); err == nil {
		value = plain
	}
	into := map[string]*string{"name": &f.Name, "hardware": &f.Hardware, "location": &f.Location}[kind]
	if ok && both && into != nil && *into == "" {
		*into = shown(value)
	}
}
