#include "sketch.h"

#include "odometry.h"
#include "protocol.h"

void *sketch_reader_new(void) { return new CommandReader; }

void sketch_reader_free(void *reader) { delete static_cast<CommandReader *>(reader); }

bool sketch_reader_take(void *reader, uint8_t byte, uint32_t now, int16_t *left, int16_t *right) {
  Command command;
  if (!static_cast<CommandReader *>(reader)->take(byte, now, &command)) {
    return false;
  }
  *left = command.left;
  *right = command.right;
  return true;
}

void sketch_reader_forget(void *reader, uint32_t now) { static_cast<CommandReader *>(reader)->forget(now); }

void *sketch_odometry_new(void) { return new Odometry; }

void sketch_odometry_free(void *odometry) { delete static_cast<Odometry *>(odometry); }

void sketch_odometry_roll(void *odometry, int16_t left, int16_t right) { static_cast<Odometry *>(odometry)->roll(left, right); }

void sketch_odometry_pose(void *odometry, int32_t *x, int32_t *y, int16_t *heading) {
  const Odometry *o = static_cast<Odometry *>(odometry);
  *x = o->x();
  *y = o->y();
  *heading = o->heading();
}

void sketch_telemetry(uint32_t uptime, int16_t left, int16_t right, int32_t x, int32_t y, int16_t heading, uint16_t battery, uint8_t flags,
                      uint8_t *frame) {
  const Telemetry t = {uptime, left, right, x, y, heading, battery, flags};
  t.encode(*reinterpret_cast<uint8_t(*)[kTelemetrySize]>(frame));
}
