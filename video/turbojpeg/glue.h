// C side of package turbojpeg: one call per JPEG, over planes that are laid out as TurboJPEG wants them.
#ifndef WALDO_TURBOJPEG_GLUE_H
#define WALDO_TURBOJPEG_GLUE_H

#include <stddef.h>
#include <stdint.h>

// Planes in one malloc block. Luma has an even number of columns and rows, at least, because TurboJPEG reads and writes
// that many.
typedef struct {
	uint8_t *memory; // to be freed
	uint8_t *plane[3];
	int width, height; // of the picture
	int stride_y, stride_c;
	int grey; // planes 1 and 2 are absent
} waldo_planes;

enum { WALDO_MESSAGE = 200 }; // JMSG_LENGTH_MAX

enum waldo_result {
	WALDO_OK,
	WALDO_FAILED,  // the message says why
	WALDO_WARNING, // likewise; there are planes, but something is wrong with them
	WALDO_MEMORY,
	WALDO_SIZE,   // larger than max_side; width and height are set
	WALDO_COLOUR, // not YCbCr or grey
};

// Allocates planes for a 4:2:0 picture. Returns WALDO_OK or WALDO_MEMORY.
enum waldo_result waldo_planes_alloc(waldo_planes *p, int width, int height);

// Decodes a JPEG into planes it allocates, 4:2:0 or grey, in full range. With strict, decoding stops at the first warning.
enum waldo_result waldo_jpeg_decode(const uint8_t *data, size_t size, int max_side, int strict, waldo_planes *out, char *message);

// Encodes planes made by waldo_planes_alloc. Free *jpeg with waldo_jpeg_free.
enum waldo_result waldo_jpeg_encode(const waldo_planes *p, int quality, uint8_t **jpeg, unsigned long *size, char *message);
void waldo_jpeg_free(uint8_t *jpeg);

#endif
