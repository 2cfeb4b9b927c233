"""Records what Keras 3 computes in training, for the parity tests beside dlcore's optimizers, losses,
metrics and callbacks to compare with.

    KERAS_BACKEND=jax venv/bin/python tests/parity/make_training_fixtures.py

writes training.json beside this file; the environment is that of make_fixtures.py. Cases are found by
their names, under which the Rust tests make the same optimizer, loss, metric or callback. Numbers have
nine significant digits, which f32 survives. Made with Keras 3.15.1 on JAX 0.10.2.
"""

import json
import os
import pathlib

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import keras
import numpy as np
from keras import callbacks, losses, metrics, optimizers
from keras.optimizers import schedules

STEPS = 5


def rounded(array):
    array = np.asarray(array)
    return {"shape": list(array.shape), "values": [float(f"{v:.9g}") for v in array.ravel()]}


# Optimizers

SCHEDULES = {
    "ExponentialDecay": lambda: schedules.ExponentialDecay(0.1, 4, 0.7),
    "ExponentialDecay/staircase": lambda: schedules.ExponentialDecay(0.1, 2, 0.7, staircase=True),
    "InverseTimeDecay": lambda: schedules.InverseTimeDecay(0.1, 4, 0.7),
    "InverseTimeDecay/staircase": lambda: schedules.InverseTimeDecay(0.1, 2, 0.7, staircase=True),
    "PiecewiseConstantDecay": lambda: schedules.PiecewiseConstantDecay([1, 3], [0.1, 0.05, 0.01]),
    "PolynomialDecay": lambda: schedules.PolynomialDecay(0.1, 4),
    "PolynomialDecay/configured": lambda: schedules.PolynomialDecay(
        0.1, 3, end_learning_rate=0.01, power=2.0, cycle=True),
    "CosineDecay": lambda: schedules.CosineDecay(0.1, 4),
    "CosineDecay/warmup": lambda: schedules.CosineDecay(
        0.01, 3, alpha=0.1, warmup_target=0.1, warmup_steps=2),
}
KINDS = {
    "sgd": optimizers.SGD, "rmsprop": optimizers.RMSprop, "adam": optimizers.Adam, "adamw": optimizers.AdamW,
    "adamax": optimizers.Adamax, "nadam": optimizers.Nadam, "adagrad": optimizers.Adagrad,
    "adadelta": optimizers.Adadelta,
}
SHARED = {
    "learning_rate": {"learning_rate": 0.05},
    "weight_decay": {"learning_rate": 0.05, "weight_decay": 0.1},
    "clipnorm": {"learning_rate": 0.05, "clipnorm": 0.5},
    "clipvalue": {"learning_rate": 0.05, "clipvalue": 0.2},
    "global_clipnorm": {"learning_rate": 0.05, "global_clipnorm": 0.6},
}
OWN = {
    "sgd/momentum": {"learning_rate": 0.05, "momentum": 0.9},
    "sgd/nesterov": {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True},
    # What 2017's books call decay.
    "sgd/decay": {"learning_rate": schedules.InverseTimeDecay(0.05, 1, 0.3)},
    "rmsprop/decay": {"learning_rate": schedules.InverseTimeDecay(0.05, 1, 0.3)},
    "rmsprop/configured": {"learning_rate": 0.05, "rho": 0.8, "epsilon": 1e-3},
    "rmsprop/momentum": {"learning_rate": 0.05, "momentum": 0.5},
    "rmsprop/centered": {"learning_rate": 0.05, "centered": True, "epsilon": 1e-3},
    "rmsprop/centered-momentum": {"learning_rate": 0.05, "centered": True, "momentum": 0.5, "epsilon": 1e-3},
    "adam/configured": {"learning_rate": 0.05, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3},
    "adam/amsgrad": {"learning_rate": 0.05, "amsgrad": True, "beta_2": 0.5},
    "adamw/configured": {"learning_rate": 0.05, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3, "amsgrad": True},
    "adamax/configured": {"learning_rate": 0.05, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3},
    "nadam/configured": {"learning_rate": 0.05, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3},
    "adagrad/configured": {"learning_rate": 0.05, "initial_accumulator_value": 0.3, "epsilon": 1e-3},
    "adadelta/configured": {"learning_rate": 0.5, "rho": 0.8, "epsilon": 1e-2},
}


