//! Several inputs made one, element by element.

use serde_json::{Value, json};

use super::{Base, Call, Layer, base_methods, layer_settings};
use crate::config::{Fields, Parsed};
use crate::tensor::broadcast;
use crate::{DType, Error, Result, Tensor};

/// The shape of samples that come from several inputs' element by element.
fn merged_shape(base: &Base, most: usize, shapes: &[Vec<usize>]) -> Result<Vec<usize>> {
    check_count(base, most, shapes.len())?;
    let mut merged = shapes[0].clone();
    for (position, shape) in shapes.iter().enumerate().skip(1) {
        merged = broadcast("merge", &merged, shape).map_err(|_| {
            base.shape_error(format!(
                "expected inputs whose samples have one shape, or shapes that broadcast; input {position} \
                 has {shape:?}, those before it {merged:?}"
            ))
        })?;
    }
    Ok(merged)
}

/// An error unless there are at least two inputs, and at most `most`.
pub(super) fn check_count(base: &Base, most: usize, count: usize) -> Result<()> {
    if (2..=most).contains(&count) {
        return Ok(());
    }
    let expected = if most == 2 {
        "two inputs"
    } else {
        "at least two inputs"
    };
    Err(base.shape_error(format!(
        "expected {expected}, got {count}; several tensors become one in a model with branches"
    )))
}

/// The refusal of a layer that takes several inputs to take one.
pub(super) fn needs_several(base: &Base, most: usize) -> Error {
    check_count(base, most, 1).expect_err("one input is too few")
}

/// Inputs of fewer axes with axes of length 1 after that of the batch, so that samples broadcast.
fn of_one_rank(inputs: &[Tensor]) -> Vec<Tensor> {
    let rank = inputs.iter().map(Tensor::ndim).max().unwrap_or(0);
    let widened = |x: &Tensor| {
        let (batch, sample) = x.shape().split_at(1);
        let ones = vec![1; rank - x.ndim()];
        x.reshape([batch, &ones, sample].concat())
    };
    inputs.iter().map(widened).collect()
}

/// The timesteps that count in any input, if all have a mask.
fn any_mask(masks: &[Option<Tensor>]) -> Option<Tensor> {
    let all: Option<Vec<&Tensor>> = masks.iter().map(Option::as_ref).collect();
    let mut all = all?.into_iter();
    let first = all.next()?.clone();
    Some(all.fold(first, |any, mask| any.maximum(mask).cast(DType::Bool)))
}

fn folded(inputs: &[Tensor], combine: fn(&Tensor, &Tensor) -> Tensor) -> Tensor {
    let (first, rest) = inputs.split_first().expect("at least two inputs");
    rest.iter().fold(first.clone(), |sum, x| combine(&sum, x))
}

fn sum(inputs: &[Tensor], _: &Call) -> Tensor {
    folded(inputs, |a, b| a + b)
}

fn difference(inputs: &[Tensor], _: &Call) -> Tensor {
    &inputs[0] - &inputs[1]
}

fn mean(inputs: &[Tensor], _: &Call) -> Tensor {
    folded(inputs, |a, b| a + b) / inputs.len() as f64
}

/// Where the mask of input `index` says that an element counts: 1, elsewhere 0.
fn kept(call: &Call, index: usize, x: &Tensor) -> Option<Tensor> {
    let mask = call.mask(index)?;
    (mask.ndim() + 1 == x.ndim()).then(|| mask.expand_dims(-1).cast(DType::F32))
}

/// `a` where `kept` is 1, `b` where it is 0.
fn chosen(kept: &Tensor, a: &Tensor, b: &Tensor) -> Tensor {
    a * kept + b * (1.0 - kept)
}

/// What does not count is 1, as in Keras.
fn product(inputs: &[Tensor], call: &Call) -> Tensor {
    let neutral = |(index, x): (usize, &Tensor)| match kept(call, index, x) {
        Some(kept) => chosen(&kept, x, &Tensor::from(1.0)),
        None => x.clone(),
    };
    let inputs: Vec<Tensor> = inputs.iter().enumerate().map(neutral).collect();
    folded(&inputs, |a, b| a * b)
}

