//! The chart of a training run: a panel per metric, two beside each other.
//!
//! Training is drawn as dots with a thin line, validation as a solid line, both named at the line's
//! end. The best epoch of validation is marked; after it, where validation worsens while training
//! still improves, the gap is lightly shaded.

use super::canvas::Canvas;
use super::panel::Panel;
use super::run::Run;
use super::{header, text};

pub(super) use super::theme::{TRAINING, TRAINING_INK, VALIDATION, VALIDATION_INK};

const MARGIN: f64 = 16.0;
const GUTTER: f64 = 20.0;
pub(super) const PANEL_HEIGHT: f64 = 244.0;
/// Room between panels that stand over each other.
const ROW_GAP: f64 = 8.0;
/// Below this width panels are stacked.
const NARROW: u32 = 640;
/// The size of the chart for a given width: it depends on nothing that changes while training. Where that has left
/// nothing to draw, how it ended is one line.
pub(super) fn size(run: &Run, width: u32) -> (u32, u32) {
    if run.is_blank() {
        return (width, (2.0 * MARGIN - 4.0 + header::BLANK_HEIGHT) as u32);
    }
    let rows = panel_count(run).div_ceil(columns(run, width));
    let height = 2.0 * MARGIN - 4.0 + header::HEIGHT + 8.0 + rows as f64 * (PANEL_HEIGHT + ROW_GAP)
        - ROW_GAP;
    (width, height as u32)
}

/// Draws header and panels.
pub(super) fn draw(canvas: &mut dyn Canvas, run: &Run, width: u32) {
    let inner = f64::from(width) - 2.0 * MARGIN;
    header::draw(canvas, run, (MARGIN, MARGIN - 2.0), inner);
    if run.is_blank() {
        return;
    }
    let columns = columns(run, width);
    let panel_width = (inner - GUTTER * (columns - 1) as f64) / columns as f64;
    for metric in 0..panel_count(run) {
        let (column, row) = (metric % columns, metric / columns);
        let left = MARGIN + column as f64 * (panel_width + GUTTER);
        let top = MARGIN - 2.0 + header::HEIGHT + 8.0 + row as f64 * (PANEL_HEIGHT + ROW_GAP);
        Panel::new(run, metric, (left, top), panel_width).draw(canvas);
    }
}

/// The description for those who cannot see the chart.
pub(super) fn description(run: &Run) -> String {
    if run.is_blank() {
        return text::full(run);
    }
    let panels: Vec<String> = run
        .metrics
        .iter()
        .map(|name| format!("A panel shows {name} by epoch ({}).", text::direction(name)))
        .collect();
    format!("{}\n{}", panels.join(" "), text::full(run))
}

/// The alternative text: where the curves stand, without a line for each epoch.
pub(super) fn alt(run: &Run) -> String {
    if run.is_blank() {
        return text::full(run).replace('\n', " ");
    }
    if run.running.is_some() || run.finished() == 0 {
        return format!("{}. {}", text::title(run), text::brief(run));
    }
    let last = run.initial_epoch + run.finished();
    let values = text::values(run).into_iter();
    let values: Vec<String> = values
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    let best = (0..run.metrics.len()).filter_map(|metric| text::best_words(run, metric));
    let best: String = best.map(|best| format!(" Best {best}.")).collect();
    format!(
        "{}. After epoch {last} of {}: {}.{best}",
        text::title(run),
        run.epochs,
        values.join(", ")
    )
}

fn panel_count(run: &Run) -> usize {
    run.metrics.len().max(1)
}

fn columns(run: &Run, width: u32) -> usize {
    if width < NARROW || panel_count(run) == 1 {
        1
    } else {
        2
    }
}
