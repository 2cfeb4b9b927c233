//! One metric's panel: axes, curves, marks and the words beside them.

use super::axis::{Axis, value};
use super::canvas::{Align, Canvas, Color, GRID, INK, MUTED, Type, text_width, tint};
use super::curves::{PANEL_HEIGHT, TRAINING, VALIDATION};
use super::labels::{self, Label};
use super::run::{Best, Run, higher_is_better};

/// More epochs than this are smoothed, over faint raw points.
const SMOOTHED: usize = 300;
/// More epochs than this have a line without dots.
const DOTTED: usize = 80;
/// A line is drawn with at most this many points.
const POINTS: usize = 400;

/// The size of everything but the panel's name.
pub(super) const SMALL: f64 = 11.0;

/// One metric's curves and the box they are drawn in.
pub(super) struct Panel<'a> {
    pub(super) run: &'a Run,
    pub(super) metric: usize,
    /// What is drawn: the raw values, or smoothed ones.
    pub(super) train: Vec<f64>,
    pub(super) validation: Vec<f64>,
    pub(super) corner: (f64, f64),
    pub(super) width: f64,
    pub(super) plot: PlotBox,
    x: Axis,
    y: Axis,
}

/// A box in pixels.
pub(super) struct PlotBox {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

impl<'a> Panel<'a> {
    pub fn new(run: &'a Run, metric: usize, corner: (f64, f64), width: f64) -> Self {
        let raw_train = run.train.get(metric).map_or(&[][..], Vec::as_slice);
        let raw_validation = run.validation_of(metric).unwrap_or(&[]);
        let x = x_axis(run);
        let trace = run
            .shown_epoch()
            .into_iter()
            .flat_map(|running| running.trace.iter().map(move |point| (running, point)))
            .map(|(running, (step, values))| run.rolling(running, metric, (*step, values[metric])));
        let values = raw_train.iter().chain(raw_validation).copied().chain(trace);
        let y = Axis::fitting(
            values,
            run.metrics
                .get(metric)
                .is_some_and(|name| higher_is_better(name)),
        );
        let labels = y
            .ticks(5)
            .iter()
            .map(|(_, label)| text_width(label, SMALL))
            .fold(24.0, f64::max);
        let names = if run.validation.is_empty() {
            "training"
        } else {
            "validation"
        };
        let plot = PlotBox {
            left: corner.0 + labels + 6.0,
            right: corner.0 + width - text_width(names, SMALL) - 8.0,
            top: corner.1 + 26.0,
            bottom: corner.1 + PANEL_HEIGHT - 24.0,
        };
        let smoothed = |values| smoothed(values, run.options.smoothing);
        let (train, validation) = (smoothed(raw_train), smoothed(raw_validation));
        Panel {
            run,
            metric,
            train,
            validation,
            corner,
            width,
            plot,
            x,
            y,
        }
    }

    pub(super) fn name(&self) -> &str {
        self.run
            .metrics
            .get(self.metric)
            .map_or("loss", String::as_str)
    }

    pub fn draw(&self, canvas: &mut dyn Canvas) {
        let labels = self.labels();
        self.shade(canvas);
        self.grid(canvas, &labels);
        self.title(canvas);
        self.stop_line(canvas);
        self.raw_points(canvas);
        self.training(canvas);
        self.running(canvas);
        self.validation(canvas);
        self.best(canvas);
        for label in &labels {
            label.draw(canvas);
        }
    }

    pub(super) fn at(&self, epoch: f64, value: f64) -> (f64, f64) {
        let PlotBox {
            left,
            right,
            top,
            bottom,
        } = self.plot;
        let x = left + self.x.place(epoch) * (right - left);
        let y = bottom - self.y.place(value).clamp(-0.05, 1.05) * (bottom - top);
        (x, y)
    }

    /// The point of the finished epoch at `index`.
    pub(super) fn point(&self, values: &[f64], index: usize) -> (f64, f64) {
        self.at(self.run.epoch_number(index) as f64, values[index])
    }

