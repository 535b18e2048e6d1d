"""Makes golden.json: what CPython's struct makes of formats, values and bytes. Run it with CPython 3.11 on 64-bit Linux.

    python3 golden.py [file]        # golden.json beside this script, if no file is named

The file holds an object: about the Python that made it, and three lists of vectors, each on a line of its own,

    formats  [format, size of the message, number of values]
    pack     [format, values, bytes in hexadecimal]
    unpack   [format, bytes in hexadecimal, values]

where null stands for an error; for the number of values also if they cannot be unpacked (0p, before 3.13). oracle.py says how formats
and values are written.
"""

import json
import os
import struct
import sys

sys.dont_write_bytecode = True  # leaves no __pycache__ beside the script

from oracle import about, encode, format_of, pack, size, unpack  # noqa: E402

PREFIXES = ["", "@", "=", "<", ">", "!"]
CHARS = "xcbB?hHiIlLqQnNefdspP"
INTEGERS = "bBhHiIlLqQnNP"
SPACES = " \t\n\v\f\r"


class Vectors:
    """Collects vectors, each once, in the order in which they come."""

    def __init__(self):
        self.formats, self.packs, self.unpacks = {}, {}, {}

    def format(self, text):
        n = size(text)
        values = None if n is None else unpack(text, "00" * n)
        self.formats.setdefault(text, [text, n, None if values is None else len(values)])

    def pack(self, text, *values):
        """Add what packing gives, and if it gives bytes, what unpacking those gives."""
        written = [encode(v) for v in values]
        packed = pack(text, written)
        self.packs.setdefault((text, tuple(written)), [text, written, packed])
        if packed is not None and unpack(text, packed) != written:
            self.unpack(text, bytes.fromhex(packed))

    def unpack(self, text, data):
        self.unpacks.setdefault((text, data), [text, data.hex(), unpack(text, data.hex())])

    def write(self, file):
        lists = {"formats": self.formats, "pack": self.packs, "unpack": self.unpacks}
        file.write("{\n")
        for key, value in about().items():
            file.write("%s: %s,\n" % (json.dumps(key), json.dumps(value)))
        file.write(",\n".join('"%s": [\n%s\n]' % (k, ",\n".join(map(line, v.values()))) for k, v in lists.items()))
        file.write("\n}\n")


def line(vector):
    return json.dumps(vector, separators=(",", ":"))


class Random:
    """Draws the same numbers in every version of Python."""

    def __init__(self, state):
        self.state = state

    def below(self, n):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % n

    def choice(self, among):
        return among[self.below(len(among))]

    def bytes(self, n):
        return bytes(self.below(256) for _ in range(n))


def double(bits):
    return struct.unpack(">d", bits.to_bytes(8, "big"))[0]


def bits_of(x):
    return int.from_bytes(struct.pack(">d", x), "big")


def around(x):
    """A positive number, and its neighbours among doubles."""
    return [double(bits_of(x) - 1), x, double(bits_of(x) + 1)]


NANS = [double(b) for b in (0x7FF8 << 48, 0xFFF8 << 48, 0x7FF0000000000001, 0xFFF4 << 48, 0x7FF8000020000001, 0x7FFFFFFFFFFFFFFF)]
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.1, -2.5, float("inf"), float("-inf"), 5e-324, sys.float_info.max, -sys.float_info.max] + NANS


def half_numbers():
    """Numbers at, between and beside numbers of half precision, where rounding decides."""
    unit = 2.0**-24
    numbers = [unit / 4]
    for n in (0, 1, 2, 3, 511, 512, 1022, 1023, 1024, 1025):  # subnormal, and into normal
        numbers += around((n + 0.5) * unit) + ([n * unit] if n else [])
    for exponent in (-13, -1, 0, 1, 10, 14):
        for n in (1024, 1025, 1026, 1535, 2046, 2047):
            numbers += around((n + 0.5) * 2.0 ** (exponent - 10)) + [n * 2.0 ** (exponent - 10)]
    return numbers + [65503.0, 65504.0, 65505.0, 65519.0, 65536.0, 1e5, 1e300] + around(65520.0)