def optimizer_cases(rng):
    made = {}
    for kind, optimizer in KINDS.items():
        made[f"{kind}/default"] = optimizer()
        for option, settings in SHARED.items():
            made[f"{kind}/{option}"] = optimizer(**settings)
    for name, settings in OWN.items():
        made[name] = KINDS[name.split("/")[0]](**settings)
    for name, schedule in SCHEDULES.items():
        made[f"sgd/{name}"] = optimizers.SGD(schedule())
    cases = []
    start = [rng.uniform(-0.8, 0.8, size=shape).astype("float32") for shape in [(3, 2), (2,)]]
    gradients = [[rng.normal(scale=0.7, size=w.shape).astype("float32") for w in start] for _ in range(STEPS)]
    for name, optimizer in made.items():
        variables = [keras.Variable(w) for w in start]
        optimizer.build(variables)
        after = []
        for step in gradients:
            optimizer.apply(step, variables)
            after.append([rounded(v.value)["values"] for v in variables])
        cases.append({"name": name, "after": after})
    return {
        "weights": [rounded(w) for w in start],
        "gradients": [[rounded(g) for g in step] for step in gradients],
        "cases": cases,
    }


def schedule_cases():
    steps = range(12)
    return [{"name": name, "rates": [float(make()(step)) for step in steps]} for name, make in SCHEDULES.items()]


# Losses

LOSSES = {
    "mean_squared_error": losses.MeanSquaredError(),
    "mean_absolute_error": losses.MeanAbsoluteError(),
    "mean_absolute_percentage_error": losses.MeanAbsolutePercentageError(),
    "mean_squared_logarithmic_error": losses.MeanSquaredLogarithmicError(),
    "huber": losses.Huber(),
    "huber/delta": losses.Huber(delta=0.4),
    "log_cosh": losses.LogCosh(),
    "hinge": losses.Hinge(),
    "squared_hinge": losses.SquaredHinge(),
    "categorical_hinge": losses.CategoricalHinge(),
    "kl_divergence": losses.KLDivergence(),
    "poisson": losses.Poisson(),
    "cosine_similarity": losses.CosineSimilarity(),
    "binary_crossentropy": losses.BinaryCrossentropy(),
    "binary_crossentropy/from_logits": losses.BinaryCrossentropy(from_logits=True),
    "binary_crossentropy/label_smoothing": losses.BinaryCrossentropy(label_smoothing=0.2),
    "binary_crossentropy/both": losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.2),
    "binary_focal_crossentropy": losses.BinaryFocalCrossentropy(),
    "binary_focal_crossentropy/from_logits": losses.BinaryFocalCrossentropy(from_logits=True),
    "binary_focal_crossentropy/configured": losses.BinaryFocalCrossentropy(
        apply_class_balancing=True, alpha=0.3, gamma=1.5, label_smoothing=0.1),
    "categorical_crossentropy": losses.CategoricalCrossentropy(),
    "categorical_crossentropy/from_logits": losses.CategoricalCrossentropy(from_logits=True),
    "categorical_crossentropy/label_smoothing": losses.CategoricalCrossentropy(label_smoothing=0.2),
    "categorical_crossentropy/both": losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2),
    "sparse_categorical_crossentropy": losses.SparseCategoricalCrossentropy(),
    "sparse_categorical_crossentropy/from_logits": losses.SparseCategoricalCrossentropy(from_logits=True),
}