    /// Lines at the ticks, interrupted where a label stands.
    fn grid(&self, canvas: &mut dyn Canvas, labels: &[Label]) {
        let PlotBox {
            left,
            right,
            bottom,
            ..
        } = self.plot;
        let style = Type::new(SMALL, MUTED);
        for (tick, label) in self.y.ticks(5) {
            let y = self.at(0.0, tick).1;
            for (start, end) in labels::free(labels, y, (left, right)) {
                canvas.line(&[(start, y), (end, y)], 1.0, GRID);
            }
            canvas.text(&label, (left - 6.0, y), Align::Right, style);
        }
        canvas.line(&[(left, bottom), (right, bottom)], 1.0, tint(MUTED, 0.6));
        let most = ((right - left) / 28.0) as usize;
        for (tick, label) in self.x_ticks(most.clamp(2, 10)) {
            let x = self.at(tick, 0.0).0;
            canvas.line(&[(x, bottom), (x, bottom + 4.0)], 1.0, tint(MUTED, 0.6));
            canvas.text(&label, (x, bottom + 13.0), Align::Center, style);
        }
        canvas.text(
            if self.run.by_batch() {
                "batch"
            } else {
                "epoch"
            },
            (self.corner.0 + self.width, bottom + 13.0),
            Align::Right,
            style,
        );
    }

    /// Ticks at whole epochs, or of an only epoch at whole batches.
    fn x_ticks(&self, most: usize) -> Vec<(f64, String)> {
        if !self.run.by_batch() {
            return self.x.whole_ticks(most);
        }
        let batches = self.run.steps_per_epoch as f64;
        let ticks = Axis::linear(0.0, batches).whole_ticks(most);
        let start = self.run.initial_epoch as f64;
        ticks
            .into_iter()
            .map(|(tick, label)| (start + tick / batches, label))
            .collect()
    }

    fn title(&self, canvas: &mut dyn Canvas) {
        let y = self.corner.1 + 9.0;
        let name = self.name();
        let style = Type::new(12.5, INK).bold();
        canvas.text(name, (self.plot.left, y), Align::Left, style);
        // The bold of a browser is wider than the font that is measured.
        let start = self.plot.left + text_width(name, 12.5) * 1.1 + 8.0;
        let mut end = self.plot.right;
        let style = Type::new(SMALL, MUTED);
        if let Some(best) = self.run.best(self.metric) {
            let epoch = self.run.epoch_number(best.index);
            let note = format!("best {} at epoch {epoch}", value(best.value));
            canvas.text(&note, (end, y), Align::Right, style);
            end -= text_width(&note, SMALL) + 8.0;
        }
        let smoothed = self.is_smoothed();
        let notes = [(self.y.is_log(), "log scale"), (smoothed, "smoothed")];
        let notes: Vec<&str> = notes
            .iter()
            .filter(|(holds, _)| *holds)
            .map(|(_, note)| *note)
            .collect();
        let notes = notes.join(", ");
        if !notes.is_empty() && start + text_width(&notes, SMALL) < end {
            canvas.text(&notes, (start, y), Align::Left, style);
        }
    }

    fn raw_points(&self, canvas: &mut dyn Canvas) {
        if !self.is_smoothed() {
            return;
        }
        let train = &self.run.train[self.metric];
        let validation = self.run.validation_of(self.metric).unwrap_or(&[]);
        for (values, color) in [(train.as_slice(), TRAINING), (validation, VALIDATION)] {
            let step = values.len().div_ceil(POINTS).max(1);
            for index in (0..values.len())
                .step_by(step)
                .filter(|&index| values[index].is_finite())
            {
                canvas.circle(self.point(values, index), 1.2, tint(color, 0.3));
            }
        }
    }

    fn training(&self, canvas: &mut dyn Canvas) {
        let dots = self.train.len() <= DOTTED;
        let (width, color) = if dots {
            (1.2, tint(TRAINING, 0.55))
        } else {
            (1.6, TRAINING)
        };
        self.curve(canvas, &self.train, width, color);
        if dots {
            let radius = if self.train.len() <= 30 { 3.0 } else { 2.0 };
            for index in (0..self.train.len()).filter(|&index| self.train[index].is_finite()) {
                canvas.circle(self.point(&self.train, index), radius, TRAINING);
            }
        }
    }

    /// The part of the running epoch, from the last finished one to a hollow dot at its head.
    fn running(&self, canvas: &mut dyn Canvas) {
        let Some(running) = self.run.shown_epoch() else {
            return;
        };
        let joint = running
            .epoch
            .checked_sub(self.run.initial_epoch + 1)
            .filter(|&last| self.train.get(last).is_some_and(|value| value.is_finite()));
        let mut points: Vec<_> = joint
            .map(|last| self.point(&self.train, last))
            .into_iter()
            .collect();
        let trace = running
            .trace
            .iter()
            .filter(|(_, values)| values[self.metric].is_finite());
        points.extend(trace.map(|(step, values)| {
            let value = self
                .run
                .rolling(running, self.metric, (*step, values[self.metric]));
            self.at(self.run.place(running, *step), value)
        }));
        // An only epoch is the whole curve; elsewhere this is the lesser part of one.
        let (width, color) = match self.run.by_batch() {
            true => (1.6, TRAINING),
            false => (1.2, tint(TRAINING, 0.55)),
        };
        if points.len() > 1 {
            canvas.line(&points, width, color);
        }
        if self.run.running.is_some()
            && let Some(&head) = points.last()
        {
            canvas.ring(head, 2.6, 1.4, TRAINING);
        }
    }

