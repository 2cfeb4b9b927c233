"""Models that Keras 3 saves, with inputs and what they predict, for dlcore/src/models/save/keras/tests.rs.

    python3 -m venv venv && venv/bin/pip install keras jax numpy h5py
    KERAS_BACKEND=jax venv/bin/python tests/parity/keras_files.py

Writes into tests/parity/fixtures/keras_files: each model as NAME.keras (compressed, all but one), some also as NAME.h5 and
NAME.weights.h5, and keras3.json, which holds for each its inputs, its outputs and, where it was compiled, its losses in
three more steps of `train_on_batch` on `targets`. weighted.json holds what `evaluate` gives for a model with weighted
metrics. Arrays are in arrays.h5 and arrays_v110.h5. Another run gives the same numbers; only dates and Keras's ids of
objects differ. Made with Keras 3.15.1 on JAX 0.10.2 and h5py 3.16.0.
"""

import json
import os
import pathlib
import zipfile

os.environ.setdefault("KERAS_BACKEND", "jax")

import h5py
import keras
import numpy as np
from keras import layers as L
from keras import optimizers

FOLDER = pathlib.Path(__file__).with_name("fixtures") / "keras_files"
STEPS = 3
rng = np.random.default_rng(11)
# Weights are drawn by Keras, all else by NumPy.
keras.utils.set_random_seed(11)


def tensor(array):
    array = np.asarray(array, dtype="float32")
    return {"shape": list(array.shape), "values": [float(f"{v:.9g}") for v in array.ravel()]}


def as_list(value):
    return list(value) if isinstance(value, (list, tuple)) else [value]


def shake(model):
    """Weights and running means away from where they begin."""
    for variable in model.trainable_variables:
        variable.assign(variable + rng.uniform(-0.3, 0.3, size=variable.shape))
    for variable in model.non_trainable_variables:
        if "moving" in variable.path:
            variable.assign(rng.uniform(0.2, 1.2, size=variable.shape))


def random_input(model_input, classes):
    shape = [3] + [7 if axis is None else axis for axis in model_input.shape[1:]]
    if model_input.name in classes:
        return rng.integers(0, classes[model_input.name], size=shape).astype("float32")
    return rng.uniform(-1.5, 1.5, size=shape).astype("float32")


def pack(path):
    """Keras does not compress; the repository is to stay light."""
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED, 9)


cases = []


def save(name, model, formats=("keras",), classes={}, targets=None):
    """`targets`: the model was compiled, and is trained on them."""
    shake(model)
    xs = [random_input(i, classes) for i in model.inputs]
    x = xs if len(xs) > 1 else xs[0]
    if targets is not None:
        model.train_on_batch(x, targets)
    files = []
    for kind in formats:
        path = FOLDER / f"{name}.{kind}"
        if kind == "weights.h5":
            model.save_weights(path)
        else:
            # One whole .h5 file goes without what the optimizer kept, which takes most of it.
            model.save(path, **({"include_optimizer": False} if path.name == "two_inputs.h5" else {}))
        if kind == "keras" and name != "convolutional":
            pack(path)
        files.append(path.name)
    case = {
        "name": name, "files": files, "inputs": [tensor(i) for i in xs],
        "outputs": [tensor(o) for o in as_list(model(x, training=False))], "targets": [], "losses": [],
    }
    if targets is not None:
        case["targets"] = [tensor(t) for t in as_list(targets)]
        # A new metric for each step: otherwise the mean of all is what comes.
        for _ in range(STEPS):
            model.reset_metrics()
            case["losses"].append(float(as_list(model.train_on_batch(x, targets))[0]))
    cases.append(case)
    print(name, [f"{f} {(FOLDER / f).stat().st_size}" for f in files])


def convolutional():
    model = keras.Sequential([
        keras.Input((8, 8, 1)), L.Conv2D(4, 3, activation="relu"), L.BatchNormalization(), L.MaxPooling2D(), L.Dropout(0.0),
        L.Conv2D(3, 2, padding="same", use_bias=False), L.Flatten(), L.Dense(3, activation="softmax", kernel_regularizer="l2"),
    ])
    model.compile("rmsprop", "categorical_crossentropy", metrics=["accuracy"])
    save("convolutional", model, ("keras", "h5", "weights.h5"), targets=np.eye(3)[[0, 2, 1]].astype("float32"))


