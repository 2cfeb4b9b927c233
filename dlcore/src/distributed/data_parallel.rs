//! Which share of each batch a rank trains on, and how the shares come together.

use std::ops::Range;
use std::sync::Arc;

use super::{Communicator, Sockets};
use crate::{Error, Result};

/// Every batch is split among ranks; each computes the gradient of its share, and all make the step of the whole
/// batch. [`Fit::distribution`](crate::models::Fit::distribution) takes it; the batch size there is that of all ranks
/// together, as in Keras.
///
/// Ranks in processes of their own run the same program on the same data:
///
/// ```no_run
/// use dlcore::prelude::*;
/// # fn train(model: &mut Sequential, x: &Tensor, y: &Tensor) -> Result<()> {
/// // DLCORE_RANK=0 DLCORE_RANKS=2 in one process, DLCORE_RANK=1 DLCORE_RANKS=2 in the other.
/// let ranks = DataParallel::from_env()?;
/// model.fit(x, y, Fit::epochs(5).batch_size(128).distribution(&ranks))?;
/// # Ok(())
/// # }
/// ```
///
/// At first all ranks take the weights of rank 0, and each epoch its order of the samples, so seeds need not agree. What
/// is recorded of training is the mean over the ranks by their samples. Validation is computed by each
/// rank on all of its data. Layers compute with what is in the share: batch normalization takes its statistics, and its
/// running means are those of the last rank; the mean under a mask is one over the share.
#[derive(Clone)]
pub struct DataParallel(Ranks);

#[derive(Clone)]
enum Ranks {
    /// All in this process, one after another.
    Here(usize),
    /// This process is one of them.
    Among(Arc<dyn Communicator>),
}

impl DataParallel {
    /// So many ranks in this process, one after another: what several would compute, and batches of which only a share
    /// need fit into memory at a time.
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// let (x, y) = (Tensor::uniform([8, 3], -1.0, 1.0), Tensor::ones([8, 1]));
    /// let mut model = Sequential::new().add(Dense::new(1).input_shape([3]));
    /// model.compile("sgd", "mse", Metrics::none())?;
    /// let ranks = DataParallel::ranks(2)?;
    /// model.fit(&x, &y, Fit::epochs(1).batch_size(8).distribution(&ranks).verbose(0))?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Value`] for none.
    pub fn ranks(count: usize) -> Result<DataParallel> {
        match count {
            0 => Err(Error::Value(
                "data parallel: at least one rank, got 0".to_string(),
            )),
            _ => Ok(DataParallel(Ranks::Here(count))),
        }
    }

    /// This process as one rank of those that `communicator` talks to.
    pub fn new(communicator: Arc<dyn Communicator>) -> DataParallel {
        DataParallel(Ranks::Among(communicator))
    }

    /// This process as rank `rank` of `size`; rank 0 listens at `address`, `"127.0.0.1:29500"`.
    ///
    /// # Errors
    /// As [`Sockets::connect`].
    pub fn connect(rank: usize, size: usize, address: &str) -> Result<DataParallel> {
        Ok(Self::new(Arc::new(Sockets::connect(rank, size, address)?)))
    }

    /// [`DataParallel::connect`] as the environment says: `DLCORE_RANK`, `DLCORE_RANKS` and, unless it is
    /// `127.0.0.1:29500`, `DLCORE_ADDRESS`. Without them one rank, this process.
    ///
    /// # Errors
    /// [`Error::Value`] for what is no number; otherwise as [`Sockets::connect`].
    pub fn from_env() -> Result<DataParallel> {
        let variable = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let number = |name: &str, text: String| {
            text.parse::<usize>()
                .map_err(|_| Error::Value(format!("{name} must be a number, got {text:?}")))
        };
        let (Some(rank), Some(size)) = (variable("DLCORE_RANK"), variable("DLCORE_RANKS")) else {
            return Self::ranks(1);
        };
        let address = variable("DLCORE_ADDRESS");
        Self::connect(
            number("DLCORE_RANK", rank)?,
            number("DLCORE_RANKS", size)?,
            address.as_deref().unwrap_or("127.0.0.1:29500"),
        )
    }