/// What does not count in one input is taken from the others, as in Keras.
fn extreme(inputs: &[Tensor], call: &Call, pick: fn(&Tensor, &Tensor) -> Tensor) -> Tensor {
    let mut result = inputs[0].clone();
    let mut counts = kept(call, 0, &result);
    for (index, x) in inputs.iter().enumerate().skip(1) {
        let own = kept(call, index, x);
        let x = match &own {
            Some(own) => chosen(own, x, &result),
            None => x.clone(),
        };
        if let Some(counts) = &counts {
            result = chosen(counts, &result, &x);
        }
        counts = match (counts, own) {
            (Some(before), Some(own)) => Some(before.maximum(&own)),
            _ => None,
        };
        result = pick(&result, &x);
    }
    result
}

fn largest(inputs: &[Tensor], call: &Call) -> Tensor {
    extreme(inputs, call, |a, b| a.maximum(b))
}

fn smallest(inputs: &[Tensor], call: &Call) -> Tensor {
    extreme(inputs, call, |a, b| a.minimum(b))
}

/// Defines the layers: name, prefix, the most inputs, and what is computed.
macro_rules! merge_layers {
    ($($(#[$doc:meta])* $layer:ident $prefix:literal, $most:expr, $function:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $layer {
            base: Base,
        }

        layer_settings!($layer, $prefix);

        impl Default for $layer {
            fn default() -> $layer {
                $layer::new()
            }
        }

        impl $layer {
            /// The layer; it has no settings of its own.
            pub fn new() -> $layer {
                $layer {
                    base: Base::new(stringify!($layer), $prefix),
                }
            }

            /// The layer that [`Layer::config`] described.
            pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<$layer> {
                Ok($layer {
                    base: Base::from_config(stringify!($layer), $prefix, fields)?,
                })
            }
        }

        impl Layer for $layer {
            base_methods!();

            fn build(&mut self, _input_shape: &[usize]) -> Result<()> {
                Err(needs_several(&self.base, $most))
            }

            fn output_shape(&self, _input_shape: &[usize]) -> Result<Vec<usize>> {
                Err(needs_several(&self.base, $most))
            }

            fn forward(&self, _x: &Tensor, _training: bool) -> Tensor {
                panic!("{}", needs_several(&self.base, $most));
            }

            fn build_many(&mut self, input_shapes: &[Vec<usize>]) -> Result<()> {
                merged_shape(&self.base, $most, input_shapes)?;
                self.base.finish()
            }

            fn output_shapes(&self, input_shapes: &[Vec<usize>]) -> Result<Vec<Vec<usize>>> {
                Ok(vec![merged_shape(&self.base, $most, input_shapes)?])
            }

            fn call(&self, inputs: &[Tensor], call: &Call) -> Vec<Tensor> {
                let shapes: Vec<Vec<usize>> = inputs
                    .iter()
                    .map(|x| self.base.sample(x).to_vec())
                    .collect();
                if let Err(error) = merged_shape(&self.base, $most, &shapes) {
                    panic!("{error}");
                }
                vec![$function(&of_one_rank(inputs), call)]
            }

            fn output_mask(&self, _: &[Tensor], masks: &[Option<Tensor>]) -> Option<Tensor> {
                any_mask(masks)
            }

            fn config(&self) -> Option<Value> {
                Some(self.base.config(json!({})))
            }
        }
    )*};
}

