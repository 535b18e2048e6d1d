#include "rover.h"

#include <simavr/avr_adc.h>
#include <simavr/avr_ioport.h>
#include <simavr/sim_time.h>
#include <stdbool.h>
#include <stdlib.h>

// Registers of the ATmega328P in its data space.
enum { DDRD = 0x2A, PORTD = 0x2B, TCCR0A = 0x44, OCR0A = 0x47, OCR0B = 0x48 };

enum {
	COM0A1 = 7,
	COM0B1 = 5,
	FULL_DUTY = 255,
	FULL_MM_PER_S = 800,
	STEP_US = 100,
	STEPS_PER_S = 1000000 / STEP_US,
	TRAVEL_PER_MM = FULL_DUTY * STEPS_PER_S, // so that a step adds whole numbers
	SUPPLY_MV = 5000,
	BATTERY_DIVIDER = 2,
};

static bool bit(const avr_t *avr, int reg, int n) { return avr->data[reg] >> n & 1; }

// A pin that is an input, as all are after a reset, drives nothing.
static bool high(const avr_t *avr, int pin) { return bit(avr, DDRD, pin) && bit(avr, PORTD, pin); }

// duty returns the present duty of one motor. analogWrite disconnects the timer from the pin for 0 and for 255.
static int duty(const avr_t *avr, const side_t *s)
{
	int duty = high(avr, s->pwm_pin) ? FULL_DUTY : 0;
	if (bit(avr, DDRD, s->pwm_pin) && bit(avr, TCCR0A, s->com))
		duty = avr->data[s->ocr];
	return high(avr, s->direction_pin) ? duty : -duty;
}

static void set_encoder(rover_t *r, int pin, bool level)
{
	avr_t *avr = r->io.avr;
	unsigned char mask = 1 << r->left.encoder_pin | 1 << r->right.encoder_pin;
	if ((r->encoders >> pin & 1) == level)
		return;
	r->encoders ^= 1 << pin;
	// Without this, simavr sets inputs with a pull-up high at every write to another pin of the port.
	avr_ioport_external_t external = {.name = 'D', .mask = mask, .value = r->encoders};
	avr_ioctl(avr, AVR_IOCTL_IOPORT_SET_EXTERNAL('D'), &external);
	avr_raise_irq(avr_io_getirq(avr, AVR_IOCTL_IOPORT_GETIRQ('D'), pin), level);
}

static void roll(rover_t *r, side_t *s)
{
	s->travel += abs(s->duty) * FULL_MM_PER_S;
	s->travel %= TRAVEL_PER_MM;
	set_encoder(r, s->encoder_pin, s->travel < TRAVEL_PER_MM / 2);
}

static avr_cycle_count_t step(avr_t *avr, avr_cycle_count_t when, void *param)
{
	rover_t *r = param;
	int left = duty(avr, &r->left), right = duty(avr, &r->right);
	if (left != r->left.next || right != r->right.next) {
		r->left.next = left;
		r->right.next = right;
		r->since = when;
	} else if (left != r->left.duty || right != r->right.duty) {
		r->left.duty = left;
		r->right.duty = right;
		r->moved(r->since, left, right);
	}
	roll(r, &r->left);
	roll(r, &r->right);
	return when + avr_usec_to_cycles(avr, STEP_US);
}

// started is called after every reset of the AVR, which clears all timers and makes its pins inputs.
static void started(avr_io_t *io)
{
	rover_t *r = (rover_t *)io;
	bool moving = r->left.duty != 0 || r->right.duty != 0;
	r->left.duty = r->left.next = r->right.duty = r->right.next = 0;
	if (moving)
		r->moved(io->avr->cycle, 0, 0);
	avr_cycle_timer_register_usec(io->avr, STEP_US, step, r);
}

void rover_attach(rover_t *r, avr_t *avr, unsigned battery_mv, void (*moved)(avr_cycle_count_t when, int left, int right))
{
	*r = (rover_t){
		.io = {.kind = "rover", .reset = started},
		.left = {.pwm_pin = 5, .direction_pin = 4, .encoder_pin = 2, .ocr = OCR0B, .com = COM0B1},
		.right = {.pwm_pin = 6, .direction_pin = 7, .encoder_pin = 3, .ocr = OCR0A, .com = COM0A1},
		.moved = moved,
	};
	avr_register_io(avr, &r->io);
	started(&r->io);
	avr->vcc = avr->avcc = avr->aref = SUPPLY_MV;
	avr_raise_irq(avr_io_getirq(avr, AVR_IOCTL_ADC_GETIRQ, ADC_IRQ_ADC0), battery_mv / BATTERY_DIVIDER);
}