    /// How many ranks there are.
    pub fn size(&self) -> usize {
        match &self.0 {
            Ranks::Here(count) => *count,
            Ranks::Among(communicator) => communicator.size(),
        }
    }

    /// Which rank this process is; 0 if it is all of them.
    pub fn rank(&self) -> usize {
        match &self.0 {
            Ranks::Here(_) => 0,
            Ranks::Among(communicator) => communicator.rank(),
        }
    }

    /// This process's shares of a batch, of neighbouring samples each; shares differ by one sample at most.
    pub(crate) fn shares(&self, samples: usize) -> Vec<Range<usize>> {
        let size = self.size();
        let share = |rank: usize| rank * samples / size..(rank + 1) * samples / size;
        match &self.0 {
            Ranks::Here(count) => (0..*count).map(share).collect(),
            Ranks::Among(communicator) => vec![share(communicator.rank())],
        }
    }

    /// The sum over the ranks, of which this process's is there already.
    pub(crate) fn sum(&self, values: &mut [f32]) -> Result<()> {
        match &self.0 {
            Ranks::Here(_) => Ok(()),
            Ranks::Among(communicator) => communicator.all_reduce(values),
        }
    }

    /// What the first rank has.
    pub(crate) fn of_first(&self, values: &mut [f32]) -> Result<()> {
        self.of(0, values)
    }

    /// What the last rank has.
    pub(crate) fn of_last(&self, values: &mut [f32]) -> Result<()> {
        self.of(self.size() - 1, values)
    }

    fn of(&self, rank: usize, values: &mut [f32]) -> Result<()> {
        match &self.0 {
            Ranks::Here(_) => Ok(()),
            Ranks::Among(communicator) => communicator.broadcast(rank, values),
        }
    }

    /// Tells ranks in other processes that this one goes no further with them.
    pub(crate) fn leave(&self) {
        if let Ranks::Among(communicator) = &self.0 {
            communicator.leave();
        }
    }

    /// Whether this process is all the ranks.
    pub(crate) fn are_here(&self) -> bool {
        matches!(self.0, Ranks::Here(_))
    }

    /// An order of samples as the first rank has it.
    pub(crate) fn order(&self, mut order: Vec<usize>) -> Result<Vec<usize>> {
        const HALF: usize = 1 << 16;
        if self.are_here() {
            return Ok(order);
        }
        // Halves, each of which a number of single precision holds exactly.
        let halves = order
            .iter()
            .flat_map(|at| [(at / HALF) as f32, (at % HALF) as f32]);
        let mut halves: Vec<f32> = halves.collect();
        self.of_first(&mut halves)?;
        for (at, half) in order.iter_mut().zip(halves.chunks_exact(2)) {
            *at = half[0] as usize * HALF + half[1] as usize;
        }
        Ok(order)
    }
}

impl From<&DataParallel> for DataParallel {
    fn from(ranks: &DataParallel) -> DataParallel {
        ranks.clone()
    }
}

impl std::fmt::Debug for DataParallel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Ranks::Here(count) => write!(f, "{count} ranks in this process"),
            Ranks::Among(own) => write!(f, "rank {} of {}", own.rank(), own.size()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_cover_a_batch_whatever_its_size() {
        let ranks = DataParallel::ranks(4).unwrap();
        for samples in 0..20 {
            let shares = ranks.shares(samples);
            assert_eq!(shares.len(), 4);
            let all: Vec<usize> = shares.iter().cloned().flatten().collect();
            assert_eq!(all, (0..samples).collect::<Vec<_>>());
            let lengths = shares.iter().map(ExactSizeIterator::len);
            assert!(lengths.clone().max().unwrap() - lengths.min().unwrap() <= 1);
        }
        assert!(DataParallel::ranks(0).is_err());
    }
}
