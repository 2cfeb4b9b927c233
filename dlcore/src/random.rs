//! Random numbers that repeat: the same seed gives the same numbers, whatever the number of
//! threads.
//!
//! Every draw takes the next seed of one process-wide stream. Element i of a draw is computed from
//! its seed and i alone, by Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
//! 1, 2, 3", 2011), so that elements can be made in any order.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use crate::device::cpu::buffers::written;
use crate::device::cpu::{Cost, build, chunks, vectorised};
use crate::tensor::{Shape, expect};
use crate::{Error, Result, Tensor};

/// The seed and how many draws were made from it; no seed yet means one from the system.
static STREAM: Mutex<Option<(u64, u64)>> = Mutex::new(None);

thread_local! {
    /// For which rank this thread draws.
    static RANK: Cell<u32> = const { Cell::new(0) };
}

/// What `run` returns, which draws as this rank: another than its neighbours from the same seed, and rank 0 as if it were
/// alone.
pub(crate) fn as_rank<R>(rank: usize, run: impl FnOnce() -> R) -> R {
    /// Puts back the rank from before, also in a panic.
    struct Before(u32);
    impl Drop for Before {
        fn drop(&mut self) {
            RANK.set(self.0);
        }
    }
    let _before = Before(RANK.replace(rank as u32));
    run()
}

/// What `run` returns, which draws from a stream of its own: in a process where other tests draw meanwhile.
#[cfg(test)]
pub(crate) fn apart<R>(seed: u64, run: impl FnOnce() -> R) -> R {
    APART.set(Some((seed, 0)));
    let result = run();
    APART.set(None);
    result
}

#[cfg(test)]
thread_local! {
    static APART: Cell<Option<(u64, u64)>> = const { Cell::new(None) };
}

/// Starts the stream anew: what is drawn from here on repeats for the same `seed`. Without it every
/// process draws different numbers.
pub fn set_seed(seed: u64) {
    *STREAM.lock().unwrap_or_else(PoisonError::into_inner) = Some((seed, 0));
}

/// The next seed of the process-wide stream: for whatever needs random numbers of its own.
pub fn next_seed() -> u64 {
    #[cfg(test)]
    if let Some((seed, draws)) = APART.get() {
        APART.set(Some((seed, draws + 1)));
        return drawn_seed(seed, draws);
    }
    let mut stream = STREAM.lock().unwrap_or_else(PoisonError::into_inner);
    let (seed, draws) = stream.get_or_insert_with(|| (RandomState::new().hash_one(0_u8), 0));
    let next = drawn_seed(*seed, *draws);
    *draws += 1;
    next
}

/// The seed that this thread's rank draws from a stream at this place.
fn drawn_seed(seed: u64, draws: u64) -> u64 {
    let [a, b, ..] = philox_of(seed, draws, RANK.get());
    u64::from(a) << 32 | u64::from(b)
}

/// Ten rounds of Philox4x32 for `L` counters side by side, in a form the compiler vectorises: word
/// w of counter l is `words[w][l]`.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "four arrays are indexed alike")]
fn philox_lanes<const L: usize>(key: [u32; 2], mut words: [[u32; L]; 4]) -> [[u32; L]; 4] {
    const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
    const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
    let mut key = key;
    for _ in 0..10 {
        for lane in 0..L {
            let first = u64::from(words[0][lane]) * u64::from(MULTIPLIERS[0]);
            let second = u64::from(words[2][lane]) * u64::from(MULTIPLIERS[1]);
            words[0][lane] = (second >> 32) as u32 ^ words[1][lane] ^ key[0];
            words[1][lane] = second as u32;
            words[2][lane] = (first >> 32) as u32 ^ words[3][lane] ^ key[1];
            words[3][lane] = first as u32;
        }
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    words
}

/// Four random words from a key and a counter.
fn philox(key: u64, counter: u64) -> [u32; 4] {
    philox_of(key, counter, 0)
}

/// [`philox`] of one of several streams with the same key.
fn philox_of(key: u64, counter: u64, stream: u32) -> [u32; 4] {
    let words = [counter as u32, (counter >> 32) as u32, stream, 0];
    philox_lanes(split(key), words.map(|word| [word])).map(|[word]| word)
}

/// A 64-bit number as two words, the low one first.
fn split(number: u64) -> [u32; 2] {
    [number as u32, (number >> 32) as u32]
}

/// `[0, 1)` in steps of 2⁻²⁴, all of which f32 holds exactly.
#[inline(always)]
fn unit(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / (1 << 24) as f32)
}

