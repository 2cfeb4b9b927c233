//! Several trainings in one chart that grows while they run.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::{Callback, Control, LivePlot, Logs, Trainable};
use crate::display::{Rich as _, channel};
use crate::models::History;
use crate::plot::{Curve, Curves, EVERY, LiveOptions, Output, curves_of, notebook};
use crate::{Error, Result, names};

impl LivePlot {
    /// One chart for several trainings, in which the curves of this metric (`val_loss`, `accuracy` …) grow one over the
    /// other: each `fit` gets a [`run`](LiveComparison::run) of it as a callback, and shows no chart of its own.
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// let (x, y) = (Tensor::ones([64, 2]), Tensor::ones([64, 1]));
    /// let comparison = LivePlot::compare("loss");
    /// for (name, units) in [("4 units", 4), ("16 units", 16)] {
    ///     let mut model = Sequential::new().add(Dense::new(units)).add(Dense::new(1));
    ///     model.compile("sgd", "mse", ())?;
    ///     model.fit(&x, &y, Fit::epochs(3).verbose(0).callback(comparison.run(name)))?;
    /// }
    /// assert!(comparison.plot()?.alt().contains("of 2 runs"));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn compare(metric: &str) -> LiveComparison {
        LiveComparison {
            shared: Arc::new(Mutex::new(Shared {
                metric: metric.to_owned(),
                title: None,
                runs: Vec::new(),
                output: None,
                due: Instant::now(),
            })),
        }
    }
}

/// A chart of several trainings, made by [`LivePlot::compare`]; it stands below the cell in which the first of them
/// runs.
///
/// Clones are the same chart.
#[derive(Clone)]
pub struct LiveComparison {
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    metric: String,
    title: Option<String>,
    runs: Vec<(String, History)>,
    /// Made by the first training.
    output: Option<Output>,
    due: Instant,
}

impl LiveComparison {
    /// Another title than the metric's name.
    pub fn title(self, title: &str) -> LiveComparison {
        self.lock().title = Some(title.to_owned());
        self
    }

    /// Adds a training that is over, to be drawn from the first frame on.
    pub fn beside(self, name: &str, history: &History) -> LiveComparison {
        self.lock().runs.push((name.to_owned(), history.clone()));
        self
    }

    /// The callback for the next training, which the chart shows under this name.
    pub fn run(&self, name: &str) -> ComparedRun {
        ComparedRun {
            shared: Arc::clone(&self.shared),
            name: name.to_owned(),
            place: None,
        }
    }

    /// The chart as it is now.
    ///
    /// # Errors
    /// [`Error::Value`](crate::Error::Value) if there is no training yet, or one of them has not recorded the metric.
    pub fn plot(&self) -> Result<Curves> {
        self.lock().chart()
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        lock(&self.shared)
    }
}

impl fmt::Debug for LiveComparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.lock();
        let runs: Vec<&str> = shared.runs.iter().map(|(name, _)| name.as_str()).collect();
        write!(
            f,
            "LiveComparison of {:?}: {}",
            shared.metric,
            runs.join(", ")
        )
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    // A panic can leave a run without its last epoch, nothing worse.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn chart(&self) -> Result<Curves> {
        let begun = self.runs.iter().filter(|(_, history)| !history.is_empty());
        let runs = begun.map(|(name, history)| (name.clone(), Curve::from(history)));
        let chart = curves_of(runs.collect())?.metric(&self.metric)?;
        Ok(match &self.title {
            Some(title) => chart.title(title),
            None => chart,
        })
    }

    /// Shows the chart: at the end of a training complete, before that at most ten times a second and for a fiftieth of
    /// the time, which is the training's, and in a notebook only. What cannot be drawn, a curve without a number for instance, is left to the next epoch.
    fn show(&mut self, complete: bool) {
        let now = Instant::now();
        if !complete && (now < self.due || self.output.is_none() && !channel::connected()) {
            return;
        }
        let Ok(chart) = self.chart() else { return };
        let frame = match complete {
            true => chart.mime_bundle(),
            false => chart.frame(),
        };
        self.output.get_or_insert_with(notebook)(frame);
        self.due = now + EVERY.max(50 * now.elapsed());
    }
}

/// A training in a [`LiveComparison`]: a callback for one `fit`.
pub struct ComparedRun {
    shared: Arc<Mutex<Shared>>,
    name: String,
    /// Which of the chart's runs this one is, once it has begun.
    place: Option<usize>,
}

