//! Graphs: how they are described, computed, refused, summarised.

use super::layers::{Halves, Masks, Plus, Together};
use super::{close, numbers, settle};
use crate::layers::{Dense, Dropout};
use crate::metrics::Metrics;
use crate::models::*;
use crate::optimizers::{Adam, SGD};
use crate::{Result, Tensor};

fn dense(name: &str, units: usize) -> Dense {
    Dense::new(units).activation("tanh").name(name)
}

#[track_caller]
fn refusal<T>(result: Result<T>) -> String {
    result.map(|_| ()).unwrap_err().to_string()
}

/// Two inputs, a residual branch, two outputs.
fn two_by_two() -> Model {
    let (left, right) = (Input::named("left", [3]), Input::named("right", [2]));
    let a = dense("a", 4).on(&left);
    let b = dense("b", 4).on(&right);
    let sum = Plus("sum").on([&a, &b]);
    let deeper = dense("deeper", 4).on(&sum);
    let residual = Plus("residual").on([&sum, &deeper]);
    let number = Dense::new(1).name("number").on(&residual);
    let class = Dense::new(3)
        .activation("softmax")
        .name("class")
        .on(&residual);
    Model::new([&left, &right], [&number, &class]).unwrap()
}

#[test]
fn a_graph_computes_what_its_layers_compute_one_by_one() {
    let model = two_by_two();
    let (left, right) = (numbers([5, 3], 1), numbers([5, 2], 2));
    let layer = |name: &str, x: &Tensor| model.layer(name).unwrap().forward(x, false);
    let sum = layer("a", &left) + layer("b", &right);
    let residual = &sum + layer("deeper", &sum);
    let outputs = model.predict_all([&left, &right]).unwrap();
    close(&outputs[0], &layer("number", &residual));
    close(&outputs[1], &layer("class", &residual));
    let by_name = model
        .predict_all([("right", &right), ("left", &left)])
        .unwrap();
    assert_eq!(by_name, outputs);
}

#[test]
fn two_inputs_and_two_outputs_learn_together() {
    let mut model = two_by_two();
    settle(&model);
    let (left, right) = (numbers([60, 3], 1), numbers([60, 2], 2));
    let number = left.sum_axis_keep(1) * 0.5;
    let class = Tensor::from(
        (0..60)
            .map(|i| i64::from(right.slice((i, 0)).item() > 0.0))
            .collect::<Vec<_>>(),
    );
    let losses = Losses::named([
        ("number", "mse"),
        ("class", "sparse_categorical_crossentropy"),
    ]);
    let metrics = OutputMetrics::named([("class", "accuracy")]);
    model
        .compile(
            Adam::new().learning_rate(0.05),
            losses.weights([2.0, 0.5]),
            metrics,
        )
        .unwrap();
    let history = model
        .fit(
            [&left, &right],
            [&number, &class],
            Fit::epochs(60).verbose(0).validation_split(0.2),
        )
        .unwrap();
    assert_eq!(
        history.metrics()[..4],
        ["loss", "number_loss", "class_loss", "class_accuracy"]
    );
    let scores = model
        .evaluate([&left, &right], [("class", &class), ("number", &number)])
        .unwrap();
    let sum = 2.0 * scores["number_loss"] + 0.5 * scores["class_loss"];
    assert!((scores.loss - sum).abs() < 1e-5, "{scores}");
    assert!(scores["class_accuracy"] > 0.9, "{scores}");
    assert!(scores["number_loss"] < 0.1, "{scores}");
    let text = refusal(model.predict([&left, &right]));
    assert!(
        text.contains("has 2 outputs (number, class); predict_all returns them all"),
        "{text}"
    );
}

#[test]
fn an_inception_block_and_a_layer_with_two_outputs_train() {
    let input = Input::new([6]);
    let halves = Halves.on_many(&input);
    let branches: Vec<Symbol> = (1..4)
        .map(|width| {
            let first = Dense::new(width).activation("relu").on(&halves[width % 2]);
            Dense::new(3).on(&first)
        })
        .collect();
    let joined = Together("joined").on(&branches);
    assert_eq!(joined.shape(), [9]);
    let dropped = Dropout::new(0.05).on(&joined);
    let output = Dense::new(1).activation("sigmoid").on(&dropped);
    let mut model = Model::new(&input, &output).unwrap();
    settle(&model);
    model
        .compile("adam", "binary_crossentropy", ["accuracy"])
        .unwrap();
    let x = numbers([80, 6], 3);
    let y = Tensor::from(
        (0..80)
            .map(|i| f32::from(u8::from(x.slice((i, 1)).item() > 0.0)))
            .collect::<Vec<_>>(),
    );
    let history = model
        .fit(&x, &y, Fit::epochs(80).batch_size(16).verbose(0))
        .unwrap();
    let losses = history.get("loss");
    assert!(losses[79] < 0.7 * losses[0], "{losses:?}");
}