def loss_data(rng, name, shape):
    kind = name.split("/")[0]
    real = rng.normal(size=shape)
    if "logits" in name or name.endswith("both") or kind in ("hinge", "squared_hinge", "categorical_hinge"):
        predictions = real
    elif kind.startswith("mean") or kind in ("huber", "log_cosh", "cosine_similarity"):
        predictions = real
    elif kind == "poisson":
        predictions = np.exp(real)
    elif kind == "kl_divergence" or "categorical" in kind:
        predictions = np.exp(real) / np.exp(real).sum(-1, keepdims=True)
    else:
        predictions = 1 / (1 + np.exp(-real))
    if kind == "poisson":
        labels = rng.integers(0, 5, size=shape)
    elif kind == "kl_divergence":
        labels = rng.dirichlet(np.ones(shape[-1]), size=shape[:-1])
    elif kind.startswith("binary") or kind in ("hinge", "squared_hinge"):
        labels = rng.integers(0, 2, size=shape)
    elif "categorical" in kind:
        numbers = rng.integers(0, shape[-1], size=shape[:-1])
        labels = numbers if kind.startswith("sparse") else np.eye(shape[-1])[numbers]
    else:
        labels = rng.normal(size=shape)
    return labels.astype("float32"), predictions.astype("float32")


def loss_cases(rng):
    cases = []
    for name, loss in LOSSES.items():
        for shape in [(4, 3), (3, 2, 3)]:
            labels, predictions = loss_data(rng, name, shape)
            weights = rng.uniform(0, 2, size=shape[0]).astype("float32")
            # Keras multiplies values of [batch, time] by weights of that shape.
            wide = np.broadcast_to(weights.reshape([-1] + [1] * (len(shape) - 2)), shape[:-1])
            values = np.asarray(loss.call(labels, predictions))
            cases.append({
                "name": name,
                "y_true": rounded(labels),
                "y_pred": rounded(predictions),
                "per_sample": rounded(values.reshape(shape[0], -1).mean(1)),
                "loss": float(loss(labels, predictions)),
                "gradient": rounded(jax.grad(lambda p: loss(labels, p))(predictions)),
                "weights": rounded(weights),
                "weighted": float(loss(labels, predictions, sample_weight=wide)),
                "weighted_gradient": rounded(jax.grad(lambda p: loss(labels, p, sample_weight=wide))(predictions)),
            })
    return cases


# Metrics

MEANS = [
    "mean_squared_error", "mean_absolute_error", "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error", "huber", "log_cosh", "hinge", "squared_hinge", "categorical_hinge",
    "kl_divergence", "poisson", "binary_crossentropy", "binary_focal_crossentropy", "categorical_crossentropy",
    "sparse_categorical_crossentropy",
]
METRICS = {
    "accuracy/binary": (lambda: metrics.BinaryAccuracy(), "binary"),
    "accuracy/categorical": (lambda: metrics.CategoricalAccuracy(), "categorical"),
    "accuracy/sparse": (lambda: metrics.SparseCategoricalAccuracy(), "sparse"),
    "binary_accuracy": (lambda: metrics.BinaryAccuracy(), "binary-wide"),
    "binary_accuracy/threshold": (lambda: metrics.BinaryAccuracy(threshold=0.7), "binary"),
    "categorical_accuracy": (lambda: metrics.CategoricalAccuracy(), "categorical"),
    "sparse_categorical_accuracy": (lambda: metrics.SparseCategoricalAccuracy(), "sparse"),
    "top_k_categorical_accuracy": (lambda: metrics.TopKCategoricalAccuracy(), "categorical-wide"),
    "top_k_categorical_accuracy/k": (lambda: metrics.TopKCategoricalAccuracy(k=2), "categorical"),
    "sparse_top_k_categorical_accuracy": (lambda: metrics.SparseTopKCategoricalAccuracy(), "sparse-wide"),
    "sparse_top_k_categorical_accuracy/k": (lambda: metrics.SparseTopKCategoricalAccuracy(k=2), "sparse"),
    "root_mean_squared_error": (lambda: metrics.RootMeanSquaredError(), "regression"),
    "cosine_similarity": (lambda: metrics.CosineSimilarity(), "regression"),
    "r2_score": (lambda: metrics.R2Score(), "regression"),
    "precision": (lambda: metrics.Precision(), "binary"),
    "precision/threshold": (lambda: metrics.Precision(thresholds=0.3), "binary-wide"),
    "recall": (lambda: metrics.Recall(), "binary"),
    "recall/threshold": (lambda: metrics.Recall(thresholds=0.3), "binary-wide"),
    "f1_score": (lambda: metrics.F1Score(average="macro"), "categorical"),
    "f1_score/micro": (lambda: metrics.F1Score(average="micro"), "categorical"),
    "f1_score/weighted": (lambda: metrics.F1Score(average="weighted", threshold=0.3), "binary-wide"),
    "f1_score/one": (lambda: metrics.F1Score(average="macro", threshold=0.5), "binary"),
    "auc": (lambda: metrics.AUC(), "binary"),
    "auc/pr": (lambda: metrics.AUC(curve="PR"), "binary"),
    "auc/thresholds": (lambda: metrics.AUC(num_thresholds=7), "binary-wide"),
    "mean_io_u": (lambda: metrics.MeanIoU(3, sparse_y_pred=False), "sparse"),
    "mean_io_u/one_hot": (lambda: metrics.MeanIoU(3, sparse_y_true=False, sparse_y_pred=False), "categorical"),
}
for mean in MEANS:
    METRICS[mean] = (lambda name=mean: metrics.MeanMetricWrapper(getattr(losses, name)), mean)
