//! Functions of one number inside fused kernels, written so that the compiler vectorises them.
//!
//! In single precision the exponential and what is made of it are polynomials (Cephes, `expf.c` and
//! `tanhf.c`), within a few units in the last place; in double precision they are the standard library's.

use crate::tensor::{DType, Real};

/// A function of each element whose derivative can be told from its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nonlinearity {
    /// `x`
    Linear,
    /// `max(x, 0)`
    Relu,
    /// `1 / (1 + e⁻ˣ)`
    Sigmoid,
    /// `tanh x`
    Tanh,
    /// `x / 6 + 0.5` within `[0, 1]`: Keras 3's `hard_sigmoid`.
    HardSigmoid,
    /// `0.2 · x + 0.5` within `[0, 1]`: Keras's `hard_sigmoid` of 2017.
    HardSigmoid2017,
}

impl Nonlinearity {
    /// Every function has its place in this list.
    #[cfg(test)]
    pub(crate) const NAMES: [&'static str; 6] = [
        "linear",
        "relu",
        "sigmoid",
        "tanh",
        "hard_sigmoid",
        "hard_sigmoid_2017",
    ];

    /// The function of this name, if there is one.
    pub(crate) fn named(name: &str) -> Option<Nonlinearity> {
        Some(match name {
            "linear" => Nonlinearity::Linear,
            "relu" => Nonlinearity::Relu,
            "sigmoid" => Nonlinearity::Sigmoid,
            "tanh" => Nonlinearity::Tanh,
            "hard_sigmoid" => Nonlinearity::HardSigmoid,
            "hard_sigmoid_2017" => Nonlinearity::HardSigmoid2017,
            _ => return None,
        })
    }

    /// Puts the function of each value in its place.
    #[inline(always)]
    pub(crate) fn apply<T: Real>(self, values: &mut [T]) {
        match self {
            Nonlinearity::Linear => {}
            Nonlinearity::Relu => each(values, |x| if x < T::zero() { T::zero() } else { x }),
            Nonlinearity::Sigmoid => each(values, sigmoid),
            Nonlinearity::Tanh => each(values, tanh),
            Nonlinearity::HardSigmoid => each(values, |x| clipped(x / T::from_f64(6.0))),
            Nonlinearity::HardSigmoid2017 => each(values, |x| clipped(x * T::from_f64(0.2))),
        }
    }

    /// Multiplies each gradient by the derivative where the function gave `outputs`.
    #[inline(always)]
    pub(crate) fn times_slope<T: Real>(self, gradients: &mut [T], outputs: &[T]) {
        let one = T::one();
        match self {
            Nonlinearity::Linear => {}
            Nonlinearity::Relu => scale(gradients, outputs, |y| step(y > T::zero(), one)),
            Nonlinearity::Sigmoid => scale(gradients, outputs, |y| y * (one - y)),
            Nonlinearity::Tanh => scale(gradients, outputs, |y| one - y * y),
            Nonlinearity::HardSigmoid => scale(gradients, outputs, |y| {
                step(y > T::zero() && y < one, T::from_f64(1.0 / 6.0))
            }),
            Nonlinearity::HardSigmoid2017 => scale(gradients, outputs, |y| {
                step(y > T::zero() && y < one, T::from_f64(0.2))
            }),
        }
    }
}

#[inline(always)]
fn each<T: Real>(values: &mut [T], function: impl Fn(T) -> T) {
    for value in values {
        *value = function(*value);
    }
}

#[inline(always)]
fn scale<T: Real>(gradients: &mut [T], outputs: &[T], slope: impl Fn(T) -> T) {
    for (gradient, &output) in gradients.iter_mut().zip(outputs) {
        *gradient *= slope(output);
    }
}

#[inline(always)]
fn step<T: Real>(condition: bool, slope: T) -> T {
    if condition { slope } else { T::zero() }
}

/// `x + 0.5` within `[0, 1]`; NaN stays.
#[inline(always)]
fn clipped<T: Real>(x: T) -> T {
    let y = x + T::from_f64(0.5);
    if y < T::zero() {
        T::zero()
    } else if y > T::one() {
        T::one()
    } else {
        y
    }
}

/// `1 / (1 + e⁻ˣ)`, in single precision 0 below -87. For a loop within [`vectorised`](super::vectorised), to which it is not handed by its name: it
/// would be called through a shim, which has no wider instructions.
#[inline(always)]
pub(crate) fn sigmoid<T: Real>(x: T) -> T {
    if T::DTYPE == DType::F32 {
        let x = x.to_f32();
        // Below -87 the exponential stays as it is there: times a large number, that would be far from 0.
        let result = 1.0 / (1.0 + exp(-x));
        return T::cast_from(if x < -87.0 { 0.0 } else { result });
    }
    T::one() / (T::one() + (-x).exp())
}

