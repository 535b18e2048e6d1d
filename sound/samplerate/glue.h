// C side of package samplerate: one call per piece of sound, without a struct in which Go's memory and the library's meet.
#ifndef WALDO_SAMPLERATE_GLUE_H
#define WALDO_SAMPLERATE_GLUE_H

#include <samplerate.h>

// How many frames were read and written, or which error of src_strerror there was.
typedef struct {
	long used, made;
	int error;
} waldo_src_result;

waldo_src_result waldo_src_process(SRC_STATE *state, const float *in, long in_frames, float *out, long out_frames, double ratio, int end);

#endif