def two_inputs():
    """Masks, a shared layer, a frozen model as a layer, two outputs, losses and metrics by name."""
    words, numbers = keras.Input((6,), name="words"), keras.Input((5,), name="numbers")
    embedded = L.Embedding(10, 4, mask_zero=True)(words)
    once = L.GRU(3, reset_after=False, recurrent_activation="hard_sigmoid")(embedded)
    both = L.Bidirectional(L.GRU(2, return_sequences=True), merge_mode="sum")(embedded)
    shared = L.Dense(6, activation="tanh", name="shared")
    inner = keras.Sequential([keras.Input((5,)), L.Dense(4, name="first"), L.BatchNormalization()], name="inner")
    first = keras.Input((6,))
    graph = keras.Model(first, L.Add()([L.Dense(6, name="own")(first), first]), name="graph")
    inner.trainable = False
    ends = L.Concatenate()([shared(numbers), once, L.LSTM(2)(both), inner(numbers), graph(shared(L.Dense(5, name="again")(once)))])
    one = L.Dense(1, name="one")(ends)
    two = L.Dense(2, activation="softmax", name="two")(ends)
    model = keras.Model([words, numbers], [one, two], name="two_inputs")
    model.compile(
        optimizers.Adam(optimizers.schedules.ExponentialDecay(0.01, 10, 0.9)),
        {"one": "mse", "two": keras.losses.CategoricalCrossentropy(label_smoothing=0.1)},
        loss_weights={"one": 0.5, "two": 1.0}, metrics={"one": ["mae"], "two": ["accuracy", keras.metrics.AUC()]},
    )
    targets = [np.ones((3, 1), "float32"), np.eye(2)[[0, 1, 1]].astype("float32")]
    save("two_inputs", model, ("keras", "h5", "weights.h5"), {"words": 10}, targets)


def recurrent():
    """GRU both ways, states handed on, sequences of any length, a functional model as output."""
    sequence = keras.Input((None, 4))
    x = L.GRU(3, return_sequences=True)(sequence)
    x = L.GRU(3, return_sequences=True, reset_after=False, go_backwards=True)(x)
    x, h, c = L.LSTM(3, return_sequences=True, return_state=True)(x)
    x = L.LSTM(3, return_sequences=True, unit_forget_bias=False)(x, initial_state=[h, c])
    x = L.Bidirectional(L.SimpleRNN(2, return_sequences=True))(x)
    x = L.TimeDistributed(L.Dense(3, activation="gelu"))(x)
    x = L.Conv1D(3, 2, padding="causal")(x)
    forward, backward = L.Bidirectional(L.LSTM(2), merge_mode=None)(x)
    end = keras.Input((5,))
    last = keras.Model(end, L.Dense(2)(end), name="last")
    output = last(L.Concatenate()([L.GlobalMaxPooling1D()(x), L.Average()([forward, backward])]))
    save("recurrent", keras.Model(sequence, output), ("keras", "h5"))


def nested():
    """A model in a model in a model, some of it frozen, and a layer that stands in two of them."""
    base = keras.Sequential([
        keras.Input((6, 6, 2)), L.Conv2D(3, 3, name="base_conv"), L.BatchNormalization(name="base_norm"), L.Flatten(),
    ], name="base")
    base.get_layer("base_conv").trainable = False
    shared = L.Dense(4, activation="relu", name="in_two")
    a, b = keras.Input((48,)), keras.Input((48,))
    left = keras.Model(a, L.Dense(2)(shared(a)), name="left")
    right = keras.Model(b, shared(b), name="right")
    image = keras.Input((6, 6, 2))
    x = base(image)
    model = keras.Model(image, L.Concatenate()([left(x), right(x), left(L.Activation("tanh")(x))]))
    whole = keras.Sequential([keras.Input((6, 6, 2)), model, L.LayerNormalization(), L.Dense(1)], name="whole")
    whole.compile("sgd", "mse")
    save("nested", whole, ("keras", "weights.h5"), targets=np.ones((3, 1), "float32"))


