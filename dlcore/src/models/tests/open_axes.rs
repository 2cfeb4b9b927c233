//! Axes of any length.

use super::numbers;
use crate::layers::*;
use crate::models::*;
use crate::{Result, Tensor, dim};

#[track_caller]
fn refusal<T>(result: Result<T>) -> String {
    result.map(|_| ()).unwrap_err().to_string()
}

fn shape_of(layer: impl LayerCall, input: &[usize]) -> Vec<usize> {
    layer.on(&Input::new(input)).shape().to_vec()
}

#[test]
fn layers_say_which_axes_of_their_outputs_are_known() {
    const ANY: usize = dim::ANY;
    let cases = [
        (shape_of(Embedding::new(9, 4), &[ANY]), vec![ANY, 4]),
        (shape_of(Dense::new(5), &[ANY, 3]), vec![ANY, 5]),
        (shape_of(LSTM::new(5), &[ANY, 3]), vec![5]),
        (
            shape_of(GRU::new(5).return_sequences(true), &[ANY, 3]),
            vec![ANY, 5],
        ),
        (
            shape_of(Bidirectional::new(SimpleRNN::new(5)), &[ANY, 3]),
            vec![10],
        ),
        (
            shape_of(TimeDistributed::new(Dense::new(2)), &[ANY, 3]),
            vec![ANY, 2],
        ),
        (shape_of(Conv1D::new(6, 5), &[ANY, 3]), vec![ANY, 6]),
        (shape_of(Conv1D::new(6, 200), &[ANY, 3]), vec![ANY, 6]),
        (
            shape_of(Conv2D::new(6, 3).strides(2), &[ANY, ANY, 3]),
            vec![ANY, ANY, 6],
        ),
        (shape_of(Conv2D::new(6, 3), &[ANY, 8, 3]), vec![ANY, 6, 6]),
        (shape_of(MaxPooling1D::new(5), &[ANY, 3]), vec![ANY, 3]),
        (shape_of(GlobalMaxPooling1D::new(), &[ANY, 3]), vec![3]),
        (
            shape_of(GlobalAveragePooling2D::new(), &[ANY, ANY, 3]),
            vec![3],
        ),
        (shape_of(BatchNormalization::new(), &[ANY, 3]), vec![ANY, 3]),
        (shape_of(Flatten::new(), &[ANY, 3]), vec![ANY]),
        (shape_of(Permute::new([2, 1]), &[ANY, 3]), vec![3, ANY]),
        (
            shape_of(UpSampling2D::new(2), &[ANY, 4, 3]),
            vec![ANY, 8, 3],
        ),
        (
            shape_of(Lambda::new(|x| x.mean_axis(1)), &[ANY, 3]),
            vec![3],
        ),
        (shape_of(Masking::new(0.0), &[ANY, 3]), vec![ANY, 3]),
        (
            shape_of(SeparableConv1D::new(4, 3), &[ANY, 3]),
            vec![ANY, 4],
        ),
        (
            shape_of(DepthwiseConv2D::new(3), &[ANY, ANY, 3]),
            vec![ANY, ANY, 3],
        ),
        (
            shape_of(Conv1DTranspose::new(4, 3).strides(2), &[ANY, 3]),
            vec![ANY, 4],
        ),
        (shape_of(Cropping1D::new(1), &[ANY, 3]), vec![ANY, 3]),
        (
            shape_of(ZeroPadding2D::new(1), &[ANY, 4, 3]),
            vec![ANY, 6, 3],
        ),
        (
            shape_of(AveragePooling2D::new(2), &[4, ANY, 3]),
            vec![2, ANY, 3],
        ),
        (shape_of(LayerNormalization::new(), &[ANY, 3]), vec![ANY, 3]),
        (
            shape_of(GroupNormalization::new(3), &[ANY, 3]),
            vec![ANY, 3],
        ),
        (
            shape_of(SpatialDropout1D::new(0.1), &[ANY, 3]),
            vec![ANY, 3],
        ),
        (shape_of(Dropout::new(0.1), &[ANY, 3]), vec![ANY, 3]),
        (shape_of(Reshape::new([-1, 2]), &[ANY, 4]), vec![ANY, 2]),
        (
            shape_of(TimeDistributed::new(Conv2D::new(2, 3)), &[ANY, 8, 8, 1]),
            vec![ANY, 6, 6, 2],
        ),
    ];
    for (place, (shape, expected)) in cases.into_iter().enumerate() {
        assert_eq!(shape, expected, "case {place}");
    }
    let (a, b) = (Input::new([ANY, 3]), Input::new([ANY, 3]));
    assert_eq!(Add::new().on([&a, &b]).shape(), [ANY, 3]);
    assert_eq!(Concatenate::new().axis(1).on([&a, &b]).shape(), [ANY, 3]);
    assert_eq!(Concatenate::new().on([&a, &b]).shape(), [ANY, 6]);
    // The other says how long the axis is to be; nobody where they stand after each other.
    let known = Input::new([5, 3]);
    assert_eq!(Multiply::new().on([&a, &known]).shape(), [5, 3]);
    assert_eq!(
        Concatenate::new().axis(1).on([&a, &known]).shape(),
        [ANY, 3]
    );
    assert!(Add::new().try_on([&a, &Input::new([5, 4])]).is_err());
    let both = Bidirectional::new(LSTM::new(2).return_sequences(true).input_shape([ANY, 3]));
    let model = Sequential::new().add(both).add(LSTM::new(1));
    assert_eq!(model.outputs().unwrap()[0].shape(), [1]);
}

