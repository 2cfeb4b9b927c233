//! The socket to the kernel: framed messages beside stdout.
//!
//! The environment variable `DLCORE_DISPLAY_FD` holds the number of an inherited, connected Unix
//! stream socket; where it is absent there is no kernel. A frame is a little-endian `u32` length
//! followed by that many bytes of UTF-8 JSON, in both directions.

use std::io::{self, Read, Write};
use std::os::fd::FromRawFd as _;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::Value;

/// The environment variable that names the socket.
pub const FD_VARIABLE: &str = "DLCORE_DISPLAY_FD";

/// No frame is longer: a length past this is a broken stream, not a picture.
pub const MAX_FRAME: usize = 256 << 20;

static CHANNEL: OnceLock<Option<Mutex<UnixStream>>> = OnceLock::new();

/// Whether a kernel is on the other side.
pub fn connected() -> bool {
    channel().is_some()
}

/// Sends one frame; `false` where there is no kernel, or it has gone.
pub fn send(frame: &Value) -> bool {
    let Some(channel) = channel() else {
        return false;
    };
    // What was printed before belongs before what is shown now.
    let _ = io::stdout().flush();
    write_frame(&mut *lock(channel), frame).is_ok()
}

/// How long [`send_in_order`] waits for a kernel that does not answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many frames were numbered, and the number up to which the kernel has taken them.
static TAKEN: (Mutex<(u64, u64)>, Condvar) = (Mutex::new((0, 0)), Condvar::new());

/// Whether somebody reads the socket and calls [`acknowledge`].
static ANSWERED: AtomicBool = AtomicBool::new(false);

/// Sends one frame and waits until the kernel has taken it, so that what is printed next comes
/// after it: stdout goes another way and could overtake.
pub fn send_in_order(mut frame: Value) -> bool {
    if !ANSWERED.load(Ordering::Acquire) {
        return send(&frame);
    }
    let (state, changed) = &TAKEN;
    let number = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 += 1;
        state.0
    };
    frame["ack"] = number.into();
    if !send(&frame) {
        return false;
    }
    let state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = changed.wait_timeout_while(state, PATIENCE, |(_, taken)| *taken < number);
    drop(waited);
    true
}

/// From now on [`acknowledge`] is called for what the kernel takes.
pub(crate) fn answers_will_come() {
    ANSWERED.store(true, Ordering::Release);
}

/// The kernel has taken the frame of this number.
pub(crate) fn acknowledge(number: u64) {
    let (state, changed) = &TAKEN;
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    state.1 = state.1.max(number);
    changed.notify_all();
}

/// A second handle on the socket, to read what the kernel sends.
pub fn reader() -> Option<UnixStream> {
    channel().and_then(|channel| lock(channel).try_clone().ok())
}

/// Writes one frame, in one piece.
///
/// # Errors
/// What the writer says, and `InvalidInput` for a frame past [`MAX_FRAME`].
pub fn write_frame(writer: &mut impl Write, frame: &Value) -> io::Result<()> {
    let body = frame.to_string();
    if body.len() > MAX_FRAME {
        let message = format!(
            "a frame of {} bytes is longer than the {MAX_FRAME} allowed",
            body.len()
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let mut bytes = Vec::with_capacity(4 + body.len());
    bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
    bytes.extend_from_slice(body.as_bytes());
    writer.write_all(&bytes)?;
    writer.flush()
}

/// Reads one frame; `None` where the other side has closed between two frames.
///
/// # Errors
/// What the reader says, `UnexpectedEof` inside a frame, and `InvalidData` for a length past
/// [`MAX_FRAME`] or a body that is not JSON.
pub fn read_frame(reader: &mut impl Read) -> io::Result<Option<Value>> {
    let mut length = [0; 4];
    if !read_start(reader, &mut length)? {
        return Ok(None);
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_FRAME {
        let message = format!("a frame claims {length} bytes, more than the {MAX_FRAME} allowed");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    // Grows with what arrives, so that a wrong length alone takes no memory.
    let mut body = Vec::new();
    reader.take(length as u64).read_to_end(&mut body)?;
    if body.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    serde_json::from_slice(&body)
        .map(Some)
        .map_err(io::Error::from)
}

/// Fills `buffer`; `false` where the stream ends before its first byte.
fn read_start(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) if filled == 0 => return Ok(false),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn channel() -> Option<&'static Mutex<UnixStream>> {
    CHANNEL.get_or_init(|| open().map(Mutex::new)).as_ref()
}

fn open() -> Option<UnixStream> {
    let fd: i32 = std::env::var(FD_VARIABLE)
        .ok()?
        .parse()
        .ok()
        .filter(|fd| *fd > 2)?;
    // SAFETY: whoever sets the variable hands over this descriptor, open, to this process alone. It
    // is taken here once (behind a OnceLock) and never closed: the static lives as long as the process.
    let stream = unsafe { UnixStream::from_raw_fd(fd) };
    // A descriptor that is not a connected socket must not swallow what is shown.
    if stream.peer_addr().is_ok() {
        return Some(stream);
    }
    std::mem::forget(stream);
    None
}

/// A panic while writing leaves no half-built state worth refusing over.
fn lock(channel: &Mutex<UnixStream>) -> MutexGuard<'_, UnixStream> {
    channel.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn frames_come_out_as_they_went_in() {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let frames = [
            json!({"t": "clear", "wait": true}),
            json!({"t": "display", "data": {"text/plain": "ε"}}),
        ];
        for frame in &frames {
            write_frame(&mut ours, frame).unwrap();
        }
        drop(ours);
        assert_eq!(read_frame(&mut theirs).unwrap().as_ref(), Some(&frames[0]));
        assert_eq!(read_frame(&mut theirs).unwrap().as_ref(), Some(&frames[1]));
        assert_eq!(read_frame(&mut theirs).unwrap(), None);
    }

    #[test]
    fn a_cut_frame_and_an_endless_one_are_errors() {
        let mut whole = Vec::new();
        write_frame(&mut whole, &json!({"t": "clear", "wait": false})).unwrap();
        for cut in 1..whole.len() {
            let error = read_frame(&mut &whole[..cut]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "cut at {cut}");
        }
        let error = read_frame(&mut &u32::MAX.to_le_bytes()[..]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn without_a_kernel_nothing_is_sent() {
        // The test runner has no such socket; a program that has one is the kernel's concern.
        if std::env::var_os(FD_VARIABLE).is_none() {
            assert!(!connected());
            assert!(!send(&json!({"t": "clear", "wait": false})));
        }
    }
}
