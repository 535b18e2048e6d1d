// The parts of the rover's firmware that do not need a board, for Go.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

void *sketch_reader_new(void);
void sketch_reader_free(void *reader);
bool sketch_reader_take(void *reader, uint8_t byte, uint32_t now, int16_t *left, int16_t *right);
void sketch_reader_forget(void *reader, uint32_t now);

void *sketch_odometry_new(void);
void sketch_odometry_free(void *odometry);
void sketch_odometry_roll(void *odometry, int16_t left, int16_t right);
void sketch_odometry_pose(void *odometry, int32_t *x, int32_t *y, int16_t *heading);

void sketch_telemetry(uint32_t uptime, int16_t left, int16_t right, int32_t x, int32_t y, int16_t heading, uint16_t battery, uint8_t flags,
		      uint8_t *frame);

#ifdef __cplusplus
}
#endif
