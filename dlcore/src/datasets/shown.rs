//! How a data set looks as the last line of a cell: its parts with their shapes, not their numbers.

use super::Sequences;
use crate::Tensor;
use crate::display::{HTML, MimeBundle};
use crate::plot::escape;

/// A part of a data set that can say in a few words what it is.
pub(crate) trait Part {
    /// `u8 [60000, 28, 28]`
    fn told(&self) -> String;
}

impl Part for Tensor {
    fn told(&self) -> String {
        let sparse = if self.is_sparse() { ", sparse" } else { "" };
        format!("{} {:?}{sparse}", self.dtype(), self.shape())
    }
}

impl Part for Sequences {
    fn told(&self) -> String {
        let lengths = self.iter().map(Vec::len);
        let (shortest, longest) = (lengths.clone().min(), lengths.max());
        format!(
            "{} sequences of {} to {} numbers",
            self.len(),
            shortest.unwrap_or_default(),
            longest.unwrap_or_default()
        )
    }
}

/// A line that names the data set, and a line for each part.
pub(crate) fn shown(name: &str, parts: &[(&str, &dyn Part)]) -> MimeBundle {
    let width = parts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = name.to_owned();
    let mut rows = String::new();
    for (part, value) in parts {
        let told = value.told();
        text += &format!("\n  {part:width$}  {told}");
        rows += &format!(
            "<tr><td style=\"text-align:left\">{part}</td><td style=\"text-align:left\">{}</td></tr>",
            escape(&told)
        );
    }
    let html = format!(
        "<div><small style=\"opacity:0.7\">{}</small><table>{rows}</table></div>",
        escape(name)
    );
    MimeBundle::text(text).with(HTML, html)
}

/// Shows the named fields of a data set: `show_fields!(Mnist, "MNIST", train_images, …)`.
macro_rules! show_fields {
    ($data:ident, $name:expr, $($field:ident),+ $(,)?) => {
        impl $crate::display::Rich for $data {
            fn mime_bundle(&self) -> $crate::display::MimeBundle {
                $crate::datasets::shown::shown($name, &[$((stringify!($field), &self.$field)),+])
            }
        }
    };
}
pub(crate) use show_fields;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stand_in_lines_with_their_shapes() {
        let images = Tensor::zeros([3, 2, 2]);
        let texts = Sequences::new(vec![vec![1, 2, 3], vec![4]]);
        let bundle = shown("Things", &[("images", &images), ("words", &texts)]);
        assert_eq!(
            bundle.plain(),
            "Things\n  images  f32 [3, 2, 2]\n  words   2 sequences of 1 to 3 numbers"
        );
        let html = bundle.get(HTML).unwrap().as_str().unwrap();
        assert!(roxmltree::Document::parse(html).is_ok(), "{html}");
    }
}
