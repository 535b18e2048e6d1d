// C side of package openh264: openh264's own C interface is a table of function pointers, which Go cannot call.
#ifndef WALDO_OPENH264_GLUE_H
#define WALDO_OPENH264_GLUE_H

#include <stdint.h>
#include <wels/codec_api.h>

typedef struct {
	ISVCEncoder *svc;
	SFrameBSInfo out; // points into svc's memory; valid until the next frame
	int width, height;
} waldo_encoder;

// Fills *error with openh264's code and returns NULL on failure. min_qp is the finest quantiser: 0 leaves it to openh264.
waldo_encoder *waldo_encoder_new(int width, int height, float fps, int bitrate, int threads, int allow_skip, int min_qp,
	int *error);
void waldo_encoder_free(waldo_encoder *e);

// Encodes one picture. Returns the size of the access unit, 0 for a skipped frame, or minus openh264's code.
int waldo_encoder_encode(waldo_encoder *e, const uint8_t *y, const uint8_t *u, const uint8_t *v, int stride_y,
	int stride_c, int64_t pts_ms, int force_key);
// Copies the access unit of the last frame to dst, which must hold its size. Returns 1 if it is a key frame.
int waldo_encoder_copy(const waldo_encoder *e, uint8_t *dst);

int waldo_encoder_set_bitrate(waldo_encoder *e, int bitrate);
int waldo_encoder_set_frame_rate(waldo_encoder *e, float fps);

typedef struct {
	ISVCDecoder *svc;
	uint8_t *plane[3]; // svc's memory; valid until the next call
	int width, height, stride_y, stride_c;
	uint64_t number; // of the unit that the picture came with
} waldo_decoder;

waldo_decoder *waldo_decoder_new(void);
void waldo_decoder_free(waldo_decoder *d);

// Decodes one access unit, or with size 0 takes out one picture that was held back. *ready is 1 if plane, width and
// height describe a picture, and number is that of its unit. Returns openh264's DECODING_STATE bits.
int waldo_decoder_decode(waldo_decoder *d, const uint8_t *data, int size, uint64_t number, int *ready);
// Copies the picture to three tightly packed planes.
void waldo_decoder_copy(const waldo_decoder *d, uint8_t *y, uint8_t *u, uint8_t *v);

#endif
