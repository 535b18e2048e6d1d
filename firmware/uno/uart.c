#include "uart.h"

#include <errno.h>
#include <fcntl.h>
#include <simavr/avr_uart.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

enum { UCSR0B = 0xC1, RXEN0 = 4 }; // of the ATmega328P, in its data space

// sent is called for each byte that the board sends.
static void sent(avr_irq_t *irq, uint32_t value, void *param)
{
	(void)irq;
	uart_t *u = param;
	if (!u->open)
		return;
	if (u->out_count == sizeof u->out) {
		u->lost++;
		return;
	}
	u->out[(u->out_begin + u->out_count++) % sizeof u->out] = value;
}

static void xon(avr_irq_t *irq, uint32_t value, void *param)
{
	(void)irq, (void)value;
	((uart_t *)param)->xoff = false;
}

static void xoff(avr_irq_t *irq, uint32_t value, void *param)
{
	(void)irq;
	((uart_t *)param)->xoff = value;
}

// with_slave opens the terminal for a moment, as a program would, to do something with it.
static bool with_slave(uart_t *u, bool (*act)(int fd))
{
	int fd = open(u->name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool done = act(fd);
	close(fd);
	return done;
}

static bool make_raw(int fd)
{
	struct termios t;
	if (tcgetattr(fd, &t) != 0)
		return false;
	cfmakeraw(&t);
	cfsetspeed(&t, B115200);
	return tcsetattr(fd, TCSANOW, &t) == 0;
}

static bool forget_output(int fd) { return tcflush(fd, TCIFLUSH) == 0; }

bool uart_attach(uart_t *u, avr_t *avr)
{
	*u = (uart_t){.avr = avr, .master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)};
	if (u->master < 0 || grantpt(u->master) != 0 || unlockpt(u->master) != 0)
		return false;
	if (ptsname_r(u->master, u->name, sizeof u->name) != 0)
		return false;
	// The other end reports whether the terminal is open only after it was opened once.
	if (!with_slave(u, make_raw))
		return false;

	uint32_t flags = 0; // neither sleep in the simulated port nor copy what is sent to our output
	avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
	uint32_t port = AVR_IOCTL_UART_GETIRQ('0');
	avr_irq_register_notify(avr_io_getirq(avr, port, UART_IRQ_OUTPUT), sent, u);
	avr_irq_register_notify(avr_io_getirq(avr, port, UART_IRQ_OUT_XON), xon, u);
	avr_irq_register_notify(avr_io_getirq(avr, port, UART_IRQ_OUT_XOFF), xoff, u);
	return true;
}

static void write_host(uart_t *u)
{
	while (u->out_count > 0) {
		size_t n = sizeof u->out - u->out_begin;
		if (n > u->out_count)
			n = u->out_count;
		ssize_t written = write(u->master, u->out + u->out_begin, n);
		if (written <= 0)
			return; // no room: try again later
		u->out_begin = (u->out_begin + written) % sizeof u->out;
		u->out_count -= written;
		if (u->lost > 0) {
			fprintf(stderr, "lost %lu bytes that the host did not read in time\n", u->lost);
			u->lost = 0;
		}
	}
}

// closed_now drops the bytes that the last reader left unread.
static void closed_now(uart_t *u)
{
	u->out_count = 0;
	u->lost = 0;
	with_slave(u, forget_output);
}

static void read_host(uart_t *u)
{
	ssize_t n = read(u->master, u->in, sizeof u->in);
	bool open = n >= 0 || errno != EIO; // EIO means that nobody has the terminal open
	if (u->open && !open)
		closed_now(u);
	u->open = open;
	u->in_begin = 0;
	u->in_end = n > 0 ? n : 0;
}

static bool ready(const uart_t *u) { return !u->xoff && u->avr->data[UCSR0B] >> RXEN0 & 1; }

void uart_move(uart_t *u)
{
	write_host(u);
	if (u->in_begin == u->in_end)
		read_host(u);
	avr_irq_t *input = avr_io_getirq(u->avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT);
	while (u->in_begin < u->in_end && ready(u))
		avr_raise_irq(input, u->in[u->in_begin++]);
}
