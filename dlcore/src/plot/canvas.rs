//! What a chart is drawn on: a few shapes and text, in pixels, over plotters' SVG and bitmap backends.
//!
//! plotters counts in whole pixels. The same drawing is therefore made in finer units, ten to a pixel
//! for SVG (the `viewBox` scales it back) and [`BITMAP_UNIT`] to a pixel for bitmaps, which are
//! averaged down to twice the size for sharp lines on dense screens.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Once;

use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    Color as _, FontDesc, FontFamily, FontStyle, ShapeStyle, TextStyle, register_font,
};

use super::theme::{BORDER, hex, style_sheet};
pub(super) use super::theme::{Color, GRID, GROUND, INK, MUTED, tint};
use crate::sorted;

const SVG_UNIT: f64 = 10.0;
/// Drawing units to a pixel of the chart's nominal size, in a bitmap.
const BITMAP_UNIT: usize = 4;
/// Drawing units that are averaged into one pixel of the picture.
const BITMAP_AVERAGE: usize = 2;

/// Where a text lies with respect to its point.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Align {
    /// It starts there.
    Left,
    /// It is centred there.
    Center,
    /// It ends there.
    Right,
}

/// Size, weight and colour of a text.
#[derive(Clone, Copy)]
pub(super) struct Type {
    pub size: f64,
    pub bold: bool,
    pub color: Color,
}

impl Type {
    pub const fn new(size: f64, color: Color) -> Self {
        Type {
            size,
            bold: false,
            color,
        }
    }

    pub const fn bold(self) -> Self {
        Type { bold: true, ..self }
    }
}

/// Shapes and text, in pixels from the top left.
pub(super) trait Canvas {
    /// An open line.
    fn line(&mut self, points: &[(f64, f64)], width: f64, color: Color);
    /// A filled polygon.
    fn polygon(&mut self, points: &[(f64, f64)], color: Color);
    /// A filled circle.
    fn circle(&mut self, center: (f64, f64), radius: f64, color: Color);
    /// A filled rectangle.
    fn rectangle(&mut self, corner: (f64, f64), size: (f64, f64), color: Color);
    /// One line of text, its middle at the height of `at`.
    fn text(&mut self, text: &str, at: (f64, f64), align: Align, style: Type);

    /// A dashed line between two points.
    fn dashes(&mut self, from: (f64, f64), to: (f64, f64), width: f64, color: Color) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy);
        let (on, period) = (4.0, 7.0);
        let mut start = 0.0;
        while start < length {
            let end = (start + on).min(length);
            let at = |s: f64| (from.0 + dx * s / length, from.1 + dy * s / length);
            self.line(&[at(start), at(end)], width, color);
            start += period;
        }
    }

    /// A circle drawn as a ring around the ground's colour.
    fn ring(&mut self, center: (f64, f64), radius: f64, width: f64, color: Color) {
        self.circle(center, radius + width / 2.0, color);
        self.circle(center, radius - width / 2.0, GROUND);
    }
}

/// The width that `text` takes in the bundled font; the browser's own is seldom wider.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    font(size * 10.0, false)
        .box_size(text)
        .map_or(0.0, |(width, _)| f64::from(width) / 10.0)
}

/// Draws an SVG of `size` pixels with a title and a description for those who cannot see it.
pub(super) fn svg(
    size: (u32, u32),
    title: &str,
    description: &str,
    draw: impl FnOnce(&mut dyn Canvas),
) -> String {
    let mut body = String::new();
    {
        let fine = (size.0 * SVG_UNIT as u32, size.1 * SVG_UNIT as u32);
        let mut backend = SVGBackend::with_string(&mut body, fine);
        draw(&mut Surface {
            backend: &mut backend,
            unit: SVG_UNIT,
            lower: 0.0,
        });
        let _ = backend.present();
    }
    // plotters writes neither title nor description, and counts in its own fine units.
    let content = body.split_once('>').map_or("", |(_, rest)| rest);
    // What is said of every shape is said once, or is the rule anyway.
    let content = content
        .replace(" opacity=\"1\"", "")
        .replace(" stroke=\"none\"", "")
        .replace(" font-family=\"sans-serif\"", "");
    let (width, height) = size;
    let (fine_width, fine_height) = (width * SVG_UNIT as u32, height * SVG_UNIT as u32);
    let card = format!(
        "<rect x=\"5\" y=\"5\" width=\"{}\" height=\"{}\" rx=\"80\" fill=\"{}\" stroke=\"{}\" \
         stroke-width=\"10\"/>",
        fine_width - 10,
        fine_height - 10,
        hex(GROUND),
        hex(BORDER),
    );
    let drawing = card + &content;
    let mut svg = String::with_capacity(drawing.len() + 4096);
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"dlcore\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {fine_width} {fine_height}\" role=\"img\" font-family=\"sans-serif\" stroke-linejoin=\"round\" \
         stroke-linecap=\"round\">\n<title>{}</title>\n<desc>{}</desc>\n{}\n{drawing}",
        escape(title),
        escape(description),
        style_sheet(&drawing),
    );
    svg
}

