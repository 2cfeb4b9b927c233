//! How the library's own values look in a notebook.

use std::fmt::Debug;

use super::{HTML, MimeBundle, Rich};
use crate::cell::failure;
use crate::models::Evaluation;
use crate::plot::escape;
use crate::{DType, Tensor};

/// The numbers as NumPy prints them, under a line that says type and shape.
impl Rich for Tensor {
    fn mime_bundle(&self) -> MimeBundle {
        let text = self.to_string();
        // Colours and font are the notebook's own, light or dark.
        let html = format!(
            "<div><small style=\"opacity:0.7\">Tensor {}{} {}</small><pre style=\"margin:0\">{}</pre></div>",
            self.dtype(),
            if self.is_sparse() { ", sparse" } else { "" },
            shape(self.shape()),
            escape(&text),
        );
        MimeBundle::text(text).with(HTML, html)
    }
}

fn shape(axes: &[usize]) -> String {
    if axes.is_empty() {
        "scalar".to_owned()
    } else {
        format!("{axes:?}")
    }
}

impl Rich for DType {
    fn mime_bundle(&self) -> MimeBundle {
        MimeBundle::text(self.to_string())
    }
}

/// The scores on one line.
impl Rich for Evaluation {
    fn mime_bundle(&self) -> MimeBundle {
        MimeBundle::text(self.to_string())
    }
}

/// `Some` as what is in it, `None` as that word.
impl<T: Rich> Rich for Option<T> {
    fn mime_bundle(&self) -> MimeBundle {
        match self {
            Some(value) => value.mime_bundle(),
            None => MimeBundle::text("None"),
        }
    }
}

/// `Ok` as what is in it, `Err` as its message.
impl<T: Rich, E: Debug + 'static> Rich for Result<T, E> {
    fn mime_bundle(&self) -> MimeBundle {
        match self {
            Ok(value) => value.mime_bundle(),
            Err(error) => failed(&failure::text(error, error)),
        }
    }
}

fn failed(message: &str) -> MimeBundle {
    let text = format!("Err: {message}");
    let html = format!(
        "<pre class=\"ansi-red-fg\" style=\"margin:0\">{}</pre>",
        escape(&text)
    );
    MimeBundle::text(text).with(HTML, html)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    fn html(value: &dyn Rich) -> String {
        let bundle = value.mime_bundle();
        let html = bundle.get(HTML).unwrap().as_str().unwrap().to_owned();
        // Well-formed as XML too, once the one void element is closed.
        let closed = html.replace("<br>", "<br/>");
        assert!(roxmltree::Document::parse(&closed).is_ok(), "{html}");
        html
    }

    #[test]
    fn a_tensor_says_its_type_and_shape() {
        let tensor = Tensor::from([[1.0_f32, 2.0]]);
        let html = html(&tensor);
        assert!(html.contains("Tensor f32 [1, 2]"), "{html}");
        assert!(html.contains(&tensor.to_string()), "{html}");
        assert_eq!(tensor.mime_bundle().plain(), tensor.to_string());
    }

    #[test]
    fn what_is_in_a_result_or_an_option_is_shown_as_it_shows_itself() {
        let tensor = Tensor::from([[1.0_f32, 2.0]]);
        let bundle = tensor.mime_bundle();
        assert_eq!(Some(tensor.clone()).mime_bundle(), bundle);
        assert_eq!(Ok::<_, Error>(tensor.clone()).mime_bundle(), bundle);
        assert_eq!(None::<Tensor>.mime_bundle().plain(), "None");
        let wrong = tensor.try_reshape([3]);
        let text = wrong.mime_bundle();
        assert!(text.plain().starts_with("Err: "), "{}", text.plain());
        assert!(!text.plain().contains("Shape("), "{}", text.plain());
        html(&wrong);
    }
}
