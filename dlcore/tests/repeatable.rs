//! The same seed gives the same bits, whatever the number of threads.

use std::sync::Mutex;

use dlcore::grad::ops;
use dlcore::prelude::*;
use dlcore::random::{next_seed, permutation, truncated_normal};

/// The stream of random numbers is one for the process: these tests take turns.
static STREAM: Mutex<()> = Mutex::new(());

fn with_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
        .install(work)
}

/// Two steps of a network, with everything that runs in parallel.
fn train() -> Vec<Vec<u32>> {
    set_seed(42);
    let x = Tensor::uniform([128, 784], 0.0, 1.0);
    let labels = Tensor::from((0..128).map(|i| i % 10).collect::<Vec<i64>>());
    let mut weights = [
        Tensor::normal([784, 512], 0.0, 0.05),
        truncated_normal([512], 0.0, 0.05),
        Tensor::uniform([512, 10], -0.1, 0.1),
    ];
    let rows: Vec<Vec<u32>> = (0..512)
        .map(|_| permutation(784)[..100].iter().map(|&c| c as u32).collect())
        .collect();
    let sparse = Tensor::from_sparse_rows(784, &rows).unwrap();
    let mut seen = Vec::new();
    for _ in 0..2 {
        let tape = GradientTape::new();
        let [w1, b1, w2] = weights.each_ref().map(|w| tape.watch(w));
        let hidden = ops::dense(&x, &w1, Some(&b1)).unwrap().relu();
        let hidden = ops::dropout(&hidden, 0.5, next_seed()).unwrap();
        let losses = ops::softmax_cross_entropy(&hidden.dot(&w2), &labels).unwrap();
        let loss = losses.mean() + sparse.dot(&w1).tanh().sum() * 1e-6;
        let gradients = tape.gradient(&loss, &[&w1, &b1, &w2]);
        for (weight, gradient) in weights.iter_mut().zip(&gradients) {
            *weight -= gradient * 0.1;
        }
        seen.push(vec![(loss.item() as f32).to_bits()]);
    }
    let bits = |w: &Tensor| w.to_vec().iter().map(|v| v.to_bits()).collect();
    seen.extend(weights.iter().map(bits));
    seen
}

#[test]
fn training_repeats_bit_for_bit_on_any_number_of_threads() {
    let _turn = STREAM.lock().unwrap();
    let one = with_threads(1, train);
    assert_eq!(one, with_threads(2, train));
    assert_eq!(one, with_threads(5, train));
}

fn images() -> Sequential {
    Sequential::new()
        .add(Conv2D::new(16, 3).padding("same").input_shape([24, 24, 3]))
        .add(BatchNormalization::new())
        .add(ActivationLayer::new("relu"))
        .add(MaxPooling2D::new(2))
        .add(SeparableConv2D::new(24, 3).activation("relu"))
        .add(Conv2DTranspose::new(8, 3).strides(2))
        .add(AveragePooling2D::new(3))
        .add(Dropout::new(0.3))
        .add(Flatten::new())
        .add(Dense::new(10).activation("softmax"))
}

fn sequences() -> Sequential {
    Sequential::new()
        .add(Embedding::new(50, 24).input_shape([40]))
        .add(Conv1D::new(24, 3).activation("relu"))
        .add(Bidirectional::new(LSTM::new(16).return_sequences(true)))
        .add(LayerNormalization::new())
        .add(GRU::new(16).dropout(0.2).recurrent_dropout(0.2))
        .add(Dense::new(10).activation("softmax"))
}

/// Losses and weights of a model that is made and trained from a seed.
fn fitted(make: fn() -> Sequential) -> Vec<Vec<u32>> {
    set_seed(11);
    let mut model = make();
    let optimizer = Adam::new().clipnorm(1.0);
    let loss = "sparse_categorical_crossentropy";
    model.compile(optimizer, loss, ["accuracy"]).unwrap();
    let x = match model.layers()[0].kind().as_str() {
        "Embedding" => Tensor::randint([96, 40], 0, 50),
        _ => Tensor::uniform([96, 24, 24, 3], 0.0, 1.0),
    };
    let y = Tensor::randint([96], 0, 10);
    let settings = Fit::epochs(2).batch_size(40).validation_split(0.25);
    let history = model.fit(&x, &y, settings.verbose(0)).unwrap();
    let losses = history.get("val_loss");
    let bits = |&loss: &f64| (loss as f32).to_bits();
    let mut seen = vec![losses.iter().map(bits).collect::<Vec<u32>>()];
    for weight in model.get_weights() {
        seen.push(weight.to_vec().iter().map(|v| v.to_bits()).collect());
    }
    seen
}

#[test]
fn fit_repeats_bit_for_bit_on_any_number_of_threads() {
    let _turn = STREAM.lock().unwrap();
    for make in [images, sequences] {
        let one = with_threads(1, || fitted(make));
        for threads in [2, 4] {
            assert!(one == with_threads(threads, || fitted(make)), "{threads}");
        }
    }
}

#[test]
fn a_seed_starts_the_stream_anew() {
    let _turn = STREAM.lock().unwrap();
    let draw = || {
        (
            Tensor::uniform([100], 0.0, 1.0),
            Tensor::normal([100], 0.0, 1.0),
            permutation(50),
        )
    };
    set_seed(7);
    let first = draw();
    assert!(first != draw(), "the stream stands still");
    set_seed(7);
    assert!(first == draw(), "the seed does not repeat");
    set_seed(8);
    assert!(first != draw(), "another seed gives the same numbers");
}

#[test]
fn distributions_are_as_asked() {
    let _turn = STREAM.lock().unwrap();
    set_seed(3);
    let moments = |t: &Tensor| {
        let mean = t.mean().item();
        (mean, (t - mean).square().mean().item().sqrt())
    };
    let n = 200_000;
    let (mean, deviation) = moments(&Tensor::normal([n], 2.0, 3.0));
    assert!(
        (mean - 2.0).abs() < 0.03 && (deviation - 3.0).abs() < 0.03,
        "{mean} {deviation}"
    );
    let uniform = Tensor::uniform([n], -1.0, 3.0);
    let (mean, deviation) = moments(&uniform);
    assert!((mean - 1.0).abs() < 0.02 && (deviation - 4.0 / 12_f64.sqrt()).abs() < 0.02);
    assert!(uniform.min().item() >= -1.0 && uniform.max().item() < 3.0);
    let truncated = truncated_normal([n], 1.0, 0.5);
    let (mean, deviation) = moments(&truncated);
    // A standard normal cut at two deviations has a deviation of 0.8796.
    assert!(
        (mean - 1.0).abs() < 0.01 && (deviation - 0.4398).abs() < 0.01,
        "{mean} {deviation}"
    );
    assert!(truncated.min().item() >= 0.0 && truncated.max().item() <= 2.0);
    let mut order = permutation(1000);
    assert!(order[..10] != [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    order.sort_unstable();
    assert!(order.into_iter().eq(0..1000));
}