/// Counters computed side by side.
const LANES: usize = 16;

/// The words of `LANES` counters.
type Group = [[u32; LANES]; 4];

/// A buffer written group by group, each from the words of the next `LANES` counters; only the last
/// part may be shorter than its group.
#[inline(always)]
fn by_groups(length: usize, seed: u64, write: impl Fn(&Group, &mut [f32]) + Sync) -> Vec<f32> {
    written(length, |buffer| fill_by_groups(buffer, seed, write))
}

/// [`by_groups`] into a buffer that is there.
#[inline(always)]
fn fill_by_groups(buffer: &mut [f32], seed: u64, write: impl Fn(&Group, &mut [f32]) + Sync) {
    const SIZE: usize = 4 * LANES;
    chunks(buffer, SIZE, Cost::Costly, &|start, piece| {
        vectorised(
            #[inline(always)]
            || {
                for (index, part) in piece.chunks_mut(SIZE).enumerate() {
                    let first = ((start / SIZE + index) * LANES) as u64;
                    let [low, high] = split(first);
                    let mut counters = [[low; LANES], [high; LANES], [0; LANES], [0; LANES]];
                    // A multiple of LANES is followed by LANES - 1 numbers of the same high half.
                    for (lane, counter) in counters[0].iter_mut().enumerate() {
                        *counter += lane as u32;
                    }
                    write(&philox_lanes(split(seed), counters), part);
                }
            },
        );
    });
}

/// A buffer of numbers made from one word each.
#[inline(always)]
fn by_words(length: usize, seed: u64, make: impl Fn(u32) -> f32 + Sync) -> Vec<f32> {
    written(length, |buffer| fill_by_words(buffer, seed, make))
}

#[inline(always)]
fn fill_by_words(buffer: &mut [f32], seed: u64, make: impl Fn(u32) -> f32 + Sync) {
    fill_by_groups(
        buffer,
        seed,
        #[inline(always)]
        |words, part| {
            // Into an array first: a loop of fixed length is one the compiler vectorises.
            let mut values = [0.0; 4 * LANES];
            for (value, &word) in values.iter_mut().zip(words.as_flattened()) {
                *value = make(word);
            }
            match part.len() == values.len() {
                true => part.copy_from_slice(&values),
                false => part.copy_from_slice(&values[..part.len()]),
            }
        },
    );
}

/// Independent numbers, uniform from `low` (included) to `high` (excluded up to rounding), `F32`.
///
/// # Panics
/// If there is no room for so many elements.
#[track_caller]
pub fn uniform(shape: impl Into<Shape>, low: f64, high: f64) -> Tensor {
    let (shape, seed) = (shape.into(), next_seed());
    let size = expect(shape.room::<f32>("uniform"));
    let (low, width) = (low as f32, (high - low) as f32);
    let make = |word| low + width * unit(word);
    Tensor::from_values(shape.dims(), by_words(size, seed, make))
}

/// Independent normal numbers, `F32`, by the Box–Muller transform.
///
/// # Panics
/// If the standard deviation is negative or NaN, or there is no room for so many elements.
#[track_caller]
pub fn normal(shape: impl Into<Shape>, mean: f64, standard_deviation: f64) -> Tensor {
    check_deviation("normal", standard_deviation);
    let (shape, seed) = (shape.into(), next_seed());
    let size = expect(shape.room::<f32>("normal"));
    let values = by_groups(size, seed, |words, part| {
        let mut values = [[0.0_f32; LANES]; 4];
        for lane in 0..LANES {
            let z = normals(words.map(|row| row[lane]));
            for (row, z) in values.iter_mut().zip(z) {
                row[lane] = (mean + standard_deviation * z) as f32;
            }
        }
        part.copy_from_slice(&values.as_flattened()[..part.len()]);
    });
    Tensor::from_values(shape.dims(), values)
}