def single_numbers():
    """The same for single precision."""
    unit, most = 2.0**-149, (2 - 2.0**-23) * 2.0**127
    numbers = [unit / 4]
    for n in (0, 1, 2, 3, 2**22, 2**23 - 1, 2**23, 2**23 + 1):
        numbers += around((n + 0.5) * unit) + ([n * unit] if n else [])
    for exponent in (-126, 0, 1, 23, 127):
        for n in (2**23, 2**23 + 1, 2**24 - 2):
            numbers += around((n + 0.5) * 2.0 ** (exponent - 23)) + [n * 2.0 ** (exponent - 23)]
    return numbers + [most, 2.0**128, 1e39, 1e300] + around((2 - 2.0**-24) * 2.0**127)


def integers():
    """The edges of all sizes, as far as they have 64 bits."""
    edges = [0, 1, -1]
    for bits in (7, 8, 15, 16, 31, 32, 63):
        edges += [2**bits - 1, 2**bits, -(2**bits), -(2**bits) - 1]
    return [n for n in edges if n >= -(2**63)] + [2**64 - 1]


def add_formats(v):
    for prefix in PREFIXES:
        for c in range(256):
            v.format(prefix + chr(c))
        for c in CHARS:
            for text in ("0%s", "2%s", "17%s", "b%s", "b0%s", "b%sb", "3b 2%s", "%sb", "q0%s", "hx%s", "%s%%s" % c):
                v.format(prefix + text % c)
    for space in SPACES + "\x1c\x1d\x1e\x1f\x85\xa0\0":
        for text in ("%sh", "h%s", "h%sh", "3%sh", "<%sh", "%s<h", "3%s", "%s"):
            v.format(text.replace("%s", space))
    for text in (
        ["", "  ", "< ", "3", "<3", "h3", "h 3", "03h", "000h", "000000000000000000000000000002h", "<<h", "h<", "@=h", "=@", "h@", "--"]
        + ["-1h", "+1h", "1.5h", "1,2h", "h,h", "(h)", "hh\0", "h\0h", "\0", "\xff", "h\xff", "\xc3\xa4", "h\u00b2", "0x10h", "1e2h"]
        + ["99999999999999999999h", "9223372036854775807xx", "9223372036854775808x", "99999999999999999999", "18446744073709551616b"]
        + ["9223372036854775807q", "4611686018427387904h", "9223372036854775807s1s", "<1152921504606846976q", "99999999999999999999k"]
        + ["4096b", "<4095b x s", "65536s", "65536p", "65536x", "<4095qi0h", "65529x0q", "4096?61440x", "<n", ">N", "=P", "!n", "nNP", "@P"]
        + ["bhilqfd", "<bhilqfd", "qlihb", "bxhxixq", "c?bB", "3xi", "b3xi", "b4xi", "b0i0q", "i0b0q", "hf0d", "e b e", "b5sh"]
        + ["b5pq", "?e?f?d", "h;h", "#h"]
    ):
        v.format(text)


def add_integers(v):
    for prefix in PREFIXES:
        for c in INTEGERS:
            if size(prefix + c) is None:
                continue
            for n in integers() + [True, False, 3.0, float("nan"), b"", b"\x07"]:
                v.pack(prefix + c, n)


def add_floats(v):
    for c, numbers in (("e", half_numbers()), ("f", single_numbers())):
        for x in numbers:
            v.pack("<" + c, x)
        for i, x in enumerate(numbers):
            v.pack(PREFIXES[i % len(PREFIXES)] + c, -x)
    whole = [0, 1, -1, 2048, 2049, 2051, 65504, 65519, 65520, -65519, -65520, 2**24 + 1, -(2**24) - 3, 2**53 + 1, 2**53 + 3]
    whole += [2**60 + 2**36 + 1, 2**63 - 1, -(2**63), 2**63, 2**64 - 1, 2**64 - 2**10, 2**64 - 2**10 - 1, 2**64 - 2**39]
    for prefix in PREFIXES:
        for c in "efd":
            for x in SPECIAL + whole + [True, False, b"", b"1.0"]:
                v.pack(prefix + c, x)


