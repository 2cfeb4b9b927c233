//! A second way of work on a card, beside the one that kernels run in: streams, events between them, and memory of
//! the processor's that a card reads by itself.

use std::ptr;

use super::driver::{DriverError, ask};
use super::driver_library::{
    CUevent, CUresult, CUstream, EVENT_DISABLE_TIMING, EVENT_WAIT_DEFAULT, STREAM_NON_BLOCKING,
};

/// Work that is done in its order.
pub(super) struct Stream(CUstream);

// SAFETY: the driver's functions may be called with a stream from any thread.
unsafe impl Send for Stream {}
// SAFETY: as above.
unsafe impl Sync for Stream {}

impl Stream {
    /// The one that kernels run in.
    pub(super) fn of_kernels() -> Stream {
        Stream(ptr::null_mut())
    }

    /// One that knows nothing of the others.
    pub(super) fn new() -> Result<Stream, DriverError> {
        let mut stream = ptr::null_mut();
        // SAFETY: the stream is written to, and lives as long as the call.
        ask(|driver| unsafe { (driver.stream_create)(&raw mut stream, STREAM_NON_BLOCKING) })?;
        Ok(Stream(stream))
    }

    /// Lets the work that is begun in it from here on wait for an event. Nobody waits here.
    pub(super) fn wait(&self, event: &Event) -> Result<(), DriverError> {
        // SAFETY: both live as long as their owners.
        ask(|driver| unsafe { (driver.stream_wait_event)(self.0, event.0, EVENT_WAIT_DEFAULT) })
    }

    /// Whether all that was begun in it is done. It does not wait.
    pub(super) fn is_done(&self) -> Result<bool, DriverError> {
        // SAFETY: it lives as long as its owner.
        match ask(|driver| unsafe { (driver.stream_query)(self.0) }) {
            Ok(()) => Ok(true),
            Err(DriverError(CUresult::NOT_READY)) => Ok(false),
            Err(error) => Err(error),
        }
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
        ask(|driver| unsafe { (driver.memcpy_htod_async)(to, from.address.cast(), bytes, self.0) })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: it was made by `new`, and nobody else has it. What was begun in it is still done.
            let _ = ask(|driver| unsafe { (driver.stream_destroy)(self.0) });
        }
    }
}

/// A mark in a stream.
pub(super) struct Event(CUevent);

// SAFETY: the driver's functions may be called with an event from any thread.
unsafe impl Send for Event {}
// SAFETY: as above.
unsafe impl Sync for Event {}

impl Event {
    pub(super) fn new() -> Result<Event, DriverError> {
        let mut event = ptr::null_mut();
        // SAFETY: the event is written to, and lives as long as the call.
        ask(|driver| unsafe { (driver.event_create)(&raw mut event, EVENT_DISABLE_TIMING) })?;
        Ok(Event(event))
    }

    /// Sets the mark after all that was begun in the stream.
    pub(super) fn record(&self, stream: &Stream) -> Result<(), DriverError> {
        // SAFETY: both live as long as their owners.
        ask(|driver| unsafe { (driver.event_record)(self.0, stream.0) })
    }

    /// Waits here until the card has come to the mark.
    pub(super) fn synchronize(&self) -> Result<(), DriverError> {
        // SAFETY: it lives as long as its owner.
        ask(|driver| unsafe { (driver.event_synchronize)(self.0) })
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: it was made by `new`, and nobody else has it.
        let _ = ask(|driver| unsafe { (driver.event_destroy)(self.0) });
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
        let mut address = ptr::null_mut();
        // SAFETY: the address is written to, and lives as long as the call.
        ask(|driver| unsafe { (driver.mem_host_alloc)(&raw mut address, bytes, 0) })?;
        Ok(Pinned {
            address: address.cast(),
            bytes,
        })
    }

    /// Puts numbers at its beginning; no copy from it may be on its way.
    pub(super) fn write(&mut self, values: &[f32]) {
        let bytes = size_of_val(values);
        assert!(bytes <= self.bytes, "room for the numbers");
        // SAFETY: there is room, and it is nobody else's.
        unsafe { ptr::copy_nonoverlapping(values.as_ptr().cast(), self.address, bytes) };
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // SAFETY: it was made by `new`, and nobody else has it.
        let _ = ask(|driver| unsafe { (driver.mem_free_host)(self.address.cast()) });
    }
}