def optimizer_states():
    for optimizer in [
        optimizers.SGD(0.05, momentum=0.9, nesterov=True), optimizers.RMSprop(0.01, momentum=0.5, centered=True),
        optimizers.Adam(0.01, amsgrad=True, clipnorm=1.0), optimizers.AdamW(0.01), optimizers.Adamax(0.01),
        optimizers.Nadam(0.01), optimizers.Adagrad(0.05), optimizers.Adadelta(0.5),
    ]:
        model = keras.Sequential([keras.Input((3,)), L.Dense(4, activation="tanh"), L.Dense(2)])
        model.compile(optimizer, "mse", metrics=["mae", keras.metrics.RootMeanSquaredError()])
        formats = ("keras", "h5") if isinstance(optimizer, optimizers.RMSprop) else ("keras",)
        save(f"optimizer_{type(optimizer).__name__.lower()}", model, formats, targets=rng.uniform(-1, 1, (3, 2)).astype("float32"))


def all_layers():
    """Every kind of layer on inputs of its own, in models that are not too large."""
    families = {
        "sequences": ((6, 4), [
            L.Conv1D(3, 2), L.Conv1DTranspose(2, 3, strides=2), L.DepthwiseConv1D(2), L.SeparableConv1D(3, 2),
            L.MaxPooling1D(2), L.AveragePooling1D(2), L.GlobalMaxPooling1D(), L.GlobalAveragePooling1D(), L.UpSampling1D(),
            L.ZeroPadding1D(), L.Cropping1D(), L.SpatialDropout1D(0.3), L.Masking(), L.SimpleRNN(2), L.RepeatVector(2),
            L.Permute((2, 1)), L.Reshape((4, -1)), L.Softmax(axis=1),
        ]),
        "images": ((6, 5, 2), [
            L.Conv2DTranspose(2, 2, strides=2), L.DepthwiseConv2D(2), L.SeparableConv2D(3, 2), L.MaxPooling2D(),
            L.AveragePooling2D(2), L.GlobalMaxPooling2D(), L.GlobalAveragePooling2D(keepdims=True),
            L.UpSampling2D(interpolation="bilinear"), L.ZeroPadding2D(((1, 0), (2, 3))), L.Cropping2D(1), L.SpatialDropout2D(0.3),
            L.GroupNormalization(groups=2), L.Conv2D(4, 2, groups=2, dilation_rate=2, kernel_initializer="he_normal"),
        ]),
        "vectors": ((4,), [
            L.Activation("silu"), L.ReLU(6.0, 0.1, 0.5), L.LeakyReLU(0.2), L.PReLU(), L.ELU(0.7), L.Softmax(),
            L.Rescaling(0.5, offset=-1.0), L.GaussianNoise(0.1), L.GaussianDropout(0.1), L.AlphaDropout(0.1), L.Dropout(0.2),
            L.LayerNormalization(), L.BatchNormalization(momentum=0.5),
            L.Dense(2, kernel_initializer=keras.initializers.RandomNormal(stddev=0.3), bias_initializer=keras.initializers.Constant(0.1)),
        ]),
        "merging": ((4,), [
            L.Add(), L.Subtract(), L.Multiply(), L.Average(), L.Maximum(), L.Minimum(), L.Concatenate(), L.Dot(axes=1),
        ]),
    }
    for name, (shape, family) in families.items():
        inputs, outputs = [], []
        for layer in family:
            if name == "merging":
                both = [keras.Input(shape), keras.Input(shape)]
                inputs += both
                outputs.append(layer(both))
            else:
                inputs.append(keras.Input((4,) if isinstance(layer, L.RepeatVector) else shape))
                outputs.append(layer(inputs[-1]))
        save(f"layers_{name}", keras.Model(inputs, outputs))
    volume = keras.Input((2, 2, 2, 1))
    save("layers_volume", keras.Model(volume, L.SpatialDropout3D(0.3)(volume)))