#[test]
fn weights_that_would_depend_on_the_length_are_refused_and_not_made() {
    let flat = Flatten::new().on(&Input::new([dim::ANY, 3]));
    let dense = LayerRef::new(Dense::new(4).name("head"));
    let text = refusal(dense.try_on(&flat));
    assert!(
        text.starts_with("head (Dense): its weights depend on the length")
            && text.contains("got samples of shape [None]"),
        "{text}"
    );
    assert!(!dense.is_built());
    dense.try_on(&Input::new([6])).unwrap();
    let text = refusal(Flatten::new().try_on(&Input::new([dim::ANY; 12])));
    assert!(text.contains("too many axes of any length"), "{text}");
    let text = refusal(PReLU::new().try_on(&Input::new([dim::ANY, 3])));
    assert!(text.contains("shape [None, 3]"), "{text}");
    let text = refusal(LSTM::new(4).try_on(&Input::new([dim::ANY])));
    assert!(text.ends_with("got samples of shape [None]"), "{text}");
    let mut model = Sequential::new()
        .add(Flatten::new().input_shape([dim::ANY, 3]))
        .add(Dense::new(1));
    let text = refusal(model.compile("sgd", "mse", ()));
    assert!(text.contains("its weights depend"), "{text}");
}

/// The weights are those of the same model for a known length: nothing more is drawn to find out.
#[test]
fn a_model_trains_on_any_length_and_is_saved_with_its_shape() {
    let build = |length: usize| {
        Sequential::new()
            .add(
                Conv1D::new(4, 3)
                    .activation("relu")
                    .input_shape([length, 2]),
            )
            .add(MaxPooling1D::new(2))
            .add(GRU::new(3))
            .add(Dense::new(1))
    };
    let (mut model, fixed) = (build(dim::ANY), build(20));
    assert_eq!(model.count_params(), fixed.count_params());
    model.set_weights(&fixed.get_weights()).unwrap();
    let text = model.summary().to_string();
    assert!(text.contains("(None, None, 4)"), "{text}");
    model.compile("adam", "mse", ()).unwrap();
    for length in [20, 7] {
        let x = numbers([6, 20, 2], 1).slice((.., ..length, ..));
        let y = numbers([6, 1], 2);
        model.fit(&x, &y, Fit::epochs(1).verbose(0)).unwrap();
        assert_eq!(model.predict(&x).unwrap().shape(), [6, 1]);
    }
    let text = refusal(model.predict(&numbers([6, 20, 3], 1)));
    assert!(text.contains("[batch, None, 2]"), "{text}");
    let text = refusal(model.predict(&numbers([6, 2, 2], 1)));
    assert!(text.contains("(Conv1D)"), "{text}");
    let folder = std::env::temp_dir().join(format!("dlcore-open-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("model.dl");
    model.save(&path).unwrap();
    let same = Sequential::load(&path).unwrap();
    let x = numbers([6, 11, 2], 1);
    assert_eq!(same.predict(&x).unwrap(), model.predict(&x).unwrap());
    assert_eq!(same.summary(), model.summary());
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_length_that_was_declared_is_the_only_one() {
    let input = Input::new([8, 2]);
    let model = Model::new(&input, &LSTM::new(3).on(&input)).unwrap();
    let text = refusal(model.predict(&numbers([4, 9, 2], 1)));
    assert!(
        text.contains("[batch, 8, 2]") && text.contains("dim::ANY"),
        "{text}"
    );
    let stack = Sequential::new().add(LSTM::new(3).input_shape([8, 2]));
    assert!(stack.predict(&numbers([4, 9, 2], 1)).is_err());
    // The first data say what is there, not what may be.
    let mut open = Sequential::new().add(LSTM::new(3)).add(Dense::new(1));
    open.compile("sgd", "mse", ()).unwrap();
    let (x, y) = (numbers([4, 8, 2], 1), numbers([4, 1], 2));
    open.fit(&x, &y, Fit::epochs(1).verbose(0)).unwrap();
    open.predict(&numbers([4, 9, 2], 1)).unwrap();
}

#[test]
fn two_inputs_of_any_length_must_suit_each_other() {
    let (a, b) = (
        Input::named("a", [dim::ANY, 2]),
        Input::named("b", [dim::ANY, 2]),
    );
    let sum = Add::new().name("sum").on([&a, &b]);
    let model = Model::new([&a, &b], &GlobalAveragePooling1D::new().on(&sum)).unwrap();
    let x = |length: usize| Tensor::ones([3, length, 2]);
    assert_eq!(model.predict([&x(4), &x(4)]).unwrap().shape(), [3, 2]);
    let text = refusal(model.predict([&x(4), &x(5)]));
    assert!(text.starts_with("predict: sum (Add)"), "{text}");
    let text = refusal(model.predict([&x(4), &Tensor::ones([3, 4, 3])]));
    assert!(
        text.contains("\"b\"") && text.contains("[batch, None, 2]"),
        "{text}"
    );
}

#[test]
fn a_model_of_any_length_is_a_layer_and_copied_like_any_other() {
    let encoder = Sequential::new()
        .add(Embedding::new(10, 4).input_shape([dim::ANY]))
        .add(LSTM::new(3));
    let (left, right) = (Input::new([dim::ANY]), Input::new([dim::ANY]));
    let both = Concatenate::new().on([&encoder.on(&left), &encoder.on(&right)]);
    let model = Model::new([&left, &right], &Dense::new(1).on(&both)).unwrap();
    let words = |length: usize| Tensor::ones([2, length]);
    let outputs = model.predict([&words(5), &words(9)]).unwrap();
    let copy = model.clone();
    assert_eq!(copy.predict([&words(5), &words(9)]).unwrap(), outputs);
    assert_eq!(format!("{left:?}"), format!("{} [None]", left.name()));
    let mut later = Sequential::new()
        .add(Embedding::new(10, 4))
        .add(LSTM::new(3));
    later.build(&[dim::ANY]).unwrap();
    assert_eq!(later.predict(&words(3)).unwrap().shape(), [2, 3]);
}
