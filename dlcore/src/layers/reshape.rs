//! Samples under another shape, with their axes in another order, or repeated.

use serde_json::{Value, json};

use super::{Base, Dims, Layer, base_methods, layer_settings};
use crate::config::{Fields, Parsed};
use crate::tensor::expect;
use crate::{Result, Tensor};

/// The elements of each sample, in row-major order, under another shape.
///
/// # Shapes
/// input `[batch, …]` → output `[batch, target…]`
///
/// ```
/// use dlcore::prelude::*;
/// let layer = Reshape::new([-1, 2, 2]);
/// assert_eq!(layer.output_shape(&[12])?, [3, 2, 2]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Reshape {
    base: Base,
    target_shape: Dims,
}

layer_settings!(Reshape, "reshape");

impl Reshape {
    /// A layer whose samples come out under `target_shape`, of which one axis may be -1 and is
    /// inferred. The batch axis is not part of it.
    pub fn new(target_shape: impl Into<Dims>) -> Reshape {
        Reshape {
            base: Base::new("Reshape", "reshape"),
            target_shape: target_shape.into(),
        }
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<Reshape> {
        let base = Base::from_config("Reshape", "reshape", fields)?;
        let target_shape = Dims::from_field(fields, "target_shape")?;
        Ok(Reshape {
            target_shape: target_shape.ok_or("Reshape: target_shape: found nothing")?,
            base,
        })
    }

    /// The shape of one sample that comes from one of shape `sample`.
    fn target(&self, sample: &[usize]) -> Result<Vec<usize>> {
        let target = self.target_shape.as_slice();
        let size: usize = sample.iter().product();
        let refused = |why: String| {
            Err(self.base.shape_error(format!(
                "samples of shape {sample:?} ({size} elements) cannot take the shape {target:?}: {why}"
            )))
        };
        let inferred = target.iter().filter(|&&length| length == -1).count();
        if inferred > 1 || target.iter().any(|&length| length < -1) {
            return refused("lengths are at least 0; one may be -1 and is inferred".to_string());
        }
        let known = target.iter().filter(|&&length| length != -1);
        let known: usize = known.map(|&length| length as usize).product();
        match inferred {
            0 if known != size => refused(format!("it has {known} elements")),
            1 if known == 0 || !size.is_multiple_of(known) => refused(format!(
                "{size} elements do not divide into groups of {known}"
            )),
            _ => Ok(target
                .iter()
                .map(|&length| usize::try_from(length).unwrap_or(size / known.max(1)))
                .collect()),
        }
    }
}

impl Layer for Reshape {
    base_methods!();

    fn build(&mut self, input_shape: &[usize]) -> Result<()> {
        self.target(input_shape)?;
        self.base.finish()
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        self.target(input_shape)
    }

    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        let target = expect(self.target(self.base.sample(x)));
        x.reshape([&x.shape()[..1], &target].concat())
    }

    fn output_mask(&self, _: &[Tensor], _: &[Option<Tensor>]) -> Option<Tensor> {
        None
    }

    fn config(&self) -> Option<Value> {
        let own = json!({"target_shape": self.target_shape.config()});
        Some(self.base.config(own))
    }
}

/// The axes of each sample in another order.
///
/// # Shapes
/// input `[batch, …]` → output the same axes, reordered; the batch axis stays
///
/// ```
/// use dlcore::prelude::*;
/// let layer = Permute::new([2, 1]);
/// assert_eq!(layer.output_shape(&[10, 64])?, [64, 10]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Permute {
    base: Base,
    dims: Dims,
}

layer_settings!(Permute, "permute");

impl Permute {
    /// A layer whose axis i comes from axis `dims[i - 1]`: each of 1, 2, … once. The batch axis, 0, is
    /// not among them.
    pub fn new(dims: impl Into<Dims>) -> Permute {
        Permute {
            base: Base::new("Permute", "permute"),
            dims: dims.into(),
        }
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<Permute> {
        let base = Base::from_config("Permute", "permute", fields)?;
        let dims = Dims::from_field(fields, "dims")?.ok_or("Permute: dims: found nothing")?;
        let layer = Permute { base, dims };
        layer.order().map_err(|error| error.to_string())?;
        Ok(layer)
    }

    /// The order of all axes, the batch axis first.
    fn order(&self) -> Result<Vec<usize>> {
        let dims = self.dims.as_slice();
        let mut sorted = dims.to_vec();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(1..=dims.len() as isize) {
            return Err(self.base.value_error(format!(
                "dims must have each of 1 to {} once, got {dims:?}; 0, the batch axis, stays",
                dims.len()
            )));
        }
        Ok(std::iter::once(0)
            .chain(dims.iter().map(|&axis| axis as usize))
            .collect())
    }
}

impl Layer for Permute {
    base_methods!();

