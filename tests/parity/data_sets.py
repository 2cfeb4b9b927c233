"""Records what Keras 3's own loaders make of the data sets' files, for dlcore/src/datasets to compare with.

    python3 -m venv venv && venv/bin/pip install keras jax numpy
    KERAS_BACKEND=jax DLCORE_DATA=DIR venv/bin/python tests/parity/data_sets.py

reads the files in DIR through keras.datasets and writes fixtures/data_sets.json: shapes, first elements,
label counts and the SHA-256 of the arrays. CIFAR-10's archive is not needed: fixtures/cifar10.tar.gz, which
this script writes, is built like it (Python 2's pickles, protocol 2, in a tar file packed by gzip), with 4
pictures a part, and is read by Keras's load_batch. Made with Keras 3.15.1.
"""

import collections
import gzip
import hashlib
import io
import json
import os
import pathlib
import struct
import tarfile

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from keras.src.datasets import boston_housing, cifar, fashion_mnist, imdb, mnist, reuters

HERE = pathlib.Path(__file__).parent / "fixtures"
DATA = pathlib.Path(os.environ["DLCORE_DATA"])


def local(name=None, **arguments):
    """Keras's get_file, but from DIR."""
    name = name or arguments["fname"]
    if arguments.get("cache_subdir"):
        return str(DATA / "fashion_mnist" / name)
    return str(DATA / name)


for module in (boston_housing, fashion_mnist, imdb, mnist, reuters):
    module.get_file = local


def sha256(*chunks):
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def counts(labels):
    return [[int(label), count] for label, count in sorted(collections.Counter(np.ravel(labels).tolist()).items())]


def array(values):
    return {
        "shape": list(values.shape),
        "dtype": str(values.dtype),
        "first": values.ravel()[:32].tolist(),
        "sha256": sha256(np.ascontiguousarray(values).tobytes()),
    }


def sequences(rows, labels):
    return {
        "sequences": len(rows),
        "numbers": sum(len(row) for row in rows),
        "first": [[int(n) for n in row[:16]] for row in rows[:3]],
        "sha256": sha256(*(np.array(list(row) + [2**32 - 1], "<u4").tobytes() for row in rows)),
        "labels": array(np.asarray(labels, "int64")),
        "counts": counts(labels),
    }


def texts(module, settings):
    cases = []
    for arguments in settings:
        (x_train, y_train), (x_test, y_test) = module.load_data(**arguments)
        cases.append({
            "arguments": arguments, "train": sequences(x_train, y_train), "test": sequences(x_test, y_test),
        })
    index = module.get_word_index()
    lines = (f"{rank} {word}\n".encode() for word, rank in sorted(index.items(), key=lambda item: item[1]))
    return {"cases": cases, "words": len(index), "words_sha256": sha256(*lines)}


def pictures(module):
    (x_train, y_train), (x_test, y_test) = module.load_data()
    return {
        "train": array(x_train), "train_labels": array(y_train), "train_counts": counts(y_train),
        "test": array(x_test), "test_labels": array(y_test), "test_counts": counts(y_test),
    }


def houses(**arguments):
    (x_train, y_train), (x_test, y_test) = boston_housing.load_data(**arguments)
    return {
        "arguments": arguments, "train": array(x_train), "train_targets": array(y_train),
        "test": array(x_test), "test_targets": array(y_test),
    }


# Python 2's pickles, instruction by instruction: str is SHORT_BINSTRING or BINSTRING.
def text(value):
    return b"U" + bytes([len(value)]) + value if len(value) < 256 else b"T" + struct.pack("<I", len(value)) + value


