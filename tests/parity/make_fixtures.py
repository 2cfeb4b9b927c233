"""Records what Keras 3 computes, for dlcore/tests/parity.rs to compare with; make_training_fixtures.py
has every option of optimizers, losses, metrics and callbacks.

For each case (a small Dense network, a loss, an optimizer): the weights it starts from, the data, the
predictions, the loss, the gradient of each weight, and loss, metrics and weights after each of five
training steps on fixed batches.

    python3 -m venv venv && venv/bin/pip install keras jax numpy
    KERAS_BACKEND=jax venv/bin/python tests/parity/make_fixtures.py

writes fixtures.json beside this file. Numbers are decimal with nine significant digits, which f32
survives. Made with Keras 3.15.1 on JAX 0.10.2.
"""

import json
import os
import pathlib

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import keras
import numpy as np

STEPS, BATCH, FEATURES, HIDDEN = 5, 8, 5, 6

# name, units of the last layer, its activation, hidden activation, loss, from_logits, metrics
LOSSES = [
    ("mse", 2, "linear", "tanh", "mean_squared_error", False, ["mae"]),
    ("mae", 2, "linear", "tanh", "mean_absolute_error", False, ["mse"]),
    ("binary", 1, "sigmoid", "relu", "binary_crossentropy", False, ["accuracy"]),
    ("binary-wide", 3, "sigmoid", "tanh", "binary_crossentropy", False, ["accuracy"]),
    ("binary-logits", 1, "linear", "tanh", "binary_crossentropy", True, []),
    ("categorical", 4, "softmax", "relu", "categorical_crossentropy", False, ["accuracy"]),
    ("categorical-logits", 4, "linear", "tanh", "categorical_crossentropy", True, []),
    ("categorical-sigmoid", 4, "sigmoid", "tanh", "categorical_crossentropy", False, ["accuracy"]),
    ("sparse", 4, "softmax", "sigmoid", "sparse_categorical_crossentropy", False, ["accuracy"]),
    ("sparse-logits", 4, "linear", "tanh", "sparse_categorical_crossentropy", True, []),
]
OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(),
    "sgd-momentum": lambda: keras.optimizers.SGD(0.05, momentum=0.9),
    "sgd-nesterov": lambda: keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "rmsprop": lambda: keras.optimizers.RMSprop(),
    "rmsprop-configured": lambda: keras.optimizers.RMSprop(0.01, rho=0.8, momentum=0.5),
    "adam": lambda: keras.optimizers.Adam(),
    "adamw": lambda: keras.optimizers.AdamW(),
    "adamax": lambda: keras.optimizers.Adamax(),
    "nadam": lambda: keras.optimizers.Nadam(),
    "adagrad": lambda: keras.optimizers.Adagrad(),
    "adadelta": lambda: keras.optimizers.Adadelta(),
    "adam-scheduled": lambda: keras.optimizers.Adam(
        keras.optimizers.schedules.ExponentialDecay(0.02, 2, 0.5), global_clipnorm=0.1),
}


def loss_object(name, from_logits):
    kind = {
        "mean_squared_error": keras.losses.MeanSquaredError,
        "mean_absolute_error": keras.losses.MeanAbsoluteError,
    }.get(name)
    if kind:
        return kind()
    camel = "".join(part.capitalize() for part in name.split("_"))
    return getattr(keras.losses, camel)(from_logits=from_logits)


def labels(rng, loss, units, samples):
    if loss.startswith("mean"):
        return rng.normal(size=(samples, units))
    if loss == "binary_crossentropy":
        return rng.integers(0, 2, size=(samples, units)).astype(float)
    numbers = rng.integers(0, units, size=samples)
    return numbers if loss.startswith("sparse") else np.eye(units)[numbers]


def network(units, last, hidden):
    return keras.Sequential([
        keras.Input((FEATURES,)),
        keras.layers.Dense(HIDDEN, activation=hidden),
        keras.layers.Dense(units, activation=last),
    ])


def rounded(array):
    array = np.asarray(array)
    return {"shape": list(array.shape), "values": [float(f"{v:.9g}") for v in array.ravel()]}


def gradients(model, loss, x, y):
    trainable = [v.value for v in model.trainable_variables]

    def value(weights):
        prediction, _ = model.stateless_call(weights, [v.value for v in model.non_trainable_variables], x)
        return loss(y, prediction)

    return jax.grad(value)(trainable)


def record(name, optimizer, units, last, hidden, loss, from_logits, metrics, rng):
    model = network(units, last, hidden)
    model.set_weights([rng.uniform(-0.8, 0.8, size=w.shape) for w in model.get_weights()])
    x = rng.normal(size=(STEPS * BATCH, FEATURES)).astype("float32")
    y = labels(rng, loss, units, STEPS * BATCH).astype("float32")
    model.compile(OPTIMIZERS[optimizer](), loss_object(loss, from_logits), metrics=metrics)
    case = {
        "name": f"{name}/{optimizer}", "optimizer": optimizer, "units": units, "activation": last,
        "hidden_activation": hidden, "loss": loss, "from_logits": from_logits, "metrics": metrics,
        "x": rounded(x), "y": rounded(y), "weights": [rounded(w) for w in model.get_weights()],
        "predictions": rounded(model.predict(x, verbose=0)),
        "evaluation": [float(v) for v in np.atleast_1d(model.evaluate(x, y, verbose=0))],
        "gradients": [rounded(g) for g in gradients(model, model.loss, x, y)],
        "steps": [],
    }
    # fit, one batch after the other: its means over five batches, and the weights after each.
    for step in range(STEPS):
        part = slice(step * BATCH, (step + 1) * BATCH)
        measured = model.train_on_batch(x[part], y[part], return_dict=True)
        model.reset_metrics()
        case["steps"].append({
            "loss": float(measured["loss"]),
            "metrics": [float(measured[m]) for m in metrics],
            "weights": [rounded(w) for w in model.get_weights()],
        })
    return case


def main():
    rng = np.random.default_rng(20)
    cases = []
    for name, units, last, hidden, loss, from_logits, metrics in LOSSES:
        for optimizer in OPTIMIZERS:
            # Each loss with one optimizer, each optimizer with one loss, and the book's pairs.
            if optimizer == "rmsprop" or name == "categorical":
                cases.append(record(name, optimizer, units, last, hidden, loss, from_logits, metrics, rng))
    path = pathlib.Path(__file__).with_name("fixtures.json")
    path.write_text(json.dumps({"keras": keras.__version__, "cases": cases}, separators=(",", ":")) + "\n")
    print(f"{path}: {len(cases)} cases, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
