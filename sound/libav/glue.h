// C side of package libav.
#ifndef WALDO_SOUND_LIBAV_GLUE_H
#define WALDO_SOUND_LIBAV_GLUE_H

#include <libavcodec/avcodec.h>

typedef struct {
	AVCodecContext *codec;
	AVPacket *packet;
	AVFrame *frame;
	int rate, channels, samples; // of the sound that is ready; samples of each channel
} waldo_ear;

// What a decoder is told of the sound. Zeros are not known.
typedef struct {
	enum AVCodecID id;
	int rate, channels, bits, config_size;
	const uint8_t *config;
} waldo_ear_config;

// Returns NULL if there is no memory, no such decoder in the library, or if it refuses the configuration.
waldo_ear *waldo_ear_new(const waldo_ear_config *c);
void waldo_ear_free(waldo_ear *d);

// Takes a block. Returns 0 or an error of the library.
int waldo_ear_send(waldo_ear *d, const uint8_t *data, int size);
// Returns 1 if sound is ready, 0 if the block is used up, or an error of the library.
int waldo_ear_receive(waldo_ear *d);
// Writes the sound that is ready to out, interleaved, which has room for samples * channels.
int waldo_ear_take(waldo_ear *d, float *out);

#endif
