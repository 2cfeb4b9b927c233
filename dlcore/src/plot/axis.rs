//! Axes: where the ticks lie, what they say, and how values and times are written.

/// How an axis maps values to the stretch from 0 (its low end) to 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    log: bool,
}

impl Axis {
    /// An axis from `low` to `high`, as they are.
    pub fn linear(low: f64, high: f64) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        Axis {
            low,
            high,
            log: false,
        }
    }

    /// An axis that shows all of `values` with some room, logarithmic past two decades.
    ///
    /// A share (an accuracy) is not widened past 0 and 1, and a quantity that is never negative not
    /// below 0.
    pub fn fitting(values: impl Iterator<Item = f64>, share: bool) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite()) {
            low = low.min(value);
            high = high.max(value);
        }
        if low > high {
            return Axis {
                low: 0.0,
                high: 1.0,
                log: false,
            };
        }
        if !share && low > 0.0 && high / low > 100.0 {
            let (low, high) = (low.log10(), high.log10());
            let room = 0.05 * (high - low);
            return Axis {
                low: low - room,
                high: high + room,
                log: true,
            };
        }
        // A flat line gets an axis too.
        let room = match 0.06 * (high - low) {
            0.0 => (0.05 * high.abs()).max(1e-3),
            room => room,
        };
        let floor = if low >= 0.0 { 0.0 } else { f64::NEG_INFINITY };
        let ceiling = if share && high <= 1.0 {
            1.0 + room * 0.2
        } else {
            f64::INFINITY
        };
        Axis {
            low: (low - room).max(floor),
            high: (high + room).min(ceiling),
            log: false,
        }
    }

    /// Whether equal steps on the axis are equal ratios.
    pub fn is_log(&self) -> bool {
        self.log
    }

    /// Where `value` lies: 0 at the low end, 1 at the high end.
    pub fn place(&self, value: f64) -> f64 {
        let value = if self.log { value.log10() } else { value };
        (value - self.low) / (self.high - self.low)
    }

    /// About `count` ticks with their labels.
    pub fn ticks(&self, count: usize) -> Vec<(f64, String)> {
        if self.log {
            self.log_ticks(count)
        } else {
            self.linear_ticks(count)
        }
    }

    /// Ticks at whole numbers, at most `count`: 1, 2, 3 … or 5, 10, 15 ….
    pub fn whole_ticks(&self, count: usize) -> Vec<(f64, String)> {
        let (first, last) = (
            self.low.ceil().max(1.0) as u64,
            self.high.floor().max(0.0) as u64,
        );
        // Longer numbers need more room.
        let digits = last.to_string().len().max(2);
        let count = (count * 3 / (digits + 1)).max(1);
        let step = (0..)
            .flat_map(|power| [1, 2, 5].map(|digit| digit * 10_u64.pow(power)))
            .find(|step| last.saturating_sub(first) / step < count as u64)
            .unwrap_or(1);
        let start = first.div_ceil(step) * step;
        (start..=last)
            .step_by(step as usize)
            .map(|tick| (tick as f64, tick.to_string()))
            .collect()
    }

    fn linear_ticks(&self, count: usize) -> Vec<(f64, String)> {
        let rough = (self.high - self.low) / count.max(1) as f64;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .map(|digit| digit * power)
            .into_iter()
            .find(|step| *step >= rough * 0.8)
            .unwrap_or(rough);
        let decimals = (-(step.log10() + 1e-9).floor()).max(0.0) as usize;
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step).floor() as i64;
        (first..=last)
            .map(|index| index as f64 * step)
            .map(|tick| (tick, tick_label(tick, decimals)))
            .collect()
    }

    fn log_ticks(&self, count: usize) -> Vec<(f64, String)> {
        let (first, last) = (self.low.floor() as i32, self.high.ceil() as i32);
        let decades = (self.high - self.low).ceil() as usize;
        let digits: &[f64] = match decades {
            0..=2 => &[1.0, 2.0, 5.0],
            3 => &[1.0, 3.0],
            _ => &[1.0],
        };
        let every = decades.div_ceil(count.max(1)).max(1);
        (first..=last)
            .step_by(every)
            .flat_map(|power| {
                digits
                    .iter()
                    .map(move |digit| (power, digit * 10_f64.powi(power)))
            })
            .filter(|(_, tick)| (0.0..=1.0).contains(&self.place(*tick)))
            .map(|(power, tick)| (tick, tick_label(tick, (-power).max(0) as usize)))
            .collect()
    }
}

fn tick_label(tick: f64, decimals: usize) -> String {
    if tick != 0.0 && (tick.abs() >= 1e5 || decimals > 4) {
        return scientific(tick, 1).replace(".0e", "e");
    }
    format!("{tick:.decimals$}")
}

