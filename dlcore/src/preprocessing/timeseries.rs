//! Series in time as windows: what was seen for a while, and what came after.

mod generator;

use std::sync::Arc;

pub use generator::TimeseriesGenerator;

use crate::datasets::RandomState;
use crate::{Error, Result, Tensor, random};

/// The settings of [`timeseries_dataset_from_array`], with Keras's defaults.
///
/// ```
/// use dlcore::preprocessing::Windows;
/// let settings = Windows::of(120).sampling_rate(6).batch_size(256);
/// ```
#[derive(Clone, Debug)]
pub struct Windows {
    sequence_length: usize,
    sequence_stride: usize,
    sampling_rate: usize,
    batch_size: usize,
    shuffle: bool,
    seed: Option<u32>,
    start_index: usize,
    end_index: Option<usize>,
}

impl Windows {
    /// Windows of so many steps.
    pub fn of(sequence_length: usize) -> Windows {
        Windows {
            sequence_length,
            sequence_stride: 1,
            sampling_rate: 1,
            batch_size: 128,
            shuffle: false,
            seed: None,
            start_index: 0,
            end_index: None,
        }
    }

    /// From the beginning of one window to that of the next (1).
    pub fn sequence_stride(mut self, stride: usize) -> Windows {
        self.sequence_stride = stride;
        self
    }

    /// From one step of a window to the next (1).
    pub fn sampling_rate(mut self, rate: usize) -> Windows {
        self.sampling_rate = rate;
        self
    }

    /// Windows to a batch (128); the last one may be smaller.
    pub fn batch_size(mut self, batch_size: usize) -> Windows {
        self.batch_size = batch_size;
        self
    }

    /// Whether each pass takes the windows in another order (false).
    pub fn shuffle(mut self, shuffle: bool) -> Windows {
        self.shuffle = shuffle;
        self
    }

    /// What the order of the passes is drawn from (from [`set_seed`](crate::set_seed)).
    pub fn seed(mut self, seed: u32) -> Windows {
        self.seed = Some(seed);
        self
    }

    /// Nothing before this step is used (0).
    pub fn start_index(mut self, index: usize) -> Windows {
        self.start_index = index;
        self
    }

    /// Nothing from this step on is used (the end).
    pub fn end_index(mut self, index: usize) -> Windows {
        self.end_index = Some(index);
        self
    }

    /// The first steps of the windows in `data` steps, and their targets, of which there are `targets`.
    fn starts(&self, data: usize, targets: Option<usize>) -> Result<Vec<usize>> {
        let end = self.end_index.unwrap_or(data);
        let sizes = [
            ("sequence_length", self.sequence_length),
            ("sequence_stride", self.sequence_stride),
            ("sampling_rate", self.sampling_rate),
            ("batch_size", self.batch_size),
        ];
        let wrong =
            |message: String| Error::Value(format!("timeseries_dataset_from_array: {message}"));
        if let Some((name, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return Err(wrong(format!("expected {name} of at least 1, got 0")));
        }
        if self.start_index >= end || end > data {
            return Err(wrong(format!(
                "expected start_index below end_index, and that within {data} steps, got {} and {end}",
                self.start_index
            )));
        }
        let reach = (self.sequence_length - 1).saturating_mul(self.sampling_rate);
        let mut count = (end - self.start_index).saturating_sub(reach);
        if let Some(targets) = targets {
            // Targets from the end on would be of another part of the series.
            count = count
                .min(targets)
                .min(targets.min(end).saturating_sub(self.start_index));
        }
        if count == 0 {
            return Err(wrong(format!(
                "a window reaches over {} steps, and there are {} with targets; shorten it",
                reach.saturating_add(1),
                end - self.start_index
            )));
        }
        let starts = (0..count).step_by(self.sequence_stride);
        Ok(starts.map(|start| start + self.start_index).collect())
    }
}

/// Windows of a series with their targets; `&dataset` is one pass over them, and
/// [`TimeseriesDataset::repeat`] passes without end.
#[derive(Clone, Debug)]
pub struct TimeseriesDataset(Arc<Series>);

/// What both kinds of batches are taken from.
#[derive(Debug)]
struct Series {
    data: Tensor,
    targets: Option<Tensor>,
    /// The first step of each window.
    starts: Vec<usize>,
    /// From there to each of its steps, in their order.
    steps: Vec<usize>,
    /// From there to its target.
    ahead: usize,
    batch_size: usize,
    /// How many batches a pass has.
    batches: usize,
    shuffle: Shuffle,
}

#[derive(Debug)]
enum Shuffle {
    No,
    /// Each window once in a pass.
    Once(Option<u32>),
    /// Windows drawn with replacement, batches all of one size.
    Replaced,
}

/// Windows over a series, as `keras.utils.timeseries_dataset_from_array`: target `i` belongs to the
/// window that begins at step `i`. `targets` may be `None`.
///
/// # Shapes
/// data `[steps, …]` → `[batch, sequence_length, …]`; targets `[steps, …]` → `[batch, …]`, without
/// targets `[batch, 0]`
///
/// ```
/// use dlcore::prelude::*;
/// let series = Tensor::arange(0.0, 10.0, 1.0);
/// let targets = series.slice(3..);
/// let dataset = timeseries_dataset_from_array(&series, &targets, Windows::of(3).batch_size(2))?;
/// let (x, y) = (&dataset).into_iter().next().unwrap()?;
/// assert_eq!(x, Tensor::from([[0.0, 1.0, 2.0], [1.0, 2.0, 3.0]]));
/// assert_eq!(y, Tensor::from([3.0, 4.0]));
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] for data without an axis; [`Error::Value`] if no window fits, or for settings that
/// cannot be.
pub fn timeseries_dataset_from_array<'a>(
    data: &Tensor,
    targets: impl Into<Option<&'a Tensor>>,
    settings: Windows,
) -> Result<TimeseriesDataset> {
    dataset(data, targets.into(), &settings)
}

