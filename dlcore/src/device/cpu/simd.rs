//! The widest instructions the processor has, found at run time, and denormals flushed to zero.
//!
//! The environment variable `DLCORE_SIMD`, read once, holds the library to less: `scalar` to what every
//! processor of the kind has, `avx2` to AVX2 and FMA. It is there to test what other machines will compute
//! and to find out whether a difference between two comes from their instructions; matrix products are
//! slow then, since the fast ones cannot be told. Anything else, and what the processor does not have,
//! counts for nothing.

use std::any::TypeId;
use std::sync::OnceLock;

use crate::tensor::Real;

/// What loops are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Scalar,
    /// With FMA.
    Avx2,
    Avx512,
}

impl Level {
    /// The level that kernels are to use.
    #[inline]
    pub(super) fn chosen() -> Level {
        static CHOSEN: OnceLock<Level> = OnceLock::new();
        *CHOSEN.get_or_init(|| {
            let wanted = std::env::var("DLCORE_SIMD").unwrap_or_default();
            let most = match wanted.to_lowercase().as_str() {
                "scalar" => Level::Scalar,
                "avx2" => Level::Avx2,
                _ => Level::Avx512,
            };
            most.min(Level::best())
        })
    }

    /// The most that the processor has.
    pub(super) fn best() -> Level {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            if has!("avx2") && has!("fma") {
                return match has!("avx512f") && has!("avx512vl") && has!("avx512dq") {
                    true => Level::Avx512,
                    false => Level::Avx2,
                };
            }
        }
        Level::Scalar
    }

    /// Whether the library is held to less than the processor has.
    #[inline]
    pub(super) fn is_forced() -> bool {
        static FORCED: OnceLock<bool> = OnceLock::new();
        *FORCED.get_or_init(|| Level::chosen() < Level::best())
    }
}

/// Runs `loops` compiled for AVX2 and FMA where the processor has them, with denormal numbers
/// flushed to zero.
///
/// The closure must be passed as `#[inline(always)] || …`, or it is compiled without the wider
/// instructions. It must not unwind into code that minds denormals; the state is restored anyway.
#[inline(always)]
pub fn vectorised<R>(loops: impl FnOnce() -> R) -> R {
    let _flush = FlushDenormals::new();
    #[cfg(target_arch = "x86_64")]
    if Level::chosen() >= Level::Avx2 {
        // SAFETY: the processor has the features, or the level would be lower.
        return unsafe { wide(loops) };
    }
    loops()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
#[inline]
fn wide<R>(loops: impl FnOnce() -> R) -> R {
    loops()
}

/// As [`vectorised`], for AVX-512 too, where the processor has it and `T` is single precision: for loops that compute so much with each
/// number that it is not memory that decides. The numbers are the same, code is compiled once more.
#[inline(always)]
pub(super) fn widest<T: Real, R>(loops: impl FnOnce() -> R) -> R {
    let _flush = FlushDenormals::new();
    #[cfg(target_arch = "x86_64")]
    {
        // Double precision is seldom asked for; one copy less of its loops.
        let single = TypeId::of::<T>() == TypeId::of::<f32>();
        #[target_feature(enable = "avx2,fma,avx512f,avx512vl,avx512dq")]
        #[inline]
        fn wider<R>(loops: impl FnOnce() -> R) -> R {
            loops()
        }
        match Level::chosen() {
            // SAFETY: the processor has the features, or the level would be lower.
            Level::Avx512 if single => return unsafe { wider(loops) },
            // SAFETY: as above.
            Level::Avx512 | Level::Avx2 => return unsafe { wide(loops) },
            Level::Scalar => {}
        }
    }
    loops()
}

/// Asks for these numbers to be brought near, for a loop that will soon read them from somewhere else than
/// it has read before.
#[inline(always)]
pub(super) fn prefetch<T>(values: &[T]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        const LINE: usize = 64;
        let (start, bytes) = (values.as_ptr().cast::<i8>(), size_of_val(values));
        for at in (0..bytes).step_by(LINE) {
            // SAFETY: nothing is read or written, whatever the address; it lies in the slice.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(start.add(at)) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
}

/// Runs `work` with denormal numbers flushed to zero, so that the kernels in it need not change the setting
/// one by one. For the library's own loops only: code of the user's must find the setting as it was.
#[inline]
pub(crate) fn flushing<R>(work: impl FnOnce() -> R) -> R {
    let _flush = FlushDenormals::new();
    work()
}

/// While it lives, this thread's results and operands below the normal range count as zero.
///
/// RMSprop's and Adam's running averages of units that stopped learning decay into denormals,
/// which many processors compute with a hundred times slower; no network minds the difference
/// between 1e-39 and 0.
struct FlushDenormals {
    /// The setting to go back to, if it was another.
    #[cfg(target_arch = "x86_64")]
    before: Option<u32>,
}

#[cfg(target_arch = "x86_64")]
impl FlushDenormals {
    #[inline(always)]
    fn new() -> Self {
        const FLUSH_TO_ZERO: u32 = 1 << 15;
        const DENORMALS_ARE_ZERO: u32 = 1 << 6;
        let mut before = 0u32;
        // SAFETY: writes this thread's SSE control word to a local.
        unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut before, options(nostack)) };
        let wanted = before | FLUSH_TO_ZERO | DENORMALS_ARE_ZERO;
        if wanted != before {
            // SAFETY: only the treatment of denormals changes; rounding and traps stay as they
            // were, and `drop` restores the rest. Rust's reference leaves undefined what float
            // code means under another mode: the compiler may compute a constant, or move an
            // operation across this line, as if denormals counted. Either way a number below
            // 1.2e-38 comes out as itself or as zero, which is what this mode is for.
            unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &wanted, options(nostack)) };
        }
        Self {
            before: (wanted != before).then_some(before),
        }
    }
}