for name in ("mean_io_u/numbers", "mean_io_u/by_shape"):
    METRICS[name] = (lambda: metrics.MeanIoU(3), "numbers")


def metric_data(rng, kind, samples):
    if kind in MEANS:
        return loss_data(rng, kind, (samples, 3))
    if kind == "numbers":
        return tuple(rng.integers(0, 3, size=samples).astype("float32") for _ in range(2))
    if kind == "regression":
        labels = rng.normal(size=(samples, 2))
        return labels.astype("float32"), (labels + rng.normal(scale=0.5, size=(samples, 2))).astype("float32")
    classes = 8 if kind.endswith("wide") else 3
    if kind.startswith("binary"):
        columns = 3 if kind.endswith("wide") else 1
        labels = rng.integers(0, 2, size=(samples, columns))
        return labels.astype("float32"), rng.uniform(size=(samples, columns)).astype("float32")
    numbers = rng.integers(0, classes, size=samples)
    predictions = rng.dirichlet(np.ones(classes), size=samples).astype("float32")
    labels = numbers if kind.startswith("sparse") else np.eye(classes)[numbers]
    return labels.astype("float32"), predictions


def metric_cases(rng):
    cases = []
    for name, (make, kind) in METRICS.items():
        # Batches of different sizes: a mean of their means would be another number.
        batches = [metric_data(rng, kind, samples) for samples in (9, 4, 6)]
        iou = name.startswith("mean_io_u")  # It counts in whole numbers.
        weights = [rng.integers(0, 3, len(y)) if iou else rng.uniform(0, 2, len(y)) for y, _ in batches]
        plain, weighted = make(), make()
        after, weighted_after = [], []
        for (labels, predictions), weight in zip(batches, weights):
            plain.update_state(labels, predictions)
            after.append(float(plain.result()))
            weighted.update_state(labels, predictions, sample_weight=weight.astype("int32" if iou else "float32"))
            weighted_after.append(float(weighted.result()))
        cases.append({
            "name": name,
            "batches": [
                {"y_true": rounded(y), "y_pred": rounded(p), "weights": rounded(w)}
                for (y, p), w in zip(batches, weights)
            ],
            "after": after,
            "weighted_after": weighted_after,
        })
    return cases


# Callbacks

