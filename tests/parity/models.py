"""Records how Keras 3 trains functional models, for dlcore/src/models/tests/parity.rs to compare with.

Two inputs, a layer that both share, a residual sum, two outputs with weighted losses; samples and classes
that do not count alike. See layer_fixtures.py for how to run it.
"""

import json
import os
import pathlib

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from keras import layers

rng = np.random.default_rng(11)


def tensor(array):
    array = np.asarray(array)
    return {"shape": list(array.shape), "values": [float(f"{v:.9g}") for v in array.ravel()]}


def uniform(*shape):
    return rng.uniform(-1, 1, size=shape).astype("float32")


def two_by_two():
    left, right = keras.Input((3,), name="left"), keras.Input((2,), name="right")
    shared = layers.Dense(4, activation="tanh", name="shared")
    a = shared(layers.Dense(4, activation="tanh", name="a")(left))
    b = shared(layers.Dense(4, activation="tanh", name="b")(right))
    total = layers.Add(name="sum")([a, b])
    number = layers.Dense(1, name="number")(total)
    label = layers.Dense(3, activation="softmax", kernel_regularizer=keras.regularizers.L2(0.01), name="class")(total)
    return keras.Model([left, right], [number, label])


def record(name, model, x, y, loss, loss_weights=None, metrics=None, sample_weight=None, class_weight=None):
    for variable in model.trainable_variables:
        variable.assign(uniform(*variable.shape))
    before = model.get_weights()
    model.compile(keras.optimizers.RMSprop(0.01), loss=loss, loss_weights=loss_weights, metrics=metrics)
    history = model.fit(x, y, epochs=3, batch_size=4, shuffle=False, verbose=0, sample_weight=sample_weight,
                        class_weight=class_weight)
    scores = model.evaluate(x, y, batch_size=4, verbose=0, return_dict=True, sample_weight=sample_weight)
    as_list = lambda value: [tensor(v) for v in (value if isinstance(value, list) else [value])]
    return {
        "name": name, "x": as_list(x), "y": as_list(y), "before": as_list(before), "after": as_list(model.get_weights()),
        "layers": [layer.name for layer in model.layers if not isinstance(layer, layers.InputLayer)],
        "history": {key: [float(v) for v in values] for key, values in history.history.items()},
        "scores": {key: float(value) for key, value in scores.items()},
        "sample_weight": None if sample_weight is None else as_list(sample_weight),
        "class_weight": None if class_weight is None else [[k, v] for k, v in class_weight.items()],
        "outputs": as_list(model.predict(x, verbose=0)),
    }


inputs = [uniform(10, 3), uniform(10, 2)]
labels = [uniform(10, 1), np.eye(3, dtype="float32")[rng.integers(0, 3, 10)]]
both = dict(loss=["mse", "categorical_crossentropy"], loss_weights=[0.25, 2.0], metrics=[[], ["accuracy"]])
weights = [rng.uniform(0, 2, 10).astype("float32") for _ in range(2)]
binary = keras.Sequential([keras.Input((3,)), layers.Dense(4, activation="tanh"), layers.Dense(1, activation="sigmoid")])
classes = rng.integers(0, 2, (10, 1)).astype("float32")
cases = [
    record("two inputs, two outputs", two_by_two(), inputs, labels, **both),
    record("two inputs, two outputs, sample weights", two_by_two(), inputs, labels, sample_weight=weights, **both),
    record("class weights", binary, inputs[0], classes, "binary_crossentropy", metrics=["accuracy"],
           class_weight={0: 0.5, 1: 3.0}),
    record("sample weights", binary, inputs[0], classes, "binary_crossentropy", metrics=["accuracy"],
           sample_weight=weights[0]),
]
path = pathlib.Path(__file__).with_name("fixtures") / "models.json"
path.write_text(json.dumps({"keras": keras.__version__, "cases": cases}, separators=(",", ":")) + "\n")
print(f"{path}: {len(cases)} cases, {path.stat().st_size} bytes")
