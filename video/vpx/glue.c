#include "glue.h"

#include <stdlib.h>
#include <string.h>

enum {
	fastest = -12,         // a fixed speed, the one that WebRTC uses for small machines: quality does not depend on the load
	max_key_percent = 900, // of the bits of a mean frame: a key frame does not stall a narrow link
};

static void configure(vpx_codec_enc_cfg_t *cfg, int width, int height, int kilobits, int threads)
{
	cfg->g_w = (unsigned int)width;
	cfg->g_h = (unsigned int)height;
	cfg->g_timebase.num = 1;
	cfg->g_timebase.den = 1000000;
	cfg->g_threads = (unsigned int)threads;
	cfg->g_pass = VPX_RC_ONE_PASS;
	cfg->g_lag_in_frames = 0;
	cfg->g_error_resilient = 0;
	cfg->kf_mode = VPX_KF_DISABLED; // key frames only when forced
	cfg->rc_end_usage = VPX_CBR;
	cfg->rc_target_bitrate = (unsigned int)kilobits;
	cfg->rc_dropframe_thresh = 0;
	cfg->rc_resize_allowed = 0;
	cfg->rc_min_quantizer = 2;
	cfg->rc_max_quantizer = 56;
	cfg->rc_undershoot_pct = 100;
	cfg->rc_overshoot_pct = 15;
	cfg->rc_buf_initial_sz = 500; // milliseconds
	cfg->rc_buf_optimal_sz = 600;
	cfg->rc_buf_sz = 1000;
}

waldo_vp8 *waldo_vp8_new(int width, int height, int kilobits, int threads, int *error)
{
	waldo_vp8 *e = calloc(1, sizeof *e);
	*error = VPX_CODEC_MEM_ERROR;
	if (e == NULL)
		return NULL;
	if ((*error = vpx_codec_enc_config_default(vpx_codec_vp8_cx(), &e->cfg, 0)) != VPX_CODEC_OK) {
		free(e);
		return NULL;
	}
	configure(&e->cfg, width, height, kilobits, threads);
	if ((*error = vpx_codec_enc_init(&e->ctx, vpx_codec_vp8_cx(), &e->cfg, 0)) != VPX_CODEC_OK) {
		free(e);
		return NULL;
	}
	int partitions = 0; // as a power of two: each thread works on its own
	while (1 << partitions < threads)
		partitions++;
	if ((*error = vpx_codec_control(&e->ctx, VP8E_SET_CPUUSED, fastest)) != VPX_CODEC_OK ||
		(*error = vpx_codec_control(&e->ctx, VP8E_SET_STATIC_THRESHOLD, 1)) != VPX_CODEC_OK ||
		(*error = vpx_codec_control(&e->ctx, VP8E_SET_TOKEN_PARTITIONS, partitions)) != VPX_CODEC_OK ||
		(*error = vpx_codec_control(&e->ctx, VP8E_SET_MAX_INTRA_BITRATE_PCT, max_key_percent)) != VPX_CODEC_OK) {
		waldo_vp8_free(e);
		return NULL;
	}
	return e;
}

void waldo_vp8_free(waldo_vp8 *e)
{
	vpx_codec_destroy(&e->ctx);
	free(e);
}

