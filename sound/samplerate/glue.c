#include "glue.h"

waldo_src_result waldo_src_process(SRC_STATE *state, const float *in, long in_frames, float *out, long out_frames, double ratio, int end)
{
	static const float nothing; // src_process does not empty its filter if data_in is NULL
	SRC_DATA data = {
		.data_in = in ? in : &nothing,
		.data_out = out,
		.input_frames = in_frames,
		.output_frames = out_frames,
		.end_of_input = end,
		.src_ratio = ratio,
	};
	int error = src_process(state, &data);
	return (waldo_src_result){data.input_frames_used, data.output_frames_gen, error};
}
