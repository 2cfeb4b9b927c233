"""Records what is learned from data before a network: Keras 3's Normalization and StringLookup, which files of a folder its
text_dataset_from_directory takes, and scikit-learn's train_test_split. For dlcore/src/layers/normalization.rs and
dlcore/src/preprocessing/{string_lookup,text_folder,split}.rs.

    python3 -m venv venv && venv/bin/pip install keras tensorflow-cpu numpy scikit-learn
    venv/bin/python tests/parity/adapted.py

writes fixtures/adapted.json. StringLookup needs TensorFlow. Made with Keras 3.15.1, TensorFlow 2.21.0 and scikit-learn 1.9.1.
"""

import json
import os
import pathlib
import tempfile

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers
from keras.src.utils import dataset_utils
from sklearn.model_selection import train_test_split

rng = np.random.default_rng(5)


def tensor(array):
    array = np.asarray(array, dtype="float32")
    return {"shape": list(array.shape), "values": [float(f"{v:.9g}") for v in array.ravel()]}


def normalization(shape, **settings):
    layer = layers.Normalization(name="it", **settings)
    data = (rng.normal(3.0, 2.0, size=(20, *shape)) * rng.uniform(0.1, 30.0, size=shape)).astype("float32")
    if not settings.get("invert"):
        # A feature without any spread.
        data[..., 0] = 1.5
    layer.adapt(data)
    x = rng.normal(size=(4, *shape)).astype("float32")
    config = {key: list(value) if isinstance(value, tuple) else value for key, value in layer.get_config().items() if key != "dtype"}
    return {
        "config": config, "data": tensor(data), "mean": tensor(layer.adapt_mean), "variance": tensor(layer.adapt_variance),
        "input": tensor(x), "output": tensor(layer(x)),
    }


COLORS = ["red", "green", "blue", "red", "green", "red", "grün", "Red", "", "violet", "blue"]
NEW = ["red", "blue", "black", "", "grün", "RED"]


def string_lookup(texts=COLORS, new=NEW, **settings):
    lookup = layers.StringLookup(**settings)
    lookup.adapt(texts)
    return {"settings": settings, "data": texts, "vocabulary": lookup.get_vocabulary(), "input": new, "output": tensor(lookup(np.array(new)))}


def text_folder():
    """The order of Keras's list of files; how its data set then shuffles batches is TensorFlow's own."""
    taken = {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for kind, names in (("neg", "abcd"), ("pos", "abc")):
            (folder / kind).mkdir()
            for one in names:
                (folder / kind / f"{one}.txt").write_text("text")
        paths, labels, _ = dataset_utils.index_directory(name, "inferred", (".txt",), shuffle=True, seed=5, verbose=False)
        for subset in ("training", "validation"):
            chosen, _ = dataset_utils.get_training_or_validation_split(paths, labels, 0.3, subset)
            taken[subset] = [str(pathlib.Path(path).relative_to(folder)) for path in chosen]
    return taken


def split(samples, classes, test_size, random_state, shuffle=True, stratify=False):
    y = rng.integers(0, classes, size=samples) if classes > 1 else np.zeros(samples, dtype="int64")
    train, test = train_test_split(
        np.arange(samples), test_size=test_size, random_state=random_state if shuffle else None, shuffle=shuffle,
        stratify=y if stratify else None,
    )
    return {
        "y": y.tolist(), "test_size": test_size, "random_state": random_state, "shuffle": shuffle, "stratify": stratify,
        "train": train.tolist(), "test": test.tolist(),
    }


recorded = {
    "normalization": [
        normalization((3,)), normalization((2, 4)), normalization((4, 3), axis=1), normalization((2, 3), axis=None),
        normalization((3,), invert=True),
    ],
    "string_lookup": [
        string_lookup(), string_lookup(max_tokens=4), string_lookup(output_mode="one_hot"),
        string_lookup(new=["red", "violet"], num_oov_indices=0), string_lookup(texts=["[UNK]", "b", "b"], new=["b", "[UNK]"]),
    ],
    "text_folder": text_folder(),
    "train_test_split": [
        split(20, 1, 0.25, 0), split(7, 1, 0.3, 42), split(101, 3, 0.2, 7), split(12, 2, 0.5, 1, shuffle=False),
        split(60, 3, 0.25, 3, stratify=True), split(41, 4, 0.33, 9, stratify=True), split(16, 2, 0.5, 11, stratify=True),
    ],
}
path = pathlib.Path(__file__).with_name("fixtures") / "adapted.json"
path.write_text(json.dumps(recorded, separators=(",", ":"), ensure_ascii=False) + "\n")
print(f"{path}: {path.stat().st_size} bytes")
