package relay

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"
	"golang.org/x/sys/unix"

	"github.com/waldo-robot/waldo/pkg/socket"
)

// Streams of 5 Mbit/s, as ten viewers or robots have them: 30 pictures a second of 17 packets of 1200 bytes. Half of
// them go from a peer to a client, half from a client to a peer.
const (
	benchStreams    = 10
	benchPacket     = 1200
	benchPerPicture = 17
	benchPictures   = 30
	benchTime       = 4 * time.Second
	benchRounds     = 3
)

// benchSending is how a stream's packets come.
type benchSending struct {
	name   string
	joined bool // a picture with one call, as the gateway of Waldo sends it
	spread bool // evenly over the time of a picture, in the worst case
}

// BenchmarkTurn compares the CPU time of the relay with that of coturn, in the same run.
func BenchmarkTurn(b *testing.B) {
	for _, w := range []way{byUDP, byTCP, byTLS} {
		for _, s := range []benchSending{{name: "pictures"}, {name: "joined", joined: true}, {name: "spread", spread: true}} {
			if w != byUDP && s.name != "pictures" {
				continue
			}
			b.Run(fmt.Sprintf("%s/%s", w, s.name), func(b *testing.B) {
				for b.Loop() {
					var ours, theirs, ratios []float64
					for range benchRounds { // in turn, since other things run on the machine
						ours = append(ours, benchOurs(b, w, s))
						theirs = append(theirs, benchCoturn(b, w, s))
						ratios = append(ratios, ours[len(ours)-1]/theirs[len(theirs)-1])
					}
					b.ReportMetric(0, "ns/op")
					b.ReportMetric(median(ours), "µs/Mbit")
					b.ReportMetric(median(theirs), "coturn-µs/Mbit")
					b.ReportMetric(median(ratios), "ratio")
				}
			})
		}
	}
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

func benchOurs(b *testing.B, w way, s benchSending) float64 {
	secret := "of the benchmark"
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), childSecret+"="+secret)
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	defer command.Wait()
	defer stdin.Close()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	ports := strings.Fields(line)
	r := &Relay{config: Config{Secret: []byte(secret), Life: time.Hour}}
	return benchLoad(b, command.Process.Pid, w, s, ports[0], ports[1], r.Credentials("rover", "page"))
}

func benchCoturn(b *testing.B, w way, s benchSending) float64 {
	program, err := exec.LookPath("turnserver")
	if err != nil {
		b.Skip("coturn is not installed")
	}
	folder := b.TempDir()
	certificate, key := filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	writePEM(b, certificate, key)
	udp, tls := freePort(b), freePort(b)
	command := exec.Command(program, "-n", "--no-cli", "--lt-cred-mech", "--user", "page:secret", "--realm", "waldo",
		"--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1", "--listening-port", udp, "--tls-listening-port", tls,
		"--allow-loopback-peers", "--no-multicast-peers", "--no-dtls", "--cert", certificate, "--pkey", key,
		"--log-file", "/dev/null", "--no-stdout-log", "--pidfile", filepath.Join(folder, "pid"),
		"--userdb", filepath.Join(folder, "db"))
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	defer command.Wait()
	defer command.Process.Kill()
	waitFor(b, "coturn listens", func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+udp)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	port := udp
	if w == byTLS {
		port = tls
	}
	return benchLoad(b, command.Process.Pid, w, s, "127.0.0.1:"+udp, "127.0.0.1:"+port,
		Credentials{Username: "page", Password: "secret"})
}

// benchLoad returns the CPU time of a process for each megabit that it passes on.
func benchLoad(b *testing.B, pid int, w way, s benchSending, udp, stream string, c Credentials) float64 {
	var received atomic.Int64
	var all []*benchStream
	for i := range benchStreams {
		all = append(all, newBenchStream(b, w, udp, stream, c, i%2 == 0, &received))
	}
	before, begin := cpuTime(b, pid), received.Load()
	var group sync.WaitGroup
	end := time.Now().Add(benchTime)
	for i, one := range all {
		group.Go(func() {
			time.Sleep(time.Second / benchPictures * time.Duration(i) / benchStreams)
			one.play(s, end)
		})
	}
	group.Wait()
	time.Sleep(100 * time.Millisecond)
	used, bytes := cpuTime(b, pid)-before, received.Load()-begin
	for _, one := range all {
		one.close()
	}
	sent := float64(benchStreams*benchPictures*benchPerPicture*benchPacket) * benchTime.Seconds()
	if share := float64(bytes) / sent; share < 0.97 {
		b.Logf("only %.1f %% arrived from port %s", 100*share, udp)
	}
	return float64(used.Microseconds()) / (float64(bytes) * 8 / 1e6)
}

// cpuTime is the time that the threads of a process have run, in the kernel and outside.
func cpuTime(b *testing.B, pid int) time.Duration {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	var sum int64
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		n, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += n
	}
	return time.Duration(sum)
}

// benchStream is an allocation with one peer, and a channel to it.
type benchStream struct {
	peer   *socket.Bursts
	stream net.Conn       // of TCP
	bursts *socket.Bursts // of UDP
	server netip.AddrPort
	number uint16
	send   func(packets int)
	close  func()
}

