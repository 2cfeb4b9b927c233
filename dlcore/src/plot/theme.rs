//! The colours of charts: for a light page as they are written, for a dark one by a style sheet.
//!
//! JupyterLab shows SVG through an `<img>`: its variables do not reach into it, but the page's colour
//! scheme does, which JupyterLab sets with its theme. A drawing therefore names its colours for a light
//! page, and brings a style sheet that replaces each of them where `prefers-color-scheme` is dark. The
//! card keeps a ground of its own, so that a viewer that tells the operating system's scheme instead of
//! the page's shows a card of the other kind, and never dark text on dark. PNG has the light colours.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use plotters::style::RGBColor;

use super::palette::COLORS;
use crate::sorted;

/// A colour without transparency: overlapping strokes stay even, and printing is predictable.
pub(super) type Color = RGBColor;

/// The card's ground.
pub(super) const GROUND: Color = RGBColor(0xfd, 0xfd, 0xfe);
/// The card's border.
pub(super) const BORDER: Color = RGBColor(0xd5, 0xd9, 0xe0);
/// Text.
pub(super) const INK: Color = RGBColor(0x1f, 0x24, 0x2c);
/// Text of lesser weight.
pub(super) const MUTED: Color = RGBColor(0x59, 0x62, 0x70);
/// Grid lines and empty bars.
pub(super) const GRID: Color = RGBColor(0xe4, 0xe7, 0xec);
/// Okabe and Ito's blue and vermilion: apart for every kind of colour vision, and in grey.
pub(super) const TRAINING: Color = RGBColor(0x00, 0x72, 0xb2);
pub(super) const VALIDATION: Color = RGBColor(0xd5, 0x5e, 0x00);
/// The same, dark enough for small text (contrast above 4.5).
pub(super) const TRAINING_INK: Color = RGBColor(0x00, 0x64, 0x9e);
pub(super) const VALIDATION_INK: Color = RGBColor(0xb4, 0x4a, 0x00);

/// Each colour and its twin on a dark page, the ground first.
const TWINS: [(Color, Color); 15] = [
    (GROUND, RGBColor(0x16, 0x19, 0x1e)),
    (BORDER, RGBColor(0x38, 0x3e, 0x48)),
    (INK, RGBColor(0xe6, 0xe9, 0xee)),
    (MUTED, RGBColor(0xa3, 0xac, 0xb9)),
    (GRID, RGBColor(0x2c, 0x32, 0x3b)),
    (TRAINING, RGBColor(0x56, 0xb4, 0xe9)),
    (VALIDATION, RGBColor(0xf2, 0x8a, 0x3c)),
    (TRAINING_INK, RGBColor(0x7a, 0xc5, 0xf0)),
    (VALIDATION_INK, RGBColor(0xf7, 0xa2, 0x61)),
    (COLORS[2], RGBColor(0x35, 0xc4, 0x96)),
    (COLORS[3], RGBColor(0xee, 0x82, 0xc8)),
    (COLORS[4], RGBColor(0xd1, 0xb3, 0x4a)),
    (COLORS[5], RGBColor(0x8f, 0x80, 0xf0)),
    (COLORS[6], RGBColor(0x58, 0xcb, 0xe3)),
    (COLORS[7], RGBColor(0xc9, 0x94, 0x6c)),
];

/// How far a tint may be from the line between ground and colour: it was rounded.
const ROUNDING: f64 = 1.0;

/// A mix of `color` with the ground: 1 is the colour itself, 0 the ground.
pub(super) fn tint(color: Color, strength: f64) -> Color {
    mixed(color, GROUND, strength)
}

fn mixed(color: Color, ground: Color, strength: f64) -> Color {
    let mix =
        |c: u8, g: u8| (f64::from(c) * strength + f64::from(g) * (1.0 - strength)).round() as u8;
    RGBColor(
        mix(color.0, ground.0),
        mix(color.1, ground.1),
        mix(color.2, ground.2),
    )
}

/// What stands for `color` on a dark page: of a tint, the twin's tint; of a colour from elsewhere, the
/// colour itself, which has to hold on both.
pub(super) fn twin(color: Color) -> Color {
    if color == RGBColor(0xff, 0xff, 0xff) {
        return TWINS[0].1;
    }
    if let Some((_, twin)) = TWINS.iter().find(|(light, _)| *light == color) {
        return *twin;
    }
    let tints = TWINS[1..].iter().filter_map(|&(base, twin)| {
        let (strength, off) = strength_of(color, base)?;
        (off <= ROUNDING).then_some((off, mixed(twin, TWINS[0].1, strength)))
    });
    tints
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map_or(color, |(_, tint)| tint)
}

