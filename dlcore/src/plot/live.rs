//! What a running `fit` shows: one output that is updated in place, drawn beside the training.
//!
//! The training thread hands over numbers, at most ten times a second; a thread of its own draws the
//! latest of them. When drawing falls behind, states are skipped, never queued. A fit that is over
//! before the first frame is due shows only its final one.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::run::{Run, Running};
use super::terminal::Terminal;
use super::{Plot, WIDTH, canvas, curves, text};
use crate::display::{DisplayHandle, MimeBundle, Rich as _, channel, display_updatable};
use crate::models::History;

/// What is known of a fit before it begins.
#[derive(Clone, Debug)]
pub struct LivePlan {
    /// Planned number of epochs, counted from 0 even where training goes on from a later one.
    pub epochs: usize,
    /// Epochs that were done before.
    pub initial_epoch: usize,
    /// Batches in one epoch.
    pub steps_per_epoch: usize,
    /// Whether epochs end with a validation.
    pub has_validation: bool,
    /// What is measured, without `val_`: `loss` first.
    pub metrics: Vec<String>,
    /// 0 shows nothing, 1 a chart in a notebook and a bar in a terminal, 2 a line an epoch.
    pub verbose: u8,
    /// How the chart is drawn, where somebody has said.
    pub options: Option<LiveOptions>,
}

/// How the curves of a fit are drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveOptions {
    /// The factor of an exponential smoothing; absent for that of long runs.
    pub smoothing: Option<f64>,
    /// Whether the best epoch is marked.
    pub mark_best: bool,
    /// Whether another chart in the notebook shows this fit, so that it needs none of its own.
    pub shown_elsewhere: bool,
}

impl Default for LiveOptions {
    fn default() -> Self {
        LiveOptions {
            smoothing: None,
            mark_best: true,
            shown_elsewhere: false,
        }
    }
}

/// Shows a running fit, wherever it runs: a chart in a notebook, a bar in a terminal, lines in a file.
pub struct LiveFit {
    mode: Mode,
    /// Batches before this moment are not looked at.
    due: Instant,
    every: Duration,
    /// Every so many batches one is looked at all the same.
    stride: usize,
}

/// A fit of one epoch is drawn by its batches, about so many of them, however short it is.
const POINTS_OF_ONE: usize = 200;

enum Mode {
    Silent,
    Terminal(Terminal),
    Chart(Chart),
}

impl LiveFit {
    /// Begins; nothing is shown before there is something to show.
    pub fn start(plan: LivePlan) -> Self {
        let (is_one, steps) = (plan.epochs == plan.initial_epoch + 1, plan.steps_per_epoch);
        let elsewhere = plan.options.as_ref().is_some_and(|o| o.shown_elsewhere);
        let mode = match plan.verbose {
            0 => Mode::Silent,
            1 if elsewhere && channel::connected() => Mode::Silent,
            1 if channel::connected() => {
                Mode::Chart(Chart::start(&plan, Pace::usual(), notebook()))
            }
            verbose => Mode::Terminal(Terminal::start(&plan, verbose == 1)),
        };
        let mut live = LiveFit::with_mode(mode, EVERY);
        if is_one {
            live.stride = steps.div_ceil(POINTS_OF_ONE).max(1);
        }
        live
    }

    fn with_mode(mode: Mode, every: Duration) -> Self {
        LiveFit {
            mode,
            due: Instant::now(),
            every,
            stride: usize::MAX,
        }
    }

    /// A batch is done: `epoch` from 0, `step` from 1, and the running means in the order of the plan's
    /// metrics. Costs the reading of a clock when nothing is due.
    pub fn batch_end(&mut self, epoch: usize, step: usize, means: &[f64]) {
        if matches!(self.mode, Mode::Silent) {
            return;
        }
        let now = Instant::now();
        if now < self.due && !step.is_multiple_of(self.stride) {
            return;
        }
        self.due = now + self.every;
        match &mut self.mode {
            Mode::Silent => {}
            Mode::Terminal(terminal) => terminal.batch_end(epoch, step, means),
            Mode::Chart(chart) => chart.batch_end(epoch, step, means),
        }
    }

