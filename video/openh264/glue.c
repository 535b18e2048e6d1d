#include "glue.h"

#include <stdlib.h>
#include <string.h>

static void set_params(SEncParamExt *p, int width, int height, float fps, int bitrate, int threads, int allow_skip, int min_qp)
{
	p->iUsageType = CAMERA_VIDEO_REAL_TIME;
	p->iComplexityMode = LOW_COMPLEXITY;
	p->iPicWidth = width;
	p->iPicHeight = height;
	p->fMaxFrameRate = fps;
	p->iRCMode = RC_BITRATE_MODE;
	p->iTargetBitrate = bitrate;
	p->iMaxBitrate = UNSPECIFIED_BIT_RATE;
	if (min_qp > 0)
		p->iMinQp = min_qp;
	p->bEnableFrameSkip = allow_skip != 0;
	p->uiIntraPeriod = 0; // key frames only when forced,
	p->bEnableSceneChangeDetect = false; // and not at a cut
	p->iNumRefFrame = 1;
	p->iTemporalLayerNum = 1;
	p->iSpatialLayerNum = 1;
	p->eSpsPpsIdStrategy = CONSTANT_ID;
	p->iEntropyCodingModeFlag = 0; // CAVLC: baseline has no CABAC
	p->bEnableFrameCroppingFlag = true;
	p->iMultipleThreadIdc = (unsigned short)threads;

	SSpatialLayerConfig *layer = &p->sSpatialLayers[0];
	layer->iVideoWidth = width;
	layer->iVideoHeight = height;
	layer->fFrameRate = fps;
	layer->iSpatialBitrate = bitrate;
	layer->iMaxSpatialBitrate = UNSPECIFIED_BIT_RATE;
	layer->uiProfileIdc = PRO_BASELINE;
	if (threads > 1) { // a thread works on a slice, so there must be as many
		layer->sSliceArgument.uiSliceMode = SM_FIXEDSLCNUM_SLICE;
		layer->sSliceArgument.uiSliceNum = (unsigned int)threads;
	}
}

waldo_encoder *waldo_encoder_new(int width, int height, float fps, int bitrate, int threads, int allow_skip, int min_qp,
	int *error)
{
	waldo_encoder *e = calloc(1, sizeof *e);
	*error = cmMallocMemeError;
	if (e == NULL)
		return NULL;
	e->width = width;
	e->height = height;
	if ((*error = WelsCreateSVCEncoder(&e->svc)) != 0) {
		free(e);
		return NULL;
	}
	int quiet = WELS_LOG_QUIET; // or it writes to stderr
	(*e->svc)->SetOption(e->svc, ENCODER_OPTION_TRACE_LEVEL, &quiet);
	SEncParamExt p;
	(*e->svc)->GetDefaultParams(e->svc, &p);
	set_params(&p, width, height, fps, bitrate, threads, allow_skip, min_qp);
	if ((*error = (*e->svc)->InitializeExt(e->svc, &p)) != 0) {
		waldo_encoder_free(e);
		return NULL;
	}
	return e;
}

void waldo_encoder_free(waldo_encoder *e)
{
	(*e->svc)->Uninitialize(e->svc);
	WelsDestroySVCEncoder(e->svc);
	free(e);
}

static int layer_size(const SLayerBSInfo *layer)
{
	int size = 0;
	for (int i = 0; i < layer->iNalCount; i++)
		size += layer->pNalLengthInByte[i];
	return size;
}

int waldo_encoder_encode(waldo_encoder *e, const uint8_t *y, const uint8_t *u, const uint8_t *v, int stride_y,
	int stride_c, int64_t pts_ms, int force_key)
{
	SSourcePicture pic = {
		.iColorFormat = videoFormatI420,
		.iStride = {stride_y, stride_c, stride_c},
		.pData = {(uint8_t *)y, (uint8_t *)u, (uint8_t *)v},
		.iPicWidth = e->width,
		.iPicHeight = e->height,
		.uiTimeStamp = pts_ms,
	};
	if (force_key)
		(*e->svc)->ForceIntraFrame(e->svc, true);
	memset(&e->out, 0, sizeof e->out);
	int rc = (*e->svc)->EncodeFrame(e->svc, &pic, &e->out);
	if (rc != cmResultSuccess) {
		e->out.iLayerNum = 0;
		return -rc;
	}
	if (e->out.eFrameType == videoFrameTypeSkip)
		e->out.iLayerNum = 0;
	int size = 0;
	for (int i = 0; i < e->out.iLayerNum; i++)
		size += layer_size(&e->out.sLayerInfo[i]);
	return size;
}

