//! How far something is that takes longer than half a second: one line, replaced in place.
//!
//! What is over sooner shows nothing and leaves nothing behind.

use std::io::{IsTerminal as _, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::{DisplayHandle, MimeBundle, channel, display_updatable};
use crate::models::grouped;

/// What is over sooner than this is not shown.
const QUICK: Duration = Duration::from_millis(500);
/// No more than ten lines a second.
const EVERY: Duration = Duration::from_millis(100);
/// The bar's width in characters.
const WIDTH: usize = 24;

/// Something with a known end, on its way there.
pub(crate) struct Progress {
    what: &'static str,
    unit: &'static str,
    whole: usize,
    done: usize,
    started: Instant,
    due: Instant,
    shown: Shown,
}

enum Shown {
    Nothing,
    Notebook(DisplayHandle),
    Terminal(ProgressBar),
    #[cfg(test)]
    Lines(Vec<String>),
}

impl Progress {
    /// Begins `what`, which is over after `whole` of `unit`: `evaluate`, samples.
    pub(crate) fn start(what: &'static str, unit: &'static str, whole: usize) -> Progress {
        let started = Instant::now();
        Progress {
            what,
            unit,
            whole,
            done: 0,
            started,
            due: started + QUICK,
            shown: Shown::Nothing,
        }
    }

    /// `done` of it is behind. Costs the reading of a clock when nothing is due.
    pub(crate) fn at(&mut self, done: usize) {
        self.done = done;
        let now = Instant::now();
        if now < self.due {
            return;
        }
        self.due = now + EVERY;
        let line = running(self.what, self.unit, done, self.whole, now - self.started);
        match &mut self.shown {
            Shown::Nothing if channel::connected() => {
                let handle = display_updatable(&MimeBundle::text(line));
                self.shown = Shown::Notebook(handle);
            }
            Shown::Nothing if stderr().is_terminal() => {
                let bar = ProgressBar::new(self.whole as u64);
                let style =
                    ProgressStyle::with_template("{prefix} {bar:24} {pos} of {len}, {eta} left");
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                bar.set_prefix(self.what);
                bar.set_position(done as u64);
                self.shown = Shown::Terminal(bar);
            }
            Shown::Nothing => {}
            Shown::Notebook(handle) => handle.update(&MimeBundle::text(line)),
            Shown::Terminal(bar) => bar.set_position(done as u64),
            #[cfg(test)]
            Shown::Lines(lines) => lines.push(line),
        }
    }
}

/// However it ended, the last line says how far it came.
impl Drop for Progress {
    fn drop(&mut self) {
        let line = over(
            self.what,
            self.unit,
            self.done,
            self.whole,
            self.started.elapsed(),
        );
        match &mut self.shown {
            Shown::Nothing => {}
            Shown::Notebook(handle) => handle.update(&MimeBundle::text(line)),
            Shown::Terminal(bar) => bar.finish_and_clear(),
            #[cfg(test)]
            Shown::Lines(lines) => lines.push(line),
        }
    }
}

/// `evaluate ━━━━━━━━──────── 12,288 of 60,000 samples, 3 s left`
fn running(what: &str, unit: &str, done: usize, whole: usize, elapsed: Duration) -> String {
    let share = done as f64 / whole.max(1) as f64;
    let full = ((share * WIDTH as f64) as usize).min(WIDTH);
    let bar = "━".repeat(full) + &"─".repeat(WIDTH - full);
    let left = match done {
        0 => String::new(),
        _ => {
            let seconds = elapsed.as_secs_f64() * (1.0 / share - 1.0);
            format!(", {:.0} s left", seconds.max(0.0).ceil())
        }
    };
    format!(
        "{what} {bar} {} of {} {unit}{left}",
        grouped(done),
        grouped(whole)
    )
}

/// `evaluate: 60,000 samples in 4.2 s`
fn over(what: &str, unit: &str, done: usize, whole: usize, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64();
    if done >= whole {
        format!("{what}: {} {unit} in {seconds:.1} s", grouped(whole))
    } else {
        format!(
            "{what}: stopped after {} of {} {unit}, {seconds:.1} s",
            grouped(done),
            grouped(whole)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_read_as_one_says_it() {
        let second = Duration::from_secs(1);
        assert_eq!(
            running("evaluate", "samples", 15_000, 60_000, second),
            "evaluate ━━━━━━────────────────── 15,000 of 60,000 samples, 3 s left"
        );
        assert_eq!(
            over("evaluate", "samples", 60_000, 60_000, 4 * second),
            "evaluate: 60,000 samples in 4.0 s"
        );
        assert_eq!(
            over("predict", "samples", 256, 1024, second),
            "predict: stopped after 256 of 1,024 samples, 1.0 s"
        );
        assert!(running("x", "parts", 0, 0, second).contains("0 of 0 parts"));
    }

    #[test]
    fn what_is_quick_shows_nothing_and_what_is_due_shows_the_newest() {
        let mut progress = Progress::start("evaluate", "samples", 100);
        progress.shown = Shown::Lines(vec![]);
        progress.due = Instant::now() + Duration::from_secs(3600);
        progress.at(10);
        let Shown::Lines(lines) = &progress.shown else {
            unreachable!("set above")
        };
        assert!(lines.is_empty());
        progress.due = Instant::now();
        progress.at(20);
        let Shown::Lines(lines) = &progress.shown else {
            unreachable!("set above")
        };
        assert!(lines[0].contains("20 of 100 samples"), "{lines:?}");
    }
}
