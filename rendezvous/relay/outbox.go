package relay

import (
	"encoding/binary"
	"net"
	"net/netip"
	"time"

	"github.com/pion/stun/v4"

	"github.com/waldo-robot/waldo/pkg/socket"
)

// maxPacket is how large packets of UDP can be; see udp(7).
const maxPacket = 65507

// channelHeader is the size of the header of ChannelData, RFC 8656, 12.4.
const channelHeader = 4

func putChannelHeader(b []byte, number uint16, size int) {
	binary.BigEndian.PutUint16(b, number)
	binary.BigEndian.PutUint16(b[2:], uint16(size))
}

// channelData takes a ChannelData message apart. Over UDP it can be followed by padding, over TCP it was removed.
func channelData(b []byte) (number uint16, data []byte, ok bool) {
	if len(b) < channelHeader || !isChannelData(b[0]) {
		return 0, nil, false
	}
	size := int(binary.BigEndian.Uint16(b[2:]))
	if size > len(b)-channelHeader {
		return 0, nil, false
	}
	return binary.BigEndian.Uint16(b), b[channelHeader : channelHeader+size], true
}

// isChannelData reports whether a message that begins with this byte is one: numbers are 0x4000 to 0x7FFF, as RFC 5766
// has it, of which RFC 8656 uses a part.
func isChannelData(first byte) bool { return first>>6 == 1 }

// dataIndication makes the message for a packet of a peer without a channel, RFC 8656, 11.4.
func dataIndication(peer netip.AddrPort, packet []byte) ([]byte, error) {
	m, err := stun.Build(stun.TransactionID, stun.NewType(stun.MethodData, stun.ClassIndication), peerAddress(peer),
		stun.RawAttribute{Type: stun.AttrData, Value: packet})
	if err != nil {
		return nil, err
	}
	if len(m.Raw) > maxPacket {
		return nil, stun.ErrAttributeSizeOverflow
	}
	return m.Raw, nil
}

// peerAddress is XOR-PEER-ADDRESS.
type peerAddress netip.AddrPort

// AddTo implements [stun.Setter].
func (p peerAddress) AddTo(m *stun.Message) error {
	a := netip.AddrPort(p)
	return stun.XORMappedAddress{IP: a.Addr().AsSlice(), Port: int(a.Port())}.AddToAs(m, stun.AttrXORPeerAddress)
}

// datagrams is the outbox of a client that uses UDP.
type datagrams struct {
	socket  *socket.Bursts
	to      netip.AddrPort
	run     socket.Run
	headers [128][channelHeader]byte // of the run
	lost    int
}

func (d *datagrams) channel(number uint16, packet []byte) {
	for {
		header := d.headers[d.run.Len()][:]
		putChannelHeader(header, number, len(packet))
		if d.run.Add(header, packet) {
			return
		}
		d.send()
	}
}

func (d *datagrams) data(peer netip.AddrPort, packet []byte) {
	d.send() // keeps the order
	message, err := dataIndication(peer, packet)
	if err == nil {
		_, err = d.socket.WriteToAddrPort(message, d.to)
	}
	if err != nil {
		d.lost++
	}
}

func (d *datagrams) send() {
	if d.socket.Send(&d.run, d.to) != nil {
		d.lost += d.run.Len()
	}
	d.run.Reset()
}

func (d *datagrams) flush() (lost int) {
	d.send()
	lost, d.lost = d.lost, 0
	return lost
}

// frames is the outbox of a client that uses TCP. What arrives together leaves together, in one record of TLS.
type frames struct {
	conn    net.Conn
	buffer  []byte
	packets int
	lost    int
}

const (
	// maxKept is the largest buffer that is used again.
	maxKept = 64 << 10
	// writePatience is how long a client may take nothing.
	writePatience = 10 * time.Second
)

func (f *frames) channel(number uint16, packet []byte) {
	var header [channelHeader]byte
	putChannelHeader(header[:], number, len(packet))
	f.buffer = append(append(f.buffer, header[:]...), packet...)
	var padding [3]byte // RFC 8656, 12.5
	f.buffer = append(f.buffer, padding[:-len(packet)&3]...)
	f.packets++
}

func (f *frames) data(peer netip.AddrPort, packet []byte) {
	message, err := dataIndication(peer, packet)
	if err != nil {
		f.lost++
		return
	}
	f.buffer = append(f.buffer, message...)
	f.packets++
}

func (f *frames) flush() (lost int) {
	if len(f.buffer) > 0 && write(f.conn, f.buffer) != nil {
		f.lost += f.packets
	}
	lost = f.lost
	f.buffer, f.packets, f.lost = f.buffer[:0], 0, 0
	if cap(f.buffer) > maxKept {
		f.buffer = nil
	}
	return lost
}

// write closes the connection of a client that takes nothing: a part of a message may have been sent.
func write(c net.Conn, b []byte) error {
	err := c.SetWriteDeadline(time.Now().Add(writePatience))
	if err == nil {
		_, err = c.Write(b)
	}
	if err != nil {
		_ = c.Close()
	}
	return err
}