int waldo_encoder_copy(const waldo_encoder *e, uint8_t *dst)
{
	for (int i = 0; i < e->out.iLayerNum; i++) {
		int size = layer_size(&e->out.sLayerInfo[i]);
		memcpy(dst, e->out.sLayerInfo[i].pBsBuf, (size_t)size);
		dst += size;
	}
	return e->out.eFrameType == videoFrameTypeIDR;
}

int waldo_encoder_set_bitrate(waldo_encoder *e, int bitrate)
{
	SBitrateInfo info = {.iLayer = SPATIAL_LAYER_ALL, .iBitrate = bitrate};
	return (*e->svc)->SetOption(e->svc, ENCODER_OPTION_BITRATE, &info);
}

int waldo_encoder_set_frame_rate(waldo_encoder *e, float fps)
{
	return (*e->svc)->SetOption(e->svc, ENCODER_OPTION_FRAME_RATE, &fps);
}

waldo_decoder *waldo_decoder_new(void)
{
	waldo_decoder *d = calloc(1, sizeof *d);
	if (d == NULL)
		return NULL;
	if (WelsCreateDecoder(&d->svc) != 0) {
		free(d);
		return NULL;
	}
	int quiet = WELS_LOG_QUIET;
	(*d->svc)->SetOption(d->svc, DECODER_OPTION_TRACE_LEVEL, &quiet);
	SDecodingParam p = {
		.uiTargetDqLayer = 255, // the highest there is
		.eEcActiveIdc = ERROR_CON_DISABLE, // an error rather than a guessed picture
		.sVideoProperty = {.size = sizeof p.sVideoProperty, .eVideoBsType = VIDEO_BITSTREAM_AVC},
	};
	if ((*d->svc)->Initialize(d->svc, &p) != 0) {
		waldo_decoder_free(d);
		return NULL;
	}
	return d;
}

void waldo_decoder_free(waldo_decoder *d)
{
	(*d->svc)->Uninitialize(d->svc);
	WelsDestroyDecoder(d->svc);
	free(d);
}

int waldo_decoder_decode(waldo_decoder *d, const uint8_t *data, int size, uint64_t number, int *ready)
{
	unsigned char *plane[3] = {NULL, NULL, NULL};
	SBufferInfo info;
	memset(&info, 0, sizeof info);
	info.uiInBsTimeStamp = number;
	int state = size > 0 ? (*d->svc)->DecodeFrameNoDelay(d->svc, data, size, plane, &info)
			     : (*d->svc)->FlushFrame(d->svc, plane, &info);
	*ready = info.iBufferStatus == 1 && plane[0] != NULL && plane[1] != NULL && plane[2] != NULL;
	memcpy(d->plane, plane, sizeof plane);
	d->width = info.UsrData.sSystemBuffer.iWidth;
	d->height = info.UsrData.sSystemBuffer.iHeight;
	d->stride_y = info.UsrData.sSystemBuffer.iStride[0];
	d->stride_c = info.UsrData.sSystemBuffer.iStride[1];
	d->number = info.uiOutYuvTimeStamp;
	return state;
}

static void copy_plane(uint8_t *dst, const uint8_t *src, int stride, int width, int height)
{
	for (int i = 0; i < height; i++)
		memcpy(dst + (size_t)i * width, src + (size_t)i * stride, (size_t)width);
}

void waldo_decoder_copy(const waldo_decoder *d, uint8_t *y, uint8_t *u, uint8_t *v)
{
	int cw = (d->width + 1) / 2, ch = (d->height + 1) / 2;
	copy_plane(y, d->plane[0], d->stride_y, d->width, d->height);
	copy_plane(u, d->plane[1], d->stride_c, cw, ch);
	copy_plane(v, d->plane[2], d->stride_c, cw, ch);
}
