package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Kind is a kind of packet: its first byte.
type Kind byte

// Kinds of packets. Readers ignore others.
const (
	Stream    Kind = 1
	Message   Kind = 4
	KeepAlive Kind = 5
	Sync      Kind = 6
)

// Types of a [Stream].
const (
	Video byte = 0x20 // H.264 or H.265 with start codes
	Gyro  byte = 0x30 // samples of accelerometer and gyroscope
	Beat  byte = 0x40 // synchronisation of streams, without a known meaning
)

// Sizes of a packet, in bytes.
const (
	lengthSize   = 4
	kindSize     = 3
	messageStart = 12 // of the protobuf in the payload, and of the data of a stream
	// MinPacket is the smallest packet: a keepalive.
	MinPacket = lengthSize + kindSize
	// MaxPacket is the largest packet that is read. Pictures of the largest models have less than 1 MiB.
	MaxPacket = 4 << 20
	// MaxSequence is the largest sequence number, which has 24 bits.
	MaxSequence = 1<<24 - 1
)

// syncText is the content of a Sync.
const syncText = "syNceNdinS"

// ErrLength says that a packet has an impossible length. Nothing that follows can be understood: there is no mark at
// which to begin again.
var ErrLength = errors.New("a packet of an impossible length")

// Packet is a packet without its length.
type Packet struct {
	Kind     Kind
	Code     Code   // of a Message
	Sequence uint32 // of a Message
	Type     byte   // of a Stream
	Time     uint64 // of a Stream: milliseconds on the camera's clock
	Data     []byte // of a Stream or Message
}

// Append appends the packet as it is sent, with its length.
func (p Packet) Append(b []byte) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0, byte(p.Kind), 0, 0)
	switch p.Kind {
	case Sync:
		b = append(b, syncText...)
	case Message:
		b = binary.LittleEndian.AppendUint16(b, uint16(p.Code))
		b = append(b, 2, byte(p.Sequence), byte(p.Sequence>>8), byte(p.Sequence>>16), 0x80, 0, 0)
	case Stream:
		b = append(b, p.Type)
		b = binary.LittleEndian.AppendUint64(b, p.Time)
	}
	b = append(b, p.Data...)
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start))
	return b
}

// Parse reads a payload. The packet keeps parts of it.
func Parse(payload []byte) (Packet, error) {
	if len(payload) < kindSize {
		return Packet{}, fmt.Errorf("%w: %d bytes", ErrLength, len(payload)+lengthSize)
	}
	p := Packet{Kind: Kind(payload[0])}
	switch p.Kind {
	case Message, Stream:
	case Sync:
		if !bytes.Equal(payload[kindSize:], []byte(syncText)) {
			return Packet{}, errors.New("a synchronisation with another text")
		}
		return p, nil
	default:
		return p, nil
	}
	if len(payload) < messageStart {
		return Packet{}, fmt.Errorf("%w: %d bytes of kind %d", ErrLength, len(payload)+lengthSize, p.Kind)
	}
	p.Data = payload[messageStart:]
	if p.Kind == Stream {
		p.Type, p.Time = payload[3], binary.LittleEndian.Uint64(payload[4:])
		return p, nil
	}
	p.Code = Code(binary.LittleEndian.Uint16(payload[3:]))
	p.Sequence = uint32(payload[6]) | uint32(payload[7])<<8 | uint32(payload[8])<<16
	return p, nil
}

// Reader reads packets, however they were cut or joined on their way.
type Reader struct {
	in *bufio.Reader
}

// NewReader returns a reader of a connection.
func NewReader(r io.Reader) *Reader { return &Reader{bufio.NewReaderSize(r, 64<<10)} }

// Begin waits for the first byte of a packet.
func (r *Reader) Begin() error {
	_, err := r.in.Peek(1)
	return err
}

// Next reads a packet, of which the data belong to the caller. It returns io.EOF if the connection ends between two
// packets, and io.ErrUnexpectedEOF if it ends within one.
func (r *Reader) Next() (Packet, error) {
	var head [lengthSize]byte
	if _, err := io.ReadFull(r.in, head[:]); err != nil {
		return Packet{}, err
	}
	length := binary.LittleEndian.Uint32(head[:])
	if length < MinPacket || length > MaxPacket {
		return Packet{}, fmt.Errorf("%w: %d bytes, %d to %d are possible", ErrLength, length, MinPacket, MaxPacket)
	}
	payload, err := r.payload(int(length) - lengthSize)
	if err != nil {
		return Packet{}, err
	}
	return Parse(payload)
}

// firstBlock is how much room a packet gets before any of it has come.
const firstBlock = 64 << 10

// payload reads n bytes. Room is made as they come, so a length costs nothing by itself.
func (r *Reader) payload(n int) ([]byte, error) {
	b := make([]byte, 0, min(n, firstBlock))
	for len(b) < n {
		if len(b) == cap(b) {
			b = append(make([]byte, 0, min(n, 4*cap(b))), b...)
		}
		got, err := io.ReadFull(r.in, b[len(b):cap(b)])
		b = b[:len(b)+got]
		if errors.Is(err, io.EOF) {
			return nil, io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}
