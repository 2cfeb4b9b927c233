//! What comes of input that makes no sense: an error in clear words, and a model that is as it was.

use dlcore::prelude::*;

fn quiet(epochs: usize) -> Fit {
    Fit::epochs(epochs).verbose(0)
}

#[track_caller]
fn message<T>(result: Result<T>, expected: &str) {
    match result {
        Ok(_) => panic!("expected an error: {expected}"),
        Err(error) => {
            let error = error.to_string();
            assert!(error.contains(expected), "{error}\nhas no {expected:?}");
        }
    }
}

fn classifier() -> Sequential {
    let mut model = Sequential::new()
        .add(Dense::new(4).activation("relu").input_shape([3]))
        .add(Dense::new(2).activation("softmax"));
    model
        .compile("sgd", "sparse_categorical_crossentropy", ["accuracy"])
        .unwrap();
    model
}

/// Builds a layer for samples of this shape.
fn built(layer: impl Layer + 'static, shape: &[usize]) -> Result<()> {
    Sequential::new().add(layer).build(shape)
}

#[test]
fn weights_and_outputs_for_which_there_is_no_room_are_errors() {
    for huge in [usize::MAX, 1 << 45] {
        message(
            built(Dense::new(huge), &[3]),
            "a shape that there is memory for",
        );
        message(
            built(Embedding::new(huge, 8), &[3]),
            "a shape that there is memory for",
        );
        message(
            built(LSTM::new(huge / 4), &[2, 3]),
            "a shape that there is memory for",
        );
        let same = Conv1D::new(2, huge).padding("same");
        message(built(same, &[5, 1]), "a shape that there is memory for");
        let named = Dense::new(huge)
            .kernel_initializer("orthogonal")
            .name("wide");
        message(built(named, &[3]), "wide (Dense): kernel: ");
    }
    message(built(Flatten::new(), &[1 << 40, 1 << 40]), "would not fit");
    let twice = UpSampling2D::new(usize::MAX);
    message(built(twice, &[5, 5, 1]), "would not fit");
    message(
        built(UpSampling1D::new(usize::MAX), &[5, 1]),
        "would not fit",
    );
    // Lengths of nothing are lengths.
    built(Flatten::new(), &[]).unwrap();
}

#[test]
fn a_shape_that_a_later_layer_refuses_does_not_stay_with_the_first() {
    let mut model = Sequential::new()
        .add(Dense::new(3))
        .add(Reshape::new([3, 1]))
        .add(Conv1D::new(1, 2));
    let mut narrow = Sequential::new()
        .add(Dense::new(3))
        .add(Reshape::new([5, 1]));
    message(narrow.build(&[4]), "cannot take the shape [5, 1]");
    assert_eq!(narrow.count_params(), 0);
    message(narrow.build(&[6]), "cannot take the shape [5, 1]");
    // Nor does that of a generator's first batch.
    model.compile("sgd", "mse", ()).unwrap();
    let bad = vec![(Tensor::ones([4, 9]), Tensor::ones([4, 1]))];
    let settings = || quiet(1).steps_per_epoch(1);
    assert!(model.fit_batches(bad.clone(), settings()).is_err());
    assert!(model.fit_sequence(&bad, quiet(1)).is_err());
    assert_eq!(model.count_params(), 0);
    let good = vec![(Tensor::ones([4, 5]), Tensor::ones([4, 2, 1]))];
    model.fit_batches(good, settings()).unwrap();
}

#[test]
fn functions_that_panic_while_a_model_is_made_are_errors() {
    let broken = || {
        Lambda::new(|x| {
            assert!(x.ndim() > 9, "mine");
            x.clone()
        })
        .name("broken")
    };
    message(
        built(broken(), &[3]),
        "broken (Lambda): a function panicked (mine)",
    );
    let mut model = Sequential::new().add(broken().input_shape([3]));
    message(
        model.compile("sgd", "mse", ()),
        "a function panicked (mine)",
    );
    message(broken().on_shape(), "a function panicked (mine)");
}

trait OnShape {
    fn on_shape(self) -> Result<Symbol>;
}

impl OnShape for Lambda {
    fn on_shape(self) -> Result<Symbol> {
        LayerRef::new(self).try_on(&Input::new([3]))
    }
}

#[test]
fn generators_that_panic_are_errors() {
    let broken = || std::iter::repeat_with(|| -> (Tensor, Tensor) { panic!("no file") });
    let sequence = || BatchSequence::new(2, |_| -> (Tensor, Tensor) { panic!("no file") });
    let mut model = classifier();
    let weights = model.get_weights();
    let settings = || quiet(1).steps_per_epoch(2);
    message(
        model.fit_batches(broken(), settings()),
        "fit_batches: a function panicked",
    );
    message(
        model.fit_sequence(sequence(), quiet(1)),
        "fit_sequence: a function panicked",
    );
    message(
        model.evaluate_batches(broken(), 2),
        "evaluate_batches: a function panicked",
    );
    message(
        model.evaluate_sequence(sequence()),
        "evaluate_sequence: a function panicked",
    );
    message(
        model.predict_batches(broken(), 2),
        "predict_batches: a function panicked",
    );
    message(
        model.predict_sequence(sequence()),
        "predict_sequence: a function panicked",
    );
    assert_eq!(model.get_weights(), weights);
}

#[test]
fn there_must_be_batches() {
    let model = classifier();
    let none = Vec::<(Tensor, Tensor)>::new;
    let one = || vec![(Tensor::ones([4, 3]), Tensor::zeros([4]))];
    message(
        model.evaluate_batches(one(), 0),
        "evaluate_batches: steps must be at least 1, got 0",
    );
    message(
        model.evaluate_batches(none(), 1),
        "evaluate_batches: the generator has no more batches",
    );
    message(
        model.evaluate_sequence(none()),
        "evaluate_sequence: there is no batch",
    );
    message(
        model.predict_sequence(none()),
        "predict_sequence: there is no batch",
    );
    message(
        model.predict_batches(one(), 0),
        "predict_batches: steps must be at least 1, got 0",
    );
    message(
        model.predict_batches(one(), 2),
        "ended after 1 of 2 batches",
    );
    let wide = vec![Tensor::ones([4, 9])];
    message(
        model.predict_batches(wide, 1),
        "expected input of shape [batch, 3]",
    );
}

#[test]
fn batches_are_predicted_as_all_samples_are() {
    let model = classifier();
    let x = Tensor::uniform([7, 3], -1.0, 1.0);
    let whole = model.predict(&x).unwrap();
    let parts = || vec![x.slice(..4), x.slice(4..)];
    assert_eq!(model.predict_batches(parts(), 2).unwrap(), whole);
    assert_eq!(model.predict_sequence(parts()).unwrap(), whole);
    // Labels are passed over.
    let labelled = parts().into_iter().map(|x| (x, Tensor::zeros([1])));
    assert_eq!(model.predict_batches(labelled, 2).unwrap(), whole);
}

#[test]
fn weights_of_classes_are_numbers() {
    let (x, y) = (Tensor::ones([4, 3]), Tensor::from([0_i64, 1, 0, 1]));
    let settings = quiet(1).class_weight([(0, 1.0), (1, f64::NAN)]);
    let fitted = classifier().fit(&x, &y, settings);
    message(
        fitted,
        "class_weight: expected a number for class 1, got NaN",
    );
}

#[test]
fn a_folder_that_is_missing_is_named() {
    let folder = std::env::temp_dir().join(format!("dlcore-none-{}", std::process::id()));
    let saved = classifier().save(folder.join("model.dl"));
    message(
        saved,
        &format!("there is no folder {}; make it first", folder.display()),
    );
}
