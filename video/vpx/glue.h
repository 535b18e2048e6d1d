// C side of package vpx: libvpx's interface is made of macros and of structs full of pointers, which Go cannot fill.
#ifndef WALDO_VPX_GLUE_H
#define WALDO_VPX_GLUE_H

#include <stdint.h>
#include <vpx/vp8cx.h>
#include <vpx/vp8dx.h>
#include <vpx/vpx_decoder.h>
#include <vpx/vpx_encoder.h>

typedef struct {
	vpx_codec_ctx_t ctx;
	vpx_codec_enc_cfg_t cfg;
	const uint8_t *data; // of the last frame; ctx's memory, valid until the next frame
	int key;
} waldo_vp8;

// Fills *error with libvpx's code and returns NULL on failure.
waldo_vp8 *waldo_vp8_new(int width, int height, int kilobits, int threads, int *error);
void waldo_vp8_free(waldo_vp8 *e);

// Encodes one picture that lasts for so many microseconds. Returns the size of the frame, or minus libvpx's code.
int waldo_vp8_encode(waldo_vp8 *e, const uint8_t *y, const uint8_t *u, const uint8_t *v, int stride_y, int stride_c,
	int64_t pts_us, int64_t duration_us, int force_key);
// Copies the last frame to dst, which must hold its size. Returns 1 if it is a key frame.
int waldo_vp8_copy(const waldo_vp8 *e, uint8_t *dst, int size);

int waldo_vp8_set_bitrate(waldo_vp8 *e, int kilobits);

typedef struct {
	vpx_codec_ctx_t ctx;
	const vpx_image_t *img; // of the last frame; ctx's memory, valid until the next call; NULL for none
} waldo_vp8_decoder;

// Fills *error with libvpx's code and returns NULL on failure.
waldo_vp8_decoder *waldo_vp8_decoder_new(int *error);
void waldo_vp8_decoder_free(waldo_vp8_decoder *d);

// Decodes one frame. *width and *height are those of its picture, 0 if there is none. Returns libvpx's code.
int waldo_vp8_decoder_decode(waldo_vp8_decoder *d, const uint8_t *data, int size, int *width, int *height);
// Copies the picture to three tightly packed planes.
void waldo_vp8_decoder_copy(const waldo_vp8_decoder *d, uint8_t *y, uint8_t *u, uint8_t *v);

#endif
