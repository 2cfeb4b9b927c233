//! The guard around a cell's code: panics and `?` become one report, and variables survive both.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};

use crate::device::cpu::buffers::ReleaseAtEnd;
use crate::display::channel;
use crate::error;

/// What `?` in a cell turns an error into. It deliberately does not implement `Debug`, which
/// leaves room for the conversion from every type that does.
pub struct Failure {
    message: String,
    type_name: &'static str,
    location: &'static Location<'static>,
}

impl<E: Debug + 'static> From<E> for Failure {
    #[track_caller]
    fn from(error: E) -> Self {
        Failure {
            message: text(&error, &error),
            type_name: name_of(&error).unwrap_or(std::any::type_name::<E>()),
            location: Location::caller(),
        }
    }
}

/// How an error reads: as its `Display` form where that is known, or as its `Debug` form.
pub(crate) fn text(error: &dyn Any, debug: &dyn Debug) -> String {
    describe(error).unwrap_or_else(|| format!("{debug:?}"))
}

/// What an error of this library is called.
fn name_of(error: &dyn Any) -> Option<&'static str> {
    error.downcast_ref::<crate::Error>().map(crate::Error::name)
}

/// The text of the error types that are met most, which read better than their `Debug` form.
fn describe(error: &dyn Any) -> Option<String> {
    macro_rules! first_of {
        ($($kind:ty),*) => {
            $(if let Some(error) = error.downcast_ref::<$kind>() { return Some(error.to_string()); })*
        };
    }
    first_of!(
        crate::Error,
        String,
        &'static str,
        Box<dyn std::error::Error>,
        Box<dyn std::error::Error + Send + Sync>,
        std::io::Error,
        std::num::ParseIntError,
        std::num::ParseFloatError,
        std::str::Utf8Error,
        std::string::FromUtf8Error,
        serde_json::Error
    );
    None
}

struct Panic {
    message: String,
    /// Of an error of this library, its name.
    name: Option<&'static str>,
    place: Option<(String, u32, u32)>,
}

thread_local! {
    /// Set while this thread runs a cell; the hook leaves the panic here for [`run`] to report.
    static RUNNING: RefCell<Option<Option<Panic>>> = const { RefCell::new(None) };
    /// Whether the last cell did not come to its end.
    static FAILED: Cell<bool> = const { Cell::new(false) };
}

/// Whether the last cell did not come to its end; asked for once.
pub(super) fn failed() -> bool {
    FAILED.replace(false)
}

/// Runs a cell's code. Returns whether it came to its end; otherwise one report has been sent.
pub fn run(body: impl FnOnce() -> Result<(), Failure>) -> bool {
    let mut body = Some(body);
    guarded(&mut || body.take().map_or(Ok(()), |body| body()))
}

/// Not generic: compiled once, here, instead of in each cell.
fn guarded(body: &mut dyn FnMut() -> Result<(), Failure>) -> bool {
    let _memory = ReleaseAtEnd::begin();
    RUNNING.set(Some(None));
    let outcome = catch_unwind(AssertUnwindSafe(body));
    let noted = RUNNING.take().flatten();
    FAILED.set(!matches!(outcome, Ok(Ok(()))));
    match outcome {
        Ok(Ok(())) => true,
        Ok(Err(failure)) => {
            channel::send(&serde_json::json!({
                "t": "failure",
                "message": failure.message,
                "type": failure.type_name,
                "file": failure.location.file(),
                "line": failure.location.line(),
                "column": failure.location.column(),
            }));
            false
        }
        Err(payload) => {
            let panic = noted.unwrap_or_else(|| Panic {
                message: text_of(&*payload),
                name: None,
                place: None,
            });
            let (file, line, column) = panic.place.unwrap_or_default();
            channel::send(&serde_json::json!({
                "t": "panic", "message": panic.message, "type": panic.name, "file": file, "line": line,
                "column": column,
            }));
            false
        }
    }
}

fn text_of(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| {
            payload
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
        })
        .unwrap_or_else(|| "a value that is no text".to_owned())
}

/// Makes panics in a cell's own thread be kept for its report; in any other thread they are told
/// on standard error as usual.
pub(super) fn install_hook() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let name = error::raised();
        let noted = RUNNING.with_borrow_mut(|running| match running {
            Some(noted) => {
                let place = info
                    .location()
                    .map(|place| (place.file().to_owned(), place.line(), place.column()));
                *noted = Some(Panic {
                    message: text_of(info.payload()),
                    name,
                    place,
                });
                true
            }
            None => false,
        });
        if !noted {
            usual(info);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_read_as_their_display_and_point_at_the_question_mark() {
        fn fails() -> Result<(), Failure> {
            Err(crate::Error::Value("rate must be below 1, got 2".into()))?;
            Ok(())
        }
        let failure = fails().expect_err("it fails");
        assert_eq!(failure.message, "rate must be below 1, got 2");
        assert!(failure.location.file().ends_with("failure.rs"));
        assert_eq!(failure.type_name, "ValueError");
    }

    #[test]
    fn an_error_without_display_reads_as_its_debug() {
        #[derive(Debug)]
        struct Odd(#[allow(dead_code)] u8);
        assert_eq!(Failure::from(Odd(3)).message, "Odd(3)");
    }

    #[test]
    fn a_panic_is_not_an_end() {
        assert!(run(|| Ok(())));
        assert!(!run(|| panic!("caught")));
    }

    #[test]
    fn an_operation_that_panics_leaves_the_name_of_its_error() {
        let panic = catch_unwind(|| crate::Tensor::ones([2]).reshape([3]));
        assert!(text_of(&*panic.expect_err("it panics")).starts_with("reshape: [2]"));
        assert_eq!(error::raised(), Some("ShapeError"));
        assert_eq!(error::raised(), None, "and is asked for once");
    }
}
