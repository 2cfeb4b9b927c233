//! Pictures of data: a digit, a photograph, a matrix of weights.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use plotters::style::RGBColor;

use super::axis::value;
use super::canvas::{Canvas, encode, escape};
use crate::display::{MimeBundle, PNG, Rich};
use crate::models::grouped;
use crate::tensor::{DType, expect};
use crate::{Error, Result, Tensor};

/// The longer side of a picture is shown about this long.
const SHOWN: usize = 224;
/// No picture of more pixels is drawn: it would make the notebook's file larger than it is worth.
const MOST_PIXELS: usize = 4_000_000;
/// Wider pictures are not drawn in characters.
const TEXT_WIDTH: usize = 80;

/// A picture of a tensor; a cell that ends in one shows it.
#[derive(Clone)]
pub struct Image {
    height: usize,
    width: usize,
    /// 1 for shades, 3 for red, green and blue.
    channels: usize,
    /// Brightness from 0 to 255, row by row.
    pixels: Vec<u8>,
    range: (f64, f64),
}

/// A tensor as a picture: `[height, width]` in shades where a high value is dark, as ink is, or
/// `[height, width, 3]` in colours.
///
/// Bytes are taken as they are, numbers from 0 to 1 as shares of full ink, and others are spread over
/// the range that they have.
///
/// # Panics
/// For any other shape, and for more than 4,000,000 pixels; [`try_image`] returns the error instead.
#[track_caller]
pub fn image(tensor: &Tensor) -> Image {
    expect(try_image(tensor))
}

/// [`image`], returning the error.
///
/// # Errors
/// [`Error::Shape`] if the tensor is not one picture, or has more than 4,000,000 pixels.
pub fn try_image(tensor: &Tensor) -> Result<Image> {
    let (height, width, channels) = match *tensor.shape() {
        [height, width] | [height, width, 1] if height * width > 0 => (height, width, 1),
        [height, width, 3] if height * width > 0 => (height, width, 3),
        ref shape => {
            let hint = match shape {
                [_, height, width] | [_, height, width, 1 | 3] if *height > 1 && *width > 1 => {
                    "; .get(0) is the first picture of several"
                }
                [_] => "; .reshape gives rows their width",
                _ => "",
            };
            return Err(Error::Shape(format!(
                "image: expected [height, width], [height, width, 1] or [height, width, 3], got {shape:?}{hint}"
            )));
        }
    };
    let count = height.saturating_mul(width);
    if count > MOST_PIXELS {
        return Err(Error::Shape(format!(
            "image: {height} × {width} are {} pixels, more than the {} that are drawn; take a part, such as \
             the first hundred rows, .slice(..100), or one sample, .get(0)",
            grouped(count),
            grouped(MOST_PIXELS),
        )));
    }
    let values: Vec<f64> = tensor.to_vec().into_iter().map(f64::from).collect();
    let finite = values.iter().copied().filter(|value| value.is_finite());
    let range = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
        (low.min(v), high.max(v))
    });
    let (low, high) = match tensor.dtype() {
        DType::U8 => (0.0, 255.0),
        _ if range.0 >= 0.0 && range.1 <= 1.0 => (0.0, 1.0),
        _ => range,
    };
    let spread = if high > low { high - low } else { 1.0 };
    let byte = |value: f64| {
        // What is not a number is shown as the lowest value.
        let share = if value.is_finite() {
            (value - low) / spread
        } else {
            0.0
        };
        let byte = (share.clamp(0.0, 1.0) * 255.0).round() as u8;
        if channels == 1 { 255 - byte } else { byte }
    };
    let pixels = values.into_iter().map(byte).collect();
    Ok(Image {
        height,
        width,
        channels,
        pixels,
        range,
    })
}

impl Image {
    /// The picture as a PNG file, a pixel to an element.
    pub fn png(&self) -> Vec<u8> {
        let color = if self.channels == 1 {
            png::ColorType::Grayscale
        } else {
            png::ColorType::Rgb
        };
        encode(&self.pixels, self.width, self.height, color).unwrap_or_default()
    }

