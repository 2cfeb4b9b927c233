"""The cases of dlcore's bench example in Keras 3: keras_peer.py tensorflow|jax CASE.

As fast as Keras's own settings make it: several steps in one call of the compiled program where that
helps, and on TensorFlow XLA only where it helps (`SETTINGS`, found by trying them on one machine).
One case a process, so that peak memory means something; a line of JSON for each figure.
"""

import time

START = time.perf_counter()
import importlib.metadata
import json
import os
import resource
import statistics
import sys

BACKEND, CASE = sys.argv[1:3]
os.environ["KERAS_BACKEND"] = BACKEND
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import numpy as np
from keras import layers

PEER = f"keras {keras.__version__} on {BACKEND} {importlib.metadata.version(BACKEND)}"
# Steps in one call, and whether XLA compiles them.
SETTINGS = {
    "tensorflow": {"mnist": (16, True), "evaluate": (16, True), "small": (16, True), "boston": (16, False), "lstm": (1, False)},
    "jax": {"mnist": (16, True), "evaluate": (16, True), "small": (16, True), "boston": (16, True)},
}
STEPS_PER_EXECUTION, JIT_COMPILE = SETTINGS[BACKEND].get(CASE, (1, True))
random = np.random.default_rng(0)


def tell(metric: str, value: float) -> None:
    print(json.dumps({"peer": PEER, "case": CASE, "metric": metric, "value": value}), flush=True)


class Clock(keras.callbacks.Callback):
    def __init__(self) -> None:
        super().__init__()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None) -> None:
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None) -> None:
        self.seconds.append(time.perf_counter() - self.began)
        self.model.stop_training = len(self.seconds) > 2 and sum(self.seconds[1:]) > 1.5


def network(shape, parts, loss, metrics=("accuracy",)):
    model = keras.Sequential([keras.Input(shape), *parts])
    settings = {"steps_per_execution": STEPS_PER_EXECUTION, "jit_compile": JIT_COMPILE}
    model.compile("rmsprop", loss, metrics=list(metrics), **settings)
    return model


def epoch_seconds(model, x, y, batch_size: int, **rest) -> float:
    """The median of the epochs of some seconds but the first, which compiles and warms up."""
    clock = Clock()
    model.fit(x, y, batch_size=batch_size, epochs=100, verbose=0, callbacks=[clock], **rest)
    return statistics.median(clock.seconds[1:])


def one_hot(count: int):
    return np.eye(10, dtype="float32")[random.integers(0, 10, count)]


def first_network():
    parts = [layers.Dense(512, activation="relu"), layers.Dense(10, activation="softmax")]
    return network((784,), parts, "categorical_crossentropy")


def gemm() -> None:
    a, b = (keras.random.uniform((1024, 1024)) for _ in range(2))
    product, seconds = (lambda: np.asarray(keras.ops.matmul(a, b))), []  # noqa: E731
    if BACKEND == "jax":
        product = lambda: keras.ops.matmul(a, b).block_until_ready()  # noqa: E731
    for _ in range(60):
        began = time.perf_counter()
        product()
        seconds.append(time.perf_counter() - began)
    tell("gflops", 2 * 1024**3 / statistics.median(seconds) / 1e9)


def startup() -> None:
    first_network().train_on_batch(random.random((128, 784), dtype="float32"), one_hot(128))
    tell("first_batch_s", time.perf_counter() - START)


def mnist() -> None:
    x, y = random.random((60_000, 784), dtype="float32"), one_hot(60_000)
    tell("epoch_s", epoch_seconds(first_network(), x, y, 128))


def evaluate() -> None:
    x, y = random.random((10_000, 784), dtype="float32"), one_hot(10_000)
    model, seconds = first_network(), []
    for _ in range(6):
        began = time.perf_counter()
        model.evaluate(x, y, batch_size=128, verbose=0)
        seconds.append(time.perf_counter() - began)
    tell("evaluate_s", statistics.median(seconds[1:]))


def reviews(count: int):
    rows = np.zeros((count, 10_000), "float32")
    words = (random.random((count, 150)) ** 4 * 9_999).astype(int)
    rows[np.repeat(np.arange(count), 150), words.ravel()] = 1
    return rows, random.integers(0, 2, count).astype("float32")


def imdb() -> None:
    (x, y), validation = reviews(15_000), reviews(10_000)
    parts = [layers.Dense(16, activation="relu"), layers.Dense(16, activation="relu")]
    model = network((10_000,), [*parts, layers.Dense(1, activation="sigmoid")], "binary_crossentropy")
    tell("epoch_s", epoch_seconds(model, x, y, 512, validation_data=validation))


def convnet() -> None:
    x, y = random.random((64 * 20, 28, 28, 1), dtype="float32"), one_hot(64 * 20)
    parts = [
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(64, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ]
    model = network((28, 28, 1), parts, "categorical_crossentropy")
    tell("step_ms", epoch_seconds(model, x, y, 64) / 20 * 1e3)


def lstm() -> None:
    x = random.integers(0, 10_000, (128 * 4, 500)).astype("int32")
    y = random.integers(0, 2, 128 * 4).astype("float32")
    parts = [layers.Embedding(10_000, 32), layers.LSTM(32), layers.Dense(1, activation="sigmoid")]
    model = network((500,), parts, "binary_crossentropy")
    tell("step_ms", epoch_seconds(model, x, y, 128) / 4 * 1e3)


def small() -> None:
    x, y = random.random((32_000, 20), dtype="float32"), random.random((32_000, 1), dtype="float32")
    model = network((20,), [layers.Dense(32, activation="relu"), layers.Dense(1)], "mse", ())
    tell("step_us", epoch_seconds(model, x, y, 32) / 1000 * 1e6)


def boston() -> None:
    x, y = random.normal(size=(404, 13)).astype("float32"), random.uniform(5, 50, 404).astype("float32")
    parts = [layers.Dense(64, activation="relu"), layers.Dense(64, activation="relu"), layers.Dense(1)]
    tell("step_us", epoch_seconds(network((13,), parts, "mse", ("mae",)), x, y, 1) / 404 * 1e6)


CASES = {f.__name__: f for f in (gemm, mnist, evaluate, imdb, convnet, lstm, small, boston, startup)}
if CASE in CASES:
    CASES[CASE]()
    tell("peak_MB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
