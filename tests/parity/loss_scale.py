"""Records what Keras 3's LossScaleOptimizer does, for dlcore/src/optimizers/loss_scale_optimizer.rs to compare with.

Weights and scale after each of some steps, among whose gradients some are infinite and some no numbers; and losses,
scales and weights of a fit whose scale is too large at first, and again whenever it has grown; the model as Keras saves it
then, and how it goes on.

    KERAS_BACKEND=jax venv/bin/python tests/parity/loss_scale.py

writes fixtures/loss_scale.json and loss_scale.keras; the environment is that of make_fixtures.py. Numbers have nine significant digits. Made
with Keras 3.15.1 on JAX 0.10.2.
"""

import json
import os
import pathlib

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from keras import optimizers

# What is added to the gradients of the scaled loss.
ADDED = [0, 0, "inf", 0, 0, "nan", 0, 0]
CASES = {
    "default": lambda: optimizers.LossScaleOptimizer(optimizers.Adam(0.05)),
    "sgd": lambda: optimizers.LossScaleOptimizer(
        optimizers.SGD(0.05, momentum=0.9), initial_scale=1000.0, dynamic_growth_steps=2),
    "clipnorm": lambda: optimizers.LossScaleOptimizer(
        optimizers.RMSprop(0.05, clipnorm=0.5), initial_scale=1000.0, dynamic_growth_steps=2),
}
EPOCHS, MORE, SAMPLES = 24, 4, 8
FOLDER = pathlib.Path(__file__).parent / "fixtures"


def rounded(array):
    array = np.asarray(array, dtype="float32")
    return {"shape": list(array.shape), "values": [float(f"{v:.9g}") for v in array.ravel()]}


def steps(rng):
    start = [rng.uniform(-0.8, 0.8, size=shape).astype("float32") for shape in [(3, 2), (2,)]]
    gradients = [[rng.normal(scale=0.7, size=w.shape).astype("float32") for w in start] for _ in ADDED]
    cases = []
    for name, make in CASES.items():
        optimizer, variables = make(), [keras.Variable(w) for w in start]
        optimizer.build(variables)
        weights = [v.value for v in variables]
        state = [v.value for v in optimizer.variables]
        place = next(i for i, v in enumerate(optimizer.variables) if v is optimizer.dynamic_scale)
        after, scales = [], []
        for step, added in zip(gradients, ADDED):
            scaled = [np.asarray(g * state[place], dtype="float32") + np.float32(added) for g in step]
            weights, state = optimizer.stateless_apply(state, scaled, weights)
            after.append([rounded(w)["values"] for w in weights])
            scales.append(float(state[place]))
        cases.append({"name": name, "after": after, "scales": scales})
    return {
        "weights": [rounded(w) for w in start],
        "gradients": [[rounded(g) for g in step] for step in gradients],
        "added": ADDED,
        "cases": cases,
    }


def fit(rng):
    x = rng.normal(size=(SAMPLES, 3)).astype("float32")
    y = (x.sum(axis=1, keepdims=True) * 8).astype("float32")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(1)])
    model.set_weights([rng.uniform(-0.8, 0.8, size=w.shape).astype("float32") for w in model.get_weights()])
    made = {"x": rounded(x), "y": rounded(y), "start": [rounded(w) for w in model.get_weights()]}
    optimizer = optimizers.LossScaleOptimizer(
        optimizers.SGD(0.01, momentum=0.5), initial_scale=2.0**127, dynamic_growth_steps=3)
    model.compile(optimizer, "mse")

    def train(epochs):
        losses, scales = [], []
        for _ in range(epochs):
            history = model.fit(x, y, batch_size=SAMPLES, epochs=1, shuffle=False, verbose=0).history
            losses.append(float(f"{history['loss'][0]:.9g}"))
            scales.append(float(optimizer.dynamic_scale.value))
        return {"losses": losses, "scales": scales, "weights": [rounded(w) for w in model.get_weights()]}

    made |= train(EPOCHS)
    scales = made["scales"]
    assert len(set(scales)) > 2 and any(a < b for a, b in zip(scales, scales[1:])), scales
    model.save(FOLDER / "loss_scale.keras")
    return made | {"more": train(MORE)}


def main():
    rng = np.random.default_rng(22)
    content = {"steps": steps(rng), "fit": fit(rng)}
    (FOLDER / "loss_scale.json").write_text(json.dumps(content, separators=(",", ":")) + "\n")
    for case in content["steps"]["cases"]:
        print(case["name"], case["scales"])
    print(content["fit"]["scales"], content["fit"]["losses"], sep="\n")


if __name__ == "__main__":
    main()
