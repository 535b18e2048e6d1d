// C side of package yuv: one entry point for all formats that are converted to I420, one for those that I420 is
// converted to.
#ifndef WALDO_YUV_GLUE_H
#define WALDO_YUV_GLUE_H

#include <stdint.h>

enum waldo_layout { WALDO_YUYV, WALDO_UYVY, WALDO_NV12, WALDO_NV21, WALDO_BGR24, WALDO_RGB24, WALDO_GREY };

// uv and stride_uv are the second plane of NV12 and NV21, and ignored otherwise. Both return 0, or -1 if libyuv refuses.
int waldo_to_i420(enum waldo_layout layout, const uint8_t *src, int stride, const uint8_t *uv, int stride_uv,
	uint8_t *y, uint8_t *u, uint8_t *v, int stride_y, int stride_c, int width, int height);
int waldo_from_i420(enum waldo_layout layout, uint8_t *dst, int stride, uint8_t *uv, int stride_uv,
	const uint8_t *y, const uint8_t *u, const uint8_t *v, int stride_y, int stride_c, int width, int height);

// Map samples between full range (0 to 255) and video range (luma 16 to 235, chroma 16 to 240). dst may be src.
void waldo_luma_to_video(uint8_t *dst, int stride_dst, const uint8_t *src, int stride_src, int width, int height);
void waldo_chroma_to_video(uint8_t *dst, int stride_dst, const uint8_t *src, int stride_src, int width, int height);
void waldo_luma_to_full(uint8_t *dst, int stride_dst, const uint8_t *src, int stride_src, int width, int height);
void waldo_chroma_to_full(uint8_t *dst, int stride_dst, const uint8_t *src, int stride_src, int width, int height);

#endif
