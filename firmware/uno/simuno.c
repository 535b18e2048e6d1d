// simuno runs a program for the Arduino Uno in real time: simuno [--battery MV] [--stdin-ends] ELF
//
// The board is that of a rover (rover.h). Its serial port is a pseudo-terminal (uart.h). On standard output:
//
//   pty /dev/pts/N                the serial port, once it exists
//   motors MICROS LEFT RIGHT      new values of the motors: duties from -255 to 255. They start at 0 0
//
// MICROS is the time of the change on the host's clock CLOCK_MONOTONIC. On standard error: "late MS" when the host was
// so slow that the board stood still for MS milliseconds, "lost N bytes" when the host did not read, and errors of the
// program that the simulator detects.
//
//   --battery MV    the voltage of the battery, 7400
//   --stdin-ends    end when standard input does, and so with a parent that holds a pipe to it
//
// It ends on SIGTERM and SIGINT, and with status 1 when the program has stopped the processor for good.
#include <elf.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <simavr/sim_avr.h>
#include <simavr/sim_elf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rover.h"
#include "uart.h"

enum {
	FREQUENCY = 16000000,
	FLASH_SIZE = 32768,
	SLICE_NS = 1000000,        // the board runs for this long at a time, then waits for the host's clock
	LATE_NS = 100 * SLICE_NS,  // if it is further behind than this, it does not catch up
};

typedef struct {
	unsigned battery_mv;
	bool stdin_ends;
	const char *elf;
} options_t;

static volatile sig_atomic_t ended;
static int64_t began; // time of the board's cycle 0, in ns of CLOCK_MONOTONIC; moved on whenever the board is late

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

// when converts a cycle of the board to the time of the host's clock.
static int64_t when(avr_cycle_count_t cycle) { return began + (int64_t)(cycle * 125 / 2); }

static void moved(avr_cycle_count_t cycle, int left, int right)
{
	printf("motors %" PRId64 " %d %d\n", when(cycle) / 1000, left, right);
}

// complain writes simavr's messages, some of which would otherwise go to standard output.
static void complain(avr_t *avr, const int level, const char *format, va_list ap)
{
	if (level <= LOG_ERROR || (avr && level <= avr->log))
		vfprintf(stderr, format, ap);
}

// pace is called when the processor sleeps: the main loop does the waiting.
static void pace(avr_t *avr, avr_cycle_count_t cycles) { (void)avr, (void)cycles; }

// is_for_avr checks the header of an ELF file: libsimavr accepts the sections of any.
static bool is_for_avr(const char *path)
{
	Elf32_Ehdr head = {0};
	FILE *f = fopen(path, "rb");
	if (!f) {
		perror(path);
		return false;
	}
	bool is = fread(&head, sizeof head, 1, f) == 1 && memcmp(head.e_ident, ELFMAG, SELFMAG) == 0 && head.e_machine == EM_AVR;
	fclose(f);
	if (!is)
		fprintf(stderr, "simuno: %s: not an ELF file for an AVR\n", path);
	return is;
}

static avr_t *load(const char *path)
{
	elf_firmware_t firmware = {0};
	if (!is_for_avr(path))
		return NULL;
	if (elf_read_firmware(path, &firmware) != 0 || firmware.flashbase + firmware.flashsize > FLASH_SIZE) {
		fprintf(stderr, "simuno: %s: not a program for the ATmega328P\n", path);
		return NULL;
	}
	avr_t *avr = avr_make_mcu_by_name("atmega328p");
	if (!avr || avr_init(avr) != 0) {
		fprintf(stderr, "simuno: libsimavr does not know the ATmega328P\n");
		return NULL;
	}
	firmware.frequency = FREQUENCY;
	avr_load_firmware(avr, &firmware);
	avr->sleep = pace;
	return avr;
}

// run executes everything that is due by now. It returns false when the processor has stopped.
static bool run(avr_t *avr)
{
	int64_t behind = now_ns() - when(avr->cycle);
	if (behind > LATE_NS) {
		began += behind;
		fprintf(stderr, "late %" PRId64 "\n", behind / 1000000);
		return true;
	}
	for (avr_cycle_count_t until = avr->cycle + (behind > 0 ? behind * 2 / 125 : 0); avr->cycle < until;) {
		int state = avr_run(avr);
		if (state == cpu_Done || state == cpu_Crashed) {
			fprintf(stderr, "simuno: the program %s\n", state == cpu_Done ? "sleeps for ever" : "has crashed the processor");
			return false;
		}
	}
	return true;
}

// caught_up runs the board until it is at the host's clock, or nearly so. Only then may it receive new bytes:
// otherwise they would come too early.
static bool caught_up(avr_t *avr)
{
	for (int rounds = 0; rounds < 3; rounds++) {
		if (!run(avr))
			return false;
		if (now_ns() - when(avr->cycle) < SLICE_NS)
			break;
	}
	return true;
}

// rest waits for the next slice. It returns false when standard input has ended.
static bool rest(avr_t *avr, bool stdin_ends)
{
	int64_t ns = when(avr->cycle) + SLICE_NS - now_ns();
	struct timespec timeout = {.tv_nsec = ns < 0 ? 0 : ns > SLICE_NS ? SLICE_NS : ns};
	struct pollfd in = {.fd = stdin_ends ? STDIN_FILENO : -1, .events = POLLIN};
	char byte[64];
	if (ppoll(&in, 1, &timeout, NULL) <= 0)
		return true;
	return read(STDIN_FILENO, byte, sizeof byte) > 0 || errno == EINTR;
}

static bool parse(int argc, char **argv, options_t *o)
{
	const struct option known[] = {
		{"battery", required_argument, NULL, 'b'}, {"stdin-ends", no_argument, NULL, 's'}, {0},
	};
	*o = (options_t){.battery_mv = 7400};
	for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
		char *rest = "";
		if (c == 'b')
			o->battery_mv = strtoul(optarg, &rest, 10);
		else if (c == 's')
			o->stdin_ends = true;
		if (c == '?' || *rest || o->battery_mv > 10000)
			return false;
	}
	o->elf = argv[optind];
	return argc - optind == 1;
}

int main(int argc, char **argv)
{
	static uart_t uart;
	static rover_t rover;
	options_t options;
	if (!parse(argc, argv, &options)) {
		fprintf(stderr, "usage: simuno [--battery MV] [--stdin-ends] ELF\nMV is up to 10000\n");
		return 2;
	}
	struct sigaction action = {.sa_handler = end};
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	avr_global_logger_set(complain);
	avr_t *avr = load(options.elf);
	if (!avr)
		return 1;
	if (!uart_attach(&uart, avr)) {
		perror("simuno: pseudo-terminal");
		return 1;
	}
	began = now_ns();
	rover_attach(&rover, avr, options.battery_mv, moved);
	printf("pty %s\n", uart.name);
	while (!ended) {
		if (!caught_up(avr))
			return 1;
		uart_move(&uart);
		if (!rest(avr, options.stdin_ends))
			return 0;
	}
	return 0;
}
