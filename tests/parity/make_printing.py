"""Writes printing.json: arrays, and the text that NumPy prints for them (NumPy 2.4).

    python make_printing.py > printing.json
"""

import json

import numpy as np

NAMES = {"f4": "f32", "f8": "f64", "u1": "u8", "i4": "i32", "i8": "i64", "b1": "bool"}
rng = np.random.default_rng(5)
cases = []


def add(array):
    array = np.asarray(array)

    def text(value):
        return repr(float(value)) if array.dtype.kind == "f" else str(int(value))

    cases.append(
        {
            "dtype": NAMES[array.dtype.str[1:]],
            "shape": list(array.shape),
            "values": [text(value) for value in array.ravel()],
            "text": str(array),
        }
    )


def with_specials(array):
    flat = array.ravel()
    flat[:3] = [np.nan, np.inf, -np.inf][: flat.size]
    return flat.reshape(array.shape)


def floats(dtype):
    shapes = [(), (1,), (7,), (3,), (2, 3), (2, 1, 4), (1, 1, 1, 1, 3), (2, 1, 2, 1, 2), (30,)]
    for shape in shapes:
        for scale in [1, 1e-3, 1e-6, 1e3, 1e7, 1e12, 1e30, 1e-30]:
            add((rng.standard_normal(shape) * scale).astype(dtype))
        add(np.round(rng.standard_normal(shape) * 5).astype(dtype))
        add((rng.standard_normal(shape) * 10.0 ** rng.integers(-6, 6, shape)).astype(dtype))
        add(with_specials(np.array(rng.standard_normal(shape) * 2, dtype)))
    limits = np.finfo(dtype)
    numbers = [0.0, -0.0, np.nan, np.inf, -np.inf, 1e16, 9e15, 1e-5, 1e-4, 123456789.123, 0.1, 1 / 3]
    for number in [*numbers, limits.max, limits.tiny, 1e5, 1e6, 999999.9, 1e7, -1e6, -1e-4]:
        for array in [number, [number], [number, 1.5]]:
            add(np.array(array, dtype))


def integers(dtype, low, high):
    for shape in [(), (1,), (7,), (2, 3), (2, 2, 2), (1, 2, 1, 2, 3), (0,), (2, 0), (40,)]:
        add(rng.integers(low, high, shape).astype(dtype))


for dtype in ["f4", "f8"]:
    floats(dtype)
integers("u1", 0, 256)
integers("i4", -(10**6), 10**6)
integers("i8", -(2**60), 2**60)
integers("b1", 0, 2)
add(np.zeros((3, 0, 2), "f4"))
print("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]")
