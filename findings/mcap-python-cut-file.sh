#!/bin/bash
# The MCAP reader for Python calls a file that was not completed one with a huge record.
#
# mcap 1.6.0 from PyPI (Python 3): make_reader looks for the index where a complete file has it. A recording whose writer
# was killed has none, and then the bytes there, of a message, are taken for the length of a record: the error names that
# length and a limit, and neither the missing index nor the remedy. NonSeekingReader gives no message either, as it sorts
# all of them first and then fails; unsorted it gives all that are there, and then fails.
#
# Seen:  make_reader: 0, RecordLengthLimitExceeded | NonSeekingReader: 0, EndOfFile | unsorted: 300, EndOfFile
#
# So Waldo repairs recordings that were left behind before anybody opens them (recording/repair, recording/folder), and
# calls them *.mcap.part until then.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
python3 -m venv v >/dev/null
v/bin/pip install --quiet --disable-pip-version-check mcap==1.6.0
cat >main.py <<'PY'
import io
from mcap.reader import NonSeekingReader, make_reader
from mcap.writer import CompressionType, Writer

out = io.BytesIO()
writer = Writer(out, chunk_size=10_000, compression=CompressionType.NONE)
writer.start()
schema = writer.register_schema("s", "jsonschema", b"{}")
channel = writer.register_channel("/t", "json", schema)
for n in range(300):
    writer.add_message(channel, log_time=n, data=b"\x7f" * 1000, publish_time=n)
# As the writer's process is killed: the chunks are there, and what ends the file is not.
chunks = out.getvalue()

def read(messages):
    """Says how many messages come, and what comes after them."""
    count = 0
    try:
        for _ in messages:
            count += 1
    except Exception as e:
        return f"{count}, {type(e).__name__}"
    return f"{count}"


print(" | ".join([
    "make_reader: " + read(make_reader(io.BytesIO(chunks)).iter_messages()),
    "NonSeekingReader: " + read(NonSeekingReader(io.BytesIO(chunks)).iter_messages()),
    "unsorted: " + read(NonSeekingReader(io.BytesIO(chunks)).iter_messages(log_time_order=False)),
]))
PY
got=$(v/bin/python main.py)
echo "$got"
want="make_reader: 0, RecordLengthLimitExceeded | NonSeekingReader: 0, EndOfFile | unsorted: 300, EndOfFile"
[ "$got" = "$want" ] || { echo "this has changed" >&2; exit 1; }
