// The serial port of the simulated board, as a pseudo-terminal of the host.
//
// It behaves like the USB port of a real board. Programs may open and close it at any time; while nobody has it open,
// the board's data is dropped, so the next program receives nothing old. While it is open no byte is lost, unless its
// reader pauses for so long that the host runs out of room.
#pragma once

#include <simavr/sim_avr.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct {
	avr_t *avr;
	int master;
	char name[64];         // of the terminal, for the host
	bool open;             // somebody has it open
	bool xoff;             // the board has no room
	unsigned char in[256]; // read from the host, not yet taken by the board
	size_t in_begin, in_end;
	unsigned char out[1024]; // a ring: sent by the board, not yet taken by the host
	size_t out_begin, out_count;
	unsigned long lost; // bytes for which the ring had no room, since the host last read
} uart_t;

// uart_attach makes the pseudo-terminal, raw, and joins it to UART 0. On an error it returns false with errno set.
bool uart_attach(uart_t *u, avr_t *avr);

// uart_move moves bytes in both directions and never blocks. Call it about once a millisecond, between two
// instructions of the board.
void uart_move(uart_t *u);
