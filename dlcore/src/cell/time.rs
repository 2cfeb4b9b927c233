//! `:time`: how long an expression takes, by running it many times.

use std::fmt;
use std::time::{Duration, Instant};

use crate::display::{MimeBundle, Rich};
use crate::interrupt;

/// How long all runs together may take.
const ENOUGH: Duration = Duration::from_secs(2);
/// No more samples are of use.
const MOST_SAMPLES: usize = 500;
/// A sample takes at least this long, so that the clock does not weigh in.
const SAMPLE: Duration = Duration::from_micros(20);

/// What repeated runs took, in seconds a run.
pub struct Timing {
    /// Sorted.
    samples: Vec<f64>,
    runs: usize,
}

/// Runs `body` once to warm up, then over and over for up to two seconds; an interrupt ends it early.
pub fn time(body: &mut dyn FnMut()) -> Timing {
    let once = measure(body, 1);
    let runs_a_sample = (SAMPLE.as_secs_f64() / once.max(1e-9))
        .ceil()
        .clamp(1.0, 1e5) as usize;
    let began = Instant::now();
    let mut samples = vec![];
    while samples.is_empty()
        || (began.elapsed() < ENOUGH && samples.len() < MOST_SAMPLES && !interrupt::requested())
    {
        samples.push(measure(body, runs_a_sample));
    }
    let runs = samples.len() * runs_a_sample;
    samples.sort_by(f64::total_cmp);
    Timing { samples, runs }
}

fn measure(body: &mut dyn FnMut(), runs: usize) -> f64 {
    let began = Instant::now();
    (0..runs).for_each(|_| body());
    began.elapsed().as_secs_f64() / runs as f64
}

impl Timing {
    fn at(&self, share: f64) -> f64 {
        self.samples[((self.samples.len() - 1) as f64 * share).round() as usize]
    }
}

impl fmt::Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [low, median, high] = [0.1, 0.5, 0.9].map(|share| seconds(self.at(share)));
        let fastest = seconds(self.at(0.0));
        let s = if self.runs == 1 { "" } else { "s" };
        write!(
            f,
            "{median} a run (8 of 10 between {low} and {high}, fastest {fastest}; {} run{s})",
            self.runs
        )
    }
}

impl Rich for Timing {
    fn mime_bundle(&self) -> MimeBundle {
        MimeBundle::text(self.to_string())
    }
}

/// Three digits and a unit.
fn seconds(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s < 1e-6 => (s * 1e9, "ns"),
        s if s < 1e-3 => (s * 1e6, "µs"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s => (s, "s"),
    };
    let digits = if value < 10.0 {
        2
    } else {
        usize::from(value < 100.0)
    };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_is_told_with_units() {
        let samples = vec![0.0010, 0.0011, 0.00125, 0.0013, 0.2];
        let text = Timing { samples, runs: 5 }.to_string();
        assert_eq!(
            text,
            "1.25 ms a run (8 of 10 between 1.00 ms and 200 ms, fastest 1.00 ms; 5 runs)"
        );
        assert_eq!(seconds(3.2e-8), "32.0 ns");
        assert_eq!(seconds(12.3456), "12.3 s");
    }

    #[test]
    fn a_quick_body_runs_often_and_a_stop_ends_it() {
        let mut count = 0;
        let timing = time(&mut || count += 1);
        assert_eq!(count, timing.runs + 1);
        assert!(timing.samples.len() <= MOST_SAMPLES && timing.runs > MOST_SAMPLES);
        assert!(timing.samples.is_sorted());
    }
}