/// `tanh x`. For loops as [`sigmoid`] is.
#[inline(always)]
pub(crate) fn tanh<T: Real>(x: T) -> T {
    if T::DTYPE == DType::F32 {
        return T::cast_from(tanh_single(x.to_f32()));
    }
    x.tanh()
}

/// `eˣ` for x within ±87, beyond which it is as at the nearest of these; NaN for NaN.
///
/// `x = n · ln 2 + r` with a whole n; a polynomial gives `eʳ`, and n is added to its exponent.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// Added to a small number it leaves its nearest integer in the lowest bits.
    const ROUNDING: f32 = 12_582_912.0;
    /// ln 2 in two parts, the first of which has few bits, so that its multiples are exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    let x = x.clamp(-87.0, 87.0);
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUNDING);
    let n = shifted - ROUNDING;
    let r = n.mul_add(-LN_2[1], n.mul_add(-LN_2[0], x));
    let mut p: f32 = 1.987_569_2e-4;
    for coefficient in [
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        5.0e-1,
    ] {
        p = p.mul_add(r, coefficient);
    }
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3F80_0000));
    (p.mul_add(r * r, r) + 1.0) * power
}

/// Puts `eˣ` in the place of each x, none of which is above 0: 0 below -87, and NaN for NaN.
#[inline(always)]
pub(crate) fn exp_each<T: Real>(values: &mut [T]) {
    for value in values {
        *value = vanishing_exp(*value);
    }
}

#[inline(always)]
fn vanishing_exp<T: Real>(x: T) -> T {
    if T::DTYPE != DType::F32 {
        return x.exp();
    }
    let x = x.to_f32();
    let power = exp(x);
    T::cast_from(if x < -87.0 { 0.0 } else { power })
}

/// A polynomial near 0, where a difference of exponentials would lose digits.
#[inline(always)]
fn tanh_single(x: f32) -> f32 {
    let z = x * x;
    let mut p: f32 = -5.704_988_7e-3;
    for coefficient in [
        2.063_908_8e-2,
        -5.373_971_6e-2,
        1.333_144_2e-1,
        -3.333_328e-1,
    ] {
        p = p.mul_add(z, coefficient);
    }
    let near = (p * z).mul_add(x, x);
    let far = 1.0 - 2.0 / (exp(2.0 * x.abs()) + 1.0);
    if x.abs() < 0.625 {
        near
    } else {
        far.copysign(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_precision_is_within_a_few_units_in_the_last_place() {
        for i in -200_000..=200_000 {
            let x = i as f32 * 1e-4;
            let wide = f64::from(x);
            let close = |actual: f32, expected: f64| {
                let error = (f64::from(actual) - expected).abs() / expected.abs().max(1e-30);
                assert!(error < 4e-7, "x = {x}: {actual}, expected {expected}");
            };
            close(exp(x), wide.exp());
            close(sigmoid(x), 1.0 / (1.0 + (-wide).exp()));
            if i != 0 {
                close(tanh(x), wide.tanh());
            }
        }
    }

    #[test]
    fn the_far_ends_and_nan_come_out_right() {
        for (x, s, t) in [(100.0_f32, 1.0, 1.0), (-100.0, 0.0, -1.0), (0.0, 0.5, 0.0)] {
            assert!((sigmoid(x) - s).abs() < 1e-30 && tanh(x) == t, "{x}");
        }
        assert!(sigmoid(f32::NAN).is_nan() && tanh(f32::NAN).is_nan());
        assert!(sigmoid(f32::INFINITY) == 1.0 && tanh(f32::NEG_INFINITY) == -1.0);
    }

    #[test]
    fn exponentials_of_what_is_not_above_0_vanish_far_below_it() {
        let mut values = [0.0_f32, -1.0, -86.9, -87.5, f32::NEG_INFINITY, f32::NAN];
        exp_each(&mut values);
        assert_eq!(values[0], 1.0);
        assert!((values[1] - (-1.0_f32).exp()).abs() < 1e-7 && values[2] > 0.0);
        assert!(values[3] == 0.0 && values[4] == 0.0 && values[5].is_nan());
    }

    #[test]
    fn slopes_are_those_of_the_functions() {
        for name in Nonlinearity::NAMES {
            let function = Nonlinearity::named(name).unwrap();
            for x in [-3.5_f64, -1.2, -0.4, 0.3, 1.1, 3.2] {
                let at = |x: f64| {
                    let mut value = [x];
                    function.apply(&mut value);
                    value[0]
                };
                let mut slope = [1.0];
                function.times_slope(&mut slope, &[at(x)]);
                let expected = (at(x + 1e-6) - at(x - 1e-6)) / 2e-6;
                assert!((slope[0] - expected).abs() < 1e-8, "{name} at {x}");
            }
        }
        assert_eq!(Nonlinearity::named("softmax"), None);
    }
}
