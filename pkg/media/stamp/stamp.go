// Package stamp paints a machine-readable number into the luma of a picture, and reads it back after the
// picture was compressed, scaled to half its size and decoded. It is how the age of a picture is
// measured from lens to screen, and how tests tell one picture from the next.
//
// # Layout
//
// A stamp is a block of 18 columns by 4 rows of square cells. A cell is 16 pixels wide in a picture at
// least 640 wide, and 8 pixels in a narrower one. The block's top left corner is one cell right and one
// cell down from the picture's: the cell in column c and row r covers the pixels with x from (1+c)*cell
// to (2+c)*cell-1 and y from (1+r)*cell to (2+r)*cell-1. A picture less than 20 cells wide or 6 cells
// high has no stamp.
//
// A cell is one bit: white (luma 235) is 1, black (luma 16) is 0, chroma is neutral (128). Bits fill the
// first row from left to right, then the second row, and so on. Every number has its most significant
// bit first:
//
//	bits  0 to 47  time: microseconds since 1970-01-01 UTC, modulo 2^48
//	bits 48 to 63  frame sequence, modulo 2^16
//	bits 64 to 71  CRC-8 of the 8 bytes above in that order: polynomial 0x07 (x^8+x^2+x+1), start value 0xFF,
//	               not reflected, no final exclusive-or. (The CRC of the ASCII digits "123456789" is 0xFB.)
//
// # Reading
//
// A reader tries the cell sizes 16, 8 and 4 in this order (16 or 8 as painted, 8 or 4 after scaling to
// half size) if the block fits the picture. It takes the mean luma of the middle half of each cell (from
// cell/4 to 3*cell/4-1 both ways); on a screen, where pictures are RGB, any of the three will do for
// luma. Below 86 is black, above 166 is white, and anything between makes the stamp unreadable at that
// size, as does a wrong CRC. The wide gap keeps ordinary picture content from being mistaken for a
// stamp; a CRC of 8 bits lets one damaged stamp in 256 pass at each size. The full time is the candidate
// closest to the reader's clock; see Stamp.Time.
package stamp

import (
	"encoding/binary"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
)

const (
	columns, rows = 18, 4
	bits          = columns * rows
	black, white  = 16, 235
	maxBlack      = 86  // highest mean luma of a 0
	minWhite      = 166 // lowest mean luma of a 1
	microsModulus = 1 << 48
)

// Stamp is the content of a stamp.
type Stamp struct {
	Micros   int64  // microseconds since 1970 modulo 2^48; see Time
	Sequence uint16 // the lowest 16 bits of the frame's sequence
}

// Time returns the moment of the stamp: of all candidates, which are 8.9 years apart, the one closest to
// near.
func (s Stamp) Time(near time.Time) time.Time {
	now := near.UnixMicro()
	d := (s.Micros - now) % microsModulus
	switch {
	case d > microsModulus/2:
		d -= microsModulus
	case d < -microsModulus/2:
		d += microsModulus
	}
	return time.UnixMicro(now + d)
}

// CellSize is the width of a cell as painted in a picture of the given width.
func CellSize(width int) int {
	if width < 640 {
		return 8
	}
	return 16
}

// Size returns the width and height of the corner of the picture that the stamp takes up, including
// margins on all sides. Both are 0 if a picture of this size has no room for one.
func Size(width, height int) (w, h int) {
	cell := CellSize(width)
	if !fits(width, height, cell) {
		return 0, 0
	}
	return (columns + 2) * cell, (rows + 2) * cell
}

func fits(width, height, cell int) bool {
	return width >= (columns+2)*cell && height >= (rows+2)*cell
}

// Write paints the stamp. It does nothing, and returns false, if the picture is too small for one.
func Write(img *media.I420, at time.Time, sequence int64) bool {
	cell := CellSize(img.Width)
	if !fits(img.Width, img.Height, cell) {
		return false
	}
	code := encode(at, sequence)
	for r := range rows {
		writeRow(img, code, r, cell)
	}
	paintNeutral(img, cell)
	return true
}

func encode(at time.Time, sequence int64) (code [bits / 8]byte) {
	word := uint64(at.UnixMicro())<<16 | uint64(uint16(sequence))
	binary.BigEndian.PutUint64(code[:], word)
	code[8] = checksum(code[:8])
	return code
}

// writeRow paints the first line of pixels of a row of cells and copies it down.
func writeRow(img *media.I420, code [bits / 8]byte, r, cell int) {
	width := columns * cell
	at := func(y int) []byte { return img.Y[((1+r)*cell+y)*img.StrideY+cell:][:width] }
	first := at(0)
	for c := range columns {
		bit := r*columns + c
		luma := byte(black)
		if code[bit/8]&(0x80>>(bit%8)) != 0 {
			luma = white
		}
		fill(first[c*cell:(c+1)*cell], luma)
	}
	for y := 1; y < cell; y++ {
		copy(at(y), first)
	}
}

func paintNeutral(img *media.I420, cell int) {
	x, width := cell/2, columns*cell/2
	for y := cell / 2; y < (1+rows)*cell/2; y++ {
		fill(img.U[y*img.StrideC+x:][:width], 128)
		fill(img.V[y*img.StrideC+x:][:width], 128)
	}
}

func fill(b []byte, v byte) {
	for i := range b {
		b[i] = v
	}
}

// Read returns the stamp of the picture, and false if it has no readable one.
func Read(img *media.I420) (Stamp, bool) {
	for cell := 16; cell >= 4; cell /= 2 {
		if !fits(img.Width, img.Height, cell) {
			continue
		}
		if s, ok := readCells(img, cell); ok {
			return s, true
		}
	}
	return Stamp{}, false
}

func readCells(img *media.I420, cell int) (Stamp, bool) {
	var code [bits / 8]byte
	for bit := range bits {
		switch mean := cellMean(img, bit%columns, bit/columns, cell); {
		case mean > minWhite:
			code[bit/8] |= 0x80 >> (bit % 8)
		case mean >= maxBlack:
			return Stamp{}, false
		}
	}
	if checksum(code[:8]) != code[8] {
		return Stamp{}, false
	}
	word := binary.BigEndian.Uint64(code[:])
	return Stamp{Micros: int64(word >> 16), Sequence: uint16(word)}, true
}

// cellMean is the mean luma of the middle half of a cell: its edges are where compression and scaling smear.
func cellMean(img *media.I420, c, r, cell int) int {
	x, y, side, sum := (1+c)*cell+cell/4, (1+r)*cell+cell/4, cell/2, 0
	for row := y; row < y+side; row++ {
		for _, luma := range img.Y[row*img.StrideY+x:][:side] {
			sum += int(luma)
		}
	}
	return sum / (side * side)
}

func checksum(b []byte) byte {
	crc := byte(0xff)
	for _, v := range b {
		crc ^= v
		for range 8 {
			top := crc & 0x80
			crc <<= 1
			if top != 0 {
				crc ^= 0x07
			}
		}
	}
	return crc
}