    /// The picture as an SVG document, enlarged so that single pixels are seen.
    pub fn svg(&self) -> String {
        let scale = self.scale();
        let (width, height) = (self.width * scale, self.height * scale);
        let data = base64::engine::general_purpose::STANDARD.encode(self.png());
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" role=\"img\">\n\
             <title>{}</title>\n<desc>{}</desc>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#d5d9e0\"/>\n\
             <image x=\"1\" y=\"1\" width=\"{width}\" height=\"{height}\" style=\"image-rendering:pixelated\" \
             href=\"data:image/png;base64,{data}\"/>\n</svg>",
            width + 2,
            height + 2,
            escape(&self.caption()),
            if self.channels == 1 {
                "High values are dark."
            } else {
                "Red, green and blue."
            },
        )
    }

    /// The picture in words and, where it is small, in characters.
    pub fn text(&self) -> String {
        if self.width > TEXT_WIDTH || self.channels != 1 {
            return self.caption();
        }
        // A character is about twice as high as wide: it stands for two rows.
        let shade = |row: usize, column: usize| {
            let rows = row..(row + 2).min(self.height);
            let count = rows.len();
            let ink: usize = rows
                .map(|row| 255 - usize::from(self.pixels[row * self.width + column]))
                .sum();
            [' ', '░', '▒', '▓', '█'][(ink / count * 5 / 256).min(4)]
        };
        let lines = (0..self.height).step_by(2).map(|row| {
            let line: String = (0..self.width).map(|column| shade(row, column)).collect();
            line.trim_end().to_owned()
        });
        std::iter::once(self.caption())
            .chain(lines)
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Writes the picture to a file, as its ending says: `.svg`, `.png` or `.txt`.
    ///
    /// # Errors
    /// [`Error::Value`] for another ending, [`Error::Io`] if the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        super::save(path.as_ref(), || self.svg(), || self.png(), || self.text())
    }

    fn caption(&self) -> String {
        let (low, high) = self.range;
        format!(
            "Picture of {} × {} pixels, values from {} to {}",
            self.height,
            self.width,
            value(low),
            value(high)
        )
    }

    /// The picture on a canvas that has no pictures of its own: a rectangle for each stretch of a row.
    pub(super) fn draw(&self, canvas: &mut dyn Canvas, corner: (f64, f64), size: (f64, f64)) {
        let (across, down) = (size.0 / self.width as f64, size.1 / self.height as f64);
        for row in 0..self.height {
            let line = &self.pixels[row * self.width * self.channels..];
            let pixel = |column: usize| &line[column * self.channels..][..self.channels];
            let mut from = 0;
            for column in 1..=self.width {
                if column < self.width && pixel(column) == pixel(from) {
                    continue;
                }
                let color = match *pixel(from) {
                    [red, green, blue] => RGBColor(red, green, blue),
                    ref shades => RGBColor(shades[0], shades[0], shades[0]),
                };
                let at = (
                    corner.0 + from as f64 * across,
                    corner.1 + row as f64 * down,
                );
                canvas.rectangle(at, ((column - from) as f64 * across, down), color);
                from = column;
            }
        }
    }

    fn scale(&self) -> usize {
        (SHOWN / self.width.max(self.height)).max(1)
    }

    /// The pixels enlarged as they are shown, for viewers that would blur a small PNG.
    fn enlarged(&self) -> Vec<u8> {
        let scale = self.scale();
        let row = |row: usize| {
            let line =
                &self.pixels[row * self.width * self.channels..][..self.width * self.channels];
            line.chunks_exact(self.channels)
                .flat_map(move |pixel| pixel.repeat(scale))
                .collect::<Vec<u8>>()
                .repeat(scale)
        };
        let pixels: Vec<u8> = (0..self.height).flat_map(row).collect();
        let color = if self.channels == 1 {
            png::ColorType::Grayscale
        } else {
            png::ColorType::Rgb
        };
        encode(&pixels, self.width * scale, self.height * scale, color).unwrap_or_default()
    }
}

impl Rich for Image {
    fn mime_bundle(&self) -> MimeBundle {
        MimeBundle::text(self.text())
            .with_drawing(&self.text(), &self.svg())
            .with_bytes(PNG, &self.enlarged())
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn high_values_are_dark() {
        let bytes = Tensor::from_shape_vec_u8([2, 2], vec![0, 255, 128, 0]).unwrap();
        assert_eq!(image(&bytes).pixels, [255, 0, 127, 255]);
        assert_eq!(
            image(&Tensor::from([[0.0_f32, 1.0], [0.5, 0.0]])).pixels,
            [255, 0, 127, 255]
        );
        assert_eq!(
            image(&Tensor::from([[-2.0_f32, 2.0], [0.0, f32::NAN]])).pixels,
            [255, 0, 127, 255]
        );
    }

    #[test]
    fn the_text_shows_the_picture() {
        let picture = Tensor::from([[0.0_f32, 1.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 1.0]]);
        assert_eq!(
            image(&picture).text(),
            "Picture of 3 × 3 pixels, values from 0 to 1.0000\n █\n███"
        );
    }

    #[test]
    fn the_drawing_is_well_formed_and_described() {
        let svg = image(&Tensor::zeros([28, 28])).svg();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let root = document.root_element();
        assert_eq!(root.attribute("width"), Some("226"));
        let title = root
            .children()
            .find(|node| node.has_tag_name("title"))
            .unwrap();
        assert_eq!(
            title.text(),
            Some("Picture of 28 × 28 pixels, values from 0 to 0")
        );
    }

    #[test]
    fn other_shapes_say_what_would_fit() {
        let error = try_image(&Tensor::zeros([60, 28, 28]))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("got [60, 28, 28]; .get(0) is the first picture"),
            "{error}"
        );
        assert!(try_image(&Tensor::zeros([28, 28, 3])).is_ok());
        let whole = try_image(&Tensor::zeros([6_000, 784])).unwrap_err();
        assert!(
            whole
                .to_string()
                .contains("4,704,000 pixels, more than the 4,000,000"),
            "{whole}"
        );
    }

    #[test]
    fn enlarging_repeats_pixels() {
        let picture = image(&Tensor::zeros([28, 28]));
        let number = |png: &[u8]| u32::from_be_bytes(png[16..20].try_into().unwrap());
        assert_eq!(
            (number(&picture.png()), number(&picture.enlarged())),
            (28, 224)
        );
    }
}
