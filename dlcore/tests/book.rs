//! The networks of F. Chollet's *Deep Learning with Python* have the parameters that the book reports.

use dlcore::prelude::*;

#[test]
fn mnist_dense_network_of_chapter_2_has_407_050() {
    let network = Sequential::new()
        .add(Dense::new(512).activation("relu").input_shape([28 * 28]))
        .add(Dense::new(10).activation("softmax"));
    assert_eq!(network.count_params(), 407_050);
}

#[test]
fn convnet_of_5_1_has_93_322() {
    let network = Sequential::new()
        .add(
            Conv2D::new(32, 3)
                .activation("relu")
                .input_shape([28, 28, 1]),
        )
        .add(MaxPooling2D::new(2))
        .add(Conv2D::new(64, 3).activation("relu"))
        .add(MaxPooling2D::new(2))
        .add(Conv2D::new(64, 3).activation("relu"))
        .add(Flatten::new())
        .add(Dense::new(64).activation("relu"))
        .add(Dense::new(10).activation("softmax"));
    assert_eq!(network.count_params(), 93_322);
}

#[test]
fn cats_and_dogs_of_5_2_have_3_453_121() {
    let mut network = Sequential::new();
    let mut input = Some([150, 150, 3]);
    for filters in [32, 64, 128, 128] {
        let convolution = Conv2D::new(filters, 3).activation("relu");
        network = match input.take() {
            Some(shape) => network.add(convolution.input_shape(shape)),
            None => network.add(convolution),
        };
        network = network.add(MaxPooling2D::new(2));
    }
    let network = network
        .add(Flatten::new())
        .add(Dense::new(512).activation("relu"))
        .add(Dense::new(1).activation("sigmoid"));
    assert_eq!(network.count_params(), 3_453_121);
}

#[test]
fn vgg16_without_its_top_has_14_714_688() {
    let mut network = Sequential::new();
    let blocks: [(usize, usize); 5] = [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)];
    for (block, (filters, convolutions)) in blocks.into_iter().enumerate() {
        for _ in 0..convolutions {
            let mut layer = Conv2D::new(filters, 3).activation("relu").padding("same");
            if network.layers().is_empty() {
                layer = layer.input_shape([150, 150, 3]);
            }
            network = network.add(layer);
        }
        network = network.add(MaxPooling2D::new(2).name(&format!("block{}_pool", block + 1)));
    }
    assert_eq!(network.count_params(), 14_714_688);
    // What the chapter freezes: all but the last block.
    for layer in network.layers().iter().take(14) {
        layer.set_trainable(false);
    }
    assert_eq!(network.summary().trainable, 7_079_424);
}

#[test]
fn gru_of_6_4_with_the_book_s_reset_has_6_240_and_its_network_13_697() {
    let network = Sequential::new()
        .add(Conv1D::new(32, 5).activation("relu").input_shape([240, 14]))
        .add(MaxPooling1D::new(3))
        .add(Conv1D::new(32, 5).activation("relu"))
        .add(
            GRU::new(32)
                .reset_after(false)
                .dropout(0.1)
                .recurrent_dropout(0.5),
        )
        .add(Dense::new(1));
    let gru = &network.layers()[3];
    assert_eq!(gru.count_params(), 6_240);
    assert_eq!(network.count_params(), 13_697);
}

fn generator() -> Sequential {
    let relu = || LeakyReLU::new().negative_slope(0.3);
    Sequential::new()
        .add(Dense::new(128 * 16 * 16).input_shape([32]))
        .add(relu())
        .add(Reshape::new([16, 16, 128]))
        .add(Conv2D::new(256, 5).padding("same"))
        .add(relu())
        .add(Conv2DTranspose::new(256, 4).strides(2).padding("same"))
        .add(relu())
        .add(Conv2D::new(256, 5).padding("same"))
        .add(relu())
        .add(Conv2D::new(256, 5).padding("same"))
        .add(relu())
        .add(Conv2D::new(3, 7).activation("tanh").padding("same"))
}

fn discriminator() -> Sequential {
    let relu = || LeakyReLU::new().negative_slope(0.3);
    let mut network = Sequential::new()
        .add(Conv2D::new(128, 3).input_shape([32, 32, 3]))
        .add(relu());
    for _ in 0..3 {
        network = network.add(Conv2D::new(128, 4).strides(2)).add(relu());
    }
    network
        .add(Flatten::new())
        .add(Dropout::new(0.4))
        .add(Dense::new(1).activation("sigmoid"))
}

#[test]
fn the_frogs_of_8_5_have_6_264_579_and_790_913() {
    assert_eq!(generator().count_params(), 6_264_579);
    assert_eq!(discriminator().count_params(), 790_913);
}