    fn build(&mut self, input_shape: &[usize]) -> Result<()> {
        self.output_shape(input_shape)?;
        self.base.finish()
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        let order = self.order()?;
        if input_shape.len() + 1 != order.len() {
            return Err(self.base.shape_error(format!(
                "dims {:?} reorders {} axes, got samples of shape {input_shape:?}",
                self.dims.as_slice(),
                order.len() - 1
            )));
        }
        Ok(order[1..]
            .iter()
            .map(|&axis| input_shape[axis - 1])
            .collect())
    }

    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        expect(self.output_shape(self.base.sample(x)));
        x.permute(expect(self.order()))
    }

    fn output_mask(&self, _: &[Tensor], _: &[Option<Tensor>]) -> Option<Tensor> {
        None
    }

    fn config(&self) -> Option<Value> {
        Some(self.base.config(json!({"dims": self.dims.config()})))
    }
}

/// Each sample, a vector, n times: a sequence from a single state.
///
/// # Shapes
/// input `[batch, features]` → output `[batch, n, features]`
///
/// ```
/// use dlcore::prelude::*;
/// let layer = RepeatVector::new(3);
/// let y = layer.forward(&Tensor::from([[1.0, 2.0]]), false);
/// assert_eq!(y, Tensor::from([[[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]]));
/// ```
#[derive(Clone, Debug)]
pub struct RepeatVector {
    base: Base,
    n: usize,
}

layer_settings!(RepeatVector, "repeat_vector");

impl RepeatVector {
    /// A layer that repeats `n` times, at least once.
    pub fn new(n: usize) -> RepeatVector {
        RepeatVector {
            base: Base::new("RepeatVector", "repeat_vector"),
            n,
        }
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<RepeatVector> {
        let layer = RepeatVector {
            base: Base::from_config("RepeatVector", "repeat_vector", fields)?,
            n: fields.size("n")?,
        };
        layer.check().map_err(|error| error.to_string())?;
        Ok(layer)
    }

    fn check(&self) -> Result<()> {
        match self.n {
            0 => Err(self.base.value_error("n must be at least 1, got 0")),
            _ => Ok(()),
        }
    }
}

impl Layer for RepeatVector {
    base_methods!();

    fn build(&mut self, input_shape: &[usize]) -> Result<()> {
        self.check()?;
        self.base.expect_rank(input_shape, 1, "features")?;
        self.base.finish()
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        self.base.expect_rank(input_shape, 1, "features")?;
        Ok(vec![self.n, input_shape[0]])
    }

    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        expect(self.output_shape(self.base.sample(x)));
        x.expand_dims(1) * Tensor::ones([self.n, 1])
    }

    fn output_mask(&self, _: &[Tensor], _: &[Option<Tensor>]) -> Option<Tensor> {
        None
    }

    fn config(&self) -> Option<Value> {
        Some(self.base.config(json!({"n": self.n})))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms() {
        check_layer(
            Case::new(Reshape::new([3, -1]), &[2, 6], &[3, 4], 0)
                .refuses(&[2, 5], "10 elements do not divide into groups of 3"),
        );
        check_layer(Case::new(Reshape::new((3, 4)), &[12], &[3, 4], 0).refuses(
            &[11],
            "(11 elements) cannot take the shape [3, 4]: it has 12 elements",
        ));
        check_layer(
            Case::new(Permute::new([3, 1, 2]), &[2, 3, 4], &[4, 2, 3], 0)
                .refuses(&[2, 3], "dims [3, 1, 2] reorders 3 axes"),
        );
        check_layer(Case::new(RepeatVector::new(3), &[4], &[3, 4], 0).refuses(
            &[4, 4],
            "expected samples of shape [features], got shape [4, 4]",
        ));
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        let error = |mut layer: Box<dyn Layer>| layer.build(&[4]).unwrap_err().to_string();
        assert!(error(Box::new(Reshape::new([-1, -1]))).contains("one may be -1"));
        assert!(error(Box::new(Permute::new(0))).contains("dims must have each of 1 to 1 once"));
        assert!(error(Box::new(Permute::new([1, 3]))).contains("once, got [1, 3]"));
        assert!(error(Box::new(RepeatVector::new(0))).contains("n must be at least 1"));
    }
}
