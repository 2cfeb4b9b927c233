//! How fast streams leave: a Jupyter server drops what comes faster than it likes.

use std::time::Duration;
use tokio::time::Instant;

/// Bytes a second, in the long run. Jupyter's server counts over three seconds and begins to drop
/// output beyond a million bytes for each, escapes and headers included.
const RATE: f64 = 700e3;
/// What a message takes at least: the server also counts messages, a thousand a second.
const MESSAGE: usize = 1000;
/// Bytes that may leave at once after a pause.
const BURST: f64 = 500e3;

/// A bucket of bytes that fills at [`RATE`] and holds [`BURST`].
#[derive(Debug)]
pub struct Pace {
    /// Negative while later bytes have to wait for earlier ones.
    filled: f64,
    at: Instant,
}

impl Pace {
    pub fn new(now: Instant) -> Pace {
        Pace {
            filled: BURST,
            at: now,
        }
    }

    /// Takes a message of `bytes` out; how long they have to wait.
    pub fn take(&mut self, bytes: usize, now: Instant) -> Duration {
        let passed = now.duration_since(self.at).as_secs_f64();
        self.at = now;
        let bytes = bytes.max(MESSAGE);
        self.filled = (self.filled + passed * RATE).min(BURST) - bytes as f64;
        Duration::from_secs_f64((-self.filled / RATE).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_leaves_at_once_and_a_flood_at_the_rate() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        assert_eq!(pace.take(500_000, start), Duration::ZERO);
        assert_eq!(pace.take(350_000, start), Duration::from_millis(500));
        assert_eq!(pace.take(350_000, start), Duration::from_secs(1));
        let later = start + Duration::from_secs(60);
        assert_eq!(pace.take(500_000, later), Duration::ZERO);
        assert_ne!(pace.take(1, later), Duration::ZERO);
    }
}
