//! Keras's `TimeseriesGenerator`.

use std::sync::Arc;

use super::{Series, Shuffle, TimeseriesBatches, steps_of};
use crate::{Error, Result, Tensor};

/// Keras's `TimeseriesGenerator`: the target of a window is the step after it. Settings and defaults are
/// Keras's; `&generator` is one pass over the windows, [`TimeseriesGenerator::repeat`] passes without
/// end.
///
/// ```
/// use dlcore::prelude::*;
/// let series = Tensor::arange(0.0, 10.0, 1.0);
/// let generator = TimeseriesGenerator::new(&series, &series, 3).batch_size(4);
/// let (x, y) = generator.get(0)?;
/// assert_eq!((x.at([0, 2]), y.at(0)), (2.0, 3.0));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TimeseriesGenerator {
    data: Tensor,
    targets: Tensor,
    length: usize,
    sampling_rate: usize,
    stride: usize,
    start_index: usize,
    end_index: Option<usize>,
    shuffle: bool,
    reverse: bool,
    batch_size: usize,
}

impl TimeseriesGenerator {
    /// Windows over `length` steps of `data`, and what `targets` has after them.
    pub fn new(data: &Tensor, targets: &Tensor, length: usize) -> TimeseriesGenerator {
        TimeseriesGenerator {
            data: data.clone(),
            targets: targets.clone(),
            length,
            sampling_rate: 1,
            stride: 1,
            start_index: 0,
            end_index: None,
            shuffle: false,
            reverse: false,
            batch_size: 128,
        }
    }

    /// From one step of a window to the next (1).
    pub fn sampling_rate(mut self, rate: usize) -> TimeseriesGenerator {
        self.sampling_rate = rate;
        self
    }

    /// From one window to the next (1).
    pub fn stride(mut self, stride: usize) -> TimeseriesGenerator {
        self.stride = stride;
        self
    }

    /// Nothing before this step is used (0).
    pub fn start_index(mut self, index: usize) -> TimeseriesGenerator {
        self.start_index = index;
        self
    }

    /// Nothing after this step is used (the last).
    pub fn end_index(mut self, index: usize) -> TimeseriesGenerator {
        self.end_index = Some(index);
        self
    }

    /// Whether windows are drawn at random, each from all of them (false).
    pub fn shuffle(mut self, shuffle: bool) -> TimeseriesGenerator {
        self.shuffle = shuffle;
        self
    }

    /// Whether windows run backwards in time (false).
    pub fn reverse(mut self, reverse: bool) -> TimeseriesGenerator {
        self.reverse = reverse;
        self
    }

    /// Windows to a batch (128); the last one may be smaller.
    pub fn batch_size(mut self, batch_size: usize) -> TimeseriesGenerator {
        self.batch_size = batch_size;
        self
    }

    /// How many batches a pass has: `steps_per_epoch`.
    ///
    /// # Errors
    /// As [`TimeseriesGenerator::get`].
    pub fn steps(&self) -> Result<usize> {
        Ok(self.series()?.batches)
    }

    /// The batch of this number in a pass.
    ///
    /// # Errors
    /// [`Error::Shape`] if data and targets differ in length; [`Error::Value`] if there is no such
    /// batch, if no window fits, or for settings that cannot be.
    pub fn get(&self, index: usize) -> Result<(Tensor, Tensor)> {
        let series = self.series()?;
        if index >= series.batches {
            return Err(Error::Value(format!(
                "TimeseriesGenerator: there is no batch {index}: there are {}, from 0",
                series.batches
            )));
        }
        if self.shuffle {
            return series.drawn();
        }
        let start = index * self.batch_size;
        let end = (start + self.batch_size).min(series.starts.len());
        series.batch(&(start..end).collect::<Vec<_>>())
    }

    /// One pass over the windows.
    ///
    /// # Errors
    /// As [`TimeseriesGenerator::get`].
    pub fn batches(&self) -> Result<TimeseriesBatches> {
        Ok(TimeseriesBatches::over(&Arc::new(self.series()?), false))
    }

    /// Passes without end.
    ///
    /// # Errors
    /// As [`TimeseriesGenerator::get`].
    pub fn repeat(&self) -> Result<TimeseriesBatches> {
        Ok(TimeseriesBatches::over(&Arc::new(self.series()?), true))
    }

    fn series(&self) -> Result<Series> {
        let steps = steps_of("TimeseriesGenerator", &self.data)?;
        let targets = steps_of("TimeseriesGenerator", &self.targets)?;
        if steps != targets {
            return Err(Error::Shape(format!(
                "TimeseriesGenerator: expected as many targets as steps, got {targets} and {steps}"
            )));
        }
        let sizes = [
            ("length", self.length),
            ("sampling_rate", self.sampling_rate),
            ("stride", self.stride),
            ("batch_size", self.batch_size),
        ];
        if let Some((name, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return Err(Error::Value(format!(
                "TimeseriesGenerator: expected {name} of at least 1, got 0"
            )));
        }
        let end = self.end_index.map_or(steps, |last| last.saturating_add(1));
        let first = self.start_index.saturating_add(self.length);
        if first >= end || end > steps {
            return Err(Error::Value(format!(
                "TimeseriesGenerator: windows over {} steps from {} on have their first target at {first}; expected \
                 it at {} at most, within {steps} steps",
                self.length,
                self.start_index,
                end.saturating_sub(1)
            )));
        }
        let mut within: Vec<usize> = (0..self.length).step_by(self.sampling_rate).collect();
        if self.reverse {
            within.reverse();
        }
        // Drawn at random, windows begin at every step, as in Keras; only their number heeds the stride.
        let stride = if self.shuffle { 1 } else { self.stride };
        Ok(Series {
            data: self.data.clone(),
            targets: Some(self.targets.clone()),
            starts: (first..end)
                .step_by(stride)
                .map(|row| row - self.length)
                .collect(),
            steps: within,
            ahead: self.length,
            batch_size: self.batch_size,
            batches: (end - first)
                .div_ceil(self.stride)
                .div_ceil(self.batch_size),
            shuffle: match self.shuffle {
                true => Shuffle::Replaced,
                false => Shuffle::No,
            },
        })
    }
}
