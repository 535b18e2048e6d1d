package uvcsim

import (
	"encoding/binary"
	"fmt"
	"io"
)

// USB/IP as the kernel's vhci driver speaks it on an attached socket: the host submits URBs and takes some back
// ("unlink"), the device answers each. Every message begins with 48 bytes, big endian.
const (
	headSize = 48

	commandSubmit = 1
	commandUnlink = 2
	replySubmit   = 3
	replyUnlink   = 4

	statusOK       = 0
	statusStall    = -32  // EPIPE
	statusOverflow = -75  // EOVERFLOW: more data than the URB has room for
	statusUnlink   = -104 // ECONNRESET: the URB was taken back in time

	// maxTransfer is more than any driver requests in one URB; a larger length means a garbage header.
	maxTransfer = 16 << 20
)

// command is one message of the host.
type command struct {
	code     uint32
	seq      uint32
	toHost   bool   // direction of the transfer
	endpoint uint32 // number without the direction bit
	length   uint32 // bytes to move; for unlink unused
	victim   uint32 // for unlink: the URB to take back
	setup    [8]byte
	data     []byte // from the host
}

// readCommand reads one message and the data after it.
func readCommand(r io.Reader) (command, error) {
	var head [headSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return command{}, err
	}
	be := binary.BigEndian
	c := command{
		code:     be.Uint32(head[0:]),
		seq:      be.Uint32(head[4:]),
		toHost:   be.Uint32(head[12:]) != 0,
		endpoint: be.Uint32(head[16:]),
	}
	switch c.code {
	case commandUnlink:
		c.victim = be.Uint32(head[20:])
		return c, nil
	case commandSubmit:
		c.length = be.Uint32(head[24:])
		copy(c.setup[:], head[40:])
	default:
		return command{}, fmt.Errorf("usbip: unknown command %d", c.code)
	}
	if c.length > maxTransfer {
		return command{}, fmt.Errorf("usbip: a transfer of %d bytes exceeds %d", c.length, maxTransfer)
	}
	if !c.toHost && c.length > 0 {
		c.data = make([]byte, c.length)
		if _, err := io.ReadFull(r, c.data); err != nil {
			return command{}, fmt.Errorf("usbip: read the data of a transfer: %w", err)
		}
	}
	return c, nil
}

// reply returns the header of an answer, with room for data after it.
func reply(code, seq uint32, status int32, room int) []byte {
	b := make([]byte, headSize, headSize+room)
	be := binary.BigEndian
	be.PutUint32(b[0:], code)
	be.PutUint32(b[4:], seq)
	be.PutUint32(b[20:], uint32(status))
	return b
}

// submitReply answers a URB: moved is the number of bytes transferred, data goes to the host.
func submitReply(seq uint32, status int32, moved int, data []byte) []byte {
	b := reply(replySubmit, seq, status, len(data))
	binary.BigEndian.PutUint32(b[24:], uint32(moved))
	return append(b, data...)
}

// unlinkReply answers an unlink: statusUnlink means that the URB will not be answered any more, statusOK that it
// already was.
func unlinkReply(seq uint32, status int32) []byte {
	return reply(replyUnlink, seq, status, 0)
}
