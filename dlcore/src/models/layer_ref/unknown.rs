//! Axes of any length: what layers make of them.
//!
//! Layers compute shapes from numbers. For an axis of any length a layer is asked twice, with two lengths that
//! stand in for it: where the answers differ, the length follows from the one that is not known, and is not
//! known either.

use super::LayerRef;
use crate::{Error, Result, dim};

/// Lengths that stand in, in pairs. They have many divisors, for layers that reshape; where windows are
/// too long for the first pair, the second is tried.
const LENGTHS: [[usize; 2]; 2] = [[60, 120], [5040, 10080]];

type Shapes = Vec<Vec<usize>>;

fn with_length(shapes: &[Vec<usize>], length: usize) -> Shapes {
    let axis = |&axis: &usize| match axis {
        dim::ANY => length,
        known => known,
    };
    let shape = |shape: &Vec<usize>| shape.iter().map(axis).collect();
    shapes.iter().map(shape).collect()
}

/// What `shapes_of` makes of shapes, of which axes may be of any length.
pub(super) fn output_shapes(
    inputs: &[Vec<usize>],
    shapes_of: impl Fn(&[Vec<usize>]) -> Result<Shapes>,
) -> Result<Shapes> {
    if inputs.iter().all(|shape| dim::known(shape)) {
        return shapes_of(inputs);
    }
    in_either_length(inputs, |one, other| {
        let (one, other) = (shapes_of(one)?, shapes_of(other)?);
        let axis = |(&one, &other): (&usize, &usize)| if one == other { one } else { dim::ANY };
        let shape = |(one, other): (&Vec<usize>, &Vec<usize>)| {
            one.iter().zip(other).map(axis).collect::<Vec<usize>>()
        };
        Ok(one.iter().zip(&other).map(shape).collect())
    })
}

/// Builds a layer by `build` for shapes of which axes are of any length, on which its weights must not depend.
/// A build that fails is undone.
pub(super) fn build(
    layer: &LayerRef,
    inputs: &[Vec<usize>],
    build: impl Fn(&LayerRef, &[Vec<usize>]) -> Result<()>,
) -> Result<()> {
    in_either_length(inputs, |one, other| {
        let before = layer.before_build();
        let copy = layer.deep_copy(&mut super::Copies::new());
        let built = build(layer, one).and_then(|()| {
            // The copy takes the weights that are there: nothing is drawn, and none but these fit.
            give_weights(layer, &copy);
            let fits = build(&copy, other).is_ok();
            match fits && weight_shapes(layer) == weight_shapes(&copy) {
                true => Ok(()),
                false => Err(depends(layer, inputs)),
            }
        });
        if built.is_err() {
            before.into_iter().for_each(|part| part.put_back());
        }
        built
    })
}

fn depends(layer: &LayerRef, inputs: &[Vec<usize>]) -> Error {
    Error::Shape(format!(
        "{}: its weights depend on the length of an axis that may have any: got samples of shape {}; say how long that \
         axis is, or let a layer before this one do away with it, as GlobalAveragePooling1D or LSTM do",
        layer.describe(),
        texts(inputs)
    ))
}

fn give_weights(from: &LayerRef, to: &LayerRef) {
    for (from, to) in from.leaves().iter().zip(to.leaves()) {
        let given = !to.is_built();
        if let Some(mut layer) = to.leaf_mut().filter(|_| given) {
            layer.give_weights(from.get_weights());
        }
    }
}

fn weight_shapes(layer: &LayerRef) -> Shapes {
    let weights = layer.get_weights();
    weights.iter().map(|w| w.shape().to_vec()).collect()
}

/// Tries the first pair of lengths, then the second, then what other inputs say; an error is that of the first,
/// in the inputs' own words.
fn in_either_length<T>(
    inputs: &[Vec<usize>],
    attempt: impl Fn(&Shapes, &Shapes) -> Result<T>,
) -> Result<T> {
    let [first, second] = LENGTHS.map(|pair| pair.map(|length| with_length(inputs, length)));
    let attempt =
        |one: &Shapes, other: &Shapes| match one.iter().chain(other).all(|shape| can_be(shape)) {
            true => attempt(one, other),
            false => Err(Error::Shape(format!(
                "samples of shape {} have too many axes of any length",
                texts(inputs)
            ))),
        };
    let error = match attempt(&first[0], &first[1]) {
        Ok(result) => return Ok(result),
        Err(error) => error,
    };
    let again = attempt(&second[0], &second[1]);
    let matched = |error| matched(inputs).map_or(Err(error), |shapes| attempt(&shapes, &shapes));
    again
        .or_else(matched)
        .map_err(|_| in_words(error, inputs, &first[0]))
}

/// Whether there are samples of this shape: layers multiply lengths, and these must stay numbers.
fn can_be(shape: &[usize]) -> bool {
    const MOST_ELEMENTS: usize = 1 << 40;
    let mut lengths = shape.iter();
    let size = lengths.try_fold(1_usize, |size, &length| size.checked_mul(length));
    size.is_some_and(|size| size <= MOST_ELEMENTS)
}

/// `[None, 8] and [None]`
fn texts(inputs: &[Vec<usize>]) -> String {
    let texts: Vec<String> = inputs.iter().map(|shape| dim::text(shape)).collect();
    texts.join(" and ")
}

/// The shapes where a layer takes inputs of one shape only, and another input says how long the axes are.
fn matched(inputs: &[Vec<usize>]) -> Option<Shapes> {
    let known = |axis: usize| {
        let lengths = inputs.iter().filter_map(|shape| shape.get(axis));
        lengths
            .copied()
            .find(|&length| length != dim::ANY && length != 1)
    };
    let axis = |(axis, &length): (usize, &usize)| match length {
        dim::ANY => known(axis),
        length => Some(length),
    };
    let shape = |shape: &Vec<usize>| shape.iter().enumerate().map(axis).collect();
    inputs.iter().map(shape).collect()
}

/// An error about lengths that stand in, as one about the axes they stand for.
fn in_words(error: Error, inputs: &[Vec<usize>], tried: &Shapes) -> Error {
    let mut text = error.to_string();
    for (input, numbers) in inputs.iter().zip(tried) {
        text = text.replace(&format!("{numbers:?}"), &dim::text(input));
    }
    // Advice with a number in it that nobody has given.
    if let Some((problem, advice)) = text.rsplit_once("; ")
        && advice.contains(&LENGTHS[0][0].to_string())
    {
        text = problem.to_string();
    }
    match error {
        Error::Value(_) => Error::Value(text),
        _ => Error::Shape(text),
    }
}
