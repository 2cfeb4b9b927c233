"""Records what Keras 3 computes by its policy mixed_bfloat16, for dlcore/src/models/tests/mixed_precision.rs to compare with.

A small network, its last layer in float32 as Keras advises: the weights it starts from, the data, then loss and
weights after each of some steps on the whole data; and the same by the policy float32, which says how far the two are
apart.

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

STEPS, SAMPLES, FEATURES, HIDDEN, CLASSES = 20, 24, 6, 16, 3


def rounded(array):
    array = np.asarray(array, dtype="float32")
    return {"shape": list(array.shape), "values": [float(f"{v:.9g}") for v in array.ravel()]}


def network(policy):
    return keras.Sequential([
        keras.Input((FEATURES,)),
        keras.layers.Dense(HIDDEN, activation="relu", dtype=policy),
        keras.layers.Dense(HIDDEN, activation="tanh", dtype=policy),
        keras.layers.Dense(CLASSES, activation="softmax", dtype="float32"),
    ])


def trained(policy, weights, x, y):
    model = network(policy)
    model.set_weights(weights)
    model.compile(keras.optimizers.SGD(0.5), "categorical_crossentropy")
    fit = lambda: model.fit(x, y, batch_size=SAMPLES, epochs=1, shuffle=False, verbose=0)
    losses = [fit().history["loss"][0] for _ in range(STEPS)]
    assert all(weight.dtype == np.float32 for weight in model.get_weights())
    return {"losses": [float(f"{loss:.9g}") for loss in losses], "weights": [rounded(w) for w in model.get_weights()]}


def main():
    keras.utils.set_random_seed(3)
    generator = np.random.default_rng(3)
    x = generator.normal(size=(SAMPLES, FEATURES)).astype("float32")
    y = np.eye(CLASSES, dtype="float32")[x[:, :CLASSES].argmax(axis=1)]
    weights = [w + generator.normal(size=w.shape).astype("float32") * 0.05 for w in network("float32").get_weights()]
    case = {"x": rounded(x), "y": rounded(y), "weights": [rounded(w) for w in weights]}
    for policy in ["mixed_bfloat16", "float32"]:
        case[policy] = trained(policy, weights, x, y)
    path = pathlib.Path(__file__).parent / "fixtures" / "mixed_precision.json"
    path.write_text(json.dumps(case, separators=(",", ":")) + "\n")
    print(case["mixed_bfloat16"]["losses"], case["float32"]["losses"], sep="\n")


if __name__ == "__main__":
    main()
