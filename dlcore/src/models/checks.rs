//! What is checked before data reaches a model, and what is said when it does not fit.

use smallvec::{SmallVec, smallvec};

use super::data::{Batch, Data};
use super::layer_ref::LayerRef;
use super::model::Model;
use super::objective::{Compiled, Objective};
use super::step::Prepared;
use crate::activations::Activation;
use crate::losses::{Kind, Loss};
use crate::preprocessing::labels::check_class_numbers;
use crate::tensor::with_slice;
use crate::{DType, Error, Result, Tensor, dim};

/// An error for a layer that was given an activation of no known name; `build` would find it too, but
/// that comes with the data.
pub(super) fn activations(layers: &[LayerRef]) -> Result<()> {
    for layer in layers {
        if let Some(Err(error)) = layer.activation().map(Activation::known) {
            return Err(Error::Value(format!(
                "compile: {}: {error}",
                layer.describe()
            )));
        }
    }
    Ok(())
}

/// An error for a last layer whose output the loss cannot take for what it needs.
pub(super) fn last_layer(layer: &LayerRef, loss: &Loss) -> Result<()> {
    let Some(activation) = layer.activation() else {
        return Ok(());
    };
    let activation = &activation;
    let (wanted, probabilities) = match loss.kind {
        Kind::BinaryCrossentropy => ("sigmoid", "a probability, between 0 and 1"),
        Kind::CategoricalCrossentropy | Kind::SparseCategoricalCrossentropy => {
            ("softmax", "probabilities that sum to 1")
        }
        _ => return Ok(()),
    };
    let squashes = matches!(
        activation,
        Activation::Sigmoid | Activation::HardSigmoid | Activation::Softmax
    );
    let problem = match (squashes, loss.from_logits) {
        (false, false) => format!(
            "{} needs {probabilities}, but {} ends in {:?}; give it .activation({wanted:?}), or pass the loss as \
             Loss::{}().from_logits(true)",
            loss.name(),
            layer.describe(),
            activation.name(),
            full_name(loss),
        ),
        (true, true) => format!(
            "{} was told that it gets logits, but {} ends in {:?}; leave out the activation or from_logits(true)",
            loss.name(),
            layer.describe(),
            activation.name(),
        ),
        _ => match other_activation(layer, loss, activation) {
            Some(problem) => problem,
            None => return Ok(()),
        },
    };
    Err(Error::Model(format!("compile: {problem}")))
}

/// Softmax where each unit should answer by itself: one loss was taken for the other.
fn other_activation(layer: &LayerRef, loss: &Loss, activation: &Activation) -> Option<String> {
    let binary = matches!(loss.kind, Kind::BinaryCrossentropy);
    (binary && *activation == Activation::Softmax && !loss.from_logits).then(|| {
        format!(
            "binary_crossentropy asks each unit a question of its own, but {} ends in \"softmax\", whose units share one \
             answer; use \"categorical_crossentropy\", or for a question of yes or no one unit with .activation(\"sigmoid\")",
            layer.describe()
        )
    })
}

fn full_name(loss: &Loss) -> &'static str {
    match loss.kind {
        Kind::BinaryCrossentropy => "binary_crossentropy",
        Kind::CategoricalCrossentropy => "categorical_crossentropy",
        _ => "sparse_categorical_crossentropy",
    }
}

/// Data as the model takes it, and as its losses take it, checked.
pub(super) fn prepare(
    model: &Model,
    compiled: &Compiled,
    batch: &Batch,
    what: &str,
) -> Result<Prepared> {
    let x = inputs(model, &batch.x, what)?;
    let samples = x[0].shape()[0];
    let (count, names) = (compiled.objectives.len(), || compiled.targets());
    let given = batch.y.resolve(count, &names, "output", what)?;
    let mut y = Vec::with_capacity(given.len());
    let graph = model.graph(what)?;
    let others = match graph.is_as_built(&x) {
        true => None,
        false => Some(graph.output_shapes(&samples_of(&x))?),
    };
    for (objective, labels) in compiled.objectives.iter().zip(&*given) {
        let mut output: SmallVec<[usize; 6]> = smallvec![samples];
        output.extend_from_slice(match &others {
            None => graph.value(graph.output_places()[objective.output]).shape(),
            Some(shapes) => &shapes[objective.output],
        });
        y.push(targets(model, objective, &output, &x[0], labels, what)?);
    }
    let weights = match &batch.sample_weight {
        None => vec![None; y.len()],
        Some(weights) => sample_weights(weights, &compiled.targets(), samples, what)?,
    };
    Ok(Prepared { x, y, weights })
}

