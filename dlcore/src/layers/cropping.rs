//! The margins of sequences and images cut off.

use serde_json::{Value, json};

use super::spatial::Layout;
use super::{Base, DataFormat, Layer, Margins, Pair, base_methods, layer_settings};
use crate::config::{Fields, Parsed};
use crate::grad::ops;
use crate::tensor::expect;
use crate::{Result, Tensor};

/// What is left of a height and width.
fn left(base: &Base, extent: [usize; 2], margins: Margins) -> Result<[usize; 2]> {
    let left = |axis: usize| {
        let [before, after] = margins.0[axis];
        extent[axis].checked_sub(before + after).filter(|&n| n > 0)
    };
    match (left(0), left(1)) {
        (Some(height), Some(width)) => Ok([height, width]),
        _ => Err(base.shape_error(format!(
            "a cropping of {:?} leaves nothing of samples whose height and width are {extent:?}",
            margins.0
        ))),
    }
}

/// The first and last steps of a sequence cut off.
///
/// # Shapes
/// input `[batch, steps, channels]` → output `[batch, steps − before − after, channels]`
///
/// ```
/// use dlcore::layers::{Cropping1D, Layer};
/// use dlcore::Tensor;
/// let x = Tensor::from([[[1.0], [2.0], [3.0], [4.0]]]);
/// assert_eq!(Cropping1D::new([0, 3]).forward(&x, false).to_vec(), [1.0]);
/// ```
///
/// Source: Keras 3, `layers/reshaping/cropping1d.py`.
#[derive(Clone, Debug)]
pub struct Cropping1D {
    base: Base,
    cropping: [usize; 2],
    layout: Layout,
}

layer_settings!(Cropping1D, "cropping1d");

impl Cropping1D {
    /// So many steps before and after: `1` on both sides, which is Keras's default, or `[2, 0]`.
    pub fn new(cropping: impl Into<Pair>) -> Cropping1D {
        Cropping1D {
            base: Base::new("Cropping1D", "cropping1d"),
            cropping: cropping.into().0,
            layout: Layout::new(1),
        }
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<Cropping1D> {
        Ok(Cropping1D {
            base: Base::from_config("Cropping1D", "cropping1d", fields)?,
            cropping: Margins::field_of_sequences(fields, "cropping")?.unwrap_or([1, 1]),
            layout: Layout::new(1),
        })
    }

    fn margins(&self) -> Margins {
        Margins([[0, 0], self.cropping])
    }
}

impl Layer for Cropping1D {
    base_methods!();

    fn build(&mut self, input_shape: &[usize]) -> Result<()> {
        self.output_shape(input_shape)?;
        self.base.finish()
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        let (extent, channels) = self.layout.split(&self.base, input_shape)?;
        let extent = left(&self.base, extent, self.margins())?;
        Ok(self.layout.join(extent, channels))
    }

    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        expect(self.output_shape(x.shape().get(1..).unwrap_or_default()));
        let cropped = ops::crop(&self.layout.images(x), &self.margins().of_batch());
        self.layout.samples(&expect(cropped))
    }

    fn config(&self) -> Option<Value> {
        Some(self.base.config(json!({"cropping": self.cropping})))
    }

    /// None: there are fewer timesteps now.
    fn output_mask(&self, _: &[Tensor], _: &[Option<Tensor>]) -> Option<Tensor> {
        None
    }
}

/// The margins of images cut off.
///
/// # Shapes
/// input `[batch, height, width, channels]` → output
/// `[batch, height − top − bottom, width − left − right, channels]`
///
/// ```
/// use dlcore::layers::{Cropping2D, Layer};
/// let mut layer = Cropping2D::new(2);
/// layer.build(&[28, 28, 1])?;
/// assert_eq!(layer.output_shape(&[28, 28, 1])?, [24, 24, 1]);
/// # Ok::<(), dlcore::Error>(())
/// ```
///
/// Source: Keras 3, `layers/reshaping/cropping2d.py`.
#[derive(Clone, Debug)]
pub struct Cropping2D {
    base: Base,
    cropping: Margins,
    layout: Layout,
}

layer_settings!(Cropping2D, "cropping2d");

impl Cropping2D {
    /// So much on each side: a number, `[1, 2]` for height and width, or
    /// `[[top, bottom], [left, right]]`. Keras's default is nothing.
    pub fn new(cropping: impl Into<Margins>) -> Cropping2D {
        Cropping2D {
            base: Base::new("Cropping2D", "cropping2d"),
            cropping: cropping.into(),
            layout: Layout::new(2),
        }
    }

    /// Where the channels stand, by name: `"channels_last"`, `"channels_first"` (`"channels_last"`).
    pub fn data_format(mut self, data_format: impl Into<DataFormat>) -> Cropping2D {
        self.layout.data_format = data_format.into();
        self
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<Cropping2D> {
        let layer = Cropping2D {
            base: Base::from_config("Cropping2D", "cropping2d", fields)?,
            cropping: Margins::field(fields, "cropping")?.unwrap_or(Margins::from(0)),
            layout: Layout::from_config(2, fields)?,
        };
        let checked = layer.layout.check(&layer.base);
        checked.map_err(|error| error.to_string())?;
        Ok(layer)
    }
}

impl Layer for Cropping2D {
    base_methods!();

    fn build(&mut self, input_shape: &[usize]) -> Result<()> {
        self.layout.check(&self.base)?;
        self.output_shape(input_shape)?;
        self.base.finish()
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        let (extent, channels) = self.layout.split(&self.base, input_shape)?;
        let extent = left(&self.base, extent, self.cropping)?;
        Ok(self.layout.join(extent, channels))
    }

    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        expect(self.output_shape(x.shape().get(1..).unwrap_or_default()));
        let cropped = ops::crop(&self.layout.images(x), &self.cropping.of_batch());
        self.layout.samples(&expect(cropped))
    }

    fn config(&self) -> Option<Value> {
        Some(self.base.config(json!({
            "cropping": self.cropping.0,
            "data_format": self.layout.data_format.name(),
        })))
    }

    /// None: as in Keras, the rows of an image are no timesteps.
    fn output_mask(&self, _: &[Tensor], _: &[Option<Tensor>]) -> Option<Tensor> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms() {
        check_layer(
            Case::new(Cropping1D::new((1, 2)), &[5, 2], &[2, 2], 0)
                .refuses(&[3, 2], "leaves nothing of samples")
                .refuses(&[2], "[steps, channels]"),
        );
        check_layer(
            Case::new(Cropping2D::new([[1, 0], [0, 2]]), &[3, 4, 2], &[2, 2, 2], 0)
                .refuses(&[3, 2, 2], "leaves nothing of samples")
                .refuses(&[2, 2], "[height, width, channels]"),
        );
        let first = Cropping2D::new(1).data_format("channels_first");
        check_layer(Case::new(first, &[2, 3, 4], &[2, 1, 2], 0));
    }

    #[test]
    fn a_mask_ends_here() {
        let mask = Tensor::from([[true, false]]);
        let mask = Cropping2D::new(0).output_mask(&[Tensor::ones([1, 2, 2, 1])], &[Some(mask)]);
        assert!(mask.is_none());
    }
}