#[test]
fn logits_are_used_where_activation_and_loss_are_one_function() {
    // So far out that the probability is 0 in f32, its logarithm clipped.
    let input = Input::new([1]);
    let inner = Sequential::new().add(
        Dense::new(1)
            .activation("sigmoid")
            .name("inner")
            .input_shape([1]),
    );
    inner
        .set_weights(&[Tensor::full([1, 1], 40.0), Tensor::zeros([1])])
        .unwrap();
    let mut model = Model::new(&input, &inner.on(&input)).unwrap();
    model
        .compile("sgd", "binary_crossentropy", Metrics::none())
        .unwrap();
    let scores = model
        .evaluate(&Tensor::ones([1, 1]), &Tensor::zeros([1, 1]))
        .unwrap();
    assert!((scores.loss - 40.0).abs() < 1e-4, "{scores}");
    // An activation that something else takes as well is not left out.
    let probability = inner.on(&input);
    let other = Dense::new(1).name("other").on(&probability);
    let mut both = Model::new(&input, [&probability, &other]).unwrap();
    both.compile(
        "sgd",
        Losses::each(["binary_crossentropy", "mse"]),
        Metrics::none(),
    )
    .unwrap();
    let zeros = Tensor::zeros([1, 1]);
    let scores = both
        .evaluate(&Tensor::ones([1, 1]), [&zeros, &zeros])
        .unwrap();
    assert!(scores.metrics()[0].1 < 20.0, "{scores}");
}

#[test]
fn masks_reach_the_loss() {
    let input = Input::new([3, 2]);
    let masked = Masks.on(&input);
    let output = Dense::new(1).use_bias(false).on(&masked);
    let mut model = Model::new(&input, &output).unwrap();
    model.set_weights(&[Tensor::ones([2, 1])]).unwrap();
    model.compile("sgd", "mse", Metrics::none()).unwrap();
    let x = Tensor::from([
        [[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]],
        [[1.0, 2.0], [0.0, 3.0], [0.0, 0.0]],
    ]);
    let scores = model.evaluate(&x, &Tensor::ones([2, 3, 1])).unwrap();
    let expected = (1.0 + 4.0 + 4.0) / 3.0;
    assert!((scores.loss - expected).abs() < 1e-5, "{scores}");
}

#[test]
fn layers_are_called_where_they_fit_and_named_where_they_do_not() {
    let input = Input::new([4]);
    let other = Input::new([3]);
    let text = refusal(Plus("sum").try_on([&input, &other]));
    assert_eq!(
        text,
        "sum (Plus): expected inputs of one shape, got [[4], [3]]"
    );
    let shared = LayerRef::new(Dense::new(2).name("shared"));
    shared.on(&input);
    let text = refusal(shared.try_on(&other));
    assert!(
        text.contains("shared (Dense): expected last axis 4") && text.contains("[3]"),
        "{text}"
    );
    let text = refusal(Dense::new(2).name("d").try_on([&input, &input]));
    assert_eq!(text, "d (Dense): takes one input, got 2");
    let text = refusal(Halves.try_on(&input));
    assert!(
        text.contains("returns 2 tensors; call it with on_many"),
        "{text}"
    );
}

#[test]
#[should_panic(expected = "d (Dense): unknown activation")]
fn a_call_that_fails_panics_with_the_layers_name() {
    Dense::new(2)
        .activation("sofmax")
        .name("d")
        .on(&Input::new([4]));
}

#[test]
fn graphs_that_cannot_be_are_refused() {
    let (a, b) = (Input::named("a", [2]), Input::named("b", [2]));
    let sum = Plus("sum").on([&a, &b]);
    let text = refusal(Model::new(&a, &sum));
    assert!(
        text.contains("\"sum\" depends on the input \"b\" of shape [2]"),
        "{text}"
    );
    let single = Dense::new(1).name("single").on(&a);
    let text = refusal(Model::new([&a, &b], &single));
    assert!(
        text.contains("no output depends on the input \"b\""),
        "{text}"
    );
    let text = refusal(Model::new([&a, &a], &single));
    assert!(text.contains("\"a\" is given twice"), "{text}");
    let again = Dense::new(1).name("single").on(&single);
    let text = refusal(Model::new(&a, &again));
    assert!(text.contains("two layers are named \"single\""), "{text}");
    let text = refusal(Model::new(Vec::<Symbol>::new(), &single));
    assert!(text.contains("at least one input"), "{text}");
    let itself = Sequential::new().add(Dense::new(1).input_shape([1]));
    let around = Sequential::new().add(&itself);
    let mut itself = itself;
    itself.push(&around);
    assert!(refusal(itself.compile("sgd", "mse", Metrics::none())).contains("a layer of itself"));
}

