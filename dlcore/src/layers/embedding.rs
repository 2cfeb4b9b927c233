//! From integers to vectors that are learned.

use serde_json::{Map, Value, json};

use super::plan::{self, Input, Plan};
use super::weight::{Weight, are_free, weight_methods, weight_settings};
use super::{Base, Layer, base_methods, layer_settings};
use crate::config::{Fields, Parsed};
use crate::tensor::expect;
use crate::{DType, Result, Tensor};

/// Looks up a vector for each integer: `output[…] = embeddings[input[…]]`. The first layer of a model of
/// text, whose words are numbers.
///
/// # Shapes
/// input `[batch, …]` of integers from 0 to `input_dim − 1`, of any type that holds them → output
/// `[batch, …, output_dim]`. Weight: `[input_dim, output_dim]`.
///
/// With `mask_zero`, 0 is no word but padding: layers further on pass such timesteps over.
///
/// ```
/// use dlcore::layers::{Embedding, Layer};
/// use dlcore::Tensor;
/// let mut layer = Embedding::new(1000, 64).input_length(4);
/// layer.build(&[4])?;
/// let words = Tensor::from([[5, 17, 999, 0], [2, 2, 8, 1]]);
/// assert_eq!(layer.forward(&words, false).shape(), [2, 4, 64]);
/// # Ok::<(), dlcore::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Embedding {
    base: Base,
    input_dim: usize,
    output_dim: usize,
    mask_zero: bool,
    embeddings: Weight,
}

layer_settings!(Embedding, "embedding");
weight_settings!(
    Embedding,
    embeddings,
    "embedding",
    "random_uniform",
    embeddings_initializer,
    embeddings_regularizer,
    embeddings_constraint
);

impl Embedding {
    /// Vectors of `output_dim` numbers, uniform within ±0.05 at first, for `input_dim` integers: one more
    /// than the largest.
    pub fn new(input_dim: usize, output_dim: usize) -> Embedding {
        Self::of(Base::new("Embedding", "embedding"), input_dim, output_dim)
    }

    fn of(base: Base, input_dim: usize, output_dim: usize) -> Embedding {
        Embedding {
            base,
            input_dim,
            output_dim,
            mask_zero: false,
            embeddings: Weight::new("embeddings", "random_uniform"),
        }
    }

    /// Whether 0 stands for padding, which the layers that follow pass over (false).
    pub fn mask_zero(mut self, mask_zero: bool) -> Embedding {
        self.mask_zero = mask_zero;
        self
    }

    /// The length of the sequences, for the first layer of a model: the same as `input_shape([length])`.
    pub fn input_length(self, length: usize) -> Embedding {
        self.input_shape([length])
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<Embedding> {
        let base = Base::from_config("Embedding", "embedding", fields)?;
        let mut layer = Self::of(base, fields.size("input_dim")?, fields.size("output_dim")?);
        layer.mask_zero = fields.flag_or("mask_zero", false)?;
        layer.embeddings = layer.embeddings.with_config(fields)?;
        layer.check().map_err(|error| error.to_string())?;
        Ok(layer)
    }

    fn check(&self) -> Result<()> {
        for (setting, size) in [
            ("input_dim", self.input_dim),
            ("output_dim", self.output_dim),
        ] {
            if size == 0 {
                let text = format!("{setting} must be at least 1, got 0");
                return Err(self.base.value_error(text));
            }
        }
        self.embeddings.check(&self.base)
    }

    /// The rows of the weight that the input names.
    fn indices(&self, x: &Tensor) -> Result<Vec<usize>> {
        let bad = |value: String, position: usize| {
            let mut place = vec![0; x.ndim()];
            let mut rest = position;
            for (axis, &length) in x.shape().iter().enumerate().rev() {
                (place[axis], rest) = (rest % length, rest / length);
            }
            self.base.value_error(format!(
                "expected integers from 0 to {}, got {value} at {place:?}; input_dim must be one more than the \
                 largest",
                self.input_dim - 1
            ))
        };
        if x.dtype().is_float() {
            let values = x.to_vec_of::<f64>();
            let whole = |value: f64| {
                (value >= 0.0 && value < self.input_dim as f64 && value.fract() == 0.0)
                    .then_some(value as usize)
            };
            let rows = values.iter().enumerate();
            return rows
                .map(|(at, &value)| whole(value).ok_or_else(|| bad(value.to_string(), at)))
                .collect();
        }
        let values = x.to_vec_of::<i64>();
        let rows = values.iter().enumerate();
        rows.map(|(at, &value)| {
            let row = usize::try_from(value).ok();
            row.filter(|&row| row < self.input_dim)
                .ok_or_else(|| bad(value.to_string(), at))
        })
        .collect()
    }
}

impl Layer for Embedding {
    base_methods!();

