package tty

import (
	"fmt"

	"go.bug.st/serial"
)

// Mode is the character format: data bits, parity, stop bits, written like 8N1. The zero value is 8N1.
type Mode struct {
	text   string
	parsed serial.Mode
}

// UnmarshalText reads 5 to 8 data bits, the parity N, E, O, M or S, and 1, 1.5 or 2 stop bits.
func (m *Mode) UnmarshalText(text []byte) error {
	wrong := fmt.Errorf("%.16q is not a valid mode: use data bits 5 to 8, parity N, E, O, M or S and stop bits "+
		"1, 1.5 or 2, like 8N1", text)
	if len(text) < 3 {
		return wrong
	}
	parity, ok := parities[text[1]]
	stop, ok2 := stops[string(text[2:])]
	if text[0] < '5' || text[0] > '8' || !ok || !ok2 {
		return wrong
	}
	*m = Mode{string(text), serial.Mode{DataBits: int(text[0] - '0'), Parity: parity, StopBits: stop}}
	return nil
}

var (
	parities = map[byte]serial.Parity{
		'N': serial.NoParity, 'E': serial.EvenParity, 'O': serial.OddParity, 'M': serial.MarkParity, 'S': serial.SpaceParity,
	}
	stops = map[string]serial.StopBits{"1": serial.OneStopBit, "1.5": serial.OnePointFiveStopBits,
		"2": serial.TwoStopBits}
)

// String writes the mode like 8N1.
func (m Mode) String() string {
	if m.text == "" {
		return "8N1"
	}
	return m.text
}

func (m Mode) serial() serial.Mode {
	if m.text == "" {
		return serial.Mode{DataBits: 8, Parity: serial.NoParity, StopBits: serial.OneStopBit}
	}
	return m.parsed
}
