#include "glue.h"

waldo_src_result waldo_src_process(SRC_STATE *state, const float *in, long in_frames, float *out, long out_frames, double ratio, int end)
{
	SRC_DATA data = {
		.data_in = in,
		.data_out = out,
		.input_frames = in_frames,
		.output_frames = out_frames,
		.end_of_input = end,
		.src_ratio = ratio,
	};
	int error = src_process(state, &data);
	return (waldo_src_result){data.input_frames_used, data.output_frames_gen, error};
}