int waldo_vp8_encode(waldo_vp8 *e, const uint8_t *y, const uint8_t *u, const uint8_t *v, int stride_y, int stride_c,
	int64_t pts_us, int64_t duration_us, int force_key)
{
	vpx_image_t img;
	memset(&img, 0, sizeof img);
	img.fmt = VPX_IMG_FMT_I420;
	img.w = img.d_w = e->cfg.g_w;
	img.h = img.d_h = e->cfg.g_h;
	img.bit_depth = 8;
	img.bps = 12;
	img.x_chroma_shift = img.y_chroma_shift = 1;
	img.planes[VPX_PLANE_Y] = (uint8_t *)y;
	img.planes[VPX_PLANE_U] = (uint8_t *)u;
	img.planes[VPX_PLANE_V] = (uint8_t *)v;
	img.stride[VPX_PLANE_Y] = stride_y;
	img.stride[VPX_PLANE_U] = img.stride[VPX_PLANE_V] = stride_c;
	e->data = NULL;
	vpx_codec_err_t rc = vpx_codec_encode(&e->ctx, &img, pts_us, (unsigned long)duration_us,
		force_key ? VPX_EFLAG_FORCE_KF : 0, VPX_DL_REALTIME);
	if (rc != VPX_CODEC_OK)
		return -(int)rc;
	vpx_codec_iter_t iter = NULL;
	const vpx_codec_cx_pkt_t *packet;
	while ((packet = vpx_codec_get_cx_data(&e->ctx, &iter)) != NULL) {
		if (packet->kind != VPX_CODEC_CX_FRAME_PKT)
			continue;
		e->data = packet->data.frame.buf;
		e->key = (packet->data.frame.flags & VPX_FRAME_IS_KEY) != 0;
		return (int)packet->data.frame.sz;
	}
	return 0;
}

int waldo_vp8_copy(const waldo_vp8 *e, uint8_t *dst, int size)
{
	memcpy(dst, e->data, (size_t)size);
	return e->key;
}

int waldo_vp8_set_bitrate(waldo_vp8 *e, int kilobits)
{
	e->cfg.rc_target_bitrate = (unsigned int)kilobits;
	return (int)vpx_codec_enc_config_set(&e->ctx, &e->cfg);
}

waldo_vp8_decoder *waldo_vp8_decoder_new(int *error)
{
	waldo_vp8_decoder *d = calloc(1, sizeof *d);
	*error = VPX_CODEC_MEM_ERROR;
	if (d == NULL)
		return NULL;
	vpx_codec_dec_cfg_t cfg = {.threads = 1};
	if ((*error = vpx_codec_dec_init(&d->ctx, vpx_codec_vp8_dx(), &cfg, 0)) != VPX_CODEC_OK) {
		free(d);
		return NULL;
	}
	return d;
}

void waldo_vp8_decoder_free(waldo_vp8_decoder *d)
{
	vpx_codec_destroy(&d->ctx);
	free(d);
}

int waldo_vp8_decoder_decode(waldo_vp8_decoder *d, const uint8_t *data, int size, int *width, int *height)
{
	d->img = NULL;
	*width = *height = 0;
	vpx_codec_err_t rc = vpx_codec_decode(&d->ctx, data, (unsigned int)size, NULL, 0);
	if (rc != VPX_CODEC_OK)
		return (int)rc;
	vpx_codec_iter_t iter = NULL;
	const vpx_image_t *img;
	while ((img = vpx_codec_get_frame(&d->ctx, &iter)) != NULL)
		d->img = img;
	if (d->img == NULL)
		return VPX_CODEC_OK;
	if (d->img->fmt != VPX_IMG_FMT_I420)
		return VPX_CODEC_UNSUP_FEATURE;
	*width = (int)d->img->d_w;
	*height = (int)d->img->d_h;
	return VPX_CODEC_OK;
}

static void copy_plane(uint8_t *dst, const uint8_t *src, int stride, int width, int height)
{
	for (int i = 0; i < height; i++)
		memcpy(dst + (size_t)i * (size_t)width, src + (ptrdiff_t)i * stride, (size_t)width);
}

void waldo_vp8_decoder_copy(const waldo_vp8_decoder *d, uint8_t *y, uint8_t *u, uint8_t *v)
{
	const vpx_image_t *img = d->img;
	int width = (int)img->d_w, height = (int)img->d_h;
	int half_width = (width + 1) / 2, half_height = (height + 1) / 2;
	copy_plane(y, img->planes[VPX_PLANE_Y], img->stride[VPX_PLANE_Y], width, height);
	copy_plane(u, img->planes[VPX_PLANE_U], img->stride[VPX_PLANE_U], half_width, half_height);
	copy_plane(v, img->planes[VPX_PLANE_V], img->stride[VPX_PLANE_V], half_width, half_height);
}
