"""Paints and reads the stamp that tells when a picture was captured; pkg/media/stamp describes it."""
import numpy

COLUMNS, ROWS = 18, 4


def checksum(data):
    """CRC-8, polynomial 0x07, start value 0xFF."""
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ (0x07 if crc & 0x80 else 0)) & 0xFF
    return crc


def paint(image, seconds, sequence):
    """Paints the time and a number into a picture of BGR that is at least 640 pixels wide."""
    word = ((int(seconds * 1e6) % 2**48) << 16 | sequence % 2**16).to_bytes(8, "big")
    bits = numpy.unpackbits(numpy.frombuffer(word + bytes([checksum(word)]), numpy.uint8)).reshape(ROWS, COLUMNS)
    image[16:16 * (ROWS + 1), 16:16 * (COLUMNS + 1)] = (bits * 255).repeat(16, 0).repeat(16, 1)[:, :, None]


def read(image):
    """Returns the time in seconds that a picture of BGR tells; None if it cannot be read."""
    block = image[16:16 * (ROWS + 1), 16:16 * (COLUMNS + 1)].mean(axis=2).reshape(ROWS, 16, COLUMNS, 16)
    cells = block[:, 4:12, :, 4:12].mean(axis=(1, 3))
    if ((cells > 80) & (cells < 160)).any():
        return None
    data = numpy.packbits(cells > 128).tobytes()
    return int.from_bytes(data[:6], "big") / 1e6 if checksum(data[:8]) == data[8] else None
