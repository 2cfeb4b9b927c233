//! How far a download is: an output that is updated in a notebook, a bar in a terminal, one line in a file.

use std::io::{IsTerminal as _, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::display::{DisplayHandle, MimeBundle, channel, display, display_updatable};

const EVERY: Duration = Duration::from_millis(200);

/// Says that another program is at it already.
pub(super) fn waiting(name: &str) {
    let line = format!("{name}: another program is fetching it; waiting");
    if channel::connected() {
        display(&MimeBundle::text(line));
    } else {
        eprintln!("{line}");
    }
}

pub(super) struct Progress {
    name: &'static str,
    have: u64,
    whole: Option<u64>,
    due: Instant,
    sink: Sink,
}

enum Sink {
    Notebook(DisplayHandle),
    Terminal(ProgressBar),
    Nothing,
}

impl Progress {
    pub fn start(name: &'static str, address: &str) -> Self {
        let sink = if channel::connected() {
            Sink::Notebook(display_updatable(&MimeBundle::text(format!(
                "{name}: asking {address}"
            ))))
        } else if stderr().is_terminal() {
            let bar = ProgressBar::no_length();
            let style = ProgressStyle::with_template(
                "{prefix} {bar:24} {bytes} of {total_bytes}, {eta} left",
            );
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_prefix(name);
            Sink::Terminal(bar)
        } else {
            eprintln!("{name}: fetching {address}");
            Sink::Nothing
        };
        Progress {
            name,
            have: 0,
            whole: None,
            due: Instant::now(),
            sink,
        }
    }

    /// An answer has come: `have` bytes are here, of `whole` if that is known.
    pub fn begin(&mut self, have: u64, whole: Option<u64>) {
        self.whole = whole;
        if let (Sink::Terminal(bar), Some(whole)) = (&self.sink, whole) {
            bar.set_length(whole);
        }
        self.at(have);
    }

    pub fn at(&mut self, have: u64) {
        self.have = have;
        match &self.sink {
            Sink::Terminal(bar) => bar.set_position(have),
            Sink::Notebook(_) if Instant::now() >= self.due => {
                self.due = Instant::now() + EVERY;
                self.show();
            }
            _ => {}
        }
    }

    pub fn finish(&mut self) {
        self.show();
        if let Sink::Terminal(bar) = &self.sink {
            bar.finish_and_clear();
        }
    }

    fn show(&self) {
        if let Sink::Notebook(handle) = &self.sink {
            handle.update(&MimeBundle::text(words(self.name, self.have, self.whole)));
        }
    }
}

fn words(name: &str, have: u64, whole: Option<u64>) -> String {
    let megabytes = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
    match whole {
        Some(whole) => format!("{name}: {} of {} MB", megabytes(have), megabytes(whole)),
        None => format!("{name}: {} MB", megabytes(have)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_reads_as_one_says_it() {
        assert_eq!(
            words("mnist.npz", 5_200_000, Some(11_490_434)),
            "mnist.npz: 5.2 of 11.5 MB"
        );
        assert_eq!(words("mnist.npz", 5_200_000, None), "mnist.npz: 5.2 MB");
    }
}
