//! What every figure has: a title, a width, and the ways in which it is shown.

use super::axis::value;
use super::canvas::{self, Align, Canvas, INK, Type, text_width};
use super::run::shorten;

/// Room around a figure.
pub(super) const MARGIN: f64 = 16.0;
/// The size of everything but titles.
pub(super) const SMALL: f64 = 11.0;
const TITLE: f64 = 13.0;
/// Height of the title's line.
const TITLE_LINE: f64 = 26.0;
/// The bold of a browser is wider than the font that is measured.
const BOLD: f64 = 1.12;
/// The narrowest and the widest figure.
pub(super) const WIDTHS: (u32, u32) = (320, 2000);

/// What was asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    pub title: Option<String>,
    pub width: Option<u32>,
}

/// The part of a figure below its title, in pixels.
#[derive(Clone, Copy)]
pub(super) struct Area {
    pub left: f64,
    pub top: f64,
    pub width: f64,
}

impl Area {
    pub fn right(self) -> f64 {
        self.left + self.width
    }
}

/// A figure: how large it is, how it is drawn, and what it says.
pub(super) trait Figure {
    fn head(&self) -> &Head;

    /// The title unless another is set.
    fn default_title(&self) -> String;

    /// The width unless another is set.
    fn natural_width(&self) -> u32 {
        560
    }

    /// The height of what is below the title, in an area so wide.
    fn height(&self, width: f64) -> f64;

    fn draw(&self, canvas: &mut dyn Canvas, area: Area);

    /// As [`draw`](Figure::draw), for a bitmap, which has no pictures within it.
    fn draw_bitmap(&self, canvas: &mut dyn Canvas, area: Area) {
        self.draw(canvas, area);
    }

    /// Adds to the document what a canvas has no words for.
    fn complete(&self, svg: String, _area: Area) -> String {
        svg
    }

    /// What there is to see, in a few sentences.
    fn summary(&self) -> String;

    /// The numbers, in lines.
    fn details(&self) -> String;
}

pub(super) fn title(figure: &dyn Figure) -> String {
    let set = figure.head().title.clone();
    set.unwrap_or_else(|| figure.default_title())
}

fn area(figure: &dyn Figure) -> Area {
    let width = figure
        .head()
        .width
        .unwrap_or_else(|| figure.natural_width());
    Area {
        left: MARGIN,
        top: MARGIN - 4.0 + TITLE_LINE,
        width: f64::from(width) - 2.0 * MARGIN,
    }
}

fn size(figure: &dyn Figure, area: Area) -> (u32, u32) {
    let height = area.top + figure.height(area.width) + MARGIN;
    ((area.width + 2.0 * MARGIN) as u32, height.ceil() as u32)
}

fn draw_title(figure: &dyn Figure, canvas: &mut dyn Canvas, area: Area) {
    let title = fitted(&title(figure), TITLE * BOLD, area.width);
    let at = (area.left, area.top - TITLE_LINE + 8.0);
    canvas.text(&title, at, Align::Left, Type::new(TITLE, INK).bold());
}

/// The title and what there is to see.
pub(super) fn alt(figure: &dyn Figure) -> String {
    let (title, summary) = (title(figure), figure.summary());
    match summary.starts_with(&title) {
        true => summary,
        false => format!("{title}. {summary}"),
    }
}

pub(super) fn svg(figure: &dyn Figure) -> String {
    let area = area(figure);
    let description = format!("{}\n{}", figure.summary(), figure.details());
    let svg = canvas::svg(size(figure, area), &title(figure), &description, |canvas| {
        draw_title(figure, canvas, area);
        figure.draw(canvas, area);
    });
    figure.complete(svg, area)
}

pub(super) fn png(figure: &dyn Figure) -> Vec<u8> {
    let area = area(figure);
    let draw = |canvas: &mut dyn Canvas| {
        draw_title(figure, canvas, area);
        figure.draw_bitmap(canvas, area);
    };
    canvas::png(size(figure, area), draw).unwrap_or_default()
}

pub(super) fn text(figure: &dyn Figure) -> String {
    let parts = [title(figure), figure.summary(), figure.details()];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n")
}

/// As much of a text as fits, the last character an ellipsis where something was cut.
pub(super) fn fitted(text: &str, size: f64, width: f64) -> String {
    let mut length = text.chars().count();
    let mut words = text.to_owned();
    while length > 2 && text_width(&words, size) > width {
        length -= 1;
        words = shorten(text, length);
    }
    words
}

/// A number in the digits that mean something, without zeros at its end.
pub(super) fn number(number: f64) -> String {
    let text = match number.abs() {
        size if (1e-3..1e5).contains(&size) => {
            let decimals = (2 - size.log10().floor() as i32).clamp(0, 5) as usize;
            format!("{number:.decimals$}")
        }
        _ => return value(number),
    };
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// A share in percent.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// `1 point`, `2 points`.
pub(super) fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

/// The methods that every figure has, over its field `head`.
macro_rules! figure {
    ($name:ident) => {
        impl $name {
            /// Another title.
            pub fn title(mut self, title: &str) -> Self {
                self.head.title = Some(title.to_owned());
                self
            }

            /// Another width, from 320 to 2000 pixels.
            pub fn width(mut self, pixels: u32) -> Self {
                let (least, most) = $crate::plot::figure::WIDTHS;
                self.head.width = Some(pixels.clamp(least, most));
                self
            }

            /// The figure as an SVG document, with a title and a description for those who cannot see it.
            pub fn svg(&self) -> String {
                $crate::plot::figure::svg(self)
            }

            /// The figure as a PNG file of twice its size, for dense screens.
            pub fn png(&self) -> Vec<u8> {
                $crate::plot::figure::png(self)
            }

            /// What there is to see, in a few sentences: the alternative text.
            pub fn alt(&self) -> String {
                $crate::plot::figure::Figure::summary(self)
            }

            /// The figure in words and numbers.
            pub fn text(&self) -> String {
                $crate::plot::figure::text(self)
            }

            /// Writes the figure to a file, as its ending says: `.svg`, `.png` or `.txt`.
            ///
            /// # Errors
            /// [`Error::Value`](crate::Error::Value) for another ending,
            /// [`Error::Io`](crate::Error::Io) if the file cannot be written.
            pub fn save(&self, path: impl AsRef<std::path::Path>) -> $crate::Result<()> {
                let (svg, png, text) = (|| self.svg(), || self.png(), || self.text());
                $crate::plot::save(path.as_ref(), svg, png, text)
            }
        }

        impl $crate::display::Rich for $name {
            fn mime_bundle(&self) -> $crate::display::MimeBundle {
                $crate::display::MimeBundle::text(self.text())
                    .with_drawing(&$crate::plot::figure::alt(self), &self.svg())
                    .with_bytes($crate::display::PNG, &self.png())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.text())
            }
        }
    };
}

pub(super) use figure;
