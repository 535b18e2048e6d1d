package uvcsim

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/jpeg"
)

// BarPositions is the number of positions of the bright bar. Picture n has it at n modulo BarPositions, counted from
// the left.
const BarPositions = 16

// The comment is text, so that none of its bytes looks like a JPEG marker: the mark, the number, and the checksum in
// hexadecimal.
const (
	commentFormat = "waldo-uvcsim %08x %08x"
	commentSize   = 13 + 8 + 1 + 8
	headLength    = 2 + 4 + commentSize // start of image, comment marker and its length, comment
)

// next returns the next picture. Pictures are drawn when first needed, 16 per size; after that only their numbers
// change.
func (c *Camera) next(size Size) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	number := c.number
	c.number++
	key := drawing{size, int(number % BarPositions)}
	if c.drawn[key] == nil {
		c.drawn[key] = draw(key)
	}
	return stamp(c.drawn[key], number)
}

// drawing identifies a picture apart from its number.
type drawing struct {
	size Size
	bar  int
}

// draw returns the JPEG of a bright bar on a dark, noisy background. The noise makes it as large as a webcam's
// picture.
func draw(d drawing) []byte {
	w, h := d.size.Width, d.size.Height
	img := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio422)
	noise := uint32(1)
	for y := range h {
		for x := range w {
			noise = noise*1664525 + 1013904223
			level := byte(40 + noise>>27)
			if x*BarPositions/w == d.bar {
				level += 160
			}
			img.Y[img.YOffset(x, y)] = level
		}
	}
	for i := range img.Cb {
		img.Cb[i], img.Cr[i] = 112, 140
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 80}); err != nil {
		return nil // writing to memory cannot fail, and the sizes are valid
	}
	return b.Bytes()
}

// stamp returns the JPEG with the comment in front of all its other parts.
func stamp(picture []byte, number uint32) []byte {
	rest := picture[2:]
	return append(head(number, crc32.ChecksumIEEE(rest)), rest...)
}

// head returns the beginning of every picture.
func head(number, sum uint32) []byte {
	b := []byte{0xFF, 0xD8, 0xFF, 0xFE}
	b = binary.BigEndian.AppendUint16(b, uint16(2+commentSize))
	return fmt.Appendf(b, commentFormat, number, sum)
}

// Check verifies that data is a picture of this camera, complete and unchanged, and returns its number. Numbers
// increase by one with each picture that the camera sends.
func Check(data []byte) (number uint32, err error) {
	if len(data) < headLength {
		return 0, fmt.Errorf("%d bytes are too few for a picture of the simulated camera", len(data))
	}
	var sum uint32
	_, err = fmt.Sscanf(string(data[6:headLength]), commentFormat, &number, &sum)
	if err != nil || !bytes.Equal(data[:headLength], head(number, sum)) {
		return 0, errors.New("not a picture of the simulated camera: the header differs")
	}
	if rest := data[headLength:]; sum != crc32.ChecksumIEEE(rest) {
		return number, fmt.Errorf("picture %d is damaged: %d bytes do not match checksum %08x", number, len(rest), sum)
	}
	return number, nil
}

// BarPosition finds the bright bar, 0 to BarPositions-1, in a picture of any size, also after lossy encoding.
func BarPosition(img image.Image) int {
	r := img.Bounds()
	best, brightest := 0, uint64(0)
	for bar := range BarPositions {
		x := r.Min.X + (2*bar+1)*r.Dx()/(2*BarPositions) // middle of the bar
		var sum uint64
		for y := r.Min.Y; y < r.Max.Y; y++ {
			red, green, blue, _ := img.At(x, y).RGBA()
			sum += uint64(red + green + blue)
		}
		if sum > brightest {
			best, brightest = bar, sum
		}
	}
	return best
}