    fn build(&mut self, _input_shape: &[usize]) -> Result<()> {
        self.check()?;
        let shape = [self.input_dim, self.output_dim];
        let embeddings = self.embeddings.make(&mut self.base, &shape)?;
        self.base.finish()?;
        self.embeddings.value = Some(embeddings);
        Ok(())
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        Ok([input_shape, &[self.output_dim]].concat())
    }

    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        let embeddings = self.embeddings.built(&self.base);
        let rows = expect(self.indices(x));
        let shape = [x.shape(), &[self.output_dim]].concat();
        embeddings.rows(&rows).reshape(shape)
    }

    fn plan(&self, x: &Input<'_>, _logits: bool) -> Option<Box<dyn Plan>> {
        let free = are_free(&[&self.embeddings]) && self.base.is_plain() && !self.mask_zero;
        let plan = plan::Embedding::new(x, free.then_some(self.output_dim)?)?;
        Some(Box::new(plan))
    }

    fn output_mask(&self, inputs: &[Tensor], _masks: &[Option<Tensor>]) -> Option<Tensor> {
        let x = inputs.first().filter(|_| self.mask_zero)?;
        Some(x.to_dense().detach().cast(DType::Bool))
    }

    weight_methods!(embeddings);

    fn config(&self) -> Option<Value> {
        let mut own = Map::new();
        own.insert("input_dim".into(), json!(self.input_dim));
        own.insert("output_dim".into(), json!(self.output_dim));
        own.insert("mask_zero".into(), json!(self.mask_zero));
        self.embeddings.write(&mut own);
        Some(self.base.config(Value::Object(own)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms() {
        check_layer(Case::new(Embedding::new(7, 3), &[4], &[4, 3], 21).classes(7));
        let layer = Embedding::new(5, 2)
            .mask_zero(true)
            .embeddings_regularizer("l2");
        check_layer(Case::new(layer, &[2, 3], &[2, 3, 2], 10).classes(5));
    }

    fn built() -> Embedding {
        let mut layer = Embedding::new(3, 2).name("words").mask_zero(true);
        layer.build(&[2]).unwrap();
        layer.embeddings.value = Some(Tensor::from([[0.0, 1.0], [10.0, 11.0], [20.0, 21.0]]));
        layer
    }

    #[test]
    fn looks_up_rows_whatever_type_names_them() {
        let layer = built();
        let words = Tensor::from([[2, 0], [1, 1]]);
        let expected = [20.0, 21.0, 0.0, 1.0, 10.0, 11.0, 10.0, 11.0];
        for dtype in [DType::U8, DType::I32, DType::I64, DType::F32, DType::F64] {
            let y = layer.forward(&words.cast(dtype), false);
            assert_eq!((y.shape(), y.to_vec()), (&[2, 2, 2][..], expected.to_vec()));
        }
        let mask = layer.output_mask(&[words], &[None]).unwrap();
        assert_eq!(mask.dtype(), DType::Bool);
        assert_eq!(mask.to_vec(), [1.0, 0.0, 1.0, 1.0]);
    }

    #[test]
    #[should_panic(
        expected = "words (Embedding): expected integers from 0 to 2, got 3 at [1, 0]; input_dim must be one more"
    )]
    fn an_integer_out_of_range_is_refused_with_its_place() {
        built().forward(&Tensor::from([[2, 0], [3, -1]]), false);
    }

    #[test]
    #[should_panic(expected = "got 1.5 at [0, 1]")]
    fn a_number_that_is_no_integer_is_refused() {
        built().forward(&Tensor::from([[2.0, 1.5]]), false);
    }

    #[test]
    fn sizes_of_nothing_are_refused() {
        let error = Embedding::new(0, 2).build(&[1]).unwrap_err().to_string();
        assert!(
            error.contains("input_dim must be at least 1, got 0"),
            "{error}"
        );
    }
}