merge_layers! {
    /// The sum of its inputs: the end of a residual connection.
    ///
    /// # Shapes
    /// inputs of one shape, or whose samples broadcast → that shape
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// let inputs = [Tensor::from([[1.0, 2.0]]), Tensor::from([[10.0, 20.0]])];
    /// let sum = Add::new().call(&inputs, &Call::inference()).remove(0);
    /// assert_eq!(sum.to_vec(), [11.0, 22.0]);
    /// ```
    Add "add", usize::MAX, sum;

    /// The first of two inputs minus the second.
    ///
    /// # Shapes
    /// two inputs of one shape, or whose samples broadcast → that shape
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// let inputs = [Tensor::from([[1.0, 2.0]]), Tensor::from([[10.0, 20.0]])];
    /// let difference = Subtract::new().call(&inputs, &Call::inference()).remove(0);
    /// assert_eq!(difference.to_vec(), [-9.0, -18.0]);
    /// ```
    Subtract "subtract", 2, difference;

    /// The product of its inputs, element by element: gates, attention over channels.
    ///
    /// # Shapes
    /// inputs of one shape, or whose samples broadcast → that shape
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// let inputs = [Tensor::from([[1.0, 2.0]]), Tensor::from([[10.0, 20.0]])];
    /// let product = Multiply::new().call(&inputs, &Call::inference()).remove(0);
    /// assert_eq!(product.to_vec(), [10.0, 40.0]);
    /// ```
    Multiply "multiply", usize::MAX, product;

    /// The mean of its inputs, element by element.
    ///
    /// # Shapes
    /// inputs of one shape, or whose samples broadcast → that shape
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// let inputs = [Tensor::from([[1.0, 2.0]]), Tensor::from([[3.0, 8.0]])];
    /// let mean = Average::new().call(&inputs, &Call::inference()).remove(0);
    /// assert_eq!(mean.to_vec(), [2.0, 5.0]);
    /// ```
    Average "average", usize::MAX, mean;

    /// The largest of its inputs, element by element.
    ///
    /// # Shapes
    /// inputs of one shape, or whose samples broadcast → that shape
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// let inputs = [Tensor::from([[1.0, 9.0]]), Tensor::from([[3.0, 8.0]])];
    /// let largest = Maximum::new().call(&inputs, &Call::inference()).remove(0);
    /// assert_eq!(largest.to_vec(), [3.0, 9.0]);
    /// ```
    Maximum "maximum", usize::MAX, largest;

    /// The smallest of its inputs, element by element.
    ///
    /// # Shapes
    /// inputs of one shape, or whose samples broadcast → that shape
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// let inputs = [Tensor::from([[1.0, 9.0]]), Tensor::from([[3.0, 8.0]])];
    /// let smallest = Minimum::new().call(&inputs, &Call::inference()).remove(0);
    /// assert_eq!(smallest.to_vec(), [1.0, 8.0]);
    /// ```
    Minimum "minimum", usize::MAX, smallest;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms() {
        let words = "input 1 has [4], those before it [3]";
        let two: [&[usize]; 2] = [&[3], &[3]];
        let three: [&[usize]; 3] = [&[2, 3], &[2, 3], &[2, 3]];
        let mixed: [&[usize]; 2] = [&[3], &[2, 3]];
        let case = |layer: Box<dyn Layer>, inputs: &[&[usize]], output: &[usize]| {
            Case::boxed(layer, inputs, &[output], 0)
        };
        let layers: [fn() -> Box<dyn Layer>; 5] = [
            || Box::new(Add::new()),
            || Box::new(Multiply::new()),
            || Box::new(Average::new()),
            || Box::new(Maximum::new()),
            || Box::new(Minimum::new()),
        ];
        for layer in layers {
            check_layer(
                case(layer(), &two, &[3])
                    .refuses_many(&[&[3], &[4]], words)
                    .refuses(&[3], "expected at least two inputs, got 1"),
            );
            check_layer(case(layer(), &three, &[2, 3]));
            check_layer(case(layer(), &mixed, &[2, 3]));
        }
        let subtract: fn() -> Box<dyn Layer> = || Box::new(Subtract::new());
        check_layer(
            case(subtract(), &two, &[3]).refuses_many(&three, "expected two inputs, got 3"),
        );
        check_layer(case(subtract(), &mixed, &[2, 3]));
    }

    fn mask(rows: [[i32; 2]; 1]) -> Option<Tensor> {
        Some(Tensor::from(rows).cast(DType::Bool))
    }

    #[test]
    fn a_timestep_counts_if_it_counts_in_any_input() {
        let layer = Add::new();
        let masks = [mask([[1, 0]]), mask([[0, 0]])];
        let merged = layer.output_mask(&[], &masks).unwrap();
        assert_eq!(merged.dtype(), DType::Bool);
        assert_eq!(merged.to_vec(), [1.0, 0.0]);
        assert!(layer.output_mask(&[], &[mask([[1, 0]]), None]).is_none());
    }

    #[test]
    fn what_does_not_count_changes_no_product_and_no_extreme() {
        let inputs = [
            Tensor::from([[[2.0], [5.0]]]),
            Tensor::from([[[3.0], [7.0]]]),
        ];
        let call = Call {
            training: false,
            masks: vec![mask([[1, 0]]), mask([[0, 1]])],
        };
        for layer in [
            Box::new(Multiply::new()) as Box<dyn Layer>,
            Box::new(Maximum::new()),
            Box::new(Minimum::new()),
        ] {
            assert_eq!(layer.call(&inputs, &call)[0].to_vec(), [2.0, 7.0]);
        }
    }
}
