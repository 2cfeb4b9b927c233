//! The margins of sequences and images cut off.

use serde_json::{Value, json};

use super::margins::margin_layer;
use super::spatial::{Layout, data_format_setting};
use super::{Base, Layer, Margins, Pair, base_methods, layer_settings};
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

margin_layer! {
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
    Cropping1D, "cropping1d", 1,
    "So many steps before and after: `1` on both sides, which is Keras's default, or `[2, 0]`."
    cropping: Pair = 1, Margins::of_sequences, left, ops::crop
}

margin_layer! {
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
    Cropping2D, "cropping2d", 2,
    "So much on each side: a number, `[1, 2]` for height and width, or `[[top, bottom], [left, right]]`. Keras's default is nothing."
    cropping: Margins = 0, Margins::of_images, left, ops::crop
}
data_format_setting!(Cropping2D, layout.data_format);

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