def refused():
    """Models that are refused for a reason that names the layer."""
    inputs, sequence = keras.Input((4,)), keras.Input((3, 2))
    mask = keras.ops.not_equal(sequence[:, :, 0], 0.0)
    for name, model in [
        ("kind", keras.Sequential([inputs, L.UnitNormalization(name="unit")])),
        ("mask", keras.Model(sequence, L.LSTM(2, name="masked")(sequence, mask=mask))),
    ]:
        model.save(FOLDER / f"refused_{name}.keras")
        pack(FOLDER / f"refused_{name}.keras")


def constraint():
    """A weight that is kept within bounds."""
    save_as = FOLDER / "constraint.keras"
    keras.Sequential([keras.Input((4,)), L.Dense(2, kernel_constraint="non_neg", name="bounded")]).save(save_as)
    pack(save_as)


def weighted():
    """Metrics in which samples count by their weights, beside others of the same name."""
    model = keras.Sequential([keras.Input((3,)), L.Dense(4, activation="tanh"), L.Dense(2, activation="softmax")])
    model.compile(
        "sgd", "categorical_crossentropy", metrics=["accuracy", keras.metrics.MeanSquaredError(name="mse")],
        weighted_metrics=["accuracy", keras.metrics.Precision(name="precision"), keras.metrics.AUC(name="auc")],
    )
    shake(model)
    x = rng.uniform(-1.5, 1.5, size=(12, 3)).astype("float32")
    y = np.eye(2, dtype="float32")[rng.integers(0, 2, size=12)]
    weights = rng.uniform(0.1, 3.0, size=12).astype("float32")
    for kind in ("keras", "h5"):
        model.save(FOLDER / f"weighted.{kind}")
    pack(FOLDER / "weighted.keras")
    found = model.evaluate(x, y, batch_size=12, sample_weight=weights, return_dict=True, verbose=0)
    recorded = {"x": tensor(x), "y": tensor(y), "sample_weight": tensor(weights), "metrics": found}
    (FOLDER / "weighted.json").write_text(json.dumps(recorded, separators=(",", ":")) + "\n")


def arrays():
    """What an HDF5 file may hold."""
    values = np.arange(-6, 18, dtype="float32").reshape(2, 3, 4) / 4
    for name, settings in (("arrays", {}), ("arrays_v110", {"libver": ("v110", "v110")})):
        with h5py.File(FOLDER / f"{name}.h5", "w", **settings) as file:
            kinds = ("f2", "f4", "f8", ">f4", "i1", "i2", "i4", "i8", ">i8", "u1", "u2", "u4", "u8")
            # Newer groups of more than eight members are stored in another way, which Keras does not use.
            for kind in kinds if name == "arrays" else kinds[:6]:
                small = np.abs(values) if kind[-2] == "u" else values
                file.create_dataset(f"types/{kind}", data=small.astype(kind))
            file.create_dataset("bool", data=values > 0)
            file.create_dataset("scalar", data=np.float32(2.5))
            file.create_dataset("empty", data=np.zeros((0, 3), "float32"))
            chunks = {"chunks": (2, 2, 3)} if name == "arrays" else {"chunks": (2, 3, 4)}
            file.create_dataset("packed", data=values, compression="gzip", shuffle=True, **chunks)
            file.create_dataset("chunked", data=values, **chunks)
            file.create_dataset("unwritten", shape=(2, 2), dtype="f4")
            file.attrs["text"] = "größer"
            file.attrs["fixed"] = np.bytes_("fixed")
            file.attrs["names"] = np.array(["a", "bc", ""], dtype=h5py.string_dtype())
            file.attrs["number"] = 3
            deep = file.create_group("a/b/c")
            deep.attrs["name"] = "deep"
            deep["again"] = file["types/f4"]


FOLDER.mkdir(parents=True, exist_ok=True)
convolutional()
two_inputs()
recurrent()
nested()
optimizer_states()
all_layers()
refused()
constraint()
weighted()
arrays()
text = json.dumps({"keras": keras.__version__, "cases": cases}, separators=(",", ":"))
(FOLDER / "keras3.json").write_text(text + "\n")
