// The position of the rover, computed from the distance its wheels have rolled. Plain C++ without the Arduino core, so
// that it can also be tested on a computer.
#pragma once

#include <math.h>
#include <stdint.h>

const float kMmPerTick = 1.0f;      // wheel travel between two rising edges of an encoder
const float kWheelBaseMm = 200.0f;  // distance between the wheels

// Millimetres is a length that does not lose small steps once it is large; a float alone would after a few hundred
// metres.
class Millimetres {
 public:
  void add(float mm) {
    fraction_ += mm;
    const int32_t whole = (int32_t)fraction_;
    whole_ += whole;
    fraction_ -= (float)whole;
  }

  int32_t rounded() const { return whole_ + (int32_t)lroundf(fraction_); }

 private:
  int32_t whole_ = 0;
  float fraction_ = 0;
};

// Odometry adds up small arcs. Called every few millimetres, its error is far smaller than the slip of the wheels.
class Odometry {
 public:
  // roll takes the ticks of both wheels since the last call, negative when backward.
  void roll(int16_t leftTicks, int16_t rightTicks) {
    const float left = leftTicks * kMmPerTick;
    const float right = rightTicks * kMmPerTick;
    const float turn = (right - left) / kWheelBaseMm;
    const float along = heading_ + turn / 2;  // the chord of an arc points along the mean of its two headings
    const float distance = (left + right) / 2;
    x_.add(distance * cosf(along));
    y_.add(distance * sinf(along));
    heading_ = wrap(heading_ + turn);
  }

  // x is mm forward and y mm to the left, as seen at the start.
  int32_t x() const { return x_.rounded(); }
  int32_t y() const { return y_.rounded(); }

  // heading is in milliradians, counterclockwise, from -3142 to 3142.
  int16_t heading() const { return (int16_t)lroundf(heading_ * 1000); }

 private:
  static float wrap(float radians) {
    const float pi = (float)M_PI;
    while (radians > pi) {
      radians -= 2 * pi;
    }
    while (radians < -pi) {
      radians += 2 * pi;
    }
    return radians;
  }

  Millimetres x_;
  Millimetres y_;
  float heading_ = 0;
};