impl Callback for ComparedRun {
    fn check(&self, recorded: &[String]) -> Result<()> {
        let shared = lock(&self.shared);
        let metric = &shared.metric;
        if !recorded.contains(metric) {
            let known: Vec<&str> = recorded.iter().map(String::as_str).collect();
            let unknown = names::unknown("metric that this fit records", metric, &known);
            return Err(Error::Value(format!("LivePlot::compare: {unknown}")));
        }
        // Without one of the curves there would be no chart at all.
        for (name, history) in shared
            .runs
            .iter()
            .filter(|(_, history)| !history.is_empty())
        {
            if let Err(error) = history.try_get(metric) {
                return Err(Error::Value(format!(
                    "LivePlot::compare: run {name:?} beside this one: {error}"
                )));
            }
        }
        Ok(())
    }

    fn live_plot(&self) -> Option<LiveOptions> {
        Some(LiveOptions {
            shown_elsewhere: true,
            ..LiveOptions::default()
        })
    }

    fn train_begin(&mut self, _: &mut dyn Trainable) {
        self.place = None;
    }

    fn epoch_end(&mut self, epoch: usize, logs: &Logs, _: &mut dyn Trainable) -> Control {
        let mut shared = lock(&self.shared);
        let place = *self.place.get_or_insert_with(|| {
            shared.runs.push((self.name.clone(), History::new(epoch)));
            shared.runs.len() - 1
        });
        shared.runs[place].1.push(logs);
        shared.show(false);
        Control::Continue
    }

    fn train_end(&mut self, _: &mut dyn Trainable) {
        if self.place.is_some() {
            lock(&self.shared).show(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;
    use crate::display::{HTML, MimeBundle, PNG, SVG, TEXT};
    use crate::layers::Dense;
    use crate::models::{Fit, Sequential};
    use crate::tensor::Tensor;

    fn model() -> Sequential {
        let mut model = Sequential::new().add(Dense::new(1).input_shape([2]));
        model.compile("sgd", "mse", ()).unwrap();
        model
    }

    fn fit(callback: ComparedRun) -> Result<History> {
        let (x, y) = (Tensor::ones([8, 2]), Tensor::ones([8, 1]));
        model().fit(&x, &y, Fit::epochs(3).verbose(0).callback(callback))
    }

    /// A comparison whose frames arrive at the receiver.
    fn watched(metric: &str) -> (LiveComparison, Receiver<MimeBundle>) {
        let (sender, frames) = channel();
        let comparison = LivePlot::compare(metric);
        comparison.lock().output = Some(Box::new(move |frame| sender.send(frame).unwrap()));
        (comparison, frames)
    }

    #[test]
    fn the_second_curve_grows_beside_the_first() {
        let (comparison, frames) = watched("loss");
        fit(comparison.run("first")).unwrap();
        let seen: Vec<MimeBundle> = frames.try_iter().collect();
        assert_eq!(seen[0].mimes().collect::<Vec<_>>(), [TEXT, HTML]);
        assert!(
            seen[0].plain().contains("of 1 run: first"),
            "{}",
            seen[0].plain()
        );
        let last = seen.last().unwrap();
        assert_eq!(last.mimes().collect::<Vec<_>>(), [TEXT, HTML, SVG, PNG]);
        comparison.lock().due = Instant::now();
        fit(comparison.run("second")).unwrap();
        let growing = frames.iter().next().unwrap();
        assert!(
            growing.plain().contains("of 2 runs: first"),
            "{}",
            growing.plain()
        );
        let last = frames.try_iter().last().unwrap();
        assert!(last.plain().contains("epoch 3: first"), "{}", last.plain());
        assert_eq!(comparison.lock().runs[1].1.epochs(), [1, 2, 3]);
    }

    #[test]
    fn runs_of_earlier_cells_are_there_from_the_beginning() {
        let before = fit(LivePlot::compare("loss").run("alone")).unwrap();
        let (comparison, frames) = watched("loss");
        let comparison = comparison.beside("before", &before).title("Two");
        fit(comparison.run("now")).unwrap();
        let first = frames.try_iter().next().unwrap();
        assert!(
            first.plain().contains("of 2 runs: before"),
            "{}",
            first.plain()
        );
        assert!(comparison.plot().unwrap().text().starts_with("Two"));
    }

    #[test]
    fn a_metric_that_is_not_recorded_is_refused_before_training() {
        let error = fit(LivePlot::compare("val_los").run("a")).unwrap_err();
        assert!(error.to_string().contains("loss"), "{error}");
        assert!(LivePlot::compare("loss").plot().is_err());
        let (x, y) = (Tensor::ones([8, 2]), Tensor::ones([8, 1]));
        let before = fit(LivePlot::compare("loss").run("alone")).unwrap();
        let comparison = LivePlot::compare("val_loss").beside("before", &before);
        let settings = Fit::epochs(1).verbose(0).validation_split(0.5);
        let fitted = model().fit(&x, &y, settings.callback(comparison.run("now")));
        let error = fitted.unwrap_err().to_string();
        assert!(
            error.contains("run \"before\"") && error.contains("val_loss"),
            "{error}"
        );
    }
}
