// Firmware of a small rover with two driven wheels, for an Arduino Uno (ATmega328P). README.md beside this folder
// explains how to flash it, protocol.h the protocol of the serial link (115200 baud, 8N1), odometry.h how the position
// is computed.
//
//   pin     wire                      to
//   5, 4    PWM, direction            left input of the motor driver (enable, phase)
//   6, 7    PWM, direction            right input of the motor driver
//   2, 3    encoder left, right       open collector or 5 V; one rising edge per mm that the wheel rolls
//   A0      half the battery voltage  the middle of two equal resistors (10 kOhm) between battery and ground
//   13      LED of the board          on while the watchdog holds the motors
//   GND     ground                    driver, encoders and battery
//
// This is the layout of the common L298P motor shields. Both PWM inputs need a pull-down (10 kOhm) if the driver lacks
// one: while the board resets, its pins float.
//
// For another motor driver, change the pins below, and kLeftForward or kRightForward if a wheel turns the wrong way. A
// driver with two PWM inputs per motor instead of PWM and direction needs another Motor::drive; only that function
// knows how a motor is driven. PWM on pins 5 and 6 uses timer 0 (976 Hz), which is also the clock of millis(): a
// driver that needs another frequency must move to pins 9 and 10 (timer 1).
//
// The motors stop by themselves
//   - when no valid command arrives for kCommandTimeoutMs: the command watchdog, in loop();
//   - when loop() stops running: the hardware watchdog of the AVR resets the board, and after a reset nothing turns.

#include <avr/sleep.h>
#include <avr/wdt.h>
#include <util/atomic.h>

#include "odometry.h"
#include "protocol.h"

const uint8_t kLeftPwmPin = 5;
const uint8_t kLeftDirectionPin = 4;
const uint8_t kLeftForward = HIGH;  // the level of the direction pin that drives forward
const uint8_t kRightPwmPin = 6;
const uint8_t kRightDirectionPin = 7;
const uint8_t kRightForward = HIGH;
const uint8_t kLeftEncoderPin = 2;  // INT0
const uint8_t kRightEncoderPin = 3; // INT1
const uint8_t kBatteryPin = A0;
const uint8_t kWatchdogLedPin = LED_BUILTIN;

const uint32_t kBaud = 115200;
const uint32_t kReferenceMv = 5000;        // the converter's full scale: the board's 5 V
const uint32_t kAdcFullScale = 1023;
const uint32_t kBatteryDivider = 2;
const uint32_t kCommandTimeoutMs = 250;
const uint8_t kHangTimeout = WDTO_250MS;   // 256 ms of an oscillator that is accurate to about 10 %
const uint32_t kOdometryMs = 10;           // 8 mm at full speed
const uint32_t kTelemetryMs = 20;

// Motor is one side of the driver.
class Motor {
 public:
  Motor(uint8_t pwmPin, uint8_t directionPin, uint8_t forward)
      : pwmPin_(pwmPin), directionPin_(directionPin), forward_(forward) {}

  void begin() {
    digitalWrite(pwmPin_, LOW);
    pinMode(pwmPin_, OUTPUT);
    digitalWrite(directionPin_, forward_);
    pinMode(directionPin_, OUTPUT);
  }

  // drive sets the duty. At 0 the direction stays as it was, because the wheel may keep rolling.
  void drive(int16_t duty) {
    const bool backward = duty < 0;
    if (duty != 0 && backward != backward_) {
      analogWrite(pwmPin_, 0);  // no power while the direction changes
      digitalWrite(directionPin_, backward ? !forward_ : forward_);
      backward_ = backward;
    }
    if (duty != duty_) {
      analogWrite(pwmPin_, backward ? -duty : duty);
      duty_ = duty;
    }
  }

  int16_t duty() const { return duty_; }

  // tick is for the interrupt of the encoder. One edge does not tell the direction, so it counts in the one driven
  // last.
  void tick() { ticks_ += backward_ ? -1 : 1; }

  // takeTicks returns the ticks since the last call.
  int16_t takeTicks() {
    int16_t ticks;
    ATOMIC_BLOCK(ATOMIC_RESTORESTATE) {
      ticks = ticks_;
      ticks_ = 0;
    }
    return ticks;
  }

 private:
  const uint8_t pwmPin_;
  const uint8_t directionPin_;
  const uint8_t forward_;
  int16_t duty_ = 0;
  volatile bool backward_ = false;
  volatile int16_t ticks_ = 0;
};

