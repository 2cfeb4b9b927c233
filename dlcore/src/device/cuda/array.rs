//! Numbers on a card, as a tensor holds them.

use std::sync::{Arc, OnceLock};

use super::card::{Argument, Buffer, Card};
use super::fallback;
use crate::Result;
use crate::tensor::{Array, Storage, array_from_vec, with_slice};

/// Numbers of single precision in row-major order on a card. They never change, except where an optimizer holds
/// them alone.
///
/// Whoever looks at them on the processor is given a copy, which is made once and kept.
pub struct DeviceArray {
    shape: Vec<usize>,
    buffer: Arc<Buffer>,
    here: OnceLock<Storage>,
}

impl std::fmt::Debug for DeviceArray {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} on {}", self.shape, self.card().device())
    }
}

impl DeviceArray {
    fn new(shape: &[usize], buffer: Buffer) -> DeviceArray {
        Self::sharing(shape, Arc::new(buffer))
    }

    fn sharing(shape: &[usize], buffer: Arc<Buffer>) -> DeviceArray {
        DeviceArray {
            shape: shape.to_vec(),
            buffer,
            here: OnceLock::new(),
        }
    }

    /// Room for numbers that are whatever they are.
    pub(super) fn empty(card: &'static Card, shape: &[usize]) -> Result<DeviceArray> {
        let buffer = card.allocate(shape.iter().product::<usize>() * size_of::<f32>())?;
        Ok(Self::new(shape, buffer))
    }

    pub(super) fn zeros(card: &'static Card, shape: &[usize]) -> Result<DeviceArray> {
        let buffer = card.zeros(shape.iter().product::<usize>() * size_of::<f32>())?;
        Ok(Self::new(shape, buffer))
    }

    /// A copy of an array of the processor's.
    pub(super) fn upload(card: &'static Card, array: &Array<f32>) -> Result<DeviceArray> {
        let buffer = with_slice(array, |values| card.upload(values))?;
        Ok(Self::new(array.shape(), buffer))
    }

    /// [`DeviceArray::upload`] while the card computes; none where it goes as others do.
    pub(super) fn stage(card: &'static Card, array: &Array<f32>) -> Option<Result<DeviceArray>> {
        let sent = with_slice(array, |values| card.stage(values))?;
        Some(sent.map(|buffer| Self::new(array.shape(), buffer)))
    }

    /// The same numbers under another shape.
    pub(super) fn reshaped(&self, shape: &[usize]) -> DeviceArray {
        assert_eq!(
            shape.iter().product::<usize>(),
            self.len(),
            "as many numbers"
        );
        Self::sharing(shape, self.buffer.clone())
    }

    /// Makes `this` numbers that nobody else holds, to be written to: a copy, where somebody does.
    pub(super) fn make_own(this: &mut Arc<Self>) -> Result<()> {
        if let Some(array) = Arc::get_mut(this)
            && Arc::get_mut(&mut array.buffer).is_some()
        {
            array.here.take();
            return Ok(());
        }
        let copy = this.card().duplicate(&this.buffer)?;
        *this = Arc::new(Self::new(&this.shape, copy));
        Ok(())
    }

    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub(super) fn len(&self) -> usize {
        self.shape.iter().product()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn buffer(&self) -> &Buffer {
        &self.buffer
    }

    pub(crate) fn card(&self) -> &'static Card {
        self.buffer.card()
    }

    /// The numbers on the processor.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) if the card fails.
    pub(crate) fn try_here(&self) -> Result<&Storage> {
        if let Some(here) = self.here.get() {
            return Ok(here);
        }
        let values: Vec<f32> = self.card().download(&self.buffer, self.len())?;
        fallback::copied(size_of_val(&values[..]));
        let storage = Storage::F32(array_from_vec(&self.shape, values));
        Ok(self.here.get_or_init(|| storage))
    }

    /// [`DeviceArray::try_here`] for operations, which have no way to return an error.
    ///
    /// # Panics
    /// If the card fails, with what it said.
    pub(crate) fn here(&self) -> &Storage {
        match self.try_here() {
            Ok(storage) => storage,
            Err(error) => panic!("{error}"),
        }
    }
}

/// A new array by a kernel with a thread for each of its numbers, which is given the array, the operands, the count and
/// `rest`.
pub(super) fn computed(
    card: &'static Card,
    kernel: &'static str,
    operands: &[Argument<'_>],
    rest: &[Argument<'_>],
    shape: &[usize],
) -> Result<DeviceArray> {
    let out = DeviceArray::empty(card, shape)?;
    let mut arguments = buffers(&[&out]);
    arguments.extend(operands);
    arguments.push(Argument::Long(out.len() as i64));
    arguments.extend(rest);
    card.each(kernel, out.len(), &arguments)?;
    Ok(out)
}

/// Arrays as kernels are given them.
pub(super) fn buffers<'a>(arrays: &[&'a DeviceArray]) -> Vec<Argument<'a>> {
    let arrays = arrays.iter().map(|array| Argument::Buffer(array.buffer()));
    arrays.collect()
}
