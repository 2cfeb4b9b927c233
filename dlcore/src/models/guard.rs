//! Panics of layers and functions that a model calls, as errors.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{Error, Result};

/// What `work` returns; its panic is an error that names the operation. `work` must leave the model as it
/// was when it panics.
pub(super) fn guarded<T>(operation: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic_text(&*panic);
        let error = match of_a_device(&text) {
            true => Error::Device,
            false => Error::Model,
        };
        Err(error(format!("{operation}: {text}")))
    })
}

/// [`guarded`] for what a layer does, by whose name the error begins.
pub(super) fn guarded_layer<T>(
    name: impl FnOnce() -> String,
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let (name, text) = (name(), panic_text(&*panic));
        Err(Error::Model(match text.starts_with(&name) {
            true => text,
            false => format!("{name}: {text}"),
        }))
    })
}

/// What a panic said: a layer's own words as they are, a function's as such.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    match text.or(panic.downcast_ref::<&str>().copied()) {
        Some(text) if is_of_a_layer(text) || of_a_device(text) => text.to_string(),
        Some(text) => format!("a function panicked ({text})"),
        None => "a function panicked".to_string(),
    }
}

/// Whether a text is what a card says: `cuda:0: out of memory: …`.
pub(super) fn of_a_device(text: &str) -> bool {
    text.starts_with("cuda:")
}

/// Whether a text begins as layers begin theirs: `embedding_1 (Embedding): …`.
fn is_of_a_layer(text: &str) -> bool {
    text.split_once("): ")
        .and_then(|(layer, _)| layer.split_once(" ("))
        .is_some_and(|(name, kind)| {
            let word = |text: &str| {
                let plain = |c: char| c.is_alphanumeric() || c == '_';
                !text.is_empty() && text.chars().all(plain)
            };
            word(name) && word(kind)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_and_layers_speak_for_themselves() {
        let error = |text: &'static str| {
            let result: Result<()> = guarded("predict", || panic!("{text}"));
            result.unwrap_err().to_string()
        };
        assert_eq!(error("boom: no"), "predict: a function panicked (boom: no)");
        assert_eq!(
            error("embedding (Embedding): index 5"),
            "predict: embedding (Embedding): index 5"
        );
        assert_eq!(
            error("cuda:0: out of memory"),
            "predict: cuda:0: out of memory"
        );
        assert_eq!(guarded("fit", || Ok(1)).unwrap(), 1);
    }
}
