//! The text twins: what a screen reader reads, what a terminal prints, what a saved notebook keeps.

use super::axis::{duration, remaining, value};
use super::run::{Run, higher_is_better};

/// More epochs than this are thinned.
const LINES: usize = 20;

/// The words of the title: what the curves are and how many epochs they have.
pub(super) fn title(run: &Run) -> String {
    let metrics = match run.metrics.as_slice() {
        [] => "Training".to_owned(),
        [one] => capitalise(one),
        [first, rest @ ..] => format!("{} and {}", capitalise(first), rest.join(", ")),
    };
    let kind = if run.validation.is_empty() {
        "training"
    } else {
        "training and validation"
    };
    format!("{metrics} of {kind} over {}", epochs(run.finished()))
}

/// Everything in lines that read well aloud: one an epoch, the best epoch, the time, how it ended.
pub(super) fn full(run: &Run) -> String {
    let mut lines: Vec<String> = shown(run)
        .into_iter()
        .map(|index| epoch_line(run, index))
        .collect();
    if run.finished() > LINES {
        lines.push(format!(
            "({} of {} shown)",
            lines.len(),
            epochs(run.finished())
        ));
    }
    lines.extend(
        (0..run.metrics.len())
            .filter_map(|metric| best_words(run, metric))
            .map(|best| format!("Best {best}.")),
    );
    if let Some(elapsed) = run.elapsed {
        let mut line = format!(
            "{} in {}",
            epochs(run.finished()),
            duration(elapsed.as_secs_f64())
        );
        if run.finished() > 1
            && let Some(seconds) = run.seconds_per_epoch()
        {
            line.push_str(&format!(", {} an epoch", duration(seconds)));
        }
        lines.push(line + ".");
    }
    if let Some(reason) = stopped(run) {
        lines.push(format!("Stopped: {reason}."));
    }
    lines.join("\n")
}

/// Where training stands, in one or two lines.
pub(super) fn brief(run: &Run) -> String {
    let mut line = format!("{} {}", position(run), steps(run));
    if let Some(left) = run.seconds_left() {
        line.push_str(&format!(", {}", remaining(left)));
    }
    let values: Vec<String> = values(run)
        .into_iter()
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    format!("{}\n{}", line.trim_end(), values.join("   "))
        .trim_end()
        .to_owned()
}

/// `Epoch 7/20`.
pub(super) fn position(run: &Run) -> String {
    let epoch = match &run.running {
        Some(running) => running.epoch + 1,
        None => (run.initial_epoch + run.finished()).max(1),
    };
    format!("Epoch {epoch}/{}", run.epochs)
}

/// `312/469`.
pub(super) fn steps(run: &Run) -> String {
    let step = run
        .running
        .as_ref()
        .map_or(run.steps_per_epoch, |running| running.step);
    let step = if run.finished() == 0 && run.running.is_none() {
        0
    } else {
        step
    };
    format!("{step}/{}", run.steps_per_epoch)
}

/// The latest values, training first, then validation, as names and numbers.
pub(super) fn values(run: &Run) -> Vec<(String, String)> {
    let train = run.metrics.iter().cloned().zip(run.latest());
    let validation = run
        .metrics
        .iter()
        .zip(&run.validation)
        .filter_map(|(name, values)| Some((format!("val_{name}"), *values.last()?)));
    train
        .chain(validation)
        .map(|(name, number)| (name, value(number)))
        .collect()
}

/// `val_loss 0.2735 at epoch 4`.
pub(super) fn best_words(run: &Run, metric: usize) -> Option<String> {
    let best = run.best(metric)?;
    let name = &run.metrics[metric];
    Some(format!(
        "val_{name} {} at epoch {}",
        value(best.value),
        run.epoch_number(best.index)
    ))
}

/// Why training ended before its time, in full.
pub(super) fn stopped(run: &Run) -> Option<String> {
    let words = run.stop_words()?;
    Some(
        run.stop
            .clone()
            .filter(|reason| reason != "completed")
            .unwrap_or(words),
    )
}

/// `20 epochs`.
pub(super) fn epochs(count: usize) -> String {
    format!("{count} epoch{}", if count == 1 { "" } else { "s" })
}

