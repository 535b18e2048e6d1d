#!/bin/bash
# LeRobot datasets: a feature with a single value is a plain column, not a list of one.
#
# In a dataset of LeRobot's format v3.0 a feature of shape (2,) is a column of lists of two. One of shape (1,), such as a
# robot whose action is one number, is read as a column of plain values: LeRobot 0.6.1 declares it as Value("float32") and
# loads the file with Hugging Face's datasets, which does not turn lists of one into values but fails. The description
# that stands beside it (meta/info.json) looks the same for both. datasets 4.8.5, pyarrow 26.0.1, Python 3.11.
#
# Seen:  a column of plain values: [1.0, 2.0]
#        a column of lists of one: DatasetGenerationError: Couldn't cast array of type fixed_size_list<element: float>[1] to float
#
# So python -m waldo.lerobot writes single values as plain columns (clients/python/src/waldo/lerobot/_dataset.py).
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check datasets==4.8.5 pyarrow==26.0.1
cat >check.py <<'PYTHON'
import datasets
import pyarrow as pa
import pyarrow.parquet as pq

datasets.disable_progress_bars()
datasets.logging.set_verbosity(datasets.logging.CRITICAL)
values = pa.array([1, 2], pa.float32())
seen = []
for name, column in ("plain values", values), ("lists of one", pa.FixedSizeListArray.from_arrays(values, 1)):
    path = name.replace(" ", "-") + ".parquet"
    pq.write_table(pa.table({"action": column}), path)
    features = datasets.Features({"action": datasets.Value("float32")})  # as LeRobot declares the shape (1,)
    try:
        found = list(datasets.Dataset.from_parquet(path, features=features, cache_dir="cache")["action"])
    except datasets.exceptions.DatasetGenerationError as e:
        found = f"{type(e).__name__}: {e.__cause__}"
    print(f"a column of {name}: {found}")
    seen.append(found)
assert seen[0] == [1.0, 2.0], "plain values are not read"
assert "Couldn't cast array of type fixed_size_list" in str(seen[1]), "lists of one are read now"
PYTHON
HF_HUB_OFFLINE=1 HF_HOME=$PWD/home venv/bin/python check.py