FALLING = [0.9, 0.7, 0.72, 0.69, 0.71, 0.7, 0.5, 0.8, 0.9, 0.85, 0.84, 0.95]
RISING = [0.5, 0.6, 0.58, 0.62, 0.61, 0.6, 0.75, 0.7, 0.7, 0.7, 0.72, 0.71]
EARLY = {
    "default": {},
    "patience": {"patience": 2},
    "min_delta": {"patience": 2, "min_delta": 0.05},
    "baseline": {"patience": 3, "baseline": 0.6},
    "baseline-beaten": {"patience": 2, "baseline": 0.8},
    "start": {"patience": 1, "start_from_epoch": 3},
    "restore": {"patience": 2, "restore_best_weights": True},
    "restore-min_delta": {"patience": 3, "min_delta": 0.03, "restore_best_weights": True},
    "restore-to-end": {"patience": 20, "restore_best_weights": True},
    "max": {"patience": 1, "mode": "max"},
    "min": {"patience": 1, "mode": "min"},
}
PLATEAU = {
    "default": {},
    "patience": {"patience": 2},
    "factor": {"patience": 1, "factor": 0.5},
    "min_delta": {"patience": 2, "min_delta": 0.05, "factor": 0.5},
    "cooldown": {"patience": 1, "cooldown": 2, "factor": 0.5},
    "min_lr": {"patience": 1, "factor": 0.5, "min_lr": 0.3},
    "max": {"patience": 1, "factor": 0.5, "mode": "max"},
    "patience-zero": {"patience": 0, "factor": 0.5},
}
CHECKPOINT = {
    "every": {},
    "best": {"save_best_only": True},
    "best-max": {"save_best_only": True, "mode": "max"},
    "threshold": {"save_best_only": True, "initial_value_threshold": 0.65},
}


def small_model():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, activation="sigmoid")])
    model.compile(optimizers.SGD(1.0), "binary_crossentropy", metrics=["accuracy"])
    model.train_on_batch(np.ones((2, 1)), np.ones((2, 1)))  # The metrics' directions are known from here on.
    model.optimizer.learning_rate = 1.0
    return model


def follow(callback, model, metric, values):
    """Runs a callback over epochs whose number is the model's weight."""
    callback.set_model(model)
    model.stop_training = False
    callback.on_train_begin()
    rates, stopped = [], None
    for epoch, value in enumerate(values):
        callback.on_epoch_begin(epoch)
        model.set_weights([np.array([[float(epoch)]])])
        callback.on_epoch_end(epoch, {metric: value})
        rates.append(float(np.asarray(model.optimizer.learning_rate)))
        if model.stop_training:
            stopped = epoch
            break
    callback.on_train_end()
    return {"rates": rates, "stopped": stopped, "weight": float(model.get_weights()[0][0, 0])}


def callback_cases():
    cases = []
    for metric, values in [("val_loss", FALLING), ("val_accuracy", RISING)]:
        for kind, make, all_settings in [
            ("EarlyStopping", callbacks.EarlyStopping, EARLY),
            ("ReduceLROnPlateau", callbacks.ReduceLROnPlateau, PLATEAU),
        ]:
            for name, settings in all_settings.items():
                case = follow(make(monitor=metric, **settings), small_model(), metric, values)
                cases.append({"callback": kind, "name": name, "metric": metric, "values": values, **case})
        for name, settings in CHECKPOINT.items():
            model, saved = small_model(), []
            model.save = lambda path, **_: saved.append(path)
            callback = callbacks.ModelCheckpoint("{epoch:02d}.keras", monitor=metric, **settings)
            follow(callback, model, metric, values)
            epochs = [int(path.split(".")[0]) for path in saved]
            cases.append({
                "callback": "ModelCheckpoint", "name": name, "metric": metric, "values": values, "saved": epochs,
            })
    return cases


def main():
    rng = np.random.default_rng(21)
    content = {
        "keras": keras.__version__,
        "optimizers": optimizer_cases(rng),
        "schedules": schedule_cases(),
        "losses": loss_cases(rng),
        "metrics": metric_cases(rng),
        "callbacks": callback_cases(),
    }
    path = pathlib.Path(__file__).with_name("training.json")
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n")
    counts = {key: len(value["cases"] if key == "optimizers" else value)
              for key, value in content.items() if key != "keras"}
    print(f"{path}: {counts}, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