/// Draws a PNG of twice `size`; `None` if the picture could not be made.
pub(super) fn png(size: (u32, u32), draw: impl FnOnce(&mut dyn Canvas)) -> Option<Vec<u8>> {
    let (width, height) = (size.0 as usize * BITMAP_UNIT, size.1 as usize * BITMAP_UNIT);
    let mut pixels = vec![0; width * height * 3];
    for pixel in pixels.chunks_exact_mut(3) {
        pixel.copy_from_slice(&[GROUND.0, GROUND.1, GROUND.2]);
    }
    {
        let fine = (width as u32, height as u32);
        let mut backend = BitMapBackend::with_buffer(&mut pixels, fine);
        draw(&mut Surface {
            backend: &mut backend,
            unit: BITMAP_UNIT as f64,
            lower: 0.16,
        });
        backend.present().ok()?;
    }
    let (width, height, pixels) = average(&pixels, width, height);
    encode(&pixels, width, height, png::ColorType::Rgb)
}

/// A chart's colours are few, and the shades at its edges many: with more of both than this it is a photograph,
/// and keeps them all.
const SHADES: usize = 6000;
const PALETTE: usize = 256;

/// The 256 most frequent colours, and for each pixel its own or the nearest of them; `None` for a photograph.
fn palette(pixels: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (pixels, _) = pixels.as_chunks::<3>();
    // Charts are flat: most pixels are as the one before, and are not looked up again.
    let runs = || pixels.chunk_by(|one, next| one == next);
    let mut counts: HashMap<[u8; 3], usize> = HashMap::new();
    for run in runs() {
        *counts.entry(run[0]).or_default() += run.len();
        if counts.len() > SHADES {
            return None;
        }
    }
    let colors: Vec<([u8; 3], usize)> = counts.into_iter().collect();
    let colors = sorted::by(colors, |a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let kept: Vec<[u8; 3]> = colors
        .iter()
        .take(PALETTE)
        .map(|(color, _)| *color)
        .collect();
    let distance = |a: [u8; 3], b: [u8; 3]| -> i32 {
        let parts = a.iter().zip(b);
        parts
            .map(|(&a, b)| (i32::from(a) - i32::from(b)).pow(2))
            .sum()
    };
    let nearest = |color: [u8; 3]| {
        let places = 0..kept.len();
        places
            .min_by_key(|&place| distance(kept[place], color))
            .unwrap_or(0) as u8
    };
    let place: HashMap<[u8; 3], u8> = colors
        .iter()
        .map(|&(color, _)| (color, nearest(color)))
        .collect();
    let mut indices = Vec::with_capacity(pixels.len());
    for run in runs() {
        indices.extend(std::iter::repeat_n(place[&run[0]], run.len()));
    }
    Some((kept.concat(), indices))
}

/// Writes `pixels` as a PNG file.
pub(super) fn encode(
    pixels: &[u8],
    width: usize,
    height: usize,
    color: png::ColorType,
) -> Option<Vec<u8>> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width as u32, height as u32);
    let indexed = match color {
        png::ColorType::Rgb => palette(pixels),
        _ => None,
    };
    let (color, pixels) = match &indexed {
        Some((colors, indices)) => {
            encoder.set_palette(colors.as_slice());
            (png::ColorType::Indexed, indices.as_slice())
        }
        None => (color, pixels),
    };
    encoder.set_color(color);
    encoder.set_depth(png::BitDepth::Eight);
    // Charts are flat: their rows as they are pack into a fifth less than differences of rows do.
    encoder.set_filter(png::Filter::NoFilter);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(pixels).ok()?;
    writer.finish().ok()?;
    Some(file)
}

