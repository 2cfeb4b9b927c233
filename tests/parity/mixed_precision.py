"""Records what Keras 3 computes by its policy mixed_bfloat16, for dlcore/src/models/tests/mixed_precision.rs to compare with.

Small networks, the last layer of each in float32 as Keras advises: the weights they start from, the data, then loss
and weights after each of some steps on the whole data; and the same by the policy float32, which says how far the two
are apart.

    KERAS_BACKEND=jax venv/bin/python tests/parity/mixed_precision.py

writes fixtures/mixed_precision.json; the environment is that of make_fixtures.py. Numbers have nine significant
digits. Made with Keras 3.15.1 on JAX 0.10.2.
"""

import json
import os
import pathlib

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from keras import layers

STEPS, SAMPLES, CLASSES = 20, 24, 3


def rounded(array):
    array = np.asarray(array, dtype="float32")
    return {"shape": list(array.shape), "values": [float(f"{v:.9g}") for v in array.ravel()]}


def dense(policy):
    return [
        keras.Input((6,)),
        layers.Dense(16, activation="relu", dtype=policy),
        layers.Dense(16, activation="tanh", dtype=policy),
    ]


def convnet(policy):
    return [
        keras.Input((8, 8, 1)),
        layers.Conv2D(6, 3, activation="relu", dtype=policy),
        layers.MaxPooling2D(2, dtype=policy),
        layers.BatchNormalization(dtype=policy),
        layers.Flatten(dtype=policy),
        layers.Dense(8, activation="relu", dtype=policy),
    ]


def lstm(policy):
    return [keras.Input((5, 4)), layers.LSTM(8, dtype=policy)]


# Each with its learning rate.
NETWORKS = {"dense": (dense, 0.5), "convnet": (convnet, 0.02), "lstm": (lstm, 0.5)}


def network(name, policy):
    return keras.Sequential([
        *NETWORKS[name][0](policy), layers.Dense(CLASSES, activation="softmax", dtype="float32"),
    ])


def trained(name, policy, weights, x, y):
    model = network(name, policy)
    model.set_weights(weights)
    model.compile(keras.optimizers.SGD(NETWORKS[name][1]), "categorical_crossentropy")
    fit = lambda: model.fit(x, y, batch_size=SAMPLES, epochs=1, shuffle=False, verbose=0)
    losses = [fit().history["loss"][0] for _ in range(STEPS)]
    assert all(weight.dtype == np.float32 for weight in model.get_weights())
    return {"losses": [float(f"{loss:.9g}") for loss in losses], "weights": [rounded(w) for w in model.get_weights()]}


def recorded(name):
    keras.utils.set_random_seed(3)
    generator = np.random.default_rng(3)
    model = network(name, "float32")
    x = generator.normal(size=(SAMPLES, *model.input_shape[1:])).astype("float32")
    y = np.eye(CLASSES, dtype="float32")[x.reshape(SAMPLES, -1)[:, :CLASSES].argmax(axis=1)]
    weights = [w + generator.normal(size=w.shape).astype("float32") * 0.05 for w in model.get_weights()]
    case = {"x": rounded(x), "y": rounded(y), "weights": [rounded(w) for w in weights]}
    for policy in ["mixed_bfloat16", "float32"]:
        case[policy] = trained(name, policy, weights, x, y)
    print(name, case["mixed_bfloat16"]["losses"], case["float32"]["losses"], sep="\n")
    return case


def main():
    path = pathlib.Path(__file__).parent / "fixtures" / "mixed_precision.json"
    cases = {name: recorded(name) for name in NETWORKS}
    path.write_text(json.dumps(cases, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