    fn validation(&self, canvas: &mut dyn Canvas) {
        self.curve(canvas, &self.validation, 2.2, VALIDATION);
        let finite = |index: usize| {
            self.validation
                .get(index)
                .is_some_and(|value| value.is_finite())
        };
        for index in (0..self.validation.len()).filter(|&index| finite(index)) {
            // A value without neighbours would not be seen as a line.
            let neighbours = finite(index + 1) || index > 0 && finite(index - 1);
            if !neighbours {
                canvas.circle(self.point(&self.validation, index), 3.4, VALIDATION);
            }
        }
    }

    /// A line through the finite values, broken where there is none.
    fn curve(&self, canvas: &mut dyn Canvas, values: &[f64], width: f64, color: Color) {
        let step = values.len().div_ceil(POINTS).max(1);
        let mut points = Vec::new();
        for index in 0..=values.len() {
            let finite = values.get(index).is_some_and(|value| value.is_finite());
            if finite && (index % step == 0 || index + 1 == values.len()) {
                points.push(self.point(values, index));
            } else if !finite {
                if points.len() > 1 {
                    canvas.line(&points, width, color);
                }
                points.clear();
            }
        }
    }

    /// Whether curves are drawn through other points than the raw ones.
    fn is_smoothed(&self) -> bool {
        match self.run.options.smoothing {
            Some(factor) => factor > 0.0,
            None => self.train.len() > SMOOTHED,
        }
    }

    fn best(&self, canvas: &mut dyn Canvas) {
        let Some(Best { index, value }) = self.run.best(self.metric) else {
            return;
        };
        let (x, y) = self.at(self.run.epoch_number(index) as f64, value);
        canvas.dashes(
            (x, y + 6.0),
            (x, self.plot.bottom),
            1.0,
            tint(VALIDATION, 0.7),
        );
        canvas.ring((x, y), 4.6, 1.8, VALIDATION);
        canvas.circle((x, y), 1.6, VALIDATION);
    }

    /// The last epoch that is drawn.
    pub(super) fn x_end(&self) -> f64 {
        (self.run.initial_epoch + self.run.finished()) as f64
    }
}

/// The epoch axis: from the first epoch to the last planned one, or, once training is over, the last
/// one there is. While the first epoch runs it begins where that does.
fn x_axis(run: &Run) -> Axis {
    let first_running = run.by_batch() || run.finished() == 0 && run.running.is_some();
    let low = run.initial_epoch as f64 + if first_running { 0.0 } else { 1.0 };
    let reached = run.position().max(low);
    let planned = run.epochs as f64;
    // What did not take place is shown as room while it may, and a little after an early end.
    let high = if run.stop.is_some() {
        reached.max(planned.min(reached * 1.25 + 1.0))
    } else {
        planned.max(reached)
    };
    let room = ((high - low) * 0.03).max(0.04);
    if high <= low {
        return Axis::linear(low - 0.5, low + 0.5);
    }
    Axis::linear(
        low - if first_running { 0.0 } else { room },
        high + room * 0.4,
    )
}

/// Exponentially smoothed values. Without a factor a centred moving average over a fiftieth of long curves; short
/// ones stay as they are.
fn smoothed(values: &[f64], factor: Option<f64>) -> Vec<f64> {
    if let Some(factor) = factor {
        let mut last = None;
        let next = |&value: &f64| {
            let before = last.filter(|last: &f64| last.is_finite()).unwrap_or(value);
            let smooth = before * factor + value * (1.0 - factor);
            last = Some(smooth);
            smooth
        };
        return values.iter().map(next).collect();
    }
    if values.len() <= SMOOTHED {
        return values.to_vec();
    }
    let half = values.len() / 100;
    (0..values.len())
        .map(|index| {
            let near = half.min(index).min(values.len() - 1 - index);
            let window = &values[index - near..=index + near];
            window.iter().sum::<f64>() / window.len() as f64
        })
        .collect()
}