/// The shape of a sample of each input.
fn samples_of(x: &[Tensor]) -> Vec<Vec<usize>> {
    x.iter().map(|x| x.shape()[1..].to_vec()).collect()
}

/// Weights for each output; one tensor is for all of them.
fn sample_weights(
    weights: &Data,
    outputs: &[String],
    samples: usize,
    what: &str,
) -> Result<Vec<Option<Tensor>>> {
    if outputs.is_empty() {
        return Err(Error::Value(format!(
            "{what}: no output has a loss in which samples could count by sample_weight"
        )));
    }
    let given = match weights.len() {
        1 if outputs.len() > 1 => vec![weights.tensors().swap_remove(0); outputs.len()].into(),
        _ => weights.resolve(outputs.len(), &|| outputs.to_vec(), "output", what)?,
    };
    for weight in &*given {
        if weight.ndim() == 0 || weight.shape()[0] != samples {
            return Err(Error::Shape(format!(
                "{what}: x holds {samples} samples, sample_weight has shape {:?}; each sample needs its weight",
                weight.shape()
            )));
        }
    }
    let numbers = |weight: &Tensor| weight.to_dense().cast(DType::F32).detach();
    Ok(given.iter().map(|weight| Some(numbers(weight))).collect())
}

/// Features as the model takes them: f32, dense or sparse rows, of the shapes it was built for, or of others
/// that all its layers take as well: longer sequences, larger images.
pub(super) fn inputs(model: &Model, x: &Data, what: &str) -> Result<Vec<Tensor>> {
    let graph = model.handle.graph();
    let count = graph.as_ref().map_or(1, |graph| graph.inputs().len());
    let names = || model.input_names();
    let given = x.resolve(count, &names, "input", what)?;
    let mut inputs = Vec::with_capacity(given.len());
    for (place, x) in given.iter().enumerate() {
        let input = input(model, place, x, what)?;
        if let Some(first) = inputs.first().map(|first: &Tensor| first.shape()[0])
            && first != input.shape()[0]
        {
            return Err(Error::Shape(format!(
                "{what}: the input {:?} holds {first} samples, {:?} {}; each sample needs all inputs",
                names()[0],
                names()[place],
                input.shape()[0]
            )));
        }
        inputs.push(input);
    }
    check_lengths(model, &inputs, what)?;
    Ok(inputs)
}

/// Lengths that are free for each input by itself must suit the layers, and one another.
fn check_lengths(model: &Model, inputs: &[Tensor], what: &str) -> Result<()> {
    let Some(graph) = model
        .handle
        .graph()
        .filter(|graph| !graph.is_as_built(inputs))
    else {
        return Ok(());
    };
    let fits = graph.output_shapes(&samples_of(inputs));
    fits.map(|_| ()).map_err(|error| match error {
        Error::Value(text) => Error::Value(format!("{what}: {text}")),
        error => Error::Shape(format!("{what}: {error}")),
    })
}

fn input(model: &Model, place: usize, x: &Tensor, what: &str) -> Result<Tensor> {
    if x.ndim() == 0 || x.len() == 0 {
        return Err(Error::Shape(format!(
            "{what}: x holds no samples: its shape is {:?}; the first axis counts the samples",
            x.shape()
        )));
    }
    let sample = &x.shape()[1..];
    if let Some(graph) = model.handle.graph()
        && !graph.takes(place, sample, model.handle.declares_input())
    {
        let expected = graph.inputs()[place].shape();
        let mut taker = graph.taker(place);
        if graph.inputs().len() > 1 {
            taker = format!("{:?}, for {taker}", graph.inputs()[place].name());
        }
        let known = dim::known(expected);
        let size = expected.iter().filter(|_| known).product::<usize>();
        let whole = |count: usize| [&[count], expected].concat();
        let hint = if as_long(sample, expected) {
            "; the input was declared for these lengths: give it dim::ANY where any will do"
                .to_string()
        } else if !known {
            String::new()
        } else if size == sample.iter().product::<usize>() {
            format!("; reshape it: x.reshape({:?})", whole(x.shape()[0]))
        } else if x.shape() == expected {
            format!("; one sample is a batch of one: x.reshape({:?})", whole(1))
        } else {
            String::new()
        };
        return Err(Error::Shape(format!(
            "{what}: {taker}: expected input of shape [{}], as when it was built, got {:?}{hint}",
            [vec!["batch".to_string()], dim::axes(expected)]
                .concat()
                .join(", "),
            x.shape(),
        )));
    }
    Ok(if x.is_sparse() || x.dtype() == DType::F32 {
        x.detach()
    } else {
        x.cast(DType::F32)
    })
}