/// A loss or a metric, with the digits that mean something.
pub(super) fn value(value: f64) -> String {
    match value.abs() {
        _ if value.is_nan() => "NaN".to_owned(),
        _ if value.is_infinite() => if value > 0.0 { "∞" } else { "−∞" }.to_owned(),
        0.0 => "0".to_owned(),
        size if size < 0.001 => scientific(value, 2),
        size if size < 10.0 => format!("{value:.4}"),
        size if size < 100.0 => format!("{value:.3}"),
        size if size < 100_000.0 => format!("{value:.1}"),
        _ => scientific(value, 3),
    }
}

fn scientific(value: f64, decimals: usize) -> String {
    format!("{value:.decimals$e}")
}

/// A stretch of time: `24 ms`, `1.3 s`, `18 s`, `2 min 5 s`, `1 h 12 min`.
pub(super) fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match seconds {
        s if s < 1e-7 => "0 ms".to_owned(),
        s if s < 0.0009995 => format!("{:.0} µs", s * 1e6),
        s if s < 0.9995 => format!("{:.0} ms", s * 1000.0),
        s if s < 9.95 => format!("{s:.1} s"),
        _ if whole < 60 => format!("{whole} s"),
        _ if whole < 3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// Time that remains, in whole seconds: an estimate has no milliseconds.
pub(super) fn remaining(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => "under 1 s left".to_owned(),
        s => format!(
            "{} left",
            duration(s.round().max(1.0)).replace(".0 s", " s")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: Vec<(f64, String)>) -> Vec<String> {
        ticks.into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn epochs_have_whole_ticks() {
        let upto = |last: f64| labels(Axis::linear(0.6, last).whole_ticks(10));
        assert_eq!(upto(5.0), ["1", "2", "3", "4", "5"]);
        assert_eq!(
            upto(20.0),
            ["2", "4", "6", "8", "10", "12", "14", "16", "18", "20"]
        );
        assert_eq!(upto(500.0).last().unwrap(), "500");
        assert!(upto(500.0).len() <= 10);
        assert_eq!(upto(1.2), ["1"]);
        assert!(upto(18_000.0).len() <= 5, "{:?}", upto(18_000.0));
    }

    #[test]
    fn values_have_round_ticks() {
        let axis = Axis::linear(0.02, 0.68);
        assert_eq!(labels(axis.ticks(5)), ["0.2", "0.4", "0.6"]);
        let axis = Axis::linear(0.885, 0.992);
        assert_eq!(
            labels(axis.ticks(5)),
            ["0.90", "0.92", "0.94", "0.96", "0.98"].map(String::from)
        );
    }

    #[test]
    fn two_decades_make_a_log_axis() {
        let axis = Axis::fitting([0.001, 20.0].into_iter(), false);
        assert!(axis.log);
        assert_eq!(labels(axis.ticks(5)), ["0.001", "0.01", "0.1", "1", "10"]);
        assert!(!Axis::fitting([0.1, 5.0].into_iter(), false).log);
        assert!(!Axis::fitting([0.001, 1.0].into_iter(), true).log);
    }

    #[test]
    fn an_axis_exists_whatever_the_values() {
        for values in [
            vec![],
            vec![f64::NAN],
            vec![0.0],
            vec![0.5, 0.5],
            vec![-3.0],
            vec![1e300, -1e300],
        ] {
            let axis = Axis::fitting(values.iter().copied(), false);
            assert!(axis.high > axis.low, "{values:?}");
            assert!(axis.ticks(5).len() < 20, "{values:?}");
        }
    }

    #[test]
    fn numbers_have_the_digits_that_mean_something() {
        let cases = [
            (0.27354, "0.2735"),
            (12.3456, "12.346"),
            (1234.5, "1234.5"),
            (2.5e-5, "2.50e-5"),
            (7.409e9, "7.409e9"),
            (f64::NAN, "NaN"),
            (0.0, "0"),
        ];
        for (number, expected) in cases {
            assert_eq!(value(number), expected);
        }
    }

    #[test]
    fn times_read_as_one_says_them() {
        let cases = [
            (0.024, "24 ms"),
            (1.3, "1.3 s"),
            (18.2, "18 s"),
            (125.0, "2 min 5 s"),
            (4320.0, "1 h 12 min"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(duration(seconds), expected);
        }
        let left = [0.3, 4.4, 18.2, 125.0].map(remaining);
        assert_eq!(
            left,
            ["under 1 s left", "4 s left", "18 s left", "2 min 5 s left"]
        );
    }
}
