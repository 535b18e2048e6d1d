// The hardware wired to the simulated board: motors, wheels with encoders, a battery.
//
// Left: PWM on pin 5, direction on pin 4, encoder on pin 2. Right: pins 6, 7, and 3. A high direction pin drives
// forward. The battery is on A0, behind a 2:1 divider. A wheel follows its motor instantly: 800 mm/s at full duty, one
// rising edge of its encoder per mm.
#pragma once

#include <simavr/sim_avr.h>
#include <simavr/sim_io.h>
#include <stdint.h>

typedef struct {
	int pwm_pin, direction_pin, encoder_pin; // bits of port D
	int ocr, com;                            // the PWM pin's compare register, and the bit of TCCR0A that connects it
	int duty;                                // -255 to 255, as last reported
	int next;                                // as seen in the last step
	uint32_t travel;                         // how far the wheel is from the last mm, of TRAVEL_PER_MM
} side_t;

typedef struct rover {
	avr_io_t io; // first: simavr knows the rover by it
	side_t left, right;
	avr_cycle_count_t since; // when the last step saw a change
	void (*moved)(avr_cycle_count_t when, int left, int right);
	unsigned char encoders; // levels of the encoder pins
} rover_t;

// rover_attach wires the rover to a board. It calls moved whenever the motors' values change, with the time of the
// change. States shorter than a step of 100 us do not count: the pins of the two motors are not set simultaneously.
void rover_attach(rover_t *r, avr_t *avr, unsigned battery_mv, void (*moved)(avr_cycle_count_t when, int left, int right));