#[test]
fn a_model_can_begin_and_end_at_any_layer_of_another() {
    let model = two_by_two();
    let (left, right) = (numbers([4, 3], 1), numbers([4, 2], 2));
    let until = Model::new(model.inputs().unwrap(), &model.layer_output("sum").unwrap()).unwrap();
    let sum = until.predict([&left, &right]).unwrap();
    let from = Model::new(
        &model.layer_output("sum").unwrap(),
        &model.outputs().unwrap()[0],
    )
    .unwrap();
    close(
        &from.predict(&sum).unwrap(),
        &model.predict_all([&left, &right]).unwrap()[0],
    );
    let text = refusal(model.layer_output("sums"));
    assert!(text.contains("did you mean \"sum\"?"), "{text}");
}

#[test]
fn the_summary_says_what_is_connected_to_what() {
    let shared = LayerRef::new(dense("shared", 4));
    let (a, b) = (Input::named("a", [3]), Input::named("b", [3]));
    let sum = Plus("sum").on([&shared.on(&a), &shared.on(&b)]);
    let model = Model::new([&a, &b], &Dense::new(1).name("out").on(&sum))
        .unwrap()
        .named("siamese");
    shared.set_trainable(false);
    let expected = "\
Model: \"siamese\"
┏━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━━┓
┃ Layer (type)        ┃ Output Shape      ┃    Param # ┃ Connected to               ┃
┡━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━━━┩
│ a (InputLayer)      │ (None, 3)         │          0 │ -                          │
├─────────────────────┼───────────────────┼────────────┼────────────────────────────┤
│ b (InputLayer)      │ (None, 3)         │          0 │ -                          │
├─────────────────────┼───────────────────┼────────────┼────────────────────────────┤
│ shared (Dense)      │ (None, 4)         │         16 │ a[0][0], b[0][0]           │
├─────────────────────┼───────────────────┼────────────┼────────────────────────────┤
│ sum (Plus)          │ (None, 4)         │          0 │ shared[0][0], shared[1][0] │
├─────────────────────┼───────────────────┼────────────┼────────────────────────────┤
│ out (Dense)         │ (None, 1)         │          5 │ sum[0][0]                  │
└─────────────────────┴───────────────────┴────────────┴────────────────────────────┘
 Total params: 21 (84.00 B)
 Trainable params: 5 (20.00 B)
 Non-trainable params: 16 (64.00 B)";
    assert_eq!(model.summary().to_string(), expected);
    // What is a row of layers looks like one, as in Keras; a model within is one row.
    let plain = Model::new(&a, &Dense::new(1).on(&dense("first", 2).on(&a))).unwrap();
    assert!(!plain.summary().to_string().contains("Connected to"));
    let around = Sequential::new().add(&plain).add(dense("end", 2));
    assert_eq!(around.summary().rows.len(), 2);
    assert_eq!(around.summary().rows[0].kind, "Model");
    assert_eq!(around.count_params(), plain.count_params() + 4);
}

#[test]
fn losses_and_metrics_that_fit_no_output_are_refused() {
    let mut model = two_by_two();
    let mut text = |losses: Losses| refusal(model.compile(SGD::new(), losses, Metrics::none()));
    let each = Losses::each(["mse", "mse", "mse"]);
    assert!(text(each).contains("has 2 outputs (number, class), got 3"));
    let wrong = Losses::named([("numbr", "mse")]);
    assert!(text(wrong).contains("unknown output \"numbr\"; did you mean \"number\"?"));
    let weights = Losses::each(["mse", "mse"]).weights([1.0]);
    assert!(text(weights).contains("2 losses need as many weights, got 1"));
    let metrics = OutputMetrics::named([("class", "accuracy")]);
    let losses = Losses::named([("number", "mse")]);
    let text = refusal(model.compile("sgd", losses, metrics));
    assert!(text.contains("\"class\" has metrics but no loss"), "{text}");
    // An output without a loss gets no labels.
    model
        .compile("sgd", Losses::named([("number", "mse")]), Metrics::none())
        .unwrap();
    let (left, right) = (numbers([4, 3], 1), numbers([4, 2], 2));
    model
        .fit(
            [&left, &right],
            &Tensor::ones([4, 1]),
            Fit::epochs(1).verbose(0),
        )
        .unwrap();
    let text = refusal(model.fit(&left, &Tensor::ones([4, 1]), Fit::epochs(1)));
    assert!(
        text.contains("the model has 2 inputs (\"left\", \"right\"), got 1"),
        "{text}"
    );
    let text = refusal(model.fit(
        [&left, &right.slice(..3)],
        &Tensor::ones([4, 1]),
        Fit::epochs(1),
    ));
    assert!(
        text.contains("\"left\" holds 4 samples, \"right\" 3"),
        "{text}"
    );
}
