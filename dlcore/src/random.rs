//! Random numbers that repeat: the same seed gives the same numbers, whatever the number of
//! threads.
//!
//! Every draw takes the next seed of one process-wide stream. Element i of a draw is computed from
//! its seed and i alone, by Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
//! 1, 2, 3", 2011), so that elements can be made in any order.

use std::hash::{BuildHasher, RandomState};
use std::mem::MaybeUninit;
use std::sync::{Mutex, PoisonError};

use crate::Tensor;
use crate::device::cpu::{Cost, build, vectorised};
use crate::tensor::Shape;

/// The seed and how many draws were made from it; no seed yet means one from the system.
static STREAM: Mutex<Option<(u64, u64)>> = Mutex::new(None);

/// Starts the stream anew: what is drawn from here on repeats for the same `seed`. Without it every
/// process draws different numbers.
pub fn set_seed(seed: u64) {
    *STREAM.lock().unwrap_or_else(PoisonError::into_inner) = Some((seed, 0));
}

/// The next seed of the process-wide stream: for whatever needs random numbers of its own.
pub fn next_seed() -> u64 {
    let mut stream = STREAM.lock().unwrap_or_else(PoisonError::into_inner);
    let (seed, draws) = stream.get_or_insert_with(|| (RandomState::new().hash_one(0_u8), 0));
    let [a, b, ..] = philox(*seed, *draws);
    *draws += 1;
    u64::from(a) << 32 | u64::from(b)
}

/// Ten rounds of Philox4x32: four random words from a key and a counter.
#[inline(always)]
fn philox(key: u64, counter: u64) -> [u32; 4] {
    const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
    const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
    let mut key = [key as u32, (key >> 32) as u32];
    let mut words = [counter as u32, (counter >> 32) as u32, 0, 0];
    for _ in 0..10 {
        let first = u64::from(words[0]) * u64::from(MULTIPLIERS[0]);
        let second = u64::from(words[2]) * u64::from(MULTIPLIERS[1]);
        words = [
            (second >> 32) as u32 ^ words[1] ^ key[0],
            second as u32,
            (first >> 32) as u32 ^ words[3] ^ key[1],
            first as u32,
        ];
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    words
}

/// `[0, 1)` in steps of 2⁻²⁴, all of which f32 holds exactly.
#[inline(always)]
fn unit(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / (1 << 24) as f32)
}

/// A buffer of which each block of `N` elements is made from one counter's words.
fn blocks<const N: usize>(
    length: usize,
    seed: u64,
    make: impl Fn([u32; 4]) -> [f32; N] + Sync,
) -> Vec<f32> {
    build(length, N, Cost::Costly, &|start,
                                     piece: &mut [MaybeUninit<
        f32,
    >]| {
        vectorised(
            #[inline(always)]
            || {
                for (index, to) in piece.chunks_mut(N).enumerate() {
                    let values = make(philox(seed, (start / N + index) as u64));
                    for (to, value) in to.iter_mut().zip(values) {
                        to.write(value);
                    }
                }
            },
        );
    })
}

/// Independent numbers, uniform from `low` (included) to `high` (excluded up to rounding), `F32`.
pub fn uniform(shape: impl Into<Shape>, low: f64, high: f64) -> Tensor {
    let (shape, seed) = (shape.into(), next_seed());
    let (low, width) = (low as f32, (high - low) as f32);
    let make = |words: [u32; 4]| words.map(|word| low + width * unit(word));
    Tensor::from_values(shape.dims(), blocks(shape.size(), seed, make))
}

/// Independent normal numbers, `F32`, by the Box–Muller transform.
pub fn normal(shape: impl Into<Shape>, mean: f64, standard_deviation: f64) -> Tensor {
    let (shape, seed) = (shape.into(), next_seed());
    let make = |words| normals(words).map(|z| (mean + standard_deviation * z) as f32);
    Tensor::from_values(shape.dims(), blocks(shape.size(), seed, make))
}

/// Four standard normal numbers, computed in double precision.
fn normals(words: [u32; 4]) -> [f64; 4] {
    // In (0, 1]: the logarithm is finite.
    let unit = |word: u32| (f64::from(word) + 1.0) / 4_294_967_296.0;
    let pair = |a: u32, b: u32| {
        let radius = (-2.0 * unit(a).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * unit(b)).sin_cos();
        [radius * cosine, radius * sine]
    };
    let ([a, b], [c, d]) = (pair(words[0], words[1]), pair(words[2], words[3]));
    [a, b, c, d]
}

/// Normal numbers, those further than two standard deviations from the mean drawn again, `F32`.
pub fn truncated_normal(shape: impl Into<Shape>, mean: f64, standard_deviation: f64) -> Tensor {
    let (shape, seed) = (shape.into(), next_seed());
    let redraw = philox(seed, u64::MAX);
    let values = build(shape.size(), 1, Cost::Costly, &|start, piece| {
        for (index, to) in piece.iter_mut().enumerate() {
            // Each element has its own stream of tries.
            let key = seed ^ u64::from(redraw[0]).wrapping_mul((start + index) as u64 + 1);
            let mut tries = (0..)
                .flat_map(|attempt| normals(philox(key, (start + index) as u64 | attempt << 48)));
            let z = tries
                .find(|z: &f64| z.abs() <= 2.0)
                .expect("an endless stream");
            to.write((mean + standard_deviation * z) as f32);
        }
    });
    Tensor::from_values(shape.dims(), values)
}

/// The numbers from 0 to `n - 1` in random order.
pub fn permutation(n: usize) -> Vec<usize> {
    let seed = next_seed();
    let mut order: Vec<usize> = (0..n).collect();
    for index in (1..n).rev() {
        let [a, b, ..] = philox(seed, index as u64);
        let word = u64::from(a) << 32 | u64::from(b);
        // The high half of the product is uniform below index + 1, up to 2⁻⁶⁴ of bias.
        let other = (u128::from(word) * (index as u128 + 1)) >> 64;
        order.swap(index, other as usize);
    }
    order
}

/// 0 with probability `rate` and `1 / (1 - rate)` otherwise.
pub(crate) fn dropout_mask(shape: &[usize], rate: f64, seed: u64) -> Tensor {
    let dropped = (rate * 4_294_967_296.0) as u32;
    let kept = (1.0 / (1.0 - rate)) as f32;
    let make = |words: [u32; 4]| words.map(|word| if word < dropped { 0.0 } else { kept });
    Tensor::from_values(shape, blocks(shape.iter().product(), seed, make))
}
