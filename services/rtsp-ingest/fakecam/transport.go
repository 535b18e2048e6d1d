package fakecam

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
)

// transport carries one track to a viewer.
type transport struct {
	track   Track
	number  int
	conn    *conn
	channel byte // announced, of TCP
	actual  byte
	udp     *udpPair // nil over TCP
}

// udpPair is what a track needs over UDP.
type udpPair struct {
	rtp, rtcp     *net.UDPConn
	toRTP, toRTCP *net.UDPAddr
	maxPacket     int
	silent        bool
	reading       sync.WaitGroup
}

func (cn *conn) setup(req *Request, resp *Response) func(context.Context) bool {
	number := trackOf(req.URL)
	if !cn.camera.serves(req.URL) || number >= len(cn.camera.config.Tracks) {
		resp.Status = 404
		return nil
	}
	t := &transport{track: cn.camera.config.Tracks[number], number: number, conn: cn}
	asked, udp, ok := choose(req.Header.Get("Transport"), cn.camera.config.Transport)
	udp = udp && !cn.camera.config.Transport.TCPForUDP
	if !ok {
		resp.Status = 461
		return nil
	}
	if cn.camera.speaks(cn, t, req) {
		return cn.refuse(resp)
	}
	if resp.Status = cn.camera.enter(cn, req); resp.Status != 200 {
		if resp.Status == cn.camera.config.Session.FullStatus {
			return cn.refuse(resp)
		}
		return nil
	}
	field, err := t.open(asked, udp)
	if err != nil {
		resp.Status = 500
		return nil
	}
	cn.camera.put(cn.session, t)
	if edit := cn.camera.config.Transport.Field; edit != nil {
		field = edit(field)
	}
	resp.Add("Session", cn.session.field())
	if field != "" {
		resp.Add("Transport", field)
	}
	return nil
}

// put gives a session the transport of a track, instead of one that it had.
func (c *Camera) put(s *session, t *transport) {
	c.mu.Lock()
	old := s.tracks[t.number]
	s.tracks[t.number] = t
	c.mu.Unlock()
	if old != nil {
		old.close()
	}
}

// choose returns the first transport of a Transport field that the camera takes.
func choose(field string, conf Transport) (asked string, udp, ok bool) {
	for asked := range strings.SplitSeq(field, ",") {
		udp := !strings.Contains(strings.ToUpper(asked), "/TCP") && !strings.Contains(asked, "interleaved")
		multicast := strings.Contains(asked, "multicast")
		if !multicast && (udp && !conf.NoUDP || !udp && !conf.NoTCP) {
			return strings.TrimSpace(asked), udp, true
		}
	}
	return "", false, false
}

// open makes the transport ready and returns the value of the Transport field.
func (t *transport) open(asked string, udp bool) (string, error) {
	if udp {
		return t.openUDP(asked)
	}
	t.channel = byte(2 * t.number)
	if first, _, ok := pair(asked, "interleaved"); ok {
		t.channel = byte(first)
	}
	t.actual = t.channel
	if actual := t.conn.camera.config.Transport.Channel; actual != nil {
		t.actual = byte(actual(int(t.channel)))
	}
	return fmt.Sprintf("RTP/AVP/TCP;unicast;interleaved=%d-%d", t.channel, t.channel+1), nil
}

func (t *transport) openUDP(asked string) (string, error) {
	rtpPort, rtcpPort, ok := pair(asked, "client_port")
	remote, isTCP := t.conn.nc.RemoteAddr().(*net.TCPAddr)
	local, _ := t.conn.nc.LocalAddr().(*net.TCPAddr)
	if !ok || !isTCP {
		return "", errors.New("no client_port")
	}
	u := &udpPair{
		toRTP:     &net.UDPAddr{IP: remote.IP, Port: rtpPort},
		toRTCP:    &net.UDPAddr{IP: remote.IP, Port: rtcpPort},
		maxPacket: t.conn.camera.config.Transport.MaxPacket,
		silent:    t.conn.camera.config.Transport.SilentUDP,
	}
	if err := u.listen(local.IP); err != nil {
		return "", err
	}
	t.udp = u
	u.reading.Go(func() { t.readUDP(u.rtp, false) })
	u.reading.Go(func() { t.readUDP(u.rtcp, true) })
	port := u.rtp.LocalAddr().(*net.UDPAddr).Port
	return fmt.Sprintf("RTP/AVP;unicast;client_port=%d-%d;server_port=%d-%d", rtpPort, rtcpPort, port, port+1), nil
}

// listen opens two sockets whose ports follow one another, the first one even.
func (u *udpPair) listen(ip net.IP) error {
	for range 50 {
		rtp, err := net.ListenUDP("udp", &net.UDPAddr{IP: ip})
		if err != nil {
			return err
		}
		port := rtp.LocalAddr().(*net.UDPAddr).Port
		if port%2 == 0 {
			if rtcp, err := net.ListenUDP("udp", &net.UDPAddr{IP: ip, Port: port + 1}); err == nil {
				u.rtp, u.rtcp = rtp, rtcp
				return nil
			}
		}
		_ = rtp.Close()
	}
	return errors.New("no two free ports that follow one another")
}

func (t *transport) readUDP(from *net.UDPConn, control bool) {
	buf := make([]byte, 64<<10)
	for {
		n, _, err := from.ReadFromUDP(buf)
		switch {
		case err != nil:
			return
		case control:
			t.conn.camera.feedback(buf[:n])
		case t.track.BackChannel:
			t.conn.camera.hear(t.track, buf[:n])
		}
	}
}

// pair returns the two numbers of name=a-b in a transport; b is a+1 if it is missing.
func pair(transport, name string) (a, b int, ok bool) {
	_, rest, ok := strings.Cut(transport, name+"=")
	if !ok {
		return 0, 0, false
	}
	rest, _, _ = strings.Cut(rest, ";")
	first, second, _ := strings.Cut(rest, "-")
	a, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return 0, 0, false
	}
	if b, err = strconv.Atoi(strings.TrimSpace(second)); err != nil {
		b = a + 1
	}
	return a, b, true
}

// writeRTP sends a packet.
func (t *transport) writeRTP(data []byte) error {
	if t.udp == nil {
		return t.conn.writeFrame(t.actual, data)
	}
	if t.udp.silent || t.udp.maxPacket > 0 && len(data) > t.udp.maxPacket {
		return nil
	}
	_, err := t.udp.rtp.WriteToUDP(data, t.udp.toRTP)
	return ignoreRefused(err)
}

// writeRTCP sends a report.
func (t *transport) writeRTCP(data []byte) error {
	if t.udp == nil {
		return t.conn.writeFrame(t.actual+1, data)
	}
	if t.udp.silent {
		return nil
	}
	_, err := t.udp.rtcp.WriteToUDP(data, t.udp.toRTCP)
	return ignoreRefused(err)
}

// ignoreRefused keeps only the error that the socket is closed: a viewer that is gone is no reason to stop.
func ignoreRefused(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func (t *transport) close() {
	if t.udp == nil {
		return
	}
	_ = t.udp.rtp.Close()
	_ = t.udp.rtcp.Close()
	t.udp.reading.Wait()
}