func newBenchStream(b *testing.B, w way, udp, stream string, c Credentials, up bool,
	received *atomic.Int64) *benchStream {
	b.Helper()
	one := &benchStream{server: netip.MustParseAddrPort(udp), peer: benchSocket(b)}
	var conn net.PacketConn
	server := udp
	switch w {
	case byUDP:
		one.bursts = benchSocket(b)
		conn = one.bursts.UDPConn
	default:
		dialed, err := net.Dial("tcp", stream)
		if err != nil {
			b.Fatal(err)
		}
		if w == byTLS {
			dialed = tls.Client(dialed, &tls.Config{InsecureSkipVerify: true})
		}
		one.stream, server = dialed, stream
		conn = turn.NewSTUNConn(dialed)
	}
	tap := &benchTap{PacketConn: conn}
	client := newClient(b, tap, server, c)
	relayed, err := client.Allocate()
	if err != nil {
		b.Fatal(err)
	}
	peer := one.peer.LocalAddr()
	relayedAt := relayed.LocalAddr().(*net.UDPAddr).AddrPort()
	waitFor(b, "a channel is bound", func() bool {
		_, _ = relayed.WriteTo(make([]byte, benchPacket), peer)
		return tap.bound.Load() != 0
	})
	one.number = uint16(tap.bound.Load())
	var readers sync.WaitGroup
	if up {
		readers.Go(func() { count(one.peer.UDPConn, received) })
		one.send = one.sendUp
	} else {
		readers.Go(func() { count(relayed, received) })
		one.send = func(packets int) { sendRun(one.peer, nil, packets, relayedAt) }
	}
	one.close = func() {
		one.peer.Close()
		relayed.Close()
		client.Close()
		conn.Close()
		readers.Wait()
	}
	return one
}

func (o *benchStream) sendUp(packets int) {
	var header [channelHeader]byte
	putChannelHeader(header[:], o.number, benchPacket)
	if o.bursts != nil {
		sendRun(o.bursts, header[:], packets, o.server)
		return
	}
	var all []byte
	for range packets {
		all = append(append(all, header[:]...), make([]byte, benchPacket)...)
	}
	_, _ = o.stream.Write(all)
}

func sendRun(s *socket.Bursts, header []byte, packets int, to netip.AddrPort) {
	var run socket.Run
	packet := make([]byte, benchPacket)
	for range packets {
		run.Add(header, packet)
	}
	_ = s.Send(&run, to)
}

func (o *benchStream) play(s benchSending, end time.Time) {
	const picture = time.Second / benchPictures
	next := time.Now()
	for time.Now().Before(end) {
		switch {
		case s.joined:
			o.send(benchPerPicture)
		case s.spread:
			for i := range benchPerPicture {
				time.Sleep(time.Until(next.Add(picture * time.Duration(i) / benchPerPicture)))
				o.send(1)
			}
		default:
			for range benchPerPicture {
				o.send(1)
			}
		}
		next = next.Add(picture)
		time.Sleep(time.Until(next))
	}
}

func count(c net.PacketConn, received *atomic.Int64) {
	b := make([]byte, 65536)
	for {
		n, _, err := c.ReadFrom(b)
		if err != nil {
			return
		}
		received.Add(int64(n))
	}
}

func benchSocket(b *testing.B) *socket.Bursts {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	_ = c.SetReadBuffer(4 << 20)
	s, err := socket.NewBursts(c)
	if err != nil {
		b.Fatal(err)
	}
	raw, err := c.SyscallConn()
	if err != nil {
		b.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { // browsers do not have what arrives joined either
		_ = unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_GRO, 0)
	}); err != nil {
		b.Fatal(err)
	}
	return s
}

// benchTap learns which channel the client has bound.
type benchTap struct {
	net.PacketConn
	asked sync.Map // transaction to number
	bound atomic.Int32
}

func (t *benchTap) WriteTo(b []byte, to net.Addr) (int, error) {
	m := &stun.Message{Raw: b}
	if stun.IsMessage(b) && m.Decode() == nil && m.Type.Method == stun.MethodChannelBind {
		if number, err := m.Get(stun.AttrChannelNumber); err == nil {
			t.asked.Store(m.TransactionID, int32(binary.BigEndian.Uint16(number)))
		}
	}
	return t.PacketConn.WriteTo(b, to)
}

func (t *benchTap) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := t.PacketConn.ReadFrom(b)
	m := &stun.Message{Raw: b[:n]}
	if err == nil && stun.IsMessage(b[:n]) && m.Decode() == nil &&
		m.Type == stun.NewType(stun.MethodChannelBind, stun.ClassSuccessResponse) {
		if number, ok := t.asked.Load(m.TransactionID); ok {
			t.bound.Store(number.(int32))
		}
	}
	return n, from, err
}

func freePort(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func writePEM(b *testing.B, certificate, key string) {
	pair := selfSigned().Certificates[0]
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		b.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		certificate: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			b.Fatal(err)
		}
	}
}