Motor left(kLeftPwmPin, kLeftDirectionPin, kLeftForward);
Motor right(kRightPwmPin, kRightDirectionPin, kRightForward);
CommandReader reader;
Odometry odometry;
bool held = true;         // the command watchdog holds the motors
uint32_t commanded = 0;   // the times, in ms since the start, of the last valid command,
uint32_t measured = 0;    // of the last step of the odometry
uint32_t reported = 0;    // and when the last telemetry was due

void leftTick() { left.tick(); }
void rightTick() { right.tick(); }

void drive(const Command &command) {
  left.drive(command.left);
  right.drive(command.right);
}

void hold(bool on) {
  held = on;
  digitalWrite(kWatchdogLedPin, on ? HIGH : LOW);
}

// readCommands executes every valid command that has arrived. Bytes that arrive while it reads wait for the next loop.
void readCommands(uint32_t now) {
  reader.forget(now);
  Command command;
  for (int n = Serial.available(); n > 0; n--) {
    if (reader.take((uint8_t)Serial.read(), now, &command)) {
      drive(command);
      hold(false);
      commanded = now;
    }
  }
}

// watch stops the motors when commands stop arriving. Times are compared by their difference, which stays right when
// millis() wraps around.
void watch(uint32_t now) {
  if (!held && now - commanded >= kCommandTimeoutMs) {
    drive({0, 0});
    hold(true);
  }
}

void measure(uint32_t now) {
  if (now - measured < kOdometryMs) {
    return;
  }
  measured = now;
  odometry.roll(left.takeTicks(), right.takeTicks());
}

uint16_t batteryMv() {
  const uint32_t fullScaleMv = kReferenceMv * kBatteryDivider;
  return (analogRead(kBatteryPin) * fullScaleMv + kAdcFullScale / 2) / kAdcFullScale;
}

// report sends telemetry when it is due. A frame that does not fit is dropped: writing would block, and delay
// commands.
void report(uint32_t now) {
  if (now - reported < kTelemetryMs) {
    return;
  }
  reported += kTelemetryMs;
  if (now - reported >= kTelemetryMs) {
    reported = now;  // several were missed: skip them
  }
  if (Serial.availableForWrite() < kTelemetrySize) {
    return;
  }
  Telemetry t;
  t.uptime = now;
  t.left = left.duty();
  t.right = right.duty();
  t.x = odometry.x();
  t.y = odometry.y();
  t.heading = odometry.heading();
  t.battery = batteryMv();
  t.flags = (held ? kFlagWatchdog : 0) | (t.left != 0 || t.right != 0 ? kFlagMoving : 0);
  uint8_t frame[kTelemetrySize];
  t.encode(frame);
  Serial.write(frame, sizeof frame);
}

// rest sleeps until the next interrupt: a byte, a tick, or timer 0 within 1.024 ms. Interrupts are off while it looks
// for bytes, and the instruction after sei is always executed before an interrupt, so none is slept through.
void rest() {
  noInterrupts();
  if (Serial.available() == 0) {
    sleep_enable();
    interrupts();
    sleep_cpu();
    sleep_disable();
  }
  interrupts();
}

void setup() {
  // First of all: after a watchdog reset the timer keeps running and leaves 16 ms, unless a bootloader switches it
  // off.
  wdt_enable(kHangTimeout);
  // The core starts timers 1 and 2 for PWM on pins that are not used here. Stopped, they cost no power, and no time in
  // a simulator.
  TCCR1B = 0;
  TCCR2B = 0;
  left.begin();
  right.begin();
  pinMode(kWatchdogLedPin, OUTPUT);
  digitalWrite(kWatchdogLedPin, HIGH);
  pinMode(kLeftEncoderPin, INPUT_PULLUP);
  pinMode(kRightEncoderPin, INPUT_PULLUP);
  attachInterrupt(digitalPinToInterrupt(kLeftEncoderPin), leftTick, RISING);
  attachInterrupt(digitalPinToInterrupt(kRightEncoderPin), rightTick, RISING);
  Serial.begin(kBaud);
  set_sleep_mode(SLEEP_MODE_IDLE);
}

void loop() {
  wdt_reset();
  const uint32_t now = millis();
  readCommands(now);
  watch(now);
  measure(now);
  report(now);
  rest();
}