/// `Epoch 4 of 20: loss 0.2247, accuracy 0.9267, val_loss 0.2735`.
pub(super) fn epoch_line(run: &Run, index: usize) -> String {
    let train = run
        .metrics
        .iter()
        .zip(&run.train)
        .map(|(name, values)| format!("{name} {}", value(values[index])));
    let validation = run
        .metrics
        .iter()
        .zip(&run.validation)
        .filter(|(_, values)| values.get(index).is_some_and(|value| !value.is_nan()))
        .map(|(name, values)| format!("val_{name} {}", value(values[index])));
    let values: Vec<String> = train.chain(validation).collect();
    format!(
        "Epoch {} of {}: {}",
        run.epoch_number(index),
        run.epochs,
        values.join(", ")
    )
}

/// The epochs that get a line: all, or past [`LINES`] the first, the last, the best and some between.
fn shown(run: &Run) -> Vec<usize> {
    let count = run.finished();
    if count <= LINES {
        return (0..count).collect();
    }
    let step = count.div_ceil(LINES);
    let mut shown: Vec<usize> = (0..count).filter(|index| (index + 1) % step == 0).collect();
    shown.extend([0, count - 1]);
    let best = |metric| run.best(metric).map(|best| best.index);
    shown.extend((0..run.metrics.len().min(2)).filter_map(best));
    shown.sort_unstable();
    shown.dedup();
    shown
}

/// Says of a panel whether it is better high or low, for its description.
pub(super) fn direction(name: &str) -> &'static str {
    if higher_is_better(name) {
        "higher is better"
    } else {
        "lower is better"
    }
}

fn capitalise(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(characters).collect()
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::run::Running;
    use super::*;

    fn run() -> Run {
        let mut run = Run::new(3, 0, 30, vec!["loss".into(), "accuracy".into()]);
        run.push_epoch(&[0.5083, 0.7815], Some(&[0.3797, 0.8684]));
        run.push_epoch(&[0.3004, 0.9047], Some(&[0.3004, 0.8897]));
        run.push_epoch(&[0.2179, 0.9285], Some(&[0.3084, 0.8711]));
        run.elapsed = Some(Duration::from_millis(3900));
        run.epochs_elapsed = Duration::from_millis(3900);
        run
    }

    #[test]
    fn the_full_text_reads_well() {
        let mut run = run();
        run.stop = Some("completed".into());
        assert_eq!(
            title(&run),
            "Loss and accuracy of training and validation over 3 epochs"
        );
        assert_eq!(
            full(&run),
            "Epoch 1 of 3: loss 0.5083, accuracy 0.7815, val_loss 0.3797, val_accuracy 0.8684\n\
             Epoch 2 of 3: loss 0.3004, accuracy 0.9047, val_loss 0.3004, val_accuracy 0.8897\n\
             Epoch 3 of 3: loss 0.2179, accuracy 0.9285, val_loss 0.3084, val_accuracy 0.8711\n\
             Best val_loss 0.3004 at epoch 2.\n\
             Best val_accuracy 0.8897 at epoch 2.\n\
             3 epochs in 3.9 s, 1.3 s an epoch."
        );
    }

    #[test]
    fn the_brief_text_says_where_training_stands() {
        let mut run = run();
        run.epochs = 4;
        run.running = Some(Running {
            epoch: 3,
            step: 15,
            trace: vec![(15, vec![0.2, 0.95])],
        });
        assert_eq!(
            brief(&run),
            "Epoch 4/4 15/30, under 1 s left\n\
             loss 0.2000   accuracy 0.9500   val_loss 0.3084   val_accuracy 0.8711"
        );
    }

    #[test]
    fn long_runs_are_thinned_but_keep_first_last_and_best() {
        let mut run = Run::new(500, 0, 1, vec!["loss".into()]);
        for epoch in 0..500 {
            run.push_epoch(&[1.0], Some(&[if epoch == 122 { 0.5 } else { 1.0 }]));
        }
        let text = full(&run);
        assert!(text.lines().count() <= LINES + 5, "{text}");
        for epoch in [
            "Epoch 1 of",
            "Epoch 123 of",
            "Epoch 500 of",
            "Best val_loss 0.5000 at epoch 123.",
        ] {
            assert!(text.contains(epoch), "{epoch} is missing from {text}");
        }
    }

    #[test]
    fn a_stop_says_its_whole_reason() {
        let mut run = run();
        run.stop = Some("early stopping: val_loss has not improved for 2 epochs".into());
        assert!(
            full(&run)
                .ends_with("Stopped: early stopping: val_loss has not improved for 2 epochs.")
        );
    }
}
