#include "glue.h"

#include <libyuv.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

static int even(int n) { return (n + 1) & ~1; }

enum waldo_result waldo_planes_alloc(waldo_planes *p, int width, int height)
{
	size_t luma = (size_t)even(width) * even(height), chroma = luma / 4;
	p->width = width;
	p->height = height;
	p->stride_y = even(width);
	p->stride_c = even(width) / 2;
	p->memory = malloc(luma + 2 * chroma);
	if (p->memory == NULL)
		return WALDO_MEMORY;
	p->plane[0] = p->memory;
	p->plane[1] = p->plane[0] + luma;
	p->plane[2] = p->plane[1] + chroma;
	return WALDO_OK;
}

// Repeats the last column and row until the plane has full_width and full_height.
static void extend(uint8_t *plane, int stride, int width, int height, int full_width, int full_height)
{
	for (int y = 0; y < height && width < full_width; y++)
		memset(plane + (size_t)y * stride + width, plane[(size_t)y * stride + width - 1], (size_t)(full_width - width));
	for (int y = height; y < full_height; y++)
		memcpy(plane + (size_t)y * stride, plane + (size_t)(height - 1) * stride, (size_t)full_width);
}

// A JPEG as TurboJPEG unpacks it: chroma may be as wide as luma (step 1), half (2) or a quarter (4), and as high or half.
typedef struct {
	int subsampling, step_x, step_y;
	int width[3], height[3], stride[3];
	uint8_t *memory, *plane[3];
} unpacked;

static enum waldo_result unpacked_alloc(unpacked *u, int width, int height)
{
	int planes = u->subsampling == TJSAMP_GRAY ? 1 : 3;
	size_t size[3] = {0, 0, 0};
	u->step_x = tjMCUWidth[u->subsampling] / 8;
	u->step_y = tjMCUHeight[u->subsampling] / 8;
	for (int i = 0; i < planes; i++) {
		u->width[i] = tjPlaneWidth(i, width, u->subsampling);
		u->height[i] = tjPlaneHeight(i, height, u->subsampling);
		u->stride[i] = even(u->width[i]); // room to extend
		size[i] = (size_t)u->stride[i] * even(u->height[i]);
	}
	u->memory = malloc(size[0] + size[1] + size[2]);
	if (u->memory == NULL)
		return WALDO_MEMORY;
	u->plane[0] = u->memory;
	u->plane[1] = u->plane[0] + size[0];
	u->plane[2] = u->plane[1] + size[1];
	return WALDO_OK;
}

// Scales one chroma plane to half the picture's size in both directions. A plane of full size is first extended to
// twice the result, or an odd size would shift the colours.
static void halve_chroma(const unpacked *u, int i, uint8_t *dst, int stride, int width, int height)
{
	int from_width = u->step_x == 1 ? 2 * width : u->width[i];
	int from_height = u->step_y == 1 ? 2 * height : u->height[i];
	extend(u->plane[i], u->stride[i], u->width[i], u->height[i], from_width, from_height);
	ScalePlane(u->plane[i], u->stride[i], from_width, from_height, dst, stride, width, height, kFilterBox);
}

// Takes over the planes of u if they are 4:2:0 or grey, and converts them otherwise.
static enum waldo_result finish(unpacked *u, int width, int height, waldo_planes *out)
{
	out->grey = u->subsampling == TJSAMP_GRAY;
	if (out->grey || u->subsampling == TJSAMP_420) {
		out->width = width;
		out->height = height;
		out->memory = u->memory;
		memcpy(out->plane, u->plane, sizeof out->plane);
		out->stride_y = u->stride[0];
		out->stride_c = u->stride[1];
		return WALDO_OK;
	}
	enum waldo_result result = waldo_planes_alloc(out, width, height);
	if (result == WALDO_OK) {
		CopyPlane(u->plane[0], u->stride[0], out->plane[0], out->stride_y, width, height);
		for (int i = 1; i < 3; i++)
			halve_chroma(u, i, out->plane[i], out->stride_c, (width + 1) / 2, (height + 1) / 2);
	}
	free(u->memory);
	return result;
}

static enum waldo_result failure(tjhandle handle, char *message)
{
	strncpy(message, tjGetErrorStr2(handle), WALDO_MESSAGE - 1);
	message[WALDO_MESSAGE - 1] = 0;
	return tjGetErrorCode(handle) == TJERR_WARNING ? WALDO_WARNING : WALDO_FAILED;
}

static enum waldo_result decode(tjhandle handle, const uint8_t *data, size_t size, int max_side, int strict,
	waldo_planes *out, char *message)
{
	int width = 0, height = 0, colours = 0;
	unpacked u;
	memset(&u, 0, sizeof u);
	if (tjDecompressHeader3(handle, data, size, &width, &height, &u.subsampling, &colours) != 0) {
		failure(handle, message);
		return WALDO_FAILED;
	}
	out->width = width;
	out->height = height;
	if (width < 1 || height < 1 || width > max_side || height > max_side)
		return WALDO_SIZE;
	if (colours != TJCS_YCbCr && colours != TJCS_GRAY)
		return WALDO_COLOUR;
	enum waldo_result result = unpacked_alloc(&u, width, height);
	if (result != WALDO_OK)
		return result;
	int flags = TJFLAG_LIMITSCANS | (strict ? TJFLAG_STOPONWARNING : 0);
	if (tjDecompressToYUVPlanes(handle, data, size, u.plane, width, u.stride, height, flags) != 0)
		result = failure(handle, message);
	if (result == WALDO_FAILED) {
		free(u.memory);
		return result;
	}
	enum waldo_result finished = finish(&u, width, height, out);
	return finished != WALDO_OK ? finished : result;
}

enum waldo_result waldo_jpeg_decode(const uint8_t *data, size_t size, int max_side, int strict, waldo_planes *out, char *message)
{
	tjhandle handle = tjInitDecompress();
	if (handle == NULL)
		return WALDO_MEMORY;
	enum waldo_result result = decode(handle, data, size, max_side, strict, out, message);
	tjDestroy(handle);
	return result;
}

enum waldo_result waldo_jpeg_encode(const waldo_planes *p, int quality, uint8_t **jpeg, unsigned long *size, char *message)
{
	tjhandle handle = tjInitCompress();
	if (handle == NULL)
		return WALDO_MEMORY;
	extend(p->plane[0], p->stride_y, p->width, p->height, even(p->width), even(p->height));
	const unsigned char *planes[3] = {p->plane[0], p->plane[1], p->plane[2]};
	int strides[3] = {p->stride_y, p->stride_c, p->stride_c};
	enum waldo_result result = WALDO_OK;
	if (tjCompressFromYUVPlanes(handle, planes, p->width, strides, p->height, TJSAMP_420, jpeg, size, quality, 0) != 0)
		result = failure(handle, message);
	tjDestroy(handle);
	return result;
}

void waldo_jpeg_free(uint8_t *jpeg) { tjFree(jpeg); }