    /// An epoch (from 0) is done, with its training means and, where there is one, its validation.
    pub fn epoch_end(&mut self, epoch: usize, train: &[f64], validation: Option<&[f64]>) {
        match &mut self.mode {
            Mode::Silent => {}
            Mode::Terminal(terminal) => terminal.epoch_end(epoch, train, validation),
            Mode::Chart(chart) => chart.epoch_end(train, validation),
        }
    }

    /// Training is over, because of `reason`; shows the final state.
    pub fn finish(&mut self, reason: &str, history: &History) {
        self.end(reason, Some(history));
    }

    fn end(&mut self, reason: &str, history: Option<&History>) {
        match &mut self.mode {
            Mode::Silent => {}
            Mode::Terminal(terminal) => terminal.finish(reason),
            Mode::Chart(chart) => chart.finish(reason, history),
        }
        self.mode = Mode::Silent;
    }
}

impl Drop for LiveFit {
    /// A fit that is left by an error or a panic still ends its chart.
    fn drop(&mut self) {
        self.end("an error", None);
    }
}

/// No more than ten frames a second.
pub const EVERY: Duration = Duration::from_millis(100);
/// A running epoch is drawn through at most this many points.
const TRACE: usize = 240;

/// When frames are drawn.
#[derive(Clone, Copy)]
struct Pace {
    /// After this long the first frame is due.
    first: Duration,
    /// After this long the next one is.
    every: Duration,
}

impl Pace {
    fn usual() -> Self {
        Pace {
            first: Duration::from_millis(500),
            every: EVERY,
        }
    }
}

/// Where frames go.
pub type Output = Box<dyn FnMut(MimeBundle) + Send>;

/// One output of the notebook, made by the first frame and replaced by those after it.
pub fn notebook() -> Output {
    let mut handle: Option<DisplayHandle> = None;
    Box::new(move |frame| match &handle {
        Some(handle) => handle.update(&frame),
        None => handle = Some(display_updatable(&frame)),
    })
}

/// The chart in a notebook and the thread that draws it.
struct Chart {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Output>>,
    start: Instant,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    run: Run,
    dirty: bool,
    over: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Numbers that a panic left half-written are still only numbers.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Chart {
    fn start(plan: &LivePlan, pace: Pace, output: Output) -> Self {
        let mut run = Run::new(
            plan.epochs,
            plan.initial_epoch,
            plan.steps_per_epoch,
            plan.metrics.clone(),
        );
        run.options = plan.options.clone().unwrap_or_default();
        if plan.has_validation {
            run.validation = vec![Vec::new(); plan.metrics.len()];
        }
        let state = Mutex::new(State {
            run,
            // A first batch that takes long is shown too.
            dirty: true,
            over: false,
        });
        let shared = Arc::new(Shared {
            state,
            changed: Condvar::new(),
        });
        let start = Instant::now();
        let thread = std::thread::Builder::new()
            .name("dlcore-chart".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || draw_frames(&shared, start, pace, output)
            });
        // Without a thread there is no chart, but there is still a fit.
        Chart {
            shared,
            thread: thread.ok(),
            start,
        }
    }

    fn batch_end(&mut self, epoch: usize, step: usize, means: &[f64]) {
        // While the drawing thread copies the state, this batch is passed over.
        let Ok(mut state) = self.shared.state.try_lock() else {
            return;
        };
        let running = state.run.running.get_or_insert_with(Running::default);
        (running.epoch, running.step) = (epoch, step);
        if running.trace.len() >= TRACE {
            let mut keep = false;
            running.trace.retain(|_| {
                keep = !keep;
                keep
            });
        }
        running.trace.push((step, means.to_vec()));
        state.dirty = true;
        drop(state);
        self.shared.changed.notify_one();
    }

    fn epoch_end(&mut self, train: &[f64], validation: Option<&[f64]>) {
        let mut state = self.shared.lock();
        state.run.push_epoch(train, validation);
        state.run.epochs_elapsed = self.start.elapsed();
        state.dirty = true;
        drop(state);
        self.shared.changed.notify_one();
    }