def python2_batch(name, labels, pixels, filenames):
    slots = iter(range(10_000))

    def put():
        slot = next(slots)
        return b"q" + bytes([slot]) if slot < 256 else b"r" + struct.pack("<I", slot)

    def ints(values):
        return b"]" + put() + b"(" + b"".join(b"K" + bytes([v]) for v in values) + b"e"

    def strings(values):
        return b"]" + put() + b"(" + b"".join(text(v) + put() for v in values) + b"e"

    count, size = pixels.shape
    data = (
        b"cnumpy.core.multiarray\n_reconstruct\n" + put() + b"cnumpy\nndarray\n" + put()
        + b"K\x00\x85" + put() + text(b"b") + put() + b"\x87" + put() + b"R" + put()
        + b"(K\x01K" + bytes([count]) + b"M" + struct.pack("<H", size) + b"\x86" + put()
        + b"cnumpy\ndtype\n" + put() + text(b"u1") + put() + b"K\x00K\x01\x87" + put() + b"R" + put()
        + b"(K\x03" + text(b"|") + put() + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t" + put() + b"b"
        + b"\x89" + text(pixels.tobytes()) + put() + b"t" + put() + b"b"
    )
    return (
        b"\x80\x02}" + put() + b"(" + text(b"batch_label") + put() + text(name) + put()
        + text(b"labels") + put() + ints(labels) + text(b"data") + put() + data
        + text(b"filenames") + put() + strings(filenames) + b"u."
    )


def cifar10():
    rng = np.random.default_rng(10)
    archive = io.BytesIO()
    parts = []
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for number, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
            pixels = (np.arange(3072) * rng.integers(1, 9, (4, 1)) // 64 + rng.integers(0, 99, (4, 1))).astype("uint8")
            labels = [int(label) for label in rng.integers(0, 10, 4)]
            names = [f"picture_{number}_{i}.png".encode() for i in range(4)]
            content = python2_batch(f"training batch {number + 1} of 5".encode(), labels, pixels, names)
            for member, body in ((name, content), ("readme.html" if name == "test_batch" else None, b"<html>")):
                if member:
                    info = tarfile.TarInfo(f"cifar-10-batches-py/{member}")
                    info.size = len(body)
                    tar.addfile(info, io.BytesIO(body))
            path = pathlib.Path("/tmp") / f"cifar-{os.getpid()}"
            path.write_bytes(content)
            parts.append(cifar.load_batch(str(path)))
            path.unlink()
    (HERE / "cifar10.tar.gz").write_bytes(gzip.compress(archive.getvalue(), mtime=0))
    # As keras.datasets.cifar10.load_data goes on from here.
    x = [data.transpose(0, 2, 3, 1) for data, _ in parts]
    y = [np.reshape(np.array(labels, "uint8"), (-1, 1)) for _, labels in parts]
    return {
        "train": array(np.concatenate(x[:5])), "train_labels": array(np.concatenate(y[:5])),
        "test": array(x[5]), "test_labels": array(y[5]),
    }


RAW = {"start_char": None, "oov_char": None, "index_from": 0}
fixtures = {
    "mnist": pictures(mnist),
    "fashion_mnist": pictures(fashion_mnist),
    "cifar10": cifar10(),
    "boston_housing": [houses(), houses(test_split=0.5, seed=7), houses(test_split=0)],
    "imdb": texts(imdb, [
        {"num_words": 10_000}, {"num_words": 5_000, "skip_top": 20, "maxlen": 200, "seed": 7, **RAW},
    ]),
    "reuters": texts(reuters, [
        {"num_words": 10_000}, {}, {"num_words": 1_000, "skip_top": 5, "maxlen": 100, "test_split": 0.35, "seed": 42, **RAW},
        {"num_words": 500, "start_char": 7, "oov_char": 9, "index_from": 20},
    ]),
    "reuters_labels": list(reuters.get_label_names()),
}
random = np.random.RandomState(113)
fixtures["random"] = {"doubles": random.random_sample(5).tolist(), "uniform": random.uniform(-40, 40, 3).tolist()}
(HERE / "data_sets.json").write_text(json.dumps(fixtures, indent=None, separators=(",", ":")) + "\n")