/// Averages squares of [`BITMAP_AVERAGE`] pixels into one.
fn average(pixels: &[u8], width: usize, height: usize) -> (usize, usize, Vec<u8>) {
    let (out_width, out_height) = (width / BITMAP_AVERAGE, height / BITMAP_AVERAGE);
    let mut out = Vec::with_capacity(out_width * out_height * 3);
    let count = (BITMAP_AVERAGE * BITMAP_AVERAGE) as u32;
    for y in 0..out_height {
        for x in 0..out_width {
            for channel in 0..3 {
                let mut sum = 0;
                for dy in 0..BITMAP_AVERAGE {
                    for dx in 0..BITMAP_AVERAGE {
                        let (sx, sy) = (x * BITMAP_AVERAGE + dx, y * BITMAP_AVERAGE + dy);
                        sum += u32::from(pixels[(sy * width + sx) * 3 + channel]);
                    }
                }
                out.push(((sum + count / 2) / count) as u8);
            }
        }
    }
    (out_width, out_height, out)
}

/// Text as it may stand between two tags.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            // XML has no way to write the other control characters.
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// The family's name as a browser and plotters' font table both know it.
const FAMILY: &str = "sans-serif";

fn font(size: f64, bold: bool) -> FontDesc<'static> {
    static REGISTER: Once = Once::new();
    REGISTER.call_once(|| {
        // The file is part of the library; the tests would see it fail.
        let _ = register_font(
            FAMILY,
            FontStyle::Normal,
            include_bytes!("font/DejaVuSans-subset.ttf"),
        );
    });
    let style = if bold {
        FontStyle::Bold
    } else {
        FontStyle::Normal
    };
    // plotters takes a line's height where a browser takes the em: 1.24 of it.
    FontDesc::new(FontFamily::SansSerif, size * 1.24, style)
}

/// One plotters backend, with `unit` of its pixels to one of ours.
///
/// Drawing into memory fails only where a font is missing; what could not be drawn is left out.
struct Surface<'a, B: DrawingBackend> {
    backend: &'a mut B,
    unit: f64,
    /// How far text is moved down, in parts of its size, to be centred as a browser centres it.
    lower: f64,
}

impl<B: DrawingBackend> Surface<'_, B> {
    fn at(&self, (x, y): (f64, f64)) -> (i32, i32) {
        (
            (x * self.unit).round() as i32,
            (y * self.unit).round() as i32,
        )
    }

    fn length(&self, length: f64) -> u32 {
        (length * self.unit).round().max(1.0) as u32
    }
}

impl<B: DrawingBackend> Canvas for Surface<'_, B> {
    fn line(&mut self, points: &[(f64, f64)], width: f64, color: Color) {
        let style: ShapeStyle = color.stroke_width(self.length(width));
        let points: Vec<_> = points.iter().map(|&point| self.at(point)).collect();
        let _ = self.backend.draw_path(points, &style);
    }

    fn polygon(&mut self, points: &[(f64, f64)], color: Color) {
        let points: Vec<_> = points.iter().map(|&point| self.at(point)).collect();
        let _ = self.backend.fill_polygon(points, &color.filled());
    }

    fn circle(&mut self, center: (f64, f64), radius: f64, color: Color) {
        let (center, radius) = (self.at(center), self.length(radius));
        let _ = self
            .backend
            .draw_circle(center, radius, &color.filled(), true);
    }

    fn rectangle(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), color: Color) {
        let (from, to) = (self.at((x, y)), self.at((x + width, y + height)));
        let _ = self.backend.draw_rect(from, to, &color.filled(), true);
    }

    fn text(&mut self, text: &str, at: (f64, f64), align: Align, style: Type) {
        let horizontal = match align {
            Align::Left => HPos::Left,
            Align::Center => HPos::Center,
            Align::Right => HPos::Right,
        };
        let size = style.size;
        let style = TextStyle::from(font(style.size * self.unit, style.bold))
            .color(&style.color)
            .pos(Pos::new(horizontal, VPos::Center));
        let at = self.at((at.0, at.1 + self.lower * size));
        // A name from outside may hold what XML cannot: plotters would write it as it is.
        let text: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let _ = self.backend.draw_text(&text, &style, at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_colours_are_kept_and_many_come_near() {
        let two = [[1, 2, 3], [200, 0, 9], [1, 2, 3]].concat();
        let (colors, indices) = palette(&two).unwrap();
        let back: Vec<u8> = indices
            .iter()
            .flat_map(|&i| colors[3 * i as usize..][..3].to_vec())
            .collect();
        assert_eq!(back, two);
        let shades: Vec<u8> = (0..1000_u32)
            .flat_map(|n| [(n % 256) as u8, (n / 256) as u8, 0])
            .collect();
        let (colors, indices) = palette(&shades).unwrap();
        assert_eq!((colors.len(), indices.len()), (3 * PALETTE, 1000));
        let photograph: Vec<u8> = (0..SHADES as u32 + 1)
            .flat_map(|n| [n as u8, (n >> 8) as u8, 0])
            .collect();
        assert!(palette(&photograph).is_none());
    }
}
