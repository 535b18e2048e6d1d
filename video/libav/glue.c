//go:build !nolibav

#include "glue.h"

#include <libavutil/pixdesc.h>
#include <stdlib.h>
#include <string.h>

// The library writes to stderr what it also returns as an error.
__attribute__((constructor)) static void quiet(void)
{
	av_log_set_level(AV_LOG_QUIET);
}

waldo_av *waldo_av_new(enum AVCodecID id, int64_t max_pixels)
{
	const AVCodec *codec = avcodec_find_decoder(id);
	waldo_av *d = calloc(1, sizeof *d);
	if (d == NULL || codec == NULL) {
		free(d);
		return NULL;
	}
	d->codec = avcodec_alloc_context3(codec);
	d->packet = av_packet_alloc();
	d->frame = av_frame_alloc();
	d->spare = av_frame_alloc();
	if (d->codec != NULL) {
		d->codec->thread_count = 1;
		d->codec->max_pixels = max_pixels;
		d->codec->err_recognition = AV_EF_EXPLODE | AV_EF_BITSTREAM | AV_EF_BUFFER;
	}
	if (d->codec == NULL || d->packet == NULL || d->frame == NULL || d->spare == NULL
		|| avcodec_open2(d->codec, codec, NULL) < 0) {
		waldo_av_free(d);
		return NULL;
	}
	return d;
}

void waldo_av_free(waldo_av *d)
{
	avcodec_free_context(&d->codec);
	av_packet_free(&d->packet);
	av_frame_free(&d->frame);
	av_frame_free(&d->spare);
	free(d->map[0]);
	free(d->map[1]);
	free(d);
}

int waldo_av_decode(waldo_av *d, const uint8_t *data, int size, int64_t number)
{
	int ready = 0, rc = av_new_packet(d->packet, size); // which is padded as the library wants it
	if (rc < 0)
		return rc;
	memcpy(d->packet->data, data, (size_t)size);
	d->packet->pts = number;
	rc = avcodec_send_packet(d->codec, d->packet);
	av_packet_unref(d->packet);
	while (rc >= 0 && (rc = avcodec_receive_frame(d->codec, d->spare)) >= 0) {
		AVFrame *newest = d->spare; // of two that come at once, which no camera makes happen
		d->spare = d->frame;
		d->frame = newest;
		ready = 1;
	}
	if (rc != AVERROR(EAGAIN))
		return rc;
	if (ready && (d->frame->flags & AV_FRAME_FLAG_CORRUPT || d->frame->decode_error_flags != 0))
		return AVERROR_INVALIDDATA;
	d->width = d->frame->width;
	d->height = d->frame->height;
	d->number = d->frame->pts;
	return ready;
}

// prepare makes the map for samples of a depth.
static int prepare(waldo_av *d, int depth, int full)
{
	if (d->map[0] != NULL && d->depth == depth && d->full == full)
		return 0;
	int max = (1 << depth) - 1, half = 1 << (depth - 1), shift = depth - 8;
	for (int chroma = 0; chroma < 2; chroma++) {
		free(d->map[chroma]);
		d->map[chroma] = malloc((size_t)max + 1);
		if (d->map[chroma] == NULL)
			return AVERROR(ENOMEM);
		for (int v = 0; v <= max; v++) {
			int to = (v + (1 << shift >> 1)) >> shift;
			if (full && chroma)
				to = (128 * max + (v - half) * 224 + max / 2) / max;
			else if (full)
				to = 16 + (v * 219 + max / 2) / max;
			d->map[chroma][v] = (uint8_t)(to > 255 ? 255 : to);
		}
	}
	d->depth = depth;
	d->full = full;
	return 0;
}

// A plane of a picture as decoded, and how many of its samples, as powers of two, one sample of the result stands for.
typedef struct {
	const uint8_t *data;
	ptrdiff_t stride;
	int width, height, wide, across, down;
} plane;