/// Whether nothing but lengths before the last axis, those of timesteps or images, are others.
fn as_long(sample: &[usize], expected: &[usize]) -> bool {
    sample.len() > 1 && sample.len() == expected.len() && sample.last() == expected.last()
}

/// Labels as the loss takes them: class numbers as i64 without a last axis, others as f32 in the
/// output's shape.
fn targets(
    model: &Model,
    objective: &Objective,
    output: &[usize],
    x: &Tensor,
    y: &Tensor,
    what: &str,
) -> Result<Tensor> {
    let samples = x.shape()[0];
    let loss = &objective.loss;
    if y.ndim() == 0 || y.shape()[0] != samples {
        return Err(Error::Shape(format!(
            "{what}: x holds {samples} samples, y {} labels (shapes {:?} and {:?}); each sample needs its label",
            y.shape().first().copied().unwrap_or(1),
            x.shape(),
            y.shape(),
        )));
    }
    let layer = model.last_layer(objective.output);
    let last = || match &layer {
        Some(layer) => layer.describe(),
        None => objective.name.clone(),
    };
    output_width(loss, output, layer.as_ref(), &last)?;
    if loss.takes_class_numbers() {
        return class_numbers(loss, y, output, (layer.as_ref(), &last), what);
    }
    let y = y.to_dense().cast(DType::F32);
    if matches!(loss.kind, Kind::Custom(_)) {
        return Ok(as_column(y, output));
    }
    let y = as_column(y, output);
    if y.shape() != output {
        return Err(Error::Shape(format!(
            "{what}: {} returns {output:?}, but the labels have shape {:?}; {}",
            last(),
            y.shape(),
            label_hint(loss, y.shape(), output, layer.as_ref()),
        )));
    }
    label_values(loss, &y, what)?;
    Ok(y)
}

/// `[n]` becomes `[n, 1]` where that is the output's shape, as in Keras.
fn as_column(y: Tensor, output: &[usize]) -> Tensor {
    match output {
        [before @ .., 1] if before == y.shape() => y.reshape(output),
        _ => y,
    }
}

fn output_width(
    loss: &Loss,
    output: &[usize],
    layer: Option<&LayerRef>,
    last: &dyn Fn() -> String,
) -> Result<()> {
    let categorical = matches!(
        loss.kind,
        Kind::CategoricalCrossentropy | Kind::SparseCategoricalCrossentropy
    );
    let softmax = layer.and_then(LayerRef::activation) == Some(Activation::Softmax);
    if output.last() != Some(&1) || !(categorical || softmax) {
        return Ok(());
    }
    Err(Error::Model(format!(
        "{} has one unit, of which softmax is always 1: for two classes use one unit with .activation(\"sigmoid\") \
         and \"binary_crossentropy\", for more give it one unit a class",
        last()
    )))
}

