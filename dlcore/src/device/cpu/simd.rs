//! The widest instructions the processor has, found at run time, and denormals flushed to zero.

/// Runs `loops` compiled for AVX2 and FMA where the processor has them, with denormal numbers
/// flushed to zero.
///
/// The closure must be passed as `#[inline(always)] || …`, or it is compiled without the wider
/// instructions. It must not unwind into code that minds denormals; the state is restored anyway.
#[inline(always)]
pub fn vectorised<R>(loops: impl FnOnce() -> R) -> R {
    let _flush = FlushDenormals::new();
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
        #[target_feature(enable = "avx2,fma")]
        #[inline]
        fn wide<R>(loops: impl FnOnce() -> R) -> R {
            loops()
        }
        // SAFETY: the features were just detected.
        return unsafe { wide(loops) };
    }
    loops()
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

    use super::vectorised;

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