/// Which tint of `base` comes nearest to `color`, and how far from it that is.
fn strength_of(color: Color, base: Color) -> Option<(f64, f64)> {
    let parts = |c: Color| [f64::from(c.0), f64::from(c.1), f64::from(c.2)];
    let (ground, base, color) = (parts(GROUND), parts(base), parts(color));
    let (mut along, mut whole) = (0.0, 0.0);
    for part in 0..3 {
        let line = base[part] - ground[part];
        along += line * (color[part] - ground[part]);
        whole += line * line;
    }
    let strength = along / whole;
    let off = (0..3)
        .map(|part| (ground[part] + strength * (base[part] - ground[part]) - color[part]).abs())
        .fold(0.0, f64::max);
    (0.0..=1.0).contains(&strength).then_some((strength, off))
}

/// The style sheet that turns the colours of `drawing` into their twins on a dark page.
pub(super) fn style_sheet(drawing: &str) -> String {
    let mut rules = String::new();
    for property in ["fill", "stroke"] {
        let start = format!(" {property}=\"#");
        let colors = drawing
            .match_indices(&start)
            .filter_map(|(at, _)| drawing.get(at + start.len()..at + start.len() + 6));
        let colors: BTreeSet<&str> = sorted::gathered(colors);
        for written in colors {
            let Ok(number) = u32::from_str_radix(written, 16) else {
                continue;
            };
            let [_, red, green, blue] = number.to_be_bytes();
            let twin = hex(twin(RGBColor(red, green, blue)));
            let _ = write!(
                rules,
                ".dlcore [{property}=\"#{written}\"]{{{property}:{twin}}}"
            );
        }
    }
    format!("<style>@media (prefers-color-scheme:dark){{{rules}}}</style>")
}

/// A colour as SVG writes it.
pub(super) fn hex(color: Color) -> String {
    format!("#{:02x}{:02x}{:02x}", color.0, color.1, color.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// WCAG 2's contrast: 4.5 is enough for small text, 3 for lines.
    fn contrast(a: Color, b: Color) -> f64 {
        let luminance = |color: Color| {
            let linear = |part: u8| {
                let part = f64::from(part) / 255.0;
                if part <= 0.04045 {
                    part / 12.92
                } else {
                    ((part + 0.055) / 1.055).powf(2.4)
                }
            };
            0.2126 * linear(color.0) + 0.7152 * linear(color.1) + 0.0722 * linear(color.2)
        };
        let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
        (a / b).max(b / a)
    }

    #[test]
    fn text_and_lines_are_legible_on_either_ground() {
        for (ground, of) in [(GROUND, 0), (TWINS[0].1, 1)] {
            let seen = |color: Color| if of == 0 { color } else { twin(color) };
            for text in [INK, MUTED, TRAINING_INK, VALIDATION_INK] {
                assert!(
                    contrast(seen(text), ground) >= 4.5,
                    "{text:?} on {ground:?}"
                );
            }
            for line in COLORS.into_iter().chain([tint(MUTED, 0.6)]) {
                let found = contrast(seen(line), ground);
                assert!(found >= 2.2, "{line:?} on {ground:?}: {found}");
            }
        }
    }

    #[test]
    fn a_tint_becomes_the_tint_of_its_twin() {
        for strength in [0.1, 0.13, 0.3, 0.55, 0.7] {
            for (base, dark) in [TWINS[5], TWINS[6], TWINS[3]] {
                let expected = mixed(dark, TWINS[0].1, strength);
                let found = twin(tint(base, strength));
                let near = |a: u8, b: u8| a.abs_diff(b) <= 3;
                assert!(
                    near(found.0, expected.0)
                        && near(found.1, expected.1)
                        && near(found.2, expected.2),
                    "{found:?} for {expected:?}, {strength} of {base:?}"
                );
            }
        }
    }

    #[test]
    fn every_colour_of_a_drawing_has_a_rule() {
        let sheet = style_sheet(
            "<g fill=\"#FDFDFE\" stroke=\"#0072B2\"/><g fill=\"none\" stroke=\"#0072B2\"/>",
        );
        assert_eq!(
            sheet,
            "<style>@media (prefers-color-scheme:dark){.dlcore [fill=\"#FDFDFE\"]{fill:#16191e}\
             .dlcore [stroke=\"#0072B2\"]{stroke:#56b4e9}}</style>"
        );
    }
}
