//! What a training step asks the allocator for, once it has found its buffers.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use dlcore::prelude::*;

/// Counts what is asked for.
struct Counting;

/// Bytes from which an allocation is a large one.
const LARGE: usize = 1 << 16;

static ALL: AtomicUsize = AtomicUsize::new(0);
static LARGE_ONES: AtomicUsize = AtomicUsize::new(0);

/// The matrix product's crate packs its operands into buffers of its own, which begin on a cache line as
/// no tensor does; they are not counted as large ones.
fn count(bytes: usize, align: usize) {
    ALL.fetch_add(1, Relaxed);
    if bytes >= LARGE && align <= 16 {
        LARGE_ONES.fetch_add(1, Relaxed);
    }
}

// SAFETY: hands every call on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), layout.align());
        // SAFETY: the caller's promise is the system allocator's condition.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), layout.align());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.align());
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations a step, all and large ones, after some steps.
fn a_step(network: &mut Sequential, x: &Tensor, y: &Tensor) -> (usize, f64) {
    const STEPS: usize = 20;
    for _ in 0..STEPS {
        network.train_on_batch(x, y).unwrap();
    }
    let before = (ALL.load(Relaxed), LARGE_ONES.load(Relaxed));
    for _ in 0..STEPS {
        network.train_on_batch(x, y).unwrap();
    }
    (
        (ALL.load(Relaxed) - before.0) / STEPS,
        (LARGE_ONES.load(Relaxed) - before.1) as f64 / STEPS as f64,
    )
}

// One test: what another one allocated meanwhile would be counted too.
#[test]
fn a_steady_step_makes_no_large_buffers_and_few_small_ones() {
    let mut dense = Sequential::new()
        .add(Dense::new(512).activation("relu").input_shape([784]))
        .add(Dense::new(10).activation("softmax"));
    let mut convolutions = Sequential::new()
        .add(
            Conv2D::new(32, 3)
                .activation("relu")
                .input_shape([28, 28, 1]),
        )
        .add(MaxPooling2D::new(2))
        .add(Conv2D::new(64, 3).activation("relu"))
        .add(Flatten::new())
        .add(Dense::new(10).activation("softmax"));
    let mut small = Sequential::new()
        .add(Dense::new(32).activation("relu").input_shape([20]))
        .add(Dense::new(1));
    for network in [&mut dense, &mut convolutions] {
        network
            .compile("rmsprop", "categorical_crossentropy", ["accuracy"])
            .unwrap();
    }
    small.compile("rmsprop", "mse", Metrics::none()).unwrap();

    let classes = to_categorical(&Tensor::from(vec![3_i64; 128]), 10);
    let (_, large) = a_step(&mut dense, &Tensor::ones([128, 784]), &classes);
    assert_eq!(large, 0.0, "dense layers");
    // Which pieces run at the same time is not the same in each step, so that now and then one more
    // buffer is needed at once than ever before.
    let (_, large) = a_step(
        &mut convolutions,
        &Tensor::ones([32, 28, 28, 1]),
        &classes.slice(..32),
    );
    assert!(large < 1.0, "convolutions: {large} large buffers a step");
    let (all, large) = a_step(&mut small, &Tensor::ones([32, 20]), &Tensor::ones([32, 1]));
    assert_eq!(large, 0.0, "a small network");
    println!("a step of a small network makes {all} allocations");
    assert!(all < 200, "a small network: {all} allocations a step");
}
