"""The peer of epochs.py in Keras: keras_epochs.py mnist|imdb EPOCHS. Prints the seconds of each epoch as JSON."""

import json
import os
import pathlib
import sys
import time

import keras
import numpy as np
from keras import layers

DATA = os.environ.get("DLCORE_DATA")


class Clock(keras.callbacks.Callback):
    def __init__(self) -> None:
        super().__init__()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None) -> None:
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None) -> None:
        self.seconds.append(time.perf_counter() - self.began)


def arrays(name: str) -> dict:
    """The data set from DLCORE_DATA, or from Keras's own cache and address."""
    if DATA:
        return np.load(pathlib.Path(DATA) / f"{name}.npz", allow_pickle=True)
    base = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
    return np.load(keras.utils.get_file(f"{name}.npz", base + f"{name}.npz"), allow_pickle=True)


def mnist():
    data = arrays("mnist")
    x = data["x_train"].reshape(60_000, 784).astype("float32") / 255
    network = [layers.Dense(512, activation="relu"), layers.Dense(10, activation="softmax")]
    return network, "categorical_crossentropy", x, keras.utils.to_categorical(data["y_train"]), {"batch_size": 128}


def imdb():
    data = arrays("imdb")
    x = np.zeros((25_000, 10_000), "float32")
    for row, review in enumerate(data["x_train"]):
        kept = np.asarray(review) + 3
        x[row, kept[kept < 10_000]] = 1
    y = data["y_train"].astype("float32")
    order = np.random.default_rng(0).permutation(25_000)
    x, y = x[order], y[order]
    network = [layers.Dense(16, activation="relu"), layers.Dense(16, activation="relu"), layers.Dense(1, activation="sigmoid")]
    options = {"batch_size": 512, "validation_data": (x[:10_000], y[:10_000])}
    return network, "binary_crossentropy", x[10_000:], y[10_000:], options


def main() -> None:
    network, loss, x, y, options = {"mnist": mnist, "imdb": imdb}[sys.argv[1]]()
    model = keras.Sequential([keras.Input(x.shape[1:]), *network])
    model.compile("rmsprop", loss, metrics=["accuracy"])
    clock = Clock()
    model.fit(x, y, epochs=int(sys.argv[2]), verbose=0, callbacks=[clock], **options)
    print(json.dumps(clock.seconds))


if __name__ == "__main__":
    main()
