"""The fixtures of activations, normalization, reshaping, merging and noise layers; see layer_fixtures.py."""

import numpy as np

from layer_fixtures import case, write

from keras import activations, layers

# Without sparsemax: Keras 3.15 adds up the partial sums of the largest elements where the paper takes the last one, so that
# rows with several elements above 0 do not sum to 1; dlcore follows the paper.
NAMES = """linear relu sigmoid tanh softmax log_softmax elu selu celu gelu silu mish softplus softsign exponential
    hard_sigmoid hard_silu hard_tanh hard_shrink soft_shrink tanh_shrink leaky_relu relu6 log_sigmoid sparse_plus
    sparse_sigmoid squareplus glu""".split()


def wide(shape):
    """Inputs on both sides of every bend."""
    return lambda rng: [rng.uniform(-7, 7, size=(3, *shape)).astype("float32")]


def named(name):
    return case(layers.Activation(name), (8,), name=f"activation {name}", inputs=wide((8,)))


def approximate():
    recorded = case(layers.Activation(lambda x: activations.gelu(x, approximate=True)), (8,), name="activation gelu_approximate",
                    inputs=wide((8,)))
    recorded["config"] = {"name": "gelu_approximate", "trainable": True, "activation": "gelu_approximate"}
    return recorded


def threshold():
    recorded = case(layers.Activation(lambda x: activations.threshold(x, 0.5, -1.0)), (8,), name="activation threshold",
                    inputs=wide((8,)))
    setting = {"threshold": {"threshold": 0.5, "default_value": -1.0}}
    recorded["config"] = {"name": "threshold", "trainable": True, "activation": setting}
    return recorded


def rectifier(layer, name):
    return case(layer, (8,), name=name, inputs=wide((8,)))


rectifiers = [
    rectifier(layers.ReLU(), "relu"),
    rectifier(layers.ReLU(max_value=3.0), "relu up to 3"),
    rectifier(layers.ReLU(max_value=6.0, negative_slope=0.1, threshold=1.5), "relu with all settings"),
    rectifier(layers.ReLU(threshold=1.0), "relu above 1"),
    rectifier(layers.ReLU(negative_slope=0.25), "relu with a slope"),
    rectifier(layers.ReLU(negative_slope=0.25, threshold=1.0), "relu with a slope below 1"),
    rectifier(layers.LeakyReLU(), "leaky relu"),
    rectifier(layers.LeakyReLU(negative_slope=0.05), "leaky relu 0.05"),
    rectifier(layers.ELU(), "elu"),
    case(layers.PReLU(), (4,), name="prelu"),
    case(layers.PReLU(alpha_regularizer="l1", shared_axes=[1, 2]), (2, 2, 3), name="prelu of channels"),
    case(layers.PReLU(alpha_constraint="non_neg", activity_regularizer="l2"), (4,), name="prelu that cannot fall"),
    case(layers.Softmax(), (5,), name="softmax"),
    case(layers.Softmax(axis=1), (4, 3), name="softmax along axis 1"),
    case(layers.Softmax(axis=[1, 2]), (4, 3), name="softmax along both axes"),
    case(layers.Softmax(), (4,), name="softmax masked", mask=np.array([[1, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0]])),
]

reshaping = [
    case(layers.Flatten(), (2, 3, 2), name="flatten"),
    case(layers.Flatten(data_format="channels_first"), (2, 3, 2), name="flatten channels first"),
    case(layers.Reshape((3, -1)), (2, 6), name="reshape"),
    case(layers.Permute((3, 1, 2)), (2, 3, 4), name="permute"),
    case(layers.RepeatVector(3), (4,), name="repeat"),
    case(layers.Rescaling(1 / 127.5, offset=-1.0), (3,), name="rescaling"),
]

MASK = np.array([[1, 1, 0, 0], [1, 0, 1, 1], [1, 1, 1, 1]])


def batch_norm(shape, name, training=True, mask=None, **settings):
    return case(layers.BatchNormalization(**settings), shape, name=f"batch normalization {name}", training=training, mask=mask)


