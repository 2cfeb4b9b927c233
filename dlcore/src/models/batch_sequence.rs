//! Batches that are asked for by their places.

use super::data::Batch;

/// Batches of which it is known how many there are, each made when it is asked for: what Keras calls a
/// `PyDataset`, once `Sequence`.
///
/// [`fit_sequence`](super::Model::fit_sequence) takes each of them once an epoch, in a new order each time.
///
/// ```
/// use dlcore::prelude::*;
/// let mut model = Sequential::new().add(Dense::new(1).input_shape([2]));
/// model.compile("sgd", "mse", ())?;
/// // Ten batches, each made, or read from a file, when its turn comes.
/// let batches = BatchSequence::new(10, |index| {
///     (Tensor::full([16, 2], index as f64 / 10.0), Tensor::ones([16, 1]))
/// });
/// let history = model.fit_sequence(batches, Fit::epochs(3).verbose(0))?;
/// assert_eq!(history.len(), 3);
/// // Batches that are there already.
/// let list = vec![(Tensor::ones([4, 2]), Tensor::ones([4, 1])); 3];
/// model.fit_sequence(&list, Fit::epochs(1).verbose(0))?;
/// # Ok::<(), Error>(())
/// ```
pub struct BatchSequence {
    count: usize,
    /// The first batch, where somebody wanted to see what comes.
    seen: Option<Batch>,
    make: Box<dyn FnMut(usize) -> Batch>,
    epoch_end: Option<Box<dyn FnMut()>>,
}

impl BatchSequence {
    /// `count` batches; `make` is called with their places, from 0.
    pub fn new<B: Into<Batch>>(
        count: usize,
        mut make: impl FnMut(usize) -> B + 'static,
    ) -> BatchSequence {
        BatchSequence {
            count,
            seen: None,
            make: Box::new(move |index| make(index).into()),
            epoch_end: None,
        }
    }

    /// Runs after each epoch: to augment anew, or to choose other samples.
    pub fn on_epoch_end(mut self, then: impl FnMut() + 'static) -> BatchSequence {
        self.epoch_end = Some(Box::new(then));
        self
    }

    /// How many batches there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn batch(&mut self, index: usize) -> Batch {
        let seen = self.seen.take_if(|_| index == 0);
        seen.unwrap_or_else(|| (self.make)(index))
    }

    /// The first batch, which is not made again when its turn comes.
    pub(super) fn first(&mut self) -> &Batch {
        self.seen.get_or_insert_with(|| (self.make)(0))
    }

    /// All batches in their order.
    pub(super) fn all(&mut self) -> impl Iterator<Item = Batch> {
        (0..self.count).map(|index| self.batch(index))
    }

    pub(super) fn end_epoch(&mut self) {
        if let Some(then) = &mut self.epoch_end {
            then();
        }
    }
}

impl<B: Into<Batch>> From<Vec<B>> for BatchSequence {
    fn from(batches: Vec<B>) -> BatchSequence {
        let batches: Vec<Batch> = batches.into_iter().map(Into::into).collect();
        BatchSequence::new(batches.len(), move |index| batches[index].clone())
    }
}

impl<B: Into<Batch> + Clone> From<&Vec<B>> for BatchSequence {
    fn from(batches: &Vec<B>) -> BatchSequence {
        batches.clone().into()
    }
}

impl<B: Into<Batch>, const N: usize> From<[B; N]> for BatchSequence {
    fn from(batches: [B; N]) -> BatchSequence {
        Vec::from(batches).into()
    }
}

/// `3 batches`
impl std::fmt::Debug for BatchSequence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} batches", self.count)
    }
}
