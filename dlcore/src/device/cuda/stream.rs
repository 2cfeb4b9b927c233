//! A second way of work on a card, beside the one that kernels run in: streams, events between them, and memory of
//! the processor's that a card reads by itself.

use cudarc::driver::sys::{self, CUevent_flags, CUevent_wait_flags};
use cudarc::driver::{DriverError, result};

/// Work that is done in its order.
pub(super) struct Stream(sys::CUstream);

// SAFETY: the driver's functions may be called with a stream from any thread.
unsafe impl Send for Stream {}
// SAFETY: as above.
unsafe impl Sync for Stream {}

impl Stream {
    /// The one that kernels run in.
    pub(super) fn of_kernels() -> Stream {
        Stream(result::stream::null())
    }

    /// One that knows nothing of the others.
    pub(super) fn new() -> Result<Stream, DriverError> {
        result::stream::create(result::stream::StreamKind::NonBlocking).map(Stream)
    }

    /// Lets the work that is begun in it from here on wait for an event. Nobody waits here.
    pub(super) fn wait(&self, event: &Event) -> Result<(), DriverError> {
        let plain = CUevent_wait_flags::CU_EVENT_WAIT_DEFAULT;
        // SAFETY: both live as long as their owners.
        unsafe { result::stream::wait_event(self.0, event.0, plain) }
    }

    /// Begins a copy of the first bytes to a card.
    ///
    /// # Safety
    /// There is room for so many at the address, and `from` stays as it is until the copy is done.
    pub(super) unsafe fn upload(
        &self,
        to: u64,
        from: &Pinned,
        bytes: usize,
    ) -> Result<(), DriverError> {
        assert!(bytes <= from.bytes, "as much as is there");
        // SAFETY: so many bytes are there; the rest is the caller's promise.
        unsafe {
            let from = std::slice::from_raw_parts(from.address, bytes);
            result::memcpy_htod_async(to, from, self.0)
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: it was made by `new`, and nobody else has it. What was begun in it is still done.
            let _ = unsafe { result::stream::destroy(self.0) };
        }
    }
}

/// A mark in a stream.
pub(super) struct Event(sys::CUevent);

// SAFETY: the driver's functions may be called with an event from any thread.
unsafe impl Send for Event {}
// SAFETY: as above.
unsafe impl Sync for Event {}

impl Event {
    pub(super) fn new() -> Result<Event, DriverError> {
        result::event::create(CUevent_flags::CU_EVENT_DISABLE_TIMING).map(Event)
    }

    /// Sets the mark after all that was begun in the stream.
    pub(super) fn record(&self, stream: &Stream) -> Result<(), DriverError> {
        // SAFETY: both live as long as their owners.
        unsafe { result::event::record(self.0, stream.0) }
    }

    /// Waits here until the card has come to the mark.
    pub(super) fn synchronize(&self) -> Result<(), DriverError> {
        // SAFETY: it lives as long as its owner.
        unsafe { result::event::synchronize(self.0) }
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: it was made by `new`, and nobody else has it.
        let _ = unsafe { result::event::destroy(self.0) };
    }
}

/// Memory of the processor's that stays where it is, so that a card can read it by itself.
pub(super) struct Pinned {
    address: *mut u8,
    bytes: usize,
}

// SAFETY: it is its owner's alone.
unsafe impl Send for Pinned {}
// SAFETY: it is written only by who may change it.
unsafe impl Sync for Pinned {}

impl Pinned {
    pub(super) fn new(bytes: usize) -> Result<Pinned, DriverError> {
        // SAFETY: it is written before it is read.
        let address = unsafe { result::malloc_host(bytes, 0) }?.cast();
        Ok(Pinned { address, bytes })
    }

    /// Puts numbers at its beginning; no copy from it may be on its way.
    pub(super) fn write(&mut self, values: &[f32]) {
        let bytes = size_of_val(values);
        assert!(bytes <= self.bytes, "room for the numbers");
        // SAFETY: there is room, and it is nobody else's.
        unsafe { std::ptr::copy_nonoverlapping(values.as_ptr().cast(), self.address, bytes) };
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // SAFETY: it was made by `new`, and nobody else has it.
        let _ = unsafe { result::free_host(self.address.cast()) };
    }
}
