"""The fixtures of convolutions; see layer_fixtures.py."""

from layer_fixtures import case, write

from keras import constraints, layers, regularizers

FIRST = "channels_first"

write("layers_conv.json", [
    case(layers.Conv1D(3, 2), (5, 2), name="valid"),
    case(layers.Conv1D(2, 4, strides=3, padding="same", activation="tanh"), (6, 3), name="same, strides"),
    case(layers.Conv1D(2, 3, padding="causal", dilation_rate=2), (6, 2), name="causal, dilation"),
    case(layers.Conv1D(4, 2, padding="causal", strides=2, groups=2, use_bias=False), (5, 4), name="causal, groups"),
    case(layers.Conv1D(2, 3, data_format=FIRST, activation="softmax", padding="same", use_bias=False), (2, 5),
         name="channels first, softmax over steps"),
    case(layers.Conv2D(3, 3, activation="relu"), (5, 4, 2), name="valid"),
    case(layers.Conv2D(2, (2, 3), strides=(2, 1), padding="same"), (5, 4, 2), name="same, strides"),
    case(layers.Conv2D(2, 4, strides=2, padding="same", kernel_regularizer=regularizers.L1L2(0.01, 0.02),
                       bias_regularizer="l2"), (5, 6, 1), name="same, even kernel, regularized"),
    case(layers.Conv2D(2, (2, 3), dilation_rate=(2, 1), padding="same"), (5, 4, 2), name="same, dilation"),
    case(layers.Conv2D(4, 2, groups=2, dilation_rate=2), (4, 4, 4), name="groups, dilation"),
    case(layers.Conv2D(3, 1, strides=2), (4, 3, 2), name="one by one, strides"),
    case(layers.Conv2D(3, 1, activation="sigmoid"), (2, 3, 2), name="one by one"),
    case(layers.Conv2D(2, 2, data_format=FIRST, padding="same", use_bias=False), (3, 3, 4), name="channels first"),
    case(layers.Conv1D(4, 2, activation="glu"), (4, 2), name="glu"),
    case(layers.Conv2D(2, 2, activation="relu", activity_regularizer="l2", bias_constraint="non_neg",
                       kernel_constraint=constraints.MaxNorm(0.8, axis=[0, 1, 2])), (3, 3, 2),
         name="penalty on the output, constraints"),
])

write("layers_conv_by_channel.json", [
    case(layers.DepthwiseConv1D(3, depth_multiplier=2, padding="same"), (5, 2), name="same, multiplier"),
    case(layers.DepthwiseConv2D(2, activation="tanh"), (4, 3, 3), name="valid"),
    case(layers.DepthwiseConv2D((2, 3), strides=2, padding="same", depth_multiplier=2, depthwise_regularizer="l2"),
         (4, 5, 2), name="same, strides, multiplier"),
    case(layers.DepthwiseConv2D(2, dilation_rate=2, data_format=FIRST, use_bias=False), (2, 4, 4),
         name="dilation, channels first"),
    case(layers.SeparableConv1D(3, 3, strides=2, padding="same"), (6, 2), name="same, strides"),
    case(layers.SeparableConv2D(3, 2, activation="relu", depth_multiplier=2), (4, 3, 2), name="valid, multiplier"),
    case(layers.SeparableConv2D(2, 3, padding="same", data_format=FIRST, pointwise_regularizer="l2",
                                depthwise_regularizer="l1"), (2, 3, 4), name="same, channels first, regularized"),
    case(layers.Conv1DTranspose(3, 3, strides=2, padding="same"), (4, 2), name="same, strides"),
    case(layers.Conv1DTranspose(2, 2, strides=3, output_padding=2), (3, 2), name="valid, output padding"),
    case(layers.Conv2DTranspose(2, 3, strides=2, padding="same", activation="relu"), (3, 2, 2), name="same, strides"),
    case(layers.Conv2DTranspose(2, 3), (3, 2, 2), name="valid"),
    case(layers.Conv2DTranspose(2, (4, 2), strides=(2, 3), padding="same", output_padding=(1, 2)), (2, 3, 2),
         name="same, output padding"),
    case(layers.Conv2DTranspose(2, (1, 2), strides=(2, 3), use_bias=False), (2, 2, 3), name="strides beyond the kernel"),
    case(layers.Conv2DTranspose(2, 2, dilation_rate=2, padding="same"), (3, 3, 1), name="same, dilation"),
    case(layers.SeparableConv1D(2, 2, depthwise_constraint="non_neg", pointwise_constraint="unit_norm",
                                activity_regularizer="l1"), (4, 2), name="penalty on the output, constraints"),
    case(layers.Conv2DTranspose(2, 2, strides=2, data_format=FIRST), (2, 2, 3), name="channels first"),
])
