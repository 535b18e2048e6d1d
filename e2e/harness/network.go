package harness

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness/internet"
)

// Network is a network namespace for a robot, which this machine reaches through a router in another namespace. When
// the router is cut, packets vanish silently in both directions, as they do when a robot leaves radio range. There is
// one Network at a time.
type Network struct {
	robot, router string   // the names of the namespaces
	forward       *os.File // the router's switch
}

// The addresses are from the network that RFC 2544 reserves for tests.
const (
	robotAddress   = "198.18.2.1"
	robotRouter    = "198.18.2.2"
	machineAddress = "198.18.1.1"
	machineRouter  = "198.18.1.2"
)

// StartNetwork makes the network. It needs root and iproute2; without root it skips the test, loudly.
func StartNetwork(tb testing.TB) *Network {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Skip("NOT RUN: network namespaces need root. The behavior when the network is cut is not tested")
	}
	id := fmt.Sprint(os.Getpid())
	n := &Network{robot: "waldo-robot-" + id, router: "waldo-router-" + id}
	for _, name := range []string{n.robot, n.router} {
		ip(tb, "netns", "add", name)
		tb.Cleanup(func() { ip(tb, "netns", "del", name) })
	}
	near := "waldo" + id
	ip(tb, "link", "add", near, "type", "veth", "peer", "name", "near", "netns", n.router)
	tb.Cleanup(func() { ip(tb, "link", "del", near) })
	ip(tb, "-n", n.router, "link", "add", "far", "type", "veth", "peer", "name", "eth0", "netns", n.robot)
	n.set(tb, "", near, machineAddress)
	n.set(tb, n.router, "near", machineRouter)
	n.set(tb, n.router, "far", robotRouter)
	n.set(tb, n.robot, "eth0", robotAddress)
	ip(tb, "-n", n.robot, "link", "set", "lo", "up")
	ip(tb, "-n", n.robot, "route", "add", "default", "via", robotRouter)
	ip(tb, "route", "add", robotAddress, "via", machineRouter)
	n.forward = openIn(tb, n.router, "/proc/sys/net/ipv4/ip_forward")
	n.Join(tb)
	return n
}

// openIn opens a file of /proc inside a namespace, for writing.
func openIn(tb testing.TB, namespace, path string) (file *os.File) {
	tb.Helper()
	err := within(namespace, func() (err error) {
		file, err = os.OpenFile(path, os.O_WRONLY, 0)
		return err
	})
	if err != nil {
		tb.Fatalf("namespace %s: %v", namespace, err)
	}
	tb.Cleanup(func() { _ = file.Close() })
	return file
}

// within runs f in a namespace. Sockets and files that f opens stay there.
func within(namespace string, f func() error) error {
	return internet.Within("/run/netns/"+namespace, f)
}

// Command is how a program is run on the robot's side.
func (n *Network) Command(program string, args ...string) (string, []string) {
	return n.command(program, args...)
}

// Machine is a free address of this machine at which it is reached from the robot's side.
func (n *Network) Machine(tb testing.TB) string {
	tb.Helper()
	_, port, _ := net.SplitHostPort(FreeAddress(tb)) // free on all addresses, in all likelihood
	return net.JoinHostPort(machineAddress, port)
}

func (n *Network) client() *http.Client {
	if n == nil {
		return http.DefaultClient
	}
	return clientWithin(func(f func() error) error { return within(n.robot, f) })
}

// set gives a link its address and brings it up. An address of IPv6, which the kernel would add two seconds later,
// would be another change of the network: Chromium gives up the connections it is opening then (ERR_NETWORK_CHANGED).
func (*Network) set(tb testing.TB, namespace, link, address string) {
	tb.Helper()
	var in []string
	if namespace != "" {
		in = []string{"-n", namespace}
	}
	ip(tb, append(in, "address", "add", address+"/24", "dev", link)...)
	ip(tb, append(in, "link", "set", link, "addrgenmode", "none")...)
	ip(tb, append(in, "link", "set", link, "up")...)
}

// Cut makes the router drop everything, at once.
func (n *Network) Cut(tb testing.TB) {
	tb.Helper()
	n.turn(tb, "0")
}

// Join ends Cut.
func (n *Network) Join(tb testing.TB) {
	tb.Helper()
	n.turn(tb, "1")
}

// Lose makes the router drop the given percentage of all datagrams, at random, until the network ends.
func (n *Network) Lose(tb testing.TB, percent int) {
	tb.Helper()
	rules := fmt.Sprintf("table inet loss {\nchain forward {\ntype filter hook forward priority 0\nmeta l4proto udp "+
		"numgen random mod 100 < %d drop\n}\n}\n", percent)
	nft := exec.Command("ip", "netns", "exec", n.router, "nft", "-f", "-")
	nft.Stdin = strings.NewReader(rules)
	if out, err := nft.CombinedOutput(); err != nil {
		tb.Fatalf("nft: %v: %s: run `make deps-test`", err, out)
	}
}

func (n *Network) turn(tb testing.TB, to string) {
	tb.Helper()
	if _, err := n.forward.WriteAt([]byte(to), 0); err != nil {
		tb.Fatalf("the router: %v", err)
	}
}

func (n *Network) address(tb testing.TB) (listen, found string) {
	tb.Helper()
	listen = FreeAddress(tb)
	if n != nil {
		_, port, _ := net.SplitHostPort(listen) // all are free over there
		listen = net.JoinHostPort(robotAddress, port)
	}
	return listen, listen
}

func (n *Network) secret() []string {
	if n == nil {
		return nil
	}
	return []string{"WALDO_TOKEN=" + Token}
}

func (n *Network) command(program string, args ...string) (string, []string) {
	if n == nil {
		return program, args
	}
	return "ip", append([]string{"netns", "exec", n.robot, program}, args...)
}

func ip(tb testing.TB, args ...string) {
	tb.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		tb.Errorf("ip %s: %v: %s: run `make deps-test`", strings.Join(args, " "), err, out)
	}
}
