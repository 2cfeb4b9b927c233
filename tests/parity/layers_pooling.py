"""The fixtures of pooling, up-sampling, padding and cropping; see layer_fixtures.py."""

import numpy as np
from layer_fixtures import BATCH, case, write

from keras import layers

FIRST = "channels_first"


def ties(*shape):
    """Inputs of few different values, so that windows have several largest elements."""
    return lambda rng: [rng.integers(0, 3, size=(BATCH, *shape)).astype("float32")]


mask = np.array([[1, 1, 0, 1], [1, 0, 0, 0], [1, 1, 1, 1]])

write("layers_pooling.json", [
    case(layers.MaxPooling1D(2), (5, 3), name="valid"),
    case(layers.MaxPooling1D(3, strides=1, padding="same", data_format=FIRST), (2, 4), name="same, channels first"),
    case(layers.MaxPooling2D(), (5, 4, 2), name="defaults"),
    case(layers.MaxPooling2D((3, 2), strides=(2, 1), padding="same"), (5, 4, 2), name="same, overlapping"),
    case(layers.MaxPooling2D(3, strides=1), name="ties", inputs=ties(5, 5, 2)),
    case(layers.AveragePooling1D(3, strides=2, padding="same"), (6, 2), name="same, strides"),
    case(layers.AveragePooling2D((2, 3)), (5, 6, 2), name="valid"),
    case(layers.AveragePooling2D(3, strides=2, padding="same", data_format=FIRST), (2, 4, 5), name="same, channels first"),
    case(layers.GlobalMaxPooling1D(), name="ties", inputs=ties(5, 2)),
    case(layers.GlobalMaxPooling1D(keepdims=True, data_format=FIRST), (2, 4), name="kept, channels first"),
    case(layers.GlobalMaxPooling2D(), name="ties", inputs=ties(3, 3, 2)),
    case(layers.GlobalAveragePooling1D(), (4, 3), name="without mask"),
    case(layers.GlobalAveragePooling1D(), (4, 3), name="with mask", mask=mask),
    case(layers.GlobalAveragePooling1D(keepdims=True, data_format=FIRST), (3, 4), name="with mask, channels first",
         mask=mask),
    case(layers.GlobalAveragePooling2D(keepdims=True), (3, 2, 2), name="kept"),
    case(layers.GlobalAveragePooling2D(data_format=FIRST), (2, 3, 2), name="channels first"),
    case(layers.UpSampling1D(3), (3, 2), name="repeats"),
    case(layers.UpSampling2D(), (2, 3, 2), name="nearest"),
    *[case(layers.UpSampling2D((2, 3), interpolation=kind), (4, 3, 2), name=kind)
      for kind in ("bilinear", "bicubic", "lanczos3", "lanczos5")],
    case(layers.UpSampling2D(2, interpolation="bilinear", data_format=FIRST), (2, 2, 3), name="channels first"),
    case(layers.ZeroPadding1D((2, 1)), (3, 2), name="both sides"),
    case(layers.ZeroPadding1D(1, data_format=FIRST), (2, 3), name="channels first"),
    case(layers.ZeroPadding2D(), (2, 3, 2), name="defaults"),
    case(layers.ZeroPadding2D(((1, 0), (2, 3)), data_format=FIRST), (2, 2, 3), name="channels first"),
    case(layers.Cropping1D((1, 2)), (5, 2), name="both sides"),
    case(layers.Cropping2D((1, 0)), (4, 2, 2), name="height"),
    case(layers.Cropping2D(((1, 0), (0, 2)), data_format=FIRST), (2, 3, 4), name="channels first"),
])