def add_others(v):
    bytestrings = [b"", b"a", b"ab", b"abc", b"abcd", b"\0\xff", b"a\0b\0c\0d"]
    for prefix in PREFIXES:
        for x in [True, False, 0, 1, -1, 2**63, 2**64 - 1, 0.0, -0.0, 0.5, 5e-324, float("nan"), b"", b"\0"]:
            v.pack(prefix + "?", x)
        for text in ("c", "s", "0s", "1s", "2s", "5s", "p", "1p", "2p", "5p"):
            for data in bytestrings + [5, 1.0, True]:
                v.pack(prefix + text, data)
    for length in (254, 255, 256, 300):
        for count in (255, 256, 257):
            v.pack("%dp" % count, bytes(i * 7 % 251 for i in range(length)))


LAYOUTS = ["bhbibq", "bqbibh", "3bh", "b2h", "2b0i", "b0q", "0q", "bxh", "hxx?i0q", "b 2x h", "c5shp?i", "b3pi", "bdbfbe", "0sb0s"]


def add_layouts(v):
    v.pack("")
    v.pack("<")
    v.pack("", 1)
    v.pack("3x")
    v.pack("0h")
    v.pack("0h", 1)
    for prefix in PREFIXES:
        for text in LAYOUTS:
            values = {"c": b"c", "s": b"text", "p": b"pascal", "?": True, "e": 0.5, "f": -1.25, "d": 1e-3}
            wanted = [values.get(c, i - 3) for i, c in enumerate(value_chars(text))]
            v.pack(prefix + text, *wanted)
            v.pack(prefix + text, *wanted[1:])
            v.pack(prefix + text, *wanted, 1)
    v.pack("@bnPN", 1, -2, 3, 4)
    v.pack("<hhh", 1, 2.0, 3)
    v.pack("<bbb", 1, 2, 300)


def value_chars(text):
    """The format character of each value."""
    count = ""
    for c in text:
        if c.isdigit():
            count += c
            continue
        if c in "sp":
            yield c
        elif c not in "x " + SPACES:
            yield from c * int(count or 1)
        count = ""


def add_unpacks(v):
    for prefix in PREFIXES:
        for c in CHARS:
            n = size(prefix + c)
            if n is None:
                continue
            zeros, ones = bytes(n - 1), b"\xff" * (n - 1)
            for data in (b"\0" + zeros, b"\xff" + ones, b"\x80" + zeros, zeros + b"\x80", b"\x7f" + ones, bytes(range(1, n + 1))):
                v.unpack(prefix + c, data)
            v.unpack(prefix + c, bytes(n + 1))
            v.unpack(prefix + c, bytes(n - 1))
    for first in (0, 1, 2, 3, 4, 5, 127, 128, 255):
        for text in ("p", "2p", "4p", "<x3pb"):
            v.unpack(text, bytes([first]) * size(text))
        v.unpack("256p", bytes([first]) + bytes(255 * [7]))
        v.unpack(">3?", bytes([first, 0, first]))
    for start in range(0, 0x8000, 0x400):  # the edges of all exponents of half precision
        for half in (start, start + 1, start + 0x200, start + 0x3FF):
            v.unpack("<2e", struct.pack("<2H", half, half + 0x8000))
    for single in (0, 1, 0x7FFFFF, 0x800000, 0x800001, 0x3F800000, 0x7F7FFFFF, 0x7F800000, 0x7F800001, 0x7FA00000, 0x7FC00001, 0x7FFFFFFF):
        v.unpack(">2f", struct.pack(">2I", single, single + 0x80000000))
        v.unpack("f", struct.pack("I", single))
    v.unpack("bxh", b"\x01\xff\x02\x03")
    v.unpack("bi0q", b"\x01\xff\xff\xff\x02\x00\x00\x00")
    v.unpack("bi0q", bytes(9))


def add_random(v):
    random = Random(3)
    for _ in range(400):
        text = random.choice(PREFIXES)
        for _ in range(1 + random.below(6)):
            count = random.choice(["", "", "", "0", "1", "2", "3", "7"])
            c = random.choice(CHARS)
            text += random.choice(["", "", "", " "]) + ("" if c == "p" and count == "0" else count) + c
        n = size(text)
        if n is None:
            v.format(text)
            continue
        data = random.bytes(n)
        v.unpack(text, data)
        v.pack(text, *struct.unpack(format_of(text), data))


def main():
    v = Vectors()
    for add in (add_formats, add_integers, add_floats, add_others, add_layouts, add_unpacks, add_random):
        add(v)
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden.json")
    with open(path, "w", encoding="ascii", newline="\n") as file:
        v.write(file)


if __name__ == "__main__":
    main()
