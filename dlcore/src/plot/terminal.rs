//! A running `fit` outside a notebook: a bar in a terminal, plain lines anywhere else.

use std::io::{IsTerminal as _, stderr, stdout};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::axis::{duration, value};
use super::live::LivePlan;

/// A line an epoch and, in a terminal, a bar below them.
pub(super) struct Terminal {
    epochs: usize,
    metrics: Vec<String>,
    began: Instant,
    bar: Option<ProgressBar>,
}

impl Terminal {
    /// With `bar`, a bar where both output and errors go to a terminal; escape codes never leave it.
    pub fn start(plan: &LivePlan, bar: bool) -> Self {
        let bar = (bar && stderr().is_terminal() && stdout().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(
                Some(plan.steps_per_epoch as u64),
                ProgressDrawTarget::stderr_with_hz(10),
            );
            let style = ProgressStyle::with_template(
                "{prefix} {bar:24} {pos}/{len} {eta} left  {wide_msg}",
            );
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_prefix(format!("Epoch {}/{}", plan.initial_epoch + 1, plan.epochs));
            bar
        });
        Terminal {
            epochs: plan.epochs,
            metrics: plan.metrics.clone(),
            began: Instant::now(),
            bar,
        }
    }

    pub fn batch_end(&mut self, epoch: usize, step: usize, means: &[f64]) {
        if let Some(bar) = &self.bar {
            bar.set_prefix(format!("Epoch {}/{}", epoch + 1, self.epochs));
            bar.set_message(named(&self.metrics, "", means).join(" - "));
            bar.set_position(step as u64);
        }
    }

    pub fn epoch_end(&mut self, epoch: usize, train: &[f64], validation: Option<&[f64]>) {
        let seconds = self.began.elapsed().as_secs_f64();
        self.began = Instant::now();
        self.say(epoch_line(
            &self.metrics,
            epoch,
            self.epochs,
            seconds,
            train,
            validation,
        ));
        if let Some(bar) = &self.bar {
            bar.reset();
        }
    }

    pub fn finish(&mut self, reason: &str) {
        if reason != "completed" {
            self.say(format!("Stopped: {reason}"));
        }
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn say(&self, line: String) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => println!("{line}"),
        }
    }
}

/// `Epoch 1/5 - 1.3 s - loss: 0.2566 - accuracy: 0.9261 - val_loss: 0.1422`.
fn epoch_line(
    metrics: &[String],
    epoch: usize,
    epochs: usize,
    seconds: f64,
    train: &[f64],
    validation: Option<&[f64]>,
) -> String {
    let mut parts = vec![format!("Epoch {}/{epochs}", epoch + 1), duration(seconds)];
    parts.extend(named(metrics, "", train));
    parts.extend(named(metrics, "val_", validation.unwrap_or_default()));
    parts.join(" - ")
}

fn named(metrics: &[String], prefix: &str, values: &[f64]) -> Vec<String> {
    let pairs = metrics.iter().zip(values);
    pairs
        .map(|(name, &number)| format!("{prefix}{name}: {}", value(number)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_one_plain_line() {
        let metrics = ["loss".to_owned(), "accuracy".to_owned()];
        assert_eq!(
            epoch_line(
                &metrics,
                0,
                5,
                1.31,
                &[0.2566, 0.9261],
                Some(&[0.1422, 0.9577])
            ),
            "Epoch 1/5 - 1.3 s - loss: 0.2566 - accuracy: 0.9261 - val_loss: 0.1422 - val_accuracy: 0.9577"
        );
    }

    #[test]
    fn without_a_terminal_there_is_no_bar() {
        let plan = LivePlan {
            options: None,
            epochs: 1,
            initial_epoch: 0,
            steps_per_epoch: 1,
            has_validation: false,
            metrics: vec!["loss".into()],
            verbose: 1,
        };
        assert_eq!(
            Terminal::start(&plan, true).bar.is_some(),
            stderr().is_terminal() && stdout().is_terminal()
        );
        assert!(Terminal::start(&plan, false).bar.is_none());
    }
}
