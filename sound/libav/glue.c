//go:build !nolibav

#include "glue.h"

#include <stdlib.h>
#include <string.h>

// The library writes to stderr what it also returns as an error.
__attribute__((constructor)) static void quiet(void)
{
	av_log_set_level(AV_LOG_QUIET);
}

static int configure(AVCodecContext *codec, const waldo_ear_config *c)
{
	codec->thread_count = 1;
	codec->max_samples = 1 << 18;
	codec->sample_rate = c->rate;
	codec->bits_per_coded_sample = c->bits;
	if (c->channels > 0)
		av_channel_layout_default(&codec->ch_layout, c->channels);
	if (c->config_size == 0)
		return 0;
	codec->extradata = av_mallocz((size_t)c->config_size + AV_INPUT_BUFFER_PADDING_SIZE);
	if (codec->extradata == NULL)
		return AVERROR(ENOMEM);
	memcpy(codec->extradata, c->config, (size_t)c->config_size);
	codec->extradata_size = c->config_size;
	return 0;
}

waldo_ear *waldo_ear_new(const waldo_ear_config *c)
{
	const AVCodec *codec = avcodec_find_decoder(c->id);
	waldo_ear *d = calloc(1, sizeof *d);
	if (d == NULL || codec == NULL) {
		free(d);
		return NULL;
	}
	d->codec = avcodec_alloc_context3(codec);
	d->packet = av_packet_alloc();
	d->frame = av_frame_alloc();
	if (d->codec == NULL || d->packet == NULL || d->frame == NULL || configure(d->codec, c) < 0
		|| avcodec_open2(d->codec, codec, NULL) < 0) {
		waldo_ear_free(d);
		return NULL;
	}
	return d;
}

void waldo_ear_free(waldo_ear *d)
{
	avcodec_free_context(&d->codec);
	av_packet_free(&d->packet);
	av_frame_free(&d->frame);
	free(d);
}

int waldo_ear_send(waldo_ear *d, const uint8_t *data, int size)
{
	int rc = av_new_packet(d->packet, size); // which is padded as the library wants it
	if (rc < 0)
		return rc;
	memcpy(d->packet->data, data, (size_t)size);
	rc = avcodec_send_packet(d->codec, d->packet);
	av_packet_unref(d->packet);
	return rc;
}

int waldo_ear_receive(waldo_ear *d)
{
	int rc = avcodec_receive_frame(d->codec, d->frame);
	if (rc == AVERROR(EAGAIN))
		return 0;
	if (rc < 0)
		return rc;
	d->rate = d->frame->sample_rate;
	d->channels = d->frame->ch_layout.nb_channels;
	d->samples = d->frame->nb_samples;
	return 1;
}

int waldo_ear_take(waldo_ear *d, float *out)
{
	const AVFrame *f = d->frame;
	size_t channels = (size_t)d->channels, n = (size_t)d->samples;
	for (size_t c = 0; c < channels; c++) {
		switch (f->format) {
		case AV_SAMPLE_FMT_FLTP:
			for (size_t i = 0; i < n; i++)
				out[i * channels + c] = ((const float *)f->extended_data[c])[i];
			break;
		case AV_SAMPLE_FMT_S16:
			for (size_t i = 0; i < n; i++)
				out[i * channels + c] = (float)((const int16_t *)f->extended_data[0])[i * channels + c] / 32768;
			break;
		default:
			return AVERROR_PATCHWELCOME;
		}
	}
	av_frame_unref(d->frame);
	return 0;
}