static inline unsigned sample(const plane *p, int x, int y)
{
	x = x < p->width ? x : p->width - 1;
	const uint8_t *row = p->data + (y < p->height ? y : p->height - 1) * p->stride;
	return p->wide ? ((const uint16_t *)row)[x] : row[x];
}

// mean is the mean of the samples that one sample of the result stands for, or the nearest if it is less than one.
static inline unsigned mean(const plane *p, int x, int y)
{
	if (p->across < 0)
		x >>= -p->across;
	if (p->down < 0)
		y >>= -p->down;
	int nx = p->across > 0 ? 2 : 1, ny = p->down > 0 ? 2 : 1;
	unsigned sum = 0, n = (unsigned)(nx * ny);
	for (int i = 0; i < ny; i++)
		for (int j = 0; j < nx; j++)
			sum += sample(p, x * nx + j, y * ny + i);
	return (sum + n / 2) / n;
}

static void convert(const plane *p, const uint8_t *map, unsigned mask, uint8_t *dst, int width, int height)
{
	for (int y = 0; y < height; y++, dst += width) {
		const uint8_t *row = p->data + y * p->stride;
		if (p->across != 0 || p->down != 0)
			for (int x = 0; x < width; x++)
				dst[x] = map[mean(p, x, y) & mask];
		else if (map == NULL)
			memcpy(dst, row, (size_t)width);
		else if (p->wide)
			for (int x = 0; x < width; x++)
				dst[x] = map[((const uint16_t *)row)[x] & mask];
		else
			for (int x = 0; x < width; x++)
				dst[x] = map[row[x]];
	}
}

// planar reports whether the samples lie in one plane for grey, or three, as numbers of 8 to 16 bits.
static int planar(const AVPixFmtDescriptor *f)
{
	const uint64_t other = AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_BITSTREAM
		| AV_PIX_FMT_FLAG_ALPHA | AV_PIX_FMT_FLAG_FLOAT | AV_PIX_FMT_FLAG_BE;
	if (f == NULL || f->flags & other || (f->nb_components != 1 && f->nb_components != 3))
		return 0;
	for (int i = 0; i < f->nb_components; i++) {
		const AVComponentDescriptor *c = &f->comp[i];
		if (c->plane != i || c->offset != 0 || c->shift != 0 || c->depth != f->comp[0].depth || c->depth < 8 || c->depth > 16
			|| c->step != (c->depth > 8 ? 2 : 1))
			return 0;
	}
	return 1;
}

static int write_planes(waldo_av *d, const AVPixFmtDescriptor *f, uint8_t *dst[3])
{
	const AVFrame *from = d->frame;
	int depth = f->comp[0].depth, rc = prepare(d, depth, from->color_range == AVCOL_RANGE_JPEG);
	if (rc < 0)
		return rc;
	for (int i = 0; i < 3; i++) {
		int chroma = i > 0, width = (from->width + chroma) >> chroma, height = (from->height + chroma) >> chroma;
		if (i >= f->nb_components) {
			memset(dst[i], 128, (size_t)width * (size_t)height);
			continue;
		}
		int sx = chroma ? f->log2_chroma_w : 0, sy = chroma ? f->log2_chroma_h : 0;
		plane p = {
			.data = from->data[i], .stride = from->linesize[i], .wide = depth > 8,
			.width = AV_CEIL_RSHIFT(from->width, sx), .height = AV_CEIL_RSHIFT(from->height, sy),
			.across = chroma - sx, .down = chroma - sy,
		};
		int as_is = depth == 8 && !d->full && p.across == 0 && p.down == 0;
		convert(&p, as_is ? NULL : d->map[chroma], (1u << depth) - 1, dst[i], width, height);
	}
	return 0;
}

int waldo_av_take(waldo_av *d, uint8_t *y, uint8_t *u, uint8_t *v)
{
	const AVPixFmtDescriptor *f = av_pix_fmt_desc_get(d->frame->format);
	uint8_t *dst[3] = {y, u, v};
	int rc = planar(f) ? write_planes(d, f, dst) : AVERROR_PATCHWELCOME;
	av_frame_unref(d->frame);
	return rc;
}
