//! Margins of zeros around sequences and images.

use serde_json::{Value, json};

use super::margins::margin_layer;
use super::spatial::{Layout, data_format_setting};
use super::{Base, Layer, Margins, Pair, base_methods, layer_settings};
use crate::config::{Fields, Parsed};
use crate::grad::ops;
use crate::tensor::expect;
use crate::{Result, Tensor};

/// Height and width with the margins.
fn padded(base: &Base, extent: [usize; 2], margins: Margins) -> Result<[usize; 2]> {
    let length = |axis: usize| {
        let [before, after] = margins.0[axis];
        extent[axis].checked_add(before)?.checked_add(after)
    };
    match (length(0), length(1)) {
        (Some(height), Some(width)) => Ok([height, width]),
        _ => Err(base.shape_error(format!(
            "a padding of {:?} around samples whose height and width are {extent:?} would not fit into memory",
            margins.0
        ))),
    }
}

margin_layer! {
    /// Steps of zeros before and after a sequence.
    ///
    /// # Shapes
    /// input `[batch, steps, channels]` → output `[batch, before + steps + after, channels]`
    ///
    /// ```
    /// use dlcore::layers::{Layer, ZeroPadding1D};
    /// use dlcore::Tensor;
    /// let y = ZeroPadding1D::new([2, 1]).forward(&Tensor::ones([1, 2, 1]), false);
    /// assert_eq!(y.to_vec(), [0.0, 0.0, 1.0, 1.0, 0.0]);
    /// ```
    ///
    /// Source: Keras 3, `layers/reshaping/zero_padding1d.py`.
    ZeroPadding1D, "zero_padding1d", 1,
    "So many steps before and after: `1` on both sides, which is Keras's default, or `[2, 0]`."
    padding: Pair = 1, Margins::of_sequences, padded, ops::pad
}
data_format_setting!(ZeroPadding1D, layout.data_format);

margin_layer! {
    /// A frame of zeros around images.
    ///
    /// # Shapes
    /// input `[batch, height, width, channels]` → output
    /// `[batch, top + height + bottom, left + width + right, channels]`
    ///
    /// ```
    /// use dlcore::layers::{Layer, ZeroPadding2D};
    /// let mut layer = ZeroPadding2D::new([[0, 1], [0, 1]]);
    /// layer.build(&[224, 224, 3])?;
    /// assert_eq!(layer.output_shape(&[224, 224, 3])?, [225, 225, 3]);
    /// # Ok::<(), dlcore::Error>(())
    /// ```
    ///
    /// Source: Keras 3, `layers/reshaping/zero_padding2d.py`.
    ZeroPadding2D, "zero_padding2d", 2,
    "So much on each side: `1`, which is Keras's default, `[1, 2]` for height and width, or `[[top, bottom], [left, right]]`."
    padding: Margins = 1, Margins::of_images, padded, ops::pad
}
data_format_setting!(ZeroPadding2D, layout.data_format);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms() {
        check_layer(
            Case::new(ZeroPadding1D::new(1), &[2, 2], &[4, 2], 0)
                .refuses(&[2], "[steps, channels]"),
        );
        let first = ZeroPadding1D::new([0, 2]).data_format("channels_first");
        check_layer(Case::new(first, &[2, 3], &[2, 5], 0));
        check_layer(
            Case::new(ZeroPadding2D::new(1), &[2, 3, 2], &[4, 5, 2], 0)
                .refuses(&[2, 2], "[height, width, channels]"),
        );
        let first = ZeroPadding2D::new(((1, 0), (0, 2))).data_format("channels_first");
        check_layer(Case::new(first, &[2, 3, 1], &[2, 4, 3], 0));
    }

    #[test]
    fn an_unknown_data_format_is_refused_with_the_layers_name() {
        let mut layer = ZeroPadding2D::new(1).data_format("first").name("z");
        let text = layer.build(&[2, 2, 1]).unwrap_err().to_string();
        assert!(
            text.starts_with("z (ZeroPadding2D): unknown data_format \"first\""),
            "{text}"
        );
    }

    #[test]
    fn a_mask_ends_here() {
        let mask = Tensor::from([[true, false]]);
        let mask = ZeroPadding2D::new(1).output_mask(&[Tensor::ones([1, 2, 2, 1])], &[Some(mask)]);
        assert!(mask.is_none());
    }
}
