//! Time of a batch of 32 pictures of 150 × 150, augmented: from memory, and from PNG files.
//!
//!     cargo run --release -p dlcore --example bench_augmentation

use std::time::Instant;

use dlcore::prelude::*;

const BATCHES: usize = 40;

fn time(name: &str, mut batches: impl Iterator<Item = Result<(Tensor, Tensor)>>) -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..BATCHES {
        let start = Instant::now();
        let batch = batches.next().expect("a batch")?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        drop(batch);
    }
    times.sort_by(f64::total_cmp);
    let (best, median) = (times[0], times[BATCHES / 2]);
    println!("{name:44} best {best:6.2} ms  median {median:6.2} ms");
    Ok(())
}

/// The settings of the book's chapter on small data sets.
fn augmenting() -> ImageDataGenerator {
    ImageDataGenerator::new()
        .rescale(1.0 / 255.0)
        .rotation_range(40.0)
        .width_shift_range(0.2)
        .height_shift_range(0.2)
        .shear_range(0.2)
        .zoom_range(0.2)
        .horizontal_flip(true)
}

fn main() -> Result<()> {
    set_seed(1);
    let x = Tensor::randint([64, 150, 150, 3], 0, 256).cast(DType::U8);
    let y = Tensor::zeros([64]);
    time(
        "in memory, rescaled only",
        ImageDataGenerator::new()
            .rescale(1.0 / 255.0)
            .flow(&x, &y, 32)?,
    )?;
    time("in memory, augmented", augmenting().flow(&x, &y, 32)?)?;
    let brighter = augmenting()
        .brightness_range([0.8, 1.2])
        .channel_shift_range(20.0);
    time(
        "in memory, augmented, with colours",
        brighter.flow(&x, &y, 32)?,
    )?;
    let scaled = augmenting().samplewise_std_normalization(true);
    time(
        "in memory, augmented, each standardized",
        scaled.flow(&x, &y, 32)?,
    )?;

    let folder = std::env::temp_dir().join(format!("dlcore-bench-{}", std::process::id()));
    for class in ["a", "b"] {
        std::fs::create_dir_all(folder.join(class)).expect("a folder");
        for index in 0..32 {
            // Smooth, as photographs are.
            let rows = Tensor::arange(0.0, 180.0, 1.0).reshape([180, 1, 1]);
            let columns = Tensor::arange(0.0, 200.0, 1.0).reshape([1, 200, 1]);
            let channels = Tensor::from([1.0, 2.0, 3.0]);
            let wave = ((rows / (5.0 + f64::from(index)) + columns / 9.0) * channels).sin();
            save_img(folder.join(class).join(format!("{index}.png")), &wave, true)?;
        }
    }
    let flow = FlowFromDirectory::from([150, 150]).class_mode("binary");
    time(
        "from PNG files of 180 × 200, augmented",
        augmenting().flow_from_directory(&folder, flow)?,
    )?;
    let dataset = image_dataset_from_directory(&folder, [150, 150])?;
    time("from PNG files, bilinear, as they are", dataset.repeat())?;
    let _ = std::fs::remove_dir_all(folder);
    Ok(())
}
