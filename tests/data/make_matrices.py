"""Records numpy's files of one table in many types as hex in matrices.json.

    python make_matrices.py        # needs numpy; writes next to the script
"""

import io
import json
from pathlib import Path

import numpy as np

table = np.array([[0, 1, 1], [1, 0, 1]])
cases = []


def add(array, **more):
    out = io.BytesIO()
    np.save(out, array)
    cases.append({"type": array.dtype.str, "shape": array.shape, "fortran": bool(array.flags.fnc),
                  "hex": out.getvalue().hex(), **more})


for kind in ["|b1", "|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f4", "<f8", ">i4", ">f4", ">f8", ">u2"]:
    add(table.astype(kind))
    add(np.asfortranarray(table.astype(kind)))
for kind, values in [("<i8", [[-(2**53), 5, -1]]), (">i2", [[-2, 300, -32768]]), ("|i1", [[-1, 127, -128]]),
                     ("<f4", [[0.1, -2.5, 1e-40]]), (">f8", [[0.1, -1e300, 5e-324]]), ("<u4", [[0, 1, 2**32 - 1]])]:
    array = np.array(values).astype(kind)
    add(array, values=[float(v) for v in array.ravel()])
for array in [np.array([[2**53 + 1]]), table.astype("<f2"), table.astype("<c8"), np.array([["a"]]), table.ravel(), table[None]]:
    add(array, refused=True)
Path(__file__).with_name("matrices.json").write_text(json.dumps(cases, indent=0) + "\n")