#[track_caller]
fn check_deviation(operation: &str, deviation: f64) {
    assert!(
        deviation >= 0.0,
        "{operation}: expected a standard deviation of at least 0, got {deviation}"
    );
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
///
/// # Panics
/// As [`normal`].
#[track_caller]
pub fn truncated_normal(shape: impl Into<Shape>, mean: f64, standard_deviation: f64) -> Tensor {
    check_deviation("truncated_normal", standard_deviation);
    let (shape, seed) = (shape.into(), next_seed());
    let size = expect(shape.room::<f32>("truncated_normal"));
    let redraw = philox(seed, u64::MAX);
    let values = build(size, 1, Cost::Costly, &|start, piece| {
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
        let other = below(index as u64 + 1, philox(seed, index as u64));
        order.swap(index, other as usize);
    }
    order
}

/// A number below `bound`, uniform up to a bias of `bound · 2⁻⁶⁴`.
fn below(bound: u64, [a, b, ..]: [u32; 4]) -> u64 {
    let word = u64::from(a) << 32 | u64::from(b);
    // The high half of the product.
    ((u128::from(word) * u128::from(bound)) >> 64) as u64
}

/// Independent whole numbers, each from `low` (included) to `high` (excluded) equally likely, `I64`.
///
/// # Panics
/// If `low` is not below `high`, or there is no room for so many elements.
#[track_caller]
pub fn randint(shape: impl Into<Shape>, low: i64, high: i64) -> Tensor {
    assert!(
        low < high,
        "randint: expected low below high, got {low} and {high}; high itself is not drawn"
    );
    let (shape, seed, range) = (shape.into(), next_seed(), high.abs_diff(low));
    let size = expect(shape.room::<i64>("randint"));
    let values = build(size, 1, Cost::Costly, &|start, piece| {
        for (index, to) in piece.iter_mut().enumerate() {
            let distance = below(range, philox(seed, (start + index) as u64));
            to.write(low.wrapping_add_unsigned(distance));
        }
    });
    Tensor::from_values(shape.dims(), values)
}

/// Independent `Bool`s, each true with probability `p`.
///
/// # Panics
/// If `p` is not from 0 to 1, or there is no room for so many elements.
#[track_caller]
pub fn bernoulli(shape: impl Into<Shape>, p: f64) -> Tensor {
    assert!(
        (0.0..=1.0).contains(&p),
        "bernoulli: expected a probability from 0 to 1, got {p}"
    );
    let shape = shape.into();
    expect(shape.room::<f32>("bernoulli"));
    uniform(shape, 0.0, 1.0).less(p)
}

/// The positions of the first axis in random order.
///
/// # Errors
/// [`Error::Shape`] if there is no axis.
pub fn shuffle(tensor: &Tensor) -> Result<Tensor> {
    tensor.try_rows(&permutation(rows_of("shuffle", tensor)?))
}

/// `count` positions of the first axis, drawn independently (`replace`) or each once at most.
///
/// # Errors
/// [`Error::Shape`] if there is no axis, or it has no position, or too few to draw each once.
pub fn choice(tensor: &Tensor, count: usize, replace: bool) -> Result<Tensor> {
    let rows = rows_of("choice", tensor)?;
    let too_few = if replace {
        rows == 0 && count > 0
    } else {
        rows < count
    };
    if too_few {
        return Err(Error::Shape(format!(
            "choice: {count} of the {rows} positions of shape {:?}{}",
            tensor.shape(),
            if replace {
                ""
            } else {
                ", each once at most; draw fewer, or with replace"
            }
        )));
    }
    let seed = next_seed();
    let chosen: Vec<usize> = match replace {
        true => (0..count as u64)
            .map(|i| below(rows as u64, philox(seed, i)) as usize)
            .collect(),
        false => permutation(rows).into_iter().take(count).collect(),
    };
    tensor.try_rows(&chosen)
}

fn rows_of(operation: &str, tensor: &Tensor) -> Result<usize> {
    tensor.shape().first().copied().ok_or_else(|| {
        Error::Shape(format!(
            "{operation}: expected a tensor with at least one axis, got shape []"
        ))
    })
}

/// For each row of logits `[…, classes]`, class numbers drawn with the probabilities that softmax
/// gives them: `[…, samples]`, `I64`. By the Gumbel trick: the largest of `logit - ln(-ln u)`.
///
/// # Errors
/// [`Error::Shape`] if there is no axis, or no class; [`Error::Value`] if a logit is NaN.
pub fn categorical(logits: &Tensor, samples: usize) -> Result<Tensor> {
    let [before @ .., classes] = logits.shape() else {
        return Err(Error::Shape(
            "categorical: expected logits with a last axis of classes, got shape []".into(),
        ));
    };
    if *classes == 0 {
        return Err(Error::Shape(format!(
            "categorical: logits of shape {:?} have no class to draw",
            logits.shape()
        )));
    }
    let numbers = logits.to_vec_of::<f64>();
    if let Some(place) = numbers.iter().position(|logit| logit.is_nan()) {
        return Err(Error::Value(format!(
            "categorical: expected logits that are numbers, got NaN for class {} of row {}",
            place % classes,
            place / classes
        )));
    }
    let shape = [before, &[samples, *classes]].concat();
    // In (0, 1): both logarithms are finite.
    let u = uniform(shape, 0.0, 1.0).clip(1e-20, 1.0 - 2e-7);
    let noise = -(-u.log()).log();
    (logits.detach().try_expand_dims(-2)? + noise).try_argmax(-1)
}

/// 0 with probability `rate` and `1 / (1 - rate)` otherwise.
pub(crate) fn dropout_mask(shape: &[usize], rate: f64, seed: u64) -> Tensor {
    let draw = |mask: &mut [f32]| draw_dropout(mask, rate, seed);
    Tensor::from_values(shape, written(shape.iter().product(), draw))
}

/// [`dropout_mask`] into a buffer that is there.
pub(crate) fn draw_dropout(mask: &mut [f32], rate: f64, seed: u64) {
    let dropped = (rate * 4_294_967_296.0) as u32;
    let kept = (1.0 / (1.0 - rate)) as f32;
    fill_by_words(mask, seed, |word| if word < dropped { 0.0 } else { kept });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_draw_different_seeds_and_the_first_those_of_one_alone() {
        let alone = drawn_seed(42, 3);
        let [first, second, third] = [0, 1, 2].map(|rank| as_rank(rank, || drawn_seed(42, 3)));
        assert_eq!(first, alone);
        assert!(second != first && third != first && third != second);
        assert_eq!(drawn_seed(42, 3), alone);
    }

    #[test]
    fn philox_gives_the_known_answers() {
        // Random123's kat_vectors for philox4x32, 10 rounds.
        let cases = [
            (
                [0, 0],
                [0; 4],
                [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8],
            ),
            (
                [u32::MAX; 2],
                [u32::MAX; 4],
                [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd],
            ),
            (
                [0xa409_3822, 0x299f_31d0],
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (key, counter, expected) in cases {
            assert_eq!(
                philox_lanes(key, counter.map(|w: u32| [w])).map(|[w]| w),
                expected
            );
        }
    }

    #[test]
    fn lanes_are_independent_counters() {
        let values = by_words(150, 7, |word| (word >> 8) as f32);
        // Element 80 is word 1, lane 0 of the second group; the last group is not full.
        assert_eq!(values[80], (philox(7, 16)[1] >> 8) as f32);
        assert_eq!(values[149], (philox(7, 32 + 5)[1] >> 8) as f32);
    }

    #[test]
    fn what_cannot_be_drawn_from_is_refused() {
        let draws: [fn(usize, f64, f64) -> Tensor; 2] = [
            |shape, mean, deviation| normal(shape, mean, deviation),
            |shape, mean, deviation| truncated_normal(shape, mean, deviation),
        ];
        for draw in draws {
            for deviation in [-1.0, f64::NAN] {
                let drawn = std::panic::catch_unwind(|| draw(3, 0.0, deviation));
                let payload = drawn.expect_err("no standard deviation");
                let text = payload.downcast_ref::<String>().expect("a message");
                let expected = format!("a standard deviation of at least 0, got {deviation}");
                assert!(text.ends_with(&expected), "{text}");
            }
        }
        let logits = Tensor::from([[0.0, 1.0], [0.0, f32::NAN]]);
        let error = categorical(&logits, 3).unwrap_err().to_string();
        assert!(error.ends_with("got NaN for class 1 of row 1"), "{error}");
        // A class that cannot be has a logit of minus infinity.
        let drawn = categorical(&Tensor::from([f32::NEG_INFINITY, 0.0]), 20).unwrap();
        assert_eq!(drawn.sum().item(), 20.0);
    }

    #[test]
    fn dropout_drops_its_share() {
        let mask = dropout_mask(&[1000, 100], 0.3, 5);
        let kept = mask.to_vec().iter().filter(|&&v| v != 0.0).count();
        assert!(
            (69_500..70_500).contains(&kept),
            "kept {kept} of 100,000 at rate 0.3"
        );
        assert!((mask.mean().item() - 1.0).abs() < 0.01);
    }
}
