// C side of package vpx: libvpx's interface is made of macros and of structs full of pointers, which Go cannot fill.
#ifndef WALDO_VPX_GLUE_H
#define WALDO_VPX_GLUE_H

#include <stdint.h>
#include <vpx/vp8cx.h>
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

#endif
