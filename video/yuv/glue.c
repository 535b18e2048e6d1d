#include "glue.h"

#include <libyuv.h>
#include <stddef.h>

// libyuv names RGB formats by the order in a little-endian word: its RGB24 lies in memory as B G R, its RAW as R G B.
int waldo_to_i420(enum waldo_layout layout, const uint8_t *src, int stride, const uint8_t *uv, int stride_uv,
	uint8_t *y, uint8_t *u, uint8_t *v, int stride_y, int stride_c, int width, int height)
{
	switch (layout) {
	case WALDO_YUYV:
		return YUY2ToI420(src, stride, y, stride_y, u, stride_c, v, stride_c, width, height);
	case WALDO_UYVY:
		return UYVYToI420(src, stride, y, stride_y, u, stride_c, v, stride_c, width, height);
	case WALDO_NV12:
		return NV12ToI420(src, stride, uv, stride_uv, y, stride_y, u, stride_c, v, stride_c, width, height);
	case WALDO_NV21:
		return NV21ToI420(src, stride, uv, stride_uv, y, stride_y, u, stride_c, v, stride_c, width, height);
	case WALDO_BGR24:
		return RGB24ToI420(src, stride, y, stride_y, u, stride_c, v, stride_c, width, height);
	case WALDO_RGB24:
		return RAWToI420(src, stride, y, stride_y, u, stride_c, v, stride_c, width, height);
	case WALDO_GREY:
		waldo_luma_to_video(y, stride_y, src, stride, width, height);
		SetPlane(u, stride_c, (width + 1) / 2, (height + 1) / 2, 128);
		SetPlane(v, stride_c, (width + 1) / 2, (height + 1) / 2, 128);
		return 0;
	}
	return -1;
}

int waldo_from_i420(enum waldo_layout layout, uint8_t *dst, int stride, uint8_t *uv, int stride_uv,
	const uint8_t *y, const uint8_t *u, const uint8_t *v, int stride_y, int stride_c, int width, int height)
{
	switch (layout) {
	case WALDO_YUYV:
		return I420ToYUY2(y, stride_y, u, stride_c, v, stride_c, dst, stride, width, height);
	case WALDO_NV12:
		return I420ToNV12(y, stride_y, u, stride_c, v, stride_c, dst, stride, uv, stride_uv, width, height);
	case WALDO_BGR24:
		return I420ToRGB24(y, stride_y, u, stride_c, v, stride_c, dst, stride, width, height);
	default:
		return -1;
	}
}

// libyuv has no function that maps one plane to another range. All values fit 16 bits, so the compiler can use vectors.
static uint8_t luma_to_video(uint8_t s) { return (uint8_t)((uint16_t)(s * 219 + 16 * 255 + 127) / 255); }
static uint8_t chroma_to_video(uint8_t s) { return (uint8_t)((uint16_t)(s * 224 + 128 * 31 + 127) / 255); }

static uint8_t clip(uint8_t s, uint8_t top) { return (uint8_t)(s < 16 ? 0 : s > top ? top - 16 : s - 16); }
static uint8_t luma_to_full(uint8_t s) { return (uint8_t)((uint16_t)(clip(s, 235) * 255 + 109) / 219); }
static uint8_t chroma_to_full(uint8_t s) { return (uint8_t)((uint16_t)(clip(s, 240) * 255 + 112) / 224); }

#define MAP_PLANE(name, sample)                                                                                        \
	void name(uint8_t *dst, int stride_dst, const uint8_t *src, int stride_src, int width, int height)             \
	{                                                                                                              \
		for (int i = 0; i < height; i++) {                                                                     \
			uint8_t *d = dst + (ptrdiff_t)i * stride_dst;                                                  \
			const uint8_t *s = src + (ptrdiff_t)i * stride_src;                                            \
			for (int x = 0; x < width; x++)                                                                \
				d[x] = sample(s[x]);                                                                   \
		}                                                                                                      \
	}

MAP_PLANE(waldo_luma_to_video, luma_to_video)
MAP_PLANE(waldo_chroma_to_video, chroma_to_video)
MAP_PLANE(waldo_luma_to_full, luma_to_full)
MAP_PLANE(waldo_chroma_to_full, chroma_to_full)
