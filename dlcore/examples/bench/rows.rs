//! The figures of the table: what they should be, and the arithmetic behind them.

/// One line of the table.
pub struct Row {
    pub case: &'static str,
    pub metric: &'static str,
    /// What is measured, for a reader.
    pub words: &'static str,
    /// The project's own goal, in the metric's unit.
    pub goal: Option<f64>,
    /// Arithmetic operations in what is measured, where they decide, and how many of the metric's unit
    /// make a second.
    pub work: Option<(f64, f64)>,
}

/// Multiplication and addition count as two. Training takes three times the forward pass, less the
/// gradient of the first layer's input, which nobody needs.
const FIRST_LAYER: f64 = 2.0 * 784.0 * 512.0;
const SECOND_LAYER: f64 = 2.0 * 512.0 * 10.0;
/// Three convolutions of 3 by 3 and two dense layers, for one picture.
const CONVOLUTIONS: [f64; 5] = [
    2.0 * 9.0 * 26.0 * 26.0 * 32.0,
    2.0 * 9.0 * 11.0 * 11.0 * 32.0 * 64.0,
    2.0 * 9.0 * 3.0 * 3.0 * 64.0 * 64.0,
    2.0 * 576.0 * 64.0,
    2.0 * 64.0 * 10.0,
];

fn convnet() -> f64 {
    64.0 * (3.0 * CONVOLUTIONS.iter().sum::<f64>() - CONVOLUTIONS[0])
}

/// The table's lines, in order.
pub fn rows() -> Vec<Row> {
    let mnist = 60_000.0 * (2.0 * FIRST_LAYER + 3.0 * SECOND_LAYER);
    let evaluate = 10_000.0 * (FIRST_LAYER + SECOND_LAYER);
    let lstm = 3.0 * 128.0 * 500.0 * 2.0 * (32.0 + 32.0) * 128.0;
    let small = 32.0 * 2.0 * (2.0 * 20.0 * 32.0 + 3.0 * 32.0);
    let boston = 2.0 * (2.0 * 13.0 * 64.0 + 3.0 * 64.0 * 64.0 + 3.0 * 64.0);
    let row = |case, metric, words, goal: f64, work| Row {
        case,
        metric,
        words,
        goal: (goal > 0.0).then_some(goal),
        work,
    };
    vec![
        row(
            "mnist",
            "epoch_s",
            "784-512-10, RMSprop, batch 128: epoch of 60,000, s",
            0.9,
            Some((mnist, 1.0)),
        ),
        row(
            "imdb",
            "epoch_s",
            "10000-16-16-1, batch 512: epoch of 15,000 and 10,000 to validate, s",
            0.03,
            None,
        ),
        row(
            "imdb",
            "peak_MB",
            "largest memory of that run with its data, MB",
            200.0,
            None,
        ),
        row(
            "convnet",
            "step_ms",
            "convnet for MNIST, batch 64: step, ms",
            12.0,
            Some((convnet(), 1e3)),
        ),
        row(
            "lstm",
            "step_ms",
            "Embedding 32, LSTM 32, length 500, batch 128: step, ms",
            55.0,
            Some((lstm, 1e3)),
        ),
        row(
            "small",
            "step_us",
            "20-32-1, batch 32: step, µs",
            8.0,
            Some((small, 1e6)),
        ),
        row(
            "boston",
            "step_us",
            "13-64-64-1, RMSprop, batch 1: step, µs",
            8.0,
            Some((boston, 1e6)),
        ),
        row(
            "boston",
            "folds_s",
            "4 folds of 100 epochs of that, s",
            2.0,
            None,
        ),
        row(
            "evaluate",
            "evaluate_s",
            "evaluate 10,000 pictures, 784-512-10, batch 128, s",
            0.055,
            Some((evaluate, 1.0)),
        ),
        row(
            "startup",
            "first_batch_s",
            "from main to the first trained batch, s",
            0.015,
            None,
        ),
    ]
}

impl Row {
    /// The share of `peak` operations a second that `value` comes to.
    pub fn share(&self, value: f64, peak: f64) -> Option<f64> {
        let (work, unit) = self.work?;
        Some(work / (value / unit) / peak)
    }
}
