package padsim

// Types of events, as in linux/input-event-codes.h.
const (
	evSyn = 0x00
	evKey = 0x01
	evRel = 0x02
	evAbs = 0x03
	evRep = 0x14
)

// Keys and buttons.
const (
	KeyA      = 30
	KeyB      = 48
	BtnLeft   = 0x110
	BtnRight  = 0x111
	BtnSouth  = 0x130
	BtnEast   = 0x131
	BtnNorth  = 0x133
	BtnWest   = 0x134
	BtnTL     = 0x136
	BtnTR     = 0x137
	BtnSelect = 0x13a
	BtnStart  = 0x13b
	BtnMode   = 0x13c
	BtnThumbL = 0x13d
	BtnThumbR = 0x13e
)

// Relative axes.
const (
	RelX     = 0x00
	RelY     = 0x01
	RelWheel = 0x08
)

// Absolute axes.
const (
	AbsX     = 0x00
	AbsY     = 0x01
	AbsZ     = 0x02
	AbsRX    = 0x03
	AbsRY    = 0x04
	AbsRZ    = 0x05
	AbsHat0X = 0x10
	AbsHat0Y = 0x11
)

// letters are the keys from A to Z, row by row as they lie on a keyboard.
func letters() []uint16 {
	var keys []uint16
	for _, row := range [][2]uint16{{16, 25}, {30, 38}, {44, 50}} {
		for code := row[0]; code <= row[1]; code++ {
			keys = append(keys, code)
		}
	}
	return keys
}