    fn finish(&mut self, reason: &str, history: Option<&History>) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        self.shared.lock().over = true;
        self.shared.changed.notify_one();
        let Ok(mut output) = thread.join() else {
            return;
        };
        let mut run = self.shared.lock().run.clone();
        run.elapsed = Some(self.start.elapsed());
        run.stop = Some(reason.to_owned());
        if let Some(partial) = history.and_then(|history| super::run_of(history).running) {
            // The throttled state may be a few batches behind.
            let running = run.running.get_or_insert_with(Running::default);
            (running.epoch, running.step) = (partial.epoch, partial.step);
            running.trace.extend(partial.trace);
        } else if history.is_some() {
            run.running = None;
        }
        output(Plot::curves(run).mime_bundle());
    }
}

/// Draws whenever something has changed and a frame is due; hands the output back when all is over.
fn draw_frames(shared: &Shared, start: Instant, pace: Pace, mut output: Output) -> Output {
    let mut due = start.checked_add(pace.first);
    while let Some(mut run) = next_state(shared, due) {
        let began = Instant::now();
        run.elapsed = Some(start.elapsed());
        output(frame(&run));
        due = began.checked_add(pace.every);
    }
    output
}

/// Waits until there is something new and it is due; `None` once all is over.
fn next_state(shared: &Shared, due: Option<Instant>) -> Option<Run> {
    let mut state = shared.lock();
    while !state.over {
        let wait = due.map(|due| due.saturating_duration_since(Instant::now()));
        state = match wait {
            Some(Duration::ZERO) if state.dirty => {
                state.dirty = false;
                return Some(state.run.clone());
            }
            Some(wait) if state.dirty => {
                shared
                    .changed
                    .wait_timeout(state, wait)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
            _ => shared
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner),
        };
    }
    None
}