normalization = [
    batch_norm((4,), "of vectors"),
    batch_norm((4,), "at inference", training=False),
    batch_norm((2, 3, 4), "of images", momentum=0.9),
    batch_norm((4, 2, 3), "channels first", axis=1, epsilon=0.01),
    batch_norm((4, 2, 3), "channels first at inference", axis=1, training=False),
    batch_norm((2, 4), "without scale", scale=False),
    batch_norm((2, 4), "without shift", center=False, gamma_regularizer="l2"),
    batch_norm((2, 4), "with constraints", gamma_constraint="unit_norm", beta_constraint="non_neg",
               activity_regularizer="l2"),
    batch_norm((2, 4), "without both", scale=False, center=False),
    batch_norm((4, 3), "masked", mask=MASK, momentum=0.5),
    batch_norm((4, 3), "masked, channels first", mask=MASK, axis=1, beta_regularizer="l1"),
    case(layers.LayerNormalization(), (5,), name="layer normalization"),
    case(layers.LayerNormalization(epsilon=0.1, gamma_regularizer="l2", beta_regularizer="l1"), (3, 20),
         name="layer normalization of sequences"),
    case(layers.LayerNormalization(axis=[1, 2]), (3, 4), name="layer normalization of two axes"),
    case(layers.LayerNormalization(axis=1, scale=False), (3, 4), name="layer normalization of axis 1"),
    case(layers.LayerNormalization(axis=[1, 3], center=False), (2, 3, 4), name="layer normalization of axes 1 and 3"),
    case(layers.GroupNormalization(groups=2), (2, 3, 4), name="group normalization"),
    case(layers.GroupNormalization(groups=3, axis=1, epsilon=0.01), (6, 2), name="group normalization channels first"),
    case(layers.GroupNormalization(groups=-1, scale=False), (5, 3), name="instance normalization"),
    case(layers.GroupNormalization(groups=2, center=False), (4,), name="group normalization of vectors"),
]

noise = [
    case(layers.SpatialDropout1D(0.3), (2, 3), name="spatial dropout 1d at inference"),
    case(layers.SpatialDropout2D(0.3, data_format="channels_first"), (2, 3, 2), name="spatial dropout 2d at inference"),
    case(layers.SpatialDropout3D(0.3), (2, 1, 3, 2), name="spatial dropout 3d at inference"),
    case(layers.GaussianNoise(0.3), (3,), name="gaussian noise at inference"),
    case(layers.GaussianDropout(0.3), (3,), name="gaussian dropout at inference"),
    case(layers.AlphaDropout(0.3), (3,), name="alpha dropout at inference"),
]

merging = [
    case(layers.Add(), (2, 3), (2, 3), (2, 3), name="add"),
    case(layers.Add(), (3,), (2, 3), name="add broadcast"),
    case(layers.Subtract(), (3,), (3,), name="subtract"),
    case(layers.Multiply(), (2, 3), (2, 3), (1, 3), name="multiply"),
    case(layers.Average(), (3,), (3,), (3,), name="average"),
    case(layers.Maximum(), (2, 3), (2, 3), (2, 1), name="maximum"),
    case(layers.Minimum(), (3,), (2, 3), (3,), name="minimum"),
    case(layers.Concatenate(), (2, 3), (2, 1), (2, 2), name="concatenate"),
    case(layers.Concatenate(axis=1), (2, 3), (1, 3), name="concatenate along axis 1"),
    case(layers.Dot(axes=1), (4,), (4,), name="dot"),
    case(layers.Dot(axes=(1, 2), normalize=True), (3, 5), (4, 3), name="dot normalized"),
    case(layers.Dot(axes=-1), (2, 3), (4, 3), name="dot of last axes"),
    case(layers.Dot(axes=(2, 1)), (2, 3, 2), (3, 4), name="dot of rank 4"),
    case(layers.Dot(axes=(1, 2)), (3,), (2, 3), name="dot of a vector and a sequence"),
]

write("layers_around.json", [named(name) for name in NAMES] + [approximate(), threshold()] + rectifiers + reshaping + noise + merging)
write("layers_normalization.json", normalization)
