//! Lengths of axes that are not known before the data.

use serde_json::Value;

/// An axis of any length, in the shape of an input: Keras's `None`.
///
/// ```
/// use dlcore::prelude::*;
/// // Sequences of any number of timesteps, of 14 features each.
/// let mut model = Sequential::new()
///     .add(GRU::new(32).input_shape([dim::ANY, 14]))
///     .add(Dense::new(1));
/// assert_eq!(model.predict(&Tensor::zeros([2, 10, 14]))?.shape(), [2, 1]);
/// assert_eq!(model.predict(&Tensor::zeros([2, 25, 14]))?.shape(), [2, 1]);
/// # Ok::<(), Error>(())
/// ```
///
/// It stands in shapes of samples only: [`Input`](crate::models::Input), `input_shape`,
/// [`Symbol::shape`](crate::models::Symbol::shape). A tensor's axes all have lengths.
pub const ANY: usize = usize::MAX;

/// Whether every axis has a length.
pub(crate) fn known(shape: &[usize]) -> bool {
    !shape.contains(&ANY)
}

/// Whether a sample of this shape is one of those that `declared` stands for.
pub(crate) fn fits(sample: &[usize], declared: &[usize]) -> bool {
    let fits = |(&length, &declared): (&usize, &usize)| declared == ANY || declared == length;
    sample.len() == declared.len() && sample.iter().zip(declared).all(fits)
}

/// The axes as messages and tables show them: `None` where the length is not known.
pub(crate) fn axes(shape: &[usize]) -> Vec<String> {
    let axis = |&length: &usize| match length {
        ANY => "None".to_string(),
        length => length.to_string(),
    };
    shape.iter().map(axis).collect()
}

/// `[None, 8]`
pub(crate) fn text(shape: &[usize]) -> String {
    format!("[{}]", axes(shape).join(", "))
}

/// A shape as it stands in a saved model, null for an axis of any length.
pub(crate) fn config(shape: &[usize]) -> Value {
    let axis = |&length: &usize| match length {
        ANY => Value::Null,
        length => Value::from(length),
    };
    shape.iter().map(axis).collect()
}
