//! The first network of the book, outside a notebook: `cargo run --release --example first_network`.

use dlcore::prelude::*;

fn main() -> Result<()> {
    set_seed(42);
    let mnist = datasets::mnist::load()?;
    println!("{}", plot::image(&mnist.train_images.get(0)));
    let train_images = mnist
        .train_images
        .reshape([60_000, 28 * 28])
        .cast(DType::F32)
        / 255.0;
    let test_images = mnist
        .test_images
        .reshape([10_000, 28 * 28])
        .cast(DType::F32)
        / 255.0;
    let train_labels = to_categorical(&mnist.train_labels, 10);
    let test_labels = to_categorical(&mnist.test_labels, 10);

    let mut network = Sequential::new()
        .add(Dense::new(512).activation("relu").input_shape([28 * 28]))
        .add(Dense::new(10).activation("softmax"));
    network.compile(RMSprop::new(), "categorical_crossentropy", ["accuracy"])?;
    let history = network.fit(&train_images, &train_labels, Fit::epochs(5).batch_size(128))?;

    println!("{}", network.evaluate(&test_images, &test_labels)?);
    println!("{}", history.plot());
    Ok(())
}
