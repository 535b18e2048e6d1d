package main

import (
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
)

// stripes is how many stripes the picture is divided into.
const stripes = 16

// lightest returns where the lightest upright stripe of an I420 picture is, from -1, left, to 1, right. The luma of
// each pixel is a byte; rows follow each other.
func lightest(picture *mediav1.VideoFrame) float64 {
	width, height := int(picture.GetFormat().GetWidthPx()), int(picture.GetFormat().GetHeightPx())
	var sums [stripes]int
	for y := range height {
		row := picture.GetData()[y*width : (y+1)*width]
		for x, luma := range row {
			sums[x*stripes/width] += int(luma)
		}
	}
	best := 0
	for i, sum := range sums {
		if sum > sums[best] {
			best = i
		}
	}
	return (2*float64(best)+1)/stripes - 1
}

// mark draws a light line with dark edges where something was found.
func mark(picture *mediav1.VideoFrame, at float64) {
	width, height := int(picture.GetFormat().GetWidthPx()), int(picture.GetFormat().GetHeightPx())
	middle := int((at + 1) / 2 * float64(width))
	for y := range height {
		row := picture.GetData()[y*width : (y+1)*width]
		for x := max(middle-4, 0); x < min(middle+4, width); x++ {
			row[x] = 16
			if x >= middle-2 && x < middle+2 {
				row[x] = 235
			}
		}
	}
}
