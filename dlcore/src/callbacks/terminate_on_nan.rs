//! Ending training at a loss that is no number, without an error.

use super::Callback;

/// Ends training when the loss becomes NaN or infinite, and lets `fit` return the history.
///
/// Without it `fit` ends there too, but with an error that says what to do.
///
/// ```
/// use dlcore::callbacks::TerminateOnNaN;
/// use dlcore::models::Fit;
/// let settings = Fit::epochs(10).callback(TerminateOnNaN::new());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TerminateOnNaN;

impl TerminateOnNaN {
    /// The callback; it has no settings.
    pub fn new() -> Self {
        TerminateOnNaN
    }
}

impl Callback for TerminateOnNaN {
    fn ends_at_nan(&self) -> bool {
        true
    }
}