/// A frame while training runs: the drawing once and two lines of text. More forms would cost more than they are worth.
pub(super) fn frame(run: &Run) -> MimeBundle {
    let brief = text::brief(run);
    let svg = canvas::svg(
        curves::size(run, WIDTH),
        &text::title(run),
        &brief,
        |canvas| {
            curves::draw(canvas, run, WIDTH);
        },
    );
    MimeBundle::text(brief).with_frame(&curves::alt(run), &svg)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use base64::Engine as _;

    use super::*;
    use crate::display::{HTML, PNG, SVG, TEXT};

    fn plan(epochs: usize) -> LivePlan {
        LivePlan {
            epochs,
            initial_epoch: 0,
            steps_per_epoch: 10,
            has_validation: true,
            metrics: vec!["loss".into(), "accuracy".into()],
            verbose: 1,
            options: None,
        }
    }

    /// A fit whose frames arrive at the receiver.
    fn live(epochs: usize, first: Duration) -> (LiveFit, Receiver<MimeBundle>) {
        let (sender, frames) = channel();
        let output: Output = Box::new(move |frame| sender.send(frame).unwrap());
        let pace = Pace {
            first,
            every: Duration::ZERO,
        };
        let chart = Chart::start(&plan(epochs), pace, output);
        (
            LiveFit::with_mode(Mode::Chart(chart), Duration::ZERO),
            frames,
        )
    }

    #[test]
    fn frames_follow_the_training_and_the_last_one_is_complete() {
        let (mut live, frames) = live(2, Duration::ZERO);
        live.batch_end(0, 5, &[0.5, 0.7]);
        let first = frames
            .iter()
            .find(|frame| !frame.plain().starts_with("Epoch 1/2 0/10"))
            .unwrap();
        assert_eq!(first.mimes().collect::<Vec<_>>(), [TEXT, HTML]);
        assert!(
            first.plain().starts_with("Epoch 1/2 5/10"),
            "{}",
            first.plain()
        );

        live.epoch_end(0, &[0.4, 0.8], Some(&[0.5, 0.7]));
        // Frames are skipped, not queued, but the newest state always comes.
        let second = frames
            .iter()
            .find(|frame| frame.plain().contains("val_loss 0.5000"));
        assert!(second.is_some());
        live.epoch_end(1, &[0.3, 0.9], Some(&[0.6, 0.6]));
        live.finish("completed", &History::default());
        drop(live);
        let last = frames.iter().last().unwrap();
        assert_eq!(last.mimes().collect::<Vec<_>>(), [TEXT, HTML, SVG, PNG]);
        assert!(
            last.plain().contains("Best val_loss 0.5000 at epoch 1."),
            "{}",
            last.plain()
        );
    }

    #[test]
    fn an_only_epoch_is_drawn_by_its_batches_however_short_it_is() {
        let mut one = LiveFit::start(LivePlan {
            steps_per_epoch: 1000,
            ..plan(1)
        });
        assert_eq!(one.stride, 5);
        let (sender, frames) = channel();
        let output: Output = Box::new(move |frame| sender.send(frame).unwrap());
        let pace = Pace {
            first: Duration::MAX,
            every: EVERY,
        };
        one.mode = Mode::Chart(Chart::start(&plan(1), pace, output));
        // Nothing is due by the clock.
        one.due = Instant::now() + Duration::from_secs(3600);
        one.stride = 2;
        for step in 1..=10 {
            one.due = Instant::now() + Duration::from_secs(3600);
            one.batch_end(0, step, &[1.0 / step as f64, 0.5]);
        }
        let Mode::Chart(chart) = &one.mode else {
            unreachable!("set above")
        };
        let steps: Vec<usize> = chart
            .shared
            .lock()
            .run
            .running
            .iter()
            .flat_map(|running| running.trace.iter().map(|(step, _)| *step))
            .collect();
        assert_eq!(steps, [2, 4, 6, 8, 10]);
        one.epoch_end(0, &[0.2, 0.6], None);
        one.finish("completed", &History::default());
        drop(one);
        let last = frames.iter().last().unwrap();
        assert!(last.get(SVG).unwrap().as_str().unwrap().contains("batch"));
    }

    #[test]
    fn a_short_fit_shows_one_final_frame() {
        let (mut live, frames) = live(3, Duration::MAX);
        for epoch in 0..3 {
            live.batch_end(epoch, 5, &[0.5, 0.7]);
            live.epoch_end(epoch, &[0.4, 0.8], None);
        }
        live.finish("completed", &History::default());
        drop(live);
        assert_eq!(frames.iter().count(), 1);
    }

    #[test]
    fn the_size_never_changes() {
        let (mut live, frames) = live(3, Duration::ZERO);
        let size = |frame: &MimeBundle| {
            let image = frame.get(HTML).unwrap().as_str().unwrap();
            let data = image.split("base64,").nth(1).unwrap();
            let data = data.strip_suffix("\">").unwrap();
            let svg = base64::engine::general_purpose::STANDARD.decode(data);
            let svg = String::from_utf8(svg.unwrap()).unwrap();
            svg.split(" viewBox").next().unwrap().to_owned()
        };
        live.batch_end(0, 1, &[0.5, 0.7]);
        let first = size(&frames.recv().unwrap());
        live.epoch_end(0, &[0.4, 0.8], Some(&[0.5, 0.7]));
        live.finish("interrupted", &History::default());
        drop(live);
        assert!(frames.iter().all(|frame| size(&frame) == first));
    }

    #[test]
    fn a_fit_that_is_left_early_ends_its_chart() {
        let (mut live, frames) = live(3, Duration::MAX);
        live.epoch_end(0, &[0.4, 0.8], None);
        drop(live);
        let last = frames.iter().last().unwrap();
        assert!(
            last.plain().ends_with("Stopped: an error."),
            "{}",
            last.plain()
        );
    }

    #[test]
    fn silence_is_silent() {
        let mut live = LiveFit::start(LivePlan {
            verbose: 0,
            ..plan(1)
        });
        assert!(matches!(live.mode, Mode::Silent));
        live.batch_end(0, 1, &[0.5, 0.7]);
        live.finish("completed", &History::default());
    }

    #[test]
    fn a_long_epoch_keeps_its_trace_small() {
        let mut chart = Chart::start(
            &plan(1),
            Pace {
                first: Duration::MAX,
                every: EVERY,
            },
            Box::new(|_| {}),
        );
        for step in 1..=10_000 {
            chart.batch_end(0, step, &[1.0, 0.5]);
        }
        let trace = chart.shared.lock().run.running.clone().unwrap().trace;
        assert!(
            trace.len() <= TRACE && trace.len() > TRACE / 4,
            "{}",
            trace.len()
        );
        assert_eq!(trace.last().unwrap().0, 10_000);
        chart.finish("completed", None);
    }
}