fn class_numbers(
    loss: &Loss,
    y: &Tensor,
    output: &[usize],
    (layer, last): (Option<&LayerRef>, &dyn Fn() -> String),
    what: &str,
) -> Result<Tensor> {
    let (positions, classes) = (&output[..output.len() - 1], output[output.len() - 1]);
    let mut squeezed = positions.to_vec();
    squeezed.push(1);
    if y.shape() == output {
        return Err(Error::Shape(format!(
            "{what}: {} takes the classes' numbers, shape {positions:?}, but the labels have shape {:?} and look \
             one-hot; use \"categorical_crossentropy\" for these",
            loss.name(),
            y.shape(),
        )));
    }
    if y.shape() != positions && y.shape() != squeezed.as_slice() {
        return Err(Error::Shape(format!(
            "{what}: {} returns {output:?}, for which {} takes class numbers of shape {positions:?}, got labels of \
             shape {:?}{}",
            last(),
            loss.name(),
            y.shape(),
            positions_hint(y.shape(), output, layer)
                .map_or(String::new(), |hint| format!("; {hint}")),
        )));
    }
    let y = y.to_dense().try_reshape(positions)?;
    check_class_numbers(what, &y, classes)?;
    Ok(y.cast(DType::I64))
}

/// For labels of whole samples, and a last layer that answers at each place of an image, or at each timestep.
fn positions_hint(labels: &[usize], output: &[usize], layer: Option<&LayerRef>) -> Option<String> {
    let of_samples = labels.len() == 1 || labels.len() == 2 && labels.get(1) != output.get(1);
    let (each, pooling) = match *output {
        [_, height, width, _] => (
            format!("each of the {height} x {width} places of an image"),
            "GlobalAveragePooling2D",
        ),
        [_, steps, _] => (
            format!("each of the {steps} timesteps"),
            "GlobalAveragePooling1D",
        ),
        _ => return None,
    };
    let layer = layer.filter(|_| of_samples)?;
    let recurrent = match output.len() {
        3 => {
            ", or let the recurrent layer before it return its last output only (return_sequences(false))"
        }
        _ => "",
    };
    Some(format!(
        "{} answers at {each}, the labels are one a sample: put Flatten::new() or {pooling}::new() before it{recurrent}",
        layer.describe()
    ))
}

fn label_hint(loss: &Loss, labels: &[usize], output: &[usize], layer: Option<&LayerRef>) -> String {
    if let Some(hint) = positions_hint(labels, output, layer) {
        return hint;
    }
    let classes = output.last().copied().unwrap_or(1);
    let numbers = labels.len() + 1 == output.len() || labels.last() == Some(&1);
    match loss.kind {
        Kind::CategoricalCrossentropy if numbers => format!(
            "for class numbers use \"sparse_categorical_crossentropy\", or turn them into one-hot rows: \
             to_categorical(&y, {classes})"
        ),
        Kind::CategoricalCrossentropy => {
            format!(
                "the last layer needs one unit a class, the labels one column a class ({classes} here)"
            )
        }
        _ => format!(
            "{} compares them element by element, so the shapes must be the same",
            loss.name()
        ),
    }
}

/// Labels that cannot be probabilities where the loss needs them to be.
fn label_values(loss: &Loss, y: &Tensor, what: &str) -> Result<()> {
    let array = y.to_array::<f32>();
    with_slice(&array, |values| check_values(loss, values, y, what))
}

fn check_values(loss: &Loss, values: &[f32], y: &Tensor, what: &str) -> Result<()> {
    let outside = |values: &[f32]| values.iter().position(|v| !(0.0..=1.0).contains(v));
    match loss.kind {
        Kind::BinaryCrossentropy => {
            let Some(position) = outside(values) else {
                return Ok(());
            };
            Err(Error::Value(format!(
                "{what}: {} takes labels between 0 and 1, got {} at position {position}",
                loss.name(),
                values[position],
            )))
        }
        Kind::CategoricalCrossentropy => {
            let classes = y.shape().last().copied().unwrap_or(1).max(1);
            for (row, labels) in values.chunks(classes).enumerate() {
                let sum: f32 = labels.iter().sum();
                if outside(labels).is_none() && (sum - 1.0).abs() < 1e-3 {
                    continue;
                }
                return Err(Error::Value(format!(
                    "{what}: {} takes one-hot labels, or probabilities that sum to 1; row {row} is {}, which sums to \
                     {sum}; to_categorical makes one-hot rows of class numbers",
                    loss.name(),
                    shown(labels),
                )));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn shown(values: &[f32]) -> String {
    let all: Vec<String> = values.iter().take(10).map(f32::to_string).collect();
    let more = if values.len() > 10 { ", …" } else { "" };
    format!("[{}{more}]", all.join(", "))
}
