//! What a value looks like, and the way it takes to whoever shows it: the kernel, or a terminal.
//!
//! A [`MimeBundle`] holds one value in several forms (text, HTML, SVG, PNG), [`Rich`] makes one, and
//! [`display`] sends it. Inside the kernel it travels over the [`channel`], a socket of its own, so
//! that nothing a program prints can be taken for it; outside, its text is printed.

pub mod channel;
pub(crate) mod progress;
mod rich;
mod several;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::sorted;
use base64::Engine as _;
use serde_json::{Value, json};

/// The MIME type of plain text, which every bundle carries.
pub const TEXT: &str = "text/plain";
/// The MIME type of an SVG drawing.
pub const SVG: &str = "image/svg+xml";
/// The MIME type of a PNG picture; its content is base64.
pub const PNG: &str = "image/png";
/// The MIME type of an HTML fragment.
pub const HTML: &str = "text/html";

/// One value in several forms, in the order in which they were added.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MimeBundle {
    entries: Vec<(String, Value)>,
}

/// An image that holds its data, with an alternative text.
pub(crate) fn html_image(alt: &str, mime: &str, data: &[u8]) -> String {
    let alt = crate::plot::escape(alt);
    let data = base64::engine::general_purpose::STANDARD.encode(data);
    format!("<img alt=\"{alt}\" src=\"data:{mime};base64,{data}\">")
}

impl MimeBundle {
    /// A bundle that holds plain text, which is what a terminal and a screen reader get.
    pub fn text(text: impl Into<String>) -> Self {
        Self::default().with(TEXT, Value::String(text.into()))
    }

    /// Adds a form, or replaces the one of the same MIME type.
    pub fn with(mut self, mime: &str, content: impl Into<Value>) -> Self {
        let content = content.into();
        match self.entries.iter_mut().find(|(name, _)| name == mime) {
            Some((_, old)) => *old = content,
            None => self.entries.push((mime.to_owned(), content)),
        }
        self
    }

    /// Adds binary content, in base64 as Jupyter asks.
    pub fn with_bytes(self, mime: &str, bytes: &[u8]) -> Self {
        self.with(
            mime,
            base64::engine::general_purpose::STANDARD.encode(bytes),
        )
    }

    /// Adds a drawing, as SVG and as an HTML image with this alternative text.
    ///
    /// JupyterLab prefers the HTML. Its own way of showing SVG gives a screen reader nothing to read, and refuses to
    /// show any in a notebook that it was not told to trust.
    pub fn with_drawing(self, alt: &str, svg: &str) -> Self {
        self.with(HTML, html_image(alt, SVG, svg.as_bytes()))
            .with(SVG, svg)
    }

    /// [`with_drawing`](MimeBundle::with_drawing) for a frame that the next one replaces: as HTML alone, since each
    /// form is made, sent and signed ten times a second.
    pub(crate) fn with_frame(self, alt: &str, svg: &str) -> Self {
        self.with(HTML, html_image(alt, SVG, svg.as_bytes()))
    }

    /// The content of one MIME type.
    pub fn get(&self, mime: &str) -> Option<&Value> {
        self.entries
            .iter()
            .find(|(name, _)| name == mime)
            .map(|(_, content)| content)
    }

    /// The plain text; empty where there is none.
    pub fn plain(&self) -> &str {
        self.get(TEXT).and_then(Value::as_str).unwrap_or_default()
    }

    /// The MIME types, in order.
    pub fn mimes(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(name, _)| name.as_str())
    }

    /// The `data` of a Jupyter display message.
    pub fn to_json(&self) -> Value {
        Value::Object(sorted::gathered(self.entries.iter().cloned()))
    }
}

/// A value that has more to show than text.
///
/// Implement it for a type of your own, and a cell that ends in such a value shows it:
///
/// ```
/// use dlcore::display::{HTML, MimeBundle, Rich};
///
/// struct Temperature(f64);
///
/// impl Rich for Temperature {
///     fn mime_bundle(&self) -> MimeBundle {
///         MimeBundle::text(format!("{} °C", self.0)).with(HTML, format!("<b>{}</b> °C", self.0))
///     }
/// }
/// ```
pub trait Rich {
    /// The value in every form it has; plain text should be among them.
    fn mime_bundle(&self) -> MimeBundle;
}

impl Rich for MimeBundle {
    fn mime_bundle(&self) -> MimeBundle {
        self.clone()
    }
}

/// Shows `value` below the cell; outside a notebook prints its text.
pub fn display(value: &dyn Rich) {
    show(&value.mime_bundle(), None, false);
}

/// Shows `value` and hands back a handle with which the same output can be replaced.
pub fn display_updatable(value: &dyn Rich) -> DisplayHandle {
    let handle = DisplayHandle { id: next_id() };
    show(&value.mime_bundle(), Some(&handle.id), false);
    handle
}

/// An output that can be replaced in place.
#[derive(Clone, Debug)]
pub struct DisplayHandle {
    id: String,
}

impl DisplayHandle {
    /// Replaces what the output shows; outside a notebook prints the new text.
    pub fn update(&self, value: &dyn Rich) {
        show(&value.mime_bundle(), Some(&self.id), true);
    }

    /// The id under which the output is known to the notebook.
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// Clears the cell's output; with `wait`, not before the next output arrives. Does nothing in a terminal.
pub fn clear_output(wait: bool) {
    channel::send_in_order(json!({"t": "clear", "wait": wait}));
}

fn show(bundle: &MimeBundle, id: Option<&str>, update: bool) {
    let frame = json!({
        "t": "display",
        "data": bundle.to_json(),
        "metadata": {},
        "display_id": id,
        "update": update,
    });
    if !channel::send_in_order(frame) {
        println!("{}", bundle.plain());
    }
}

/// Ids are unique over restarts: a saved notebook may still show the outputs of an earlier process.
fn next_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    static START: OnceLock<u128> = OnceLock::new();
    let start = START.get_or_init(|| {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |t| t.as_micros())
    });
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("dlcore-{:x}-{start:x}-{number}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_keeps_its_order_and_replaces_in_place() {
        let bundle = MimeBundle::text("a").with(SVG, "<svg/>").with(TEXT, "b");
        assert_eq!(bundle.mimes().collect::<Vec<_>>(), [TEXT, SVG]);
        assert_eq!(bundle.plain(), "b");
        assert_eq!(
            bundle.to_json(),
            json!({"text/plain": "b", "image/svg+xml": "<svg/>"})
        );
    }

    #[test]
    fn a_drawing_has_its_alternative_text_whatever_that_says() {
        let bundle = MimeBundle::text("").with_drawing("a \"<b>\" & c", "<svg/>");
        assert_eq!(
            bundle.get(HTML),
            Some(&json!(
                "<img alt=\"a &quot;&lt;b&gt;&quot; &amp; c\" src=\"data:image/svg+xml;base64,PHN2Zy8+\">"
            ))
        );
        assert_eq!(bundle.get(SVG), Some(&json!("<svg/>")));
    }

    #[test]
    fn bytes_travel_as_base64() {
        let bundle = MimeBundle::text("").with_bytes(PNG, b"\x89PNG");
        assert_eq!(bundle.get(PNG), Some(&json!("iVBORw==")));
    }

    #[test]
    fn ids_differ() {
        assert_ne!(next_id(), next_id());
    }
}
