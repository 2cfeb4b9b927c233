"""Models that Keras 2 saves as .h5, with inputs and what they predict, for dlcore/src/models/save/keras/tests.rs.

    python3 -m venv venv && venv/bin/pip install tensorflow-cpu tf-keras
    venv/bin/python tests/parity/keras2_files.py

Writes NAME.h5, NAME.weights_only.h5 and keras2.json into tests/parity/fixtures/keras_files. Made with tf-keras 2.21.0.
"""

import json
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tf_keras as keras
from tf_keras import layers as L

FOLDER = pathlib.Path(__file__).with_name("fixtures") / "keras_files"
rng = np.random.default_rng(12)
cases = []


def tensor(array):
    array = np.asarray(array, dtype="float32")
    return {"shape": list(array.shape), "values": [float(f"{v:.9g}") for v in array.ravel()]}


def save(name, model, classes={}, weights_only=False):
    for variable in model.trainable_variables:
        variable.assign(variable + rng.uniform(-0.3, 0.3, size=variable.shape))
    for variable in model.non_trainable_variables:
        if "moving" in variable.name:
            variable.assign(rng.uniform(0.2, 1.2, size=variable.shape))
    xs = []
    for i in model.inputs:
        shape = [3] + [7 if axis is None else axis for axis in i.shape[1:]]
        integers = i.name.split(":")[0] in classes
        xs.append(rng.integers(0, 9, shape) if integers else rng.uniform(-1.5, 1.5, shape))
    xs = [x.astype("float32") for x in xs]
    files = [f"{name}.h5"]
    model.save(FOLDER / files[0])
    if weights_only:
        files.append(f"{name}.weights_only.h5")
        model.save_weights(FOLDER / files[1])
    cases.append({
        "name": name, "files": files, "inputs": [tensor(x) for x in xs],
        "outputs": [tensor(model(xs if len(xs) > 1 else xs[0], training=False))], "targets": [], "losses": [],
    })
    print(name, [f"{f} {(FOLDER / f).stat().st_size}" for f in files])


def pretrained():
    """Chapter 5's kind: a frozen convolutional base as a layer, dense layers on it."""
    base = keras.Sequential([
        L.Conv2D(3, 3, activation="relu", padding="same", name="block1_conv1", input_shape=(8, 8, 3)),
        L.BatchNormalization(name="block1_norm"), L.MaxPooling2D(2, strides=2, name="block1_pool"),
        L.Conv2D(4, 3, activation="relu", name="block2_conv1"),
    ], name="base")
    base.trainable = False
    model = keras.Sequential([base, L.Flatten(), L.Dropout(0.5), L.Dense(4), L.LeakyReLU(0.2), L.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.legacy.RMSprop(1e-4, decay=1e-6), "binary_crossentropy", metrics=["acc"])
    model.train_on_batch(np.ones((2, 8, 8, 3)), np.ones((2, 1)))
    save("keras2_pretrained", model, weights_only=True)


def recurrent():
    """The GRU and the hard sigmoid of 2017, masks, a functional model as a layer, used twice."""
    words, sequence = keras.Input((6,), name="words"), keras.Input((None, 4), name="sequence")
    x = L.Embedding(10, 4, mask_zero=True)(words)
    x = L.GRU(3, reset_after=False, recurrent_activation="hard_sigmoid", dropout=0.1, recurrent_dropout=0.2)(x)
    y = L.Bidirectional(L.LSTM(2, return_sequences=True, recurrent_activation="hard_sigmoid"))(sequence)
    y = L.TimeDistributed(L.Dense(3))(y)
    y = L.GRU(3)(y)
    first = keras.Input((3,))
    twice = keras.Model(first, L.Dense(3, activation="tanh")(first), name="twice")
    ends = L.concatenate([twice(x), twice(y), L.add([x, y])])
    model = keras.Model([words, sequence], L.Dense(2, kernel_regularizer="l2")(ends))
    model.compile("adam", "mse", metrics=["mae"])
    model.train_on_batch([np.ones((2, 6)), np.ones((2, 5, 4))], np.ones((2, 2)))
    save("keras2_recurrent", model, {"words"}, weights_only=True)


FOLDER.mkdir(parents=True, exist_ok=True)
pretrained()
recurrent()
text = json.dumps({"keras": keras.__version__, "cases": cases}, separators=(",", ":"))
(FOLDER / "keras2.json").write_text(text + "\n")
