"""Records how Keras 3 trains functional models, for dlcore/src/models/tests/parity.rs to compare with.

Two inputs, a layer that both share, a residual sum, two outputs with weighted losses; samples and classes
that do not count alike; losses that layers add; timesteps under a mask. See layer_fixtures.py for how to run it.
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


class Divergence(layers.Layer):
    """Adds the divergence of an autoencoder's code from a normal distribution, and passes its mean on."""

    def call(self, inputs):
        mean, log_var = inputs
        terms = 1 + log_var - keras.ops.square(mean) - keras.ops.exp(log_var)
        self.add_loss(-0.05 * keras.ops.mean(keras.ops.mean(terms, axis=-1)))
        return mean


def autoencoder():
    data = keras.Input((6,))
    hidden = layers.Dense(4, activation="tanh", name="hidden")(data)
    mean, log_var = layers.Dense(2, name="mean")(hidden), layers.Dense(2, name="log_var")(hidden)
    mean = Divergence(name="divergence")([mean, log_var])
    code = layers.Lambda(lambda z: z[0] + 0.3 * keras.ops.exp(0.5 * z[1]), name="code")([mean, log_var])
    return keras.Model(data, layers.Dense(6, activation="sigmoid", name="decoded")(code))


def masked(units, activation):
    words = keras.Input((5,))
    embedded = layers.Embedding(7, 3, mask_zero=True, name="embedding")(words)
    steps = layers.LSTM(4, return_sequences=True, name="lstm")(embedded)
    return keras.Model(words, layers.Dense(units, activation=activation, name="output")(steps))


def record(name, model, x, y, loss, loss_weights=None, metrics=None, sample_weight=None, class_weight=None,
           weighted_metrics=None, callbacks=None):
    for variable in model.trainable_variables:
        variable.assign(uniform(*variable.shape))
    before = model.get_weights()
    model.compile(keras.optimizers.RMSprop(0.01), loss=loss, loss_weights=loss_weights, metrics=metrics,
                  weighted_metrics=weighted_metrics)
    history = model.fit(x, y, epochs=3, batch_size=4, shuffle=False, verbose=0, sample_weight=sample_weight,
                        class_weight=class_weight, callbacks=callbacks)
    if any(isinstance(layer, layers.Embedding) for layer in model.layers):
        # On JAX the predictions of a training step have lost their mask when the metrics see them; in evaluate,
        # and on TensorFlow, they have it.
        history.history = {"loss": history.history["loss"]}
    scores, usual = (model.evaluate(x, y, batch_size=size, verbose=0, return_dict=True, sample_weight=sample_weight)
                     for size in (4, None))
    as_list = lambda value: [tensor(v) for v in (value if isinstance(value, list) else [] if value is None else [value])]
    return {
        "name": name, "x": as_list(x), "y": as_list(y), "before": as_list(before), "after": as_list(model.get_weights()),
        "layers": [layer.name for layer in model.layers if not isinstance(layer, layers.InputLayer)],
        "history": {key: [float(v) for v in values] for key, values in history.history.items()},
        "scores": {key: float(value) for key, value in scores.items()},
        "usual_scores": {key: float(value) for key, value in usual.items()},
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
pixels = rng.uniform(0, 1, (10, 6)).astype("float32")
lengths = rng.integers(1, 6, 70)
words = np.where(np.arange(5) < lengths[:, None], rng.integers(1, 7, (70, 5)), 0).astype("float32")
numbers, kinds = uniform(70, 5, 1), rng.integers(0, 3, (70, 5)).astype("float32")
steps = rng.uniform(0, 2, (70, 5)).astype("float32")
cases = [
    record("two inputs, two outputs", two_by_two(), inputs, labels, **both),
    record("two inputs, two outputs, sample weights", two_by_two(), inputs, labels, sample_weight=weights, **both),
    record("class weights", binary, inputs[0], classes, "binary_crossentropy", metrics=["accuracy"],
           class_weight={0: 0.5, 1: 3.0}),
    record("sample weights", binary, inputs[0], classes, "binary_crossentropy", metrics=["accuracy"],
           sample_weight=weights[0]),
    record("sample weights in metrics", binary, inputs[0], classes, "binary_crossentropy",
           metrics=["accuracy", "mae"], weighted_metrics=["accuracy"], sample_weight=weights[0]),
    record("a scheduled learning rate", binary, inputs[0], classes, "binary_crossentropy", metrics=["accuracy"],
           callbacks=[keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5)]),
    record("a learning rate that falls on a plateau", binary, inputs[0], classes, "binary_crossentropy",
           metrics=["accuracy"],
           callbacks=[keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=10.0)]),
    record("a loss that a layer adds", autoencoder(), pixels, pixels, "binary_crossentropy", metrics=["mae"]),
    record("nothing but a loss that a layer adds", autoencoder(), pixels, None, None),
    record("masked timesteps", masked(1, None), words, numbers, "mse", metrics=["mae"]),
    record("masked timesteps, weighted", masked(1, None), words, numbers, "mse", metrics=["mae"],
           weighted_metrics=["mae"], sample_weight=steps),
    record("masked classes", masked(3, "softmax"), words, kinds, "sparse_categorical_crossentropy",
           metrics=["accuracy"]),
]
path = pathlib.Path(__file__).with_name("fixtures") / "models.json"
path.write_text(json.dumps({"keras": keras.__version__, "cases": cases}, separators=(",", ":")) + "\n")
print(f"{path}: {len(cases)} cases, {path.stat().st_size} bytes")
