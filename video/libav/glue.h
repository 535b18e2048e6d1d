// C side of package libav.
#ifndef WALDO_LIBAV_GLUE_H
#define WALDO_LIBAV_GLUE_H

#include <libavcodec/avcodec.h>

typedef struct {
	AVCodecContext *codec;
	AVPacket *packet;
	AVFrame *frame, *spare;
	uint8_t *map[2];     // from samples of luma, and of chroma, as decoded to 8 bits in video range
	int depth, full;     // what map was made for: bits, and whether they are in full range
	int width, height;   // of the picture that is ready
	int64_t number;      // of the unit that it came with
} waldo_av;

// Returns NULL if there is no memory, or no such decoder in the library.
waldo_av *waldo_av_new(enum AVCodecID id, int64_t max_pixels);
void waldo_av_free(waldo_av *d);

// Decodes one access unit. Returns 1 if a picture is ready, 0 if none is, or an error of the library.
int waldo_av_decode(waldo_av *d, const uint8_t *data, int size, int64_t number);
// Writes the picture that is ready to three tightly packed planes, and forgets it.
int waldo_av_take(waldo_av *d, uint8_t *y, uint8_t *u, uint8_t *v);

#endif