#[cfg(target_arch = "x86_64")]
impl Drop for FlushDenormals {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(before) = self.before {
            // SAFETY: restores what `new` read on this same thread: the value is not kept across
            // threads, since it never leaves `vectorised` or `flushing`.
            unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &before, options(nostack)) };
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
impl FlushDenormals {
    fn new() -> Self {
        Self {}
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use std::hint::black_box;

    use super::{Level, vectorised, widest};

    #[test]
    fn all_levels_compute_the_same_numbers() {
        let values: Vec<f32> = (0..1000).map(|i| i as f32 * 0.37 - 90.0).collect();
        let loops = |values: &[f32]| -> Vec<u32> {
            let results = values.iter().map(|x| (x * 1.7 + 0.3) / (x * x + 1.0));
            results.map(f32::to_bits).collect()
        };
        let plain = loops(&values);
        assert_eq!(
            vectorised(
                #[inline(always)]
                || loops(&values)
            ),
            plain
        );
        assert_eq!(
            widest::<f32, _>(
                #[inline(always)]
                || loops(&values)
            ),
            plain
        );
        assert!(Level::chosen() <= Level::best());
    }

    #[test]
    fn denormals_count_as_zero_inside_only() {
        let product = || black_box(1e-30_f32) * black_box(1e-10_f32);
        assert_eq!(vectorised(product), 0.0);
        assert!(product() > 0.0, "the setting outlived the loops");
    }

    #[test]
    fn loops_within_a_flushing_piece_of_work_leave_it_flushing() {
        let product = || black_box(1e-30_f32) * black_box(1e-10_f32);
        let inside = super::flushing(|| (vectorised(product), product()));
        assert_eq!(inside, (0.0, 0.0));
        assert!(product() > 0.0, "the setting outlived the work");
    }

    #[test]
    fn the_setting_is_restored_when_the_loops_panic() {
        let panicked = std::panic::catch_unwind(|| vectorised(|| -> f32 { panic!("on purpose") }));
        assert!(panicked.is_err());
        assert!(black_box(1e-30_f32) * black_box(1e-10_f32) > 0.0);
    }
}
