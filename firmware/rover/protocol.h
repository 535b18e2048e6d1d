// The protocol of the rover's serial link. Plain C++ without the Arduino core, so that it can also be tested on a
// computer.
//
//   command, host to board, 6 bytes      0xA5 | int16 left | int16 right | crc8
//   telemetry, board to host, 23 bytes   0x5A | 21 bytes as in Telemetry | crc8
//
// Numbers are little-endian. The CRC-8 (polynomial 0x07, initial value 0) covers the bytes between start byte and CRC.
#pragma once

#include <stdint.h>
#include <string.h>

const uint8_t kCommandStart = 0xA5;
const uint8_t kCommandSize = 6;
const uint8_t kTelemetryStart = 0x5A;
const uint8_t kTelemetrySize = 23;

const int16_t kFullDuty = 255;      // the maximum duty forward; the maximum backward is -255
const uint32_t kPartialMs = 50;     // the bytes of an incomplete frame are dropped when they are older

// The bits of Telemetry::flags.
const uint8_t kFlagWatchdog = 1 << 0;  // the watchdog has stopped the motors: no valid command recently, or none yet
const uint8_t kFlagMoving = 1 << 1;    // a motor turns

inline uint8_t crc8(const uint8_t *bytes, uint8_t n) {
  uint8_t crc = 0;
  while (n-- > 0) {
    crc ^= *bytes++;
    for (uint8_t bit = 0; bit < 8; bit++) {
      crc = crc & 0x80 ? (uint8_t)(crc << 1) ^ 0x07 : (uint8_t)(crc << 1);
    }
  }
  return crc;
}

// Command is the duty of each side, from -kFullDuty to kFullDuty. Its sign is the direction; forward is positive.
struct Command {
  int16_t left;
  int16_t right;
};

// CommandReader finds the commands in a stream of bytes.
//
// A frame is valid if its CRC is right. After a wrong CRC the reader continues at the next start byte that it has
// already read, so a lost byte costs its own command and not the following ones.
class CommandReader {
 public:
  // take adds a byte that arrived at a time in milliseconds, and returns whether it completes a command.
  bool take(uint8_t byte, uint32_t now, Command *command) {
    forget(now);
    if (count_ == 0 && byte != kCommandStart) {
      return false;
    }
    bytes_[count_] = byte;
    came_[count_] = now;
    if (++count_ < kCommandSize) {
      return false;
    }
    if (crc8(bytes_ + 1, kCommandSize - 2) != bytes_[kCommandSize - 1]) {
      dropFirst();
      return false;
    }
    command->left = duty(bytes_ + 1);
    command->right = duty(bytes_ + 3);
    count_ = 0;
    return true;
  }

  // forget drops bytes that are too old. Call it in every loop, because the clock that gives their ages wraps around.
  void forget(uint32_t now) {
    while (count_ > 0 && now - came_[0] > kPartialMs) {
      dropFirst();
    }
  }

 private:
  // dropFirst drops bytes until the first one is a start byte, or none is left.
  void dropFirst() {
    uint8_t n = 1;
    while (n < count_ && bytes_[n] != kCommandStart) {
      n++;
    }
    count_ -= n;
    memmove(bytes_, bytes_ + n, count_);
    memmove(came_, came_ + n, count_ * sizeof came_[0]);
  }

  static int16_t duty(const uint8_t *bytes) {
    const int16_t value = (int16_t)(bytes[0] | (uint16_t)bytes[1] << 8);
    return value > kFullDuty ? kFullDuty : value < -kFullDuty ? -kFullDuty : value;
  }

  uint8_t bytes_[kCommandSize];
  uint32_t came_[kCommandSize];
  uint8_t count_ = 0;
};

// Telemetry is what the board reports about itself, in the order of transmission.
struct Telemetry {
  uint32_t uptime;   // ms since the board started
  int16_t left;      // duty applied now, -255 to 255
  int16_t right;
  int32_t x;         // mm since the start; x is forward at the start, y to the left
  int32_t y;
  int16_t heading;   // milliradians, -3142 to 3142, counterclockwise, 0 at the start
  uint16_t battery;  // mV
  uint8_t flags;     // kFlag…

  // encode writes a whole frame.
  void encode(uint8_t (&frame)[kTelemetrySize]) const {
    uint8_t *end = frame;
    *end++ = kTelemetryStart;
    end = put(end, uptime, 4);
    end = put(end, (uint16_t)left, 2);
    end = put(end, (uint16_t)right, 2);
    end = put(end, (uint32_t)x, 4);
    end = put(end, (uint32_t)y, 4);
    end = put(end, (uint16_t)heading, 2);
    end = put(end, battery, 2);
    *end++ = flags;
    *end = crc8(frame + 1, kTelemetrySize - 2);
  }

 private:
  static uint8_t *put(uint8_t *to, uint32_t value, uint8_t n) {
    for (; n > 0; n--, value >>= 8) {
      *to++ = (uint8_t)value;
    }
    return to;
  }
};
