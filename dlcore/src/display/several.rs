//! Several values that show themselves, in a list or a tuple: each as it looks alone.

use super::{HTML, MimeBundle, PNG, Rich, SVG, html_image};
use crate::plot::escape;

/// Of more values than this only the first are shown.
const MOST: usize = 50;
/// What fits into so many characters stands on one line.
const ONE_LINE: usize = 100;

impl<T: Rich + ?Sized> Rich for &T {
    fn mime_bundle(&self) -> MimeBundle {
        (**self).mime_bundle()
    }
}

impl<T: Rich + ?Sized> Rich for Box<T> {
    fn mime_bundle(&self) -> MimeBundle {
        (**self).mime_bundle()
    }
}

impl<T: Rich> Rich for [T] {
    fn mime_bundle(&self) -> MimeBundle {
        let shown = self.iter().take(MOST).map(Rich::mime_bundle).collect();
        several(shown, self.len(), ['[', ']'])
    }
}

impl<T: Rich> Rich for Vec<T> {
    fn mime_bundle(&self) -> MimeBundle {
        self.as_slice().mime_bundle()
    }
}

impl<T: Rich, const N: usize> Rich for [T; N] {
    fn mime_bundle(&self) -> MimeBundle {
        self.as_slice().mime_bundle()
    }
}

/// `rich_tuple!(A a, B b)`: a tuple of so many values.
macro_rules! rich_tuple {
    ($($kind:ident $value:ident),+) => {
        impl<$($kind: Rich),+> Rich for ($($kind,)+) {
            fn mime_bundle(&self) -> MimeBundle {
                let ($($value,)+) = self;
                let shown = vec![$($value.mime_bundle()),+];
                let length = shown.len();
                several(shown, length, ['(', ')'])
            }
        }
    };
}

rich_tuple!(A a);
rich_tuple!(A a, B b);
rich_tuple!(A a, B b, C c);
rich_tuple!(A a, B b, C c, D d);
rich_tuple!(A a, B b, C c, D d, E e);
rich_tuple!(A a, B b, C c, D d, E e, F f);

/// The first values of `length`, within brackets.
fn several(shown: Vec<MimeBundle>, length: usize, brackets: [char; 2]) -> MimeBundle {
    let left_out = length - shown.len();
    let bundle = MimeBundle::text(text(&shown, left_out, brackets));
    let looks = |part: &MimeBundle| [HTML, SVG, PNG].iter().any(|mime| part.get(mime).is_some());
    if !shown.iter().any(looks) {
        return bundle;
    }
    let mut html: String = shown.iter().map(block).collect();
    if left_out > 0 {
        html += &format!("<div>… and {left_out} more</div>");
    }
    bundle.with(HTML, html)
}

/// As Rust writes lists and tuples: on one line, or each value on lines of its own.
fn text(shown: &[MimeBundle], left_out: usize, [open, close]: [char; 2]) -> String {
    let mut parts: Vec<String> = shown
        .iter()
        .map(|part| part.plain().trim_end().to_owned())
        .collect();
    if left_out > 0 {
        parts.push(format!("… and {left_out} more"));
    }
    let short = parts.join(", ");
    if short.chars().count() <= ONE_LINE && !short.contains('\n') {
        let comma = if open == '(' && parts.len() == 1 {
            ","
        } else {
            ""
        };
        return format!("{open}{short}{comma}{close}");
    }
    let indented = |part: &String| format!("    {},\n", part.replace('\n', "\n    "));
    let lines: String = parts.iter().map(indented).collect();
    format!("{open}\n{lines}{close}")
}

/// The best form of one value, as a block of a page.
fn block(part: &MimeBundle) -> String {
    let of = |mime| part.get(mime).and_then(serde_json::Value::as_str);
    let alternative = || escape(part.plain());
    if let Some(html) = of(HTML) {
        return format!("<div>{html}</div>");
    }
    if let Some(svg) = of(SVG) {
        // In a picture of its own, so that the names in one drawing do not meet those of the next.
        return format!(
            "<div>{}</div>",
            html_image(part.plain(), SVG, svg.as_bytes())
        );
    }
    if let Some(data) = of(PNG) {
        return format!(
            "<div><img src=\"data:{PNG};base64,{data}\" alt=\"{}\"></div>",
            alternative()
        );
    }
    format!("<pre style=\"margin:0\">{}</pre>", alternative())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tensor;
    use crate::models::History;

    #[test]
    fn each_value_is_shown_as_it_looks_alone() {
        let (row, square) = (
            Tensor::from([1.0, 2.0]),
            Tensor::from([[1.0, 2.0], [3.0, 4.0]]),
        );
        let plain = |value: &dyn Rich| value.mime_bundle().plain().to_owned();
        assert_eq!(plain(&vec![row.clone(), row.clone()]), "[[1. 2.], [1. 2.]]");
        assert_eq!(
            plain(&(&row, Some(3.0).map(|_| row.clone()))),
            "([1. 2.], [1. 2.])"
        );
        assert_eq!(plain(&(row.clone(),)), "([1. 2.],)");
        assert_eq!(plain(&Vec::<Tensor>::new()), "[]");
        assert_eq!(
            plain(&[&square, &row]),
            "[\n    [[1. 2.]\n     [3. 4.]],\n    [1. 2.],\n]"
        );
        let html = vec![square; 2].mime_bundle();
        let html = html.get(HTML).unwrap().as_str().unwrap();
        assert_eq!(html.matches("Tensor f32 [2, 2]").count(), 2);
        assert!(vec![History::default()].mime_bundle().get(HTML).is_none());
    }

    #[test]
    fn pictures_stand_side_by_side_with_their_text() {
        let image = crate::plot::image(&Tensor::zeros([4, 4]));
        let bundle = [image.clone(), image].mime_bundle();
        let html = bundle.get(HTML).unwrap().as_str().unwrap();
        assert_eq!(html.matches("src=\"data:image/").count(), 2);
        assert_eq!(html.matches("alt=\"").count(), 2);
        assert!(!bundle.plain().contains("\n    ,"), "{}", bundle.plain());
    }

    #[test]
    fn of_many_values_the_first_are_shown() {
        let bundle = vec![Tensor::from([1.0]); 60].mime_bundle();
        assert!(bundle.plain().ends_with("    … and 10 more,\n]"));
        let html = bundle.get(HTML).unwrap().as_str().unwrap();
        assert!(html.ends_with("<div>… and 10 more</div>"));
    }
}
