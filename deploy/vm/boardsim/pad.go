package boardsim

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Positions of the gamepad at rest.
const (
	Center    = 128 // of a stick
	HatCenter = 8   // of the hat, which has 0 for up and continues clockwise to 7
)

// PadReportSize is the size of a report in bytes.
const PadReportSize = 7

// padDescriptor is the USB HID descriptor of the gamepad's report. The kernel turns the sticks into ABS_X, ABS_Y,
// ABS_Z, and ABS_RZ, each 0 to 255, the hat into ABS_HAT0X and ABS_HAT0Y, and the buttons into BTN_SOUTH and up.
var padDescriptor = []byte{
	0x05, 0x01, 0x09, 0x05, 0xa1, 0x01, // a game pad:
	0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08, 0x95, 0x04, // four bytes of 0 to 255,
	0x09, 0x30, 0x09, 0x31, 0x09, 0x32, 0x09, 0x35, 0x81, 0x02, // X, Y, Z, Rz;
	// four bits of 0 to 7, which are 0 to 315 degrees,
	0x25, 0x07, 0x35, 0x00, 0x46, 0x3b, 0x01, 0x65, 0x14, 0x75, 0x04, 0x95, 0x01,
	0x09, 0x39, 0x81, 0x42, // a hat, or anything else for none;
	0x45, 0x00, 0x65, 0x00, 0x81, 0x03, // four bits of padding;
	0x05, 0x09, 0x19, 0x01, 0x29, 0x0c, 0x25, 0x01, 0x75, 0x01, 0x95, 0x0c, 0x81, 0x02, // twelve buttons of one bit;
	0x75, 0x04, 0x95, 0x01, 0x81, 0x03, // four bits of padding
	0xc0,
}

// PadReport is the state of the gamepad.
type PadReport struct {
	X, Y, Z, RZ uint8
	Hat         uint8
	Buttons     uint16 // the lowest bit is the first button
}

// Resting is the gamepad at rest.
func Resting() PadReport {
	return PadReport{X: Center, Y: Center, Z: Center, RZ: Center, Hat: HatCenter}
}

func (r PadReport) bytes() []byte {
	return binary.LittleEndian.AppendUint16([]byte{r.X, r.Y, r.Z, r.RZ, r.Hat}, r.Buttons)
}

// Pad is the board's end of the gamepad. Close it before the board is unplugged.
type Pad struct{ file *os.File }

// Pad opens the board's end of the gamepad. The board must be plugged in.
func (b *Board) Pad() (*Pad, error) {
	path, err := b.padFile()
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0) // a blocking write would wait in the kernel for ever
	if err != nil {
		return nil, err
	}
	return &Pad{f}, nil
}

// Send sends a report. The first one after plugging in is kept until the other side asks for it; after that, Send
// waits until the previous report was taken. After the limit it fails with an error that wraps os.ErrDeadlineExceeded.
func (p *Pad) Send(r PadReport, limit time.Duration) error {
	if err := p.file.SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	_, err := p.file.Write(r.bytes())
	return err
}

// Close closes the board's end of the gamepad. It may be closed more than once.
func (p *Pad) Close() error {
	if err := p.file.Close(); !errors.Is(err, fs.ErrClosed) {
		return err
	}
	return nil
}
