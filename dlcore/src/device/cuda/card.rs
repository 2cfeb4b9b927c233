//! One card: its memory, its programs, its matrix library.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::blas::{self, Blas};
use super::driver::{self, Context, DriverError, Function, Module};
use super::memory::{Memory, OUT_OF_MEMORY, Piece, Refused};
use super::staging::{self, Slot, Slots};
use super::{compiler, matrix};
use crate::device::{Device, DeviceInfo};
use crate::{Error, Result};

/// Threads of a block, as the kernels have it.
pub(super) const BLOCK: u32 = 256;
/// Blocks at most; kernels loop where there is more to do.
const BLOCKS: usize = 1 << 14;

/// A card that is ready.
pub(crate) struct Card {
    number: usize,
    capability: (u32, u32),
    context: Context,
    pub(super) memory: Memory<Context>,
    pub(super) slots: Slots,
    module: Module,
    functions: Mutex<BTreeMap<&'static str, Function>>,
    blas: Mutex<Blas>,
    /// Set by an error after which the driver does nothing more in this process.
    lost: AtomicBool,
}

/// What a kernel is given, in its order.
#[derive(Clone, Copy)]
pub(super) enum Argument<'a> {
    /// A part of the card's memory.
    Buffer(&'a Buffer),
    /// None where the kernel does not look.
    Nothing,
    Int(i32),
    Long(i64),
    Float(f32),
    Layout(&'a super::layout::Layout),
    Slide(&'a super::window::Slide),
    Sequence(&'a super::recurrent::Sequence),
    Tensors(&'a super::optimizers::Tensors),
}

/// A part of a card's memory; it goes back when it is dropped.
pub(crate) struct Buffer {
    card: &'static Card,
    address: u64,
    bytes: usize,
    held: Held,
}

/// Whose the memory is.
enum Held {
    Piece(Piece),
    /// A slot's, until it goes back.
    Slot(Option<Box<Slot>>),
}

impl Buffer {
    /// What came by a slot.
    pub(super) fn of_slot(card: &'static Card, slot: Slot, bytes: usize) -> Buffer {
        Buffer {
            card,
            address: slot.piece.address,
            bytes,
            held: Held::Slot(Some(Box::new(slot))),
        }
    }

    pub(super) fn address(&self) -> u64 {
        self.address
    }

    pub(super) fn card(&self) -> &'static Card {
        self.card
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        match &mut self.held {
            Held::Piece(piece) => self.card.memory.put_back(piece),
            Held::Slot(slot) => {
                if let Some(slot) = slot.take() {
                    self.card.put_slot_back(*slot);
                }
            }
        }
    }
}

impl Card {
    pub(super) fn open(number: usize) -> Result<Card, String> {
        let started = driver::start()?;
        if number >= started.cards {
            let have = match started.cards {
                0 => "the driver sees no card".to_string(),
                1 => "the driver sees one card, cuda:0".to_string(),
                more => format!("the driver sees cuda:0 to cuda:{}", more - 1),
            };
            return Err(have);
        }
        let about = driver::about(number).map_err(|error| error.to_string())?;
        let context = Context::of(about.device).map_err(|error| error.to_string())?;
        context.enter().map_err(|error| error.to_string())?;
        let image = compiler::image(about.capability, started.version)?;
        let module = Module::load(&image)
            .map_err(|error| format!("the driver refuses the compiled kernels: {error}"))?;
        Ok(Card {
            number,
            capability: about.capability,
            context,
            memory: Memory::new(context),
            slots: Slots::default(),
            module,
            functions: Mutex::default(),
            blas: Mutex::new(Blas::open()?),
            lost: AtomicBool::new(false),
        })
    }

    pub(crate) fn device(&self) -> Device {
        Device::Cuda(self.number)
    }

    /// Whether its matrix library multiplies bfloat16: since Ampere.
    pub(super) fn multiplies_bfloat16(&self) -> bool {
        self.capability >= (8, 0)
    }

    /// Makes it the calling thread's.
    pub(super) fn enter(&self) -> Result<()> {
        let started = driver::start().map_err(Error::Device)?;
        if started.process != std::process::id() {
            return Err(Error::Device(format!(
                "{}: this process was forked from one that uses the card, and cannot use it itself; start a new \
                 process, or compute on Device::Cpu here",
                self.device()
            )));
        }
        if self.lost.load(Ordering::Relaxed) {
            return Err(self.gone("it stopped working earlier"));
        }
        self.context
            .enter()
            .map_err(|error| self.failed("enter", error))
    }

    /// Whether nothing can be asked of it any more.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    fn lose(&self, why: &str) -> Error {
        self.lost.store(true, Ordering::Relaxed);
        super::ANY_LOST.store(true, Ordering::Relaxed);
        self.gone(why)
    }

    fn gone(&self, why: &str) -> Error {
        crate::device::choice::leave(self.device());
        Error::Device(format!(
            "{}: {why}; what is on it is lost to this process. The CPU is computed on from here on; the card may be \
             back after a restart of the kernel",
            self.device()
        ))
    }

    pub(super) fn failed(&self, doing: &str, error: DriverError) -> Error {
        let words = format!("{doing}: {error}");
        if driver::is_final(error) {
            return self.lose(&words);
        }
        match driver::is_full(error) {
            true => self.full(&words),
            false => Error::Device(format!("{}: {words}", self.device())),
        }
    }

    fn full(&self, words: &str) -> Error {
        Error::Device(format!(
            "{}: {OUT_OF_MEMORY}: {words}; take a smaller batch_size, or drop tensors that are no longer needed",
            self.device()
        ))
    }

    /// What the driver does; once more where it found no memory, without what is kept for the next tensors.
    fn ask(&self, doing: &str, mut call: impl FnMut() -> Result<(), DriverError>) -> Result<()> {
        let mut done = call();
        if done.is_err_and(driver::is_full) {
            self.memory.release();
            done = call();
        }
        done.map_err(|error| self.failed(doing, error))
    }

    /// Room for so many bytes.
    pub(super) fn allocate(&'static self, bytes: usize) -> Result<Buffer> {
        self.enter()?;
        let piece = self.memory.take(bytes).map_err(|refused| match refused {
            Refused::Failed(error) => self.failed("find memory", error),
            full => Error::Device(format!("{}: {full}", self.device())),
        })?;
        Ok(Buffer {
            card: self,
            address: piece.address,
            bytes,
            held: Held::Piece(piece),
        })
    }

    /// Room for so many zeros.
    pub(super) fn zeros(&'static self, bytes: usize) -> Result<Buffer> {
        let buffer = self.allocate(bytes)?;
        // SAFETY: the buffer has room for them.
        self.ask("clear memory", || unsafe {
            driver::clear(buffer.address(), bytes)
        })?;
        Ok(buffer)
    }

    pub(super) fn upload<T: Copy>(&'static self, values: &[T]) -> Result<Buffer> {
        let buffer = self.allocate(size_of_val(values))?;
        if !values.is_empty() {
            // SAFETY: the buffer has room for them.
            self.ask("copy to it", || unsafe {
                driver::upload(buffer.address(), values)
            })?;
        }
        Ok(buffer)
    }

    pub(super) fn download<T: Copy + Default>(
        &self,
        from: &Buffer,
        count: usize,
    ) -> Result<Vec<T>> {
        self.enter()?;
        assert!(count * size_of::<T>() <= from.bytes, "as much as is there");
        let mut values = vec![T::default(); count];
        if count > 0 {
            // SAFETY: so many are there.
            self.ask("copy from it", || unsafe {
                driver::download(&mut values, from.address())
            })?;
        }
        Ok(values)
    }

    pub(super) fn duplicate(&'static self, from: &Buffer) -> Result<Buffer> {
        let buffer = self.allocate(from.bytes)?;
        // SAFETY: both have so many bytes.
        self.ask("copy on it", || unsafe {
            driver::copy(buffer.address(), from.address(), from.bytes)
        })?;
        Ok(buffer)
    }

    /// Begins a kernel with a thread for each of `count` elements.
    pub(super) fn each(
        &self,
        kernel: &'static str,
        count: usize,
        arguments: &[Argument<'_>],
    ) -> Result<()> {
        let blocks = count.div_ceil(BLOCK as usize);
        self.launch(kernel, blocks, arguments)
    }

    /// Begins a kernel with so many blocks, or as many as are useful.
    pub(super) fn launch(
        &self,
        kernel: &'static str,
        blocks: usize,
        arguments: &[Argument<'_>],
    ) -> Result<()> {
        if blocks == 0 {
            return Ok(());
        }
        self.enter()?;
        let function = self.function(kernel)?;
        let addresses: Vec<u64> = arguments
            .iter()
            .map(|argument| match argument {
                Argument::Buffer(buffer) => buffer.address(),
                _ => 0,
            })
            .collect();
        let mut pointers: Vec<*mut c_void> = arguments
            .iter()
            .zip(&addresses)
            .map(|(argument, address)| {
                let pointer: *const c_void = match argument {
                    Argument::Buffer(_) | Argument::Nothing => std::ptr::from_ref(address).cast(),
                    Argument::Int(value) => std::ptr::from_ref(value).cast(),
                    Argument::Long(value) => std::ptr::from_ref(value).cast(),
                    Argument::Float(value) => std::ptr::from_ref(value).cast(),
                    Argument::Slide(slide) => std::ptr::from_ref(*slide).cast(),
                    Argument::Sequence(sequence) => std::ptr::from_ref(*sequence).cast(),
                    Argument::Layout(layout) => std::ptr::from_ref(*layout).cast(),
                    Argument::Tensors(tensors) => std::ptr::from_ref(*tensors).cast(),
                };
                pointer.cast_mut()
            })
            .collect();
        // SAFETY: the modules beside this one give each kernel what its source says, and tests run each of them.
        self.ask(kernel, || unsafe {
            driver::launch(function, blocks.min(BLOCKS) as u32, BLOCK, &mut pointers)
        })
    }

    fn function(&self, kernel: &'static str) -> Result<Function> {
        let mut functions = self
            .functions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(function) = functions.get(kernel) {
            return Ok(*function);
        }
        let function = self
            .module
            .function(kernel)
            .map_err(|error| self.failed(kernel, error))?;
        functions.insert(kernel, function);
        Ok(function)
    }

    /// A matrix product.
    pub(super) fn gemm(&self, product: &matrix::Product<'_>) -> Result<()> {
        self.enter()?;
        let mut blas = self.blas.lock().unwrap_or_else(PoisonError::into_inner);
        let mut begun = blas.gemm(product);
        if begun.is_err_and(blas::is_full) {
            self.memory.release();
            begun = blas.gemm(product);
        }
        begun.map_err(|error| {
            let words = format!("matrix product: {error}");
            match error {
                error if blas::is_final(error) => self.lose(&words),
                error if blas::is_full(error) => self.full(&words),
                _ => Error::Device(format!("{}: {words}", self.device())),
            }
        })
    }

    /// Gives what memory is kept for the next tensors back to the driver.
    pub(super) fn release(&self) {
        if self.enter().is_ok() {
            if !staging::is_wanted() {
                self.empty_slots();
            }
            self.memory.release();
        }
    }

    /// Waits until everything is done.
    pub(super) fn synchronize(&self) -> Result<()> {
        self.enter()?;
        driver::synchronize().map_err(|error| self.failed("wait for it", error))
    }
}

/// What is known of a card before it is used.
pub(super) fn info(number: usize) -> Result<DeviceInfo, String> {
    let started = driver::start()?;
    let about = driver::about(number).map_err(|error| error.to_string())?;
    Ok(DeviceInfo {
        device: Device::Cuda(number),
        name: about.name,
        memory: about.memory as u64,
        free: super::opened(number).map_or(about.memory, Card::free) as u64,
        driver: Some(format!("{}.{}", started.version.0, started.version.1)),
        compute_capability: Some(about.capability),
    })
}

impl Card {
    fn free(&self) -> usize {
        use super::memory::Source as _;
        match self.lost.load(Ordering::Relaxed) {
            true => 0,
            false => self.context.room().0,
        }
    }
}
