// Package pystruct packs and unpacks binary messages described by the format strings of Python's struct
// module, which sketches and scripts for serial boards often use. Results match CPython 3.11 byte for
// byte.
//
// A [Format] is parsed once and then used for any number of messages:
//
//	prefix   byte order                 sizes       alignment
//	@, none  little-endian              native      native
//	=        little-endian              standard    none
//	<        little-endian              standard    none
//	>, !     big-endian                 standard    none
//
//	character        bytes (native)  packed from             unpacked to
//	x                1               no value: a zero byte   nothing
//	c                1               []byte of length 1      []byte
//	b h i l q        1 2 4 4(8) 8    whole number            int64
//	B H I L Q        1 2 4 4(8) 8    whole number            int64, or uint64 above its range
//	n, N P           (8)             whole number            int64; N and P uint64 above its range
//	?                1               anything, as in Python  bool
//	e f d            2 4 8           any number              float64
//	s                the count       []byte, cut or filled   []byte
//	p                the count       []byte, cut or filled   []byte, of the length in its first byte
//
// Native means 64-bit Linux on x86 and ARM, regardless of the machine this program runs on: so a message
// has the same meaning on all machines. Each native number is aligned to its own size, which can leave
// holes; there are none behind the last number, unless a count of 0 asks for them, as in `ib0i`. A
// format without prefix is native too: `hI` has 8 bytes, `<hI` has 6.
//
// # Values
//
// Unpack returns int64, uint64, float64, bool and []byte. Pack takes these, int, and string in place of
// []byte. Whole numbers are never rounded, wrapped or made from a float64, even from 3.0. A bool counts
// as 0 or 1 where a number is required, and `?` packs any value as true unless it is false, zero or
// empty. NaN and the infinities are numbers. A number that is too large for `e` or `f` is refused,
// except for `f` in native mode, where Python packs an infinity.
//
// # Where this differs from CPython 3.11
//
//   - A format has at most [MaxSize] bytes and [MaxValues] values.
//   - `0p` has no bytes and is unpacked to none, as in CPython from 3.13 on. Older ones write a byte out
//     of bounds.
//   - nil is not a value. Python takes None for false.
//   - The texts of errors.
//
// # Concurrency
//
// A Format never changes and is safe for concurrent use. The package starts no goroutines and keeps no
// reference to its arguments: unpacked bytes are copies.
package pystruct