fn dataset(
    data: &Tensor,
    targets: Option<&Tensor>,
    settings: &Windows,
) -> Result<TimeseriesDataset> {
    let steps = steps_of("timeseries_dataset_from_array", data)?;
    let with_targets = targets
        .map(|targets| steps_of("timeseries_dataset_from_array", targets))
        .transpose()?;
    let mut starts = settings.starts(steps, with_targets)?;
    if settings.shuffle
        && let Some(seed) = settings.seed
    {
        RandomState::new(seed).shuffle(&mut starts);
    }
    let within = (0..settings.sequence_length).map(|step| step * settings.sampling_rate);
    Ok(TimeseriesDataset(Arc::new(Series {
        data: data.clone(),
        targets: targets.cloned(),
        batches: starts.len().div_ceil(settings.batch_size),
        starts,
        steps: within.collect(),
        ahead: 0,
        batch_size: settings.batch_size,
        shuffle: match settings.shuffle {
            true => Shuffle::Once(settings.seed),
            false => Shuffle::No,
        },
    })))
}

fn steps_of(operation: &str, tensor: &Tensor) -> Result<usize> {
    tensor.shape().first().copied().ok_or_else(|| {
        Error::Shape(format!(
            "{operation}: expected a series, with a first axis of steps, got a single number"
        ))
    })
}

impl TimeseriesDataset {
    /// How many batches a pass has: `steps_per_epoch`.
    pub fn steps(&self) -> usize {
        self.0.batches
    }

    /// Passes without end, each in an order of its own where the windows are shuffled.
    pub fn repeat(&self) -> TimeseriesBatches {
        TimeseriesBatches::over(&self.0, true)
    }
}

impl IntoIterator for &TimeseriesDataset {
    type Item = Result<(Tensor, Tensor)>;
    type IntoIter = TimeseriesBatches;

    fn into_iter(self) -> TimeseriesBatches {
        TimeseriesBatches::over(&self.0, false)
    }
}

impl Series {
    /// The order of a pass.
    fn order(&self, pass: u32) -> Vec<usize> {
        match self.shuffle {
            Shuffle::Once(Some(seed)) => {
                let seed = seed.wrapping_add(pass).wrapping_add(1);
                RandomState::new(seed).shuffled(self.starts.len())
            }
            Shuffle::Once(None) => random::permutation(self.starts.len()),
            _ => (0..self.starts.len()).collect(),
        }
    }

    /// The windows of these numbers.
    fn batch(&self, chosen: &[usize]) -> Result<(Tensor, Tensor)> {
        let starts = || chosen.iter().map(|&index| self.starts[index]);
        let rows: Vec<usize> = starts()
            .flat_map(|start| self.steps.iter().map(move |step| start + step))
            .collect();
        let shape = [&[chosen.len(), self.steps.len()], &self.data.shape()[1..]].concat();
        let x = self.data.try_rows(&rows)?.try_reshape(shape)?;
        let y = match &self.targets {
            Some(targets) => {
                let rows: Vec<usize> = starts().map(|start| start + self.ahead).collect();
                targets.try_rows(&rows)?
            }
            None => Tensor::zeros([chosen.len(), 0]),
        };
        Ok((x, y))
    }

    /// Windows drawn at random, each from all of them.
    fn drawn(&self) -> Result<(Tensor, Tensor)> {
        let mut random = RandomState::new(random::next_seed() as u32);
        let last = u32::try_from(self.starts.len() - 1).unwrap_or(u32::MAX);
        let chosen: Vec<usize> = (0..self.batch_size)
            .map(|_| random.interval(last) as usize)
            .collect();
        self.batch(&chosen)
    }
}

/// Batches of windows and targets.
#[derive(Clone, Debug)]
pub struct TimeseriesBatches {
    series: Arc<Series>,
    order: Vec<usize>,
    /// The next batch's place in its pass.
    batch: usize,
    pass: u32,
    endless: bool,
}

impl TimeseriesBatches {
    fn over(series: &Arc<Series>, endless: bool) -> TimeseriesBatches {
        TimeseriesBatches {
            series: series.clone(),
            order: Vec::new(),
            batch: 0,
            pass: 0,
            endless,
        }
    }
}

impl Iterator for TimeseriesBatches {
    type Item = Result<(Tensor, Tensor)>;

    fn next(&mut self) -> Option<Self::Item> {
        let series = &self.series;
        if self.batch == series.batches {
            if !self.endless {
                return None;
            }
            self.batch = 0;
            self.pass += 1;
        }
        if self.batch == 0 {
            self.order = series.order(self.pass);
        }
        let start = self.batch * series.batch_size;
        let end = (start + series.batch_size).min(self.order.len());
        self.batch += 1;
        Some(match series.shuffle {
            Shuffle::Replaced => series.drawn(),
            _ => series.batch(&self.order[start..end]),
        })
    }
}

#[cfg(test)]
mod tests;
