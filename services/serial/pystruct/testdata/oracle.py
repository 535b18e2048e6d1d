"""Answers what CPython's struct makes of formats, values and bytes: one JSON object a line from stdin, one a line to stdout.

A request is {"format": f, "values": [v, ...], "data": hex}. The answer is {"size": n, "packed": hex, "unpacked": [v, ...]}, with null
for what is an error. The first line of output is about the Python that answers. How values and formats are written in JSON is said
at encode and format_of.
"""

import json
import platform
import struct
import sys


def encode(value):
    """Write a value as text: i and a decimal number, d and the 16 hexadecimal digits of a double, b and bytes in hexadecimal, T or F."""
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, int):
        return "i%d" % value
    if isinstance(value, float):
        return "d" + struct.pack(">d", value).hex()
    return "b" + value.hex()


def decode(text):
    """Read what encode wrote."""
    kind, rest = text[0], text[1:]
    if kind == "i":
        return int(rest)
    if kind == "d":
        return struct.unpack(">d", bytes.fromhex(rest))[0]
    if kind == "b":
        return bytes.fromhex(rest)
    return {"T": True, "F": False}[kind]


def format_of(text):
    """Return the bytes of a format. In JSON each of them is one character, U+0000 to U+00FF."""
    return text.encode("latin-1")


# SystemError is what 0p ends with before 3.13.
ERRORS = (struct.error, OverflowError, SystemError)


def size(text):
    try:
        return struct.calcsize(format_of(text))
    except ERRORS:
        return None


def pack(text, values):
    try:
        return struct.pack(format_of(text), *map(decode, values)).hex()
    except ERRORS:
        return None


def unpack(text, data):
    try:
        return list(map(encode, struct.unpack(format_of(text), bytes.fromhex(data))))
    except ERRORS:
        return None


def about():
    """Describe what the results depend on: the version, and what native means."""
    return {
        "python": "%s %d.%d" % ((platform.python_implementation(),) + sys.version_info[:2]),
        "native": "%s-endian, %d byte long, %d byte pointer" % (sys.byteorder, struct.calcsize("l"), struct.calcsize("P")),
    }


def main():
    print(json.dumps(about()))
    for line in sys.stdin:
        request = json.loads(line)
        text = request["format"]
        answer = {"size": size(text), "packed": pack(text, request["values"]), "unpacked": unpack(text, request["data"])}
        print(json.dumps(answer))


if __name__ == "__main__":
    main()
