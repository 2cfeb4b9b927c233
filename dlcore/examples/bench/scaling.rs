//! How time grows: with samples, units and batch size on the first network of the book, and with threads.

use dlcore::prelude::*;

use crate::cases::{convolutional, epochs, first_network, median, one_hot, tell};
use crate::peers::{Figures, Runner, spread};
use crate::report::short;

pub const NAMES: [&str; 4] = ["samples", "units", "batch", "networks"];

/// What is changed, its values, and what the others are meanwhile.
pub const SERIES: [(&str, [usize; 6], &str); 3] = [
    (
        "samples",
        [2_500, 5_000, 10_000, 20_000, 40_000, 60_000],
        "512 units, batch 128",
    ),
    (
        "units",
        [32, 64, 128, 256, 512, 1024],
        "10,000 samples, batch 128",
    ),
    (
        "batch",
        [8, 16, 32, 128, 512, 2048],
        "10,000 samples, 512 units",
    ),
];

/// One thread, and all.
pub fn threads() -> [usize; 2] {
    [
        1,
        std::thread::available_parallelism().map_or(2, usize::from),
    ]
}

pub fn name(threads: usize) -> String {
    if threads == 1 {
        "1 thread".to_owned()
    } else {
        format!("{threads} threads")
    }
}

/// Seconds of an epoch for each value of what `case` changes.
pub fn run(case: &str) -> Result<()> {
    if case == "networks" {
        return networks();
    }
    let Some((_, values, _)) = SERIES.iter().find(|series| series.0 == case) else {
        return Err(Error::Value(format!("no case {case:?}")));
    };
    for &value in values {
        let (samples, units, batch) = match case {
            "samples" => (value, 512, 128),
            "units" => (10_000, value, 128),
            _ => (10_000, 512, value),
        };
        let (x, y) = (Tensor::uniform([samples, 784], 0.0, 1.0), one_hot(samples));
        let mut network = first_network(units)?;
        let seconds = epochs(&mut network, &x, &y, Fit::epochs(4).batch_size(batch))?;
        tell(case, &value.to_string(), median(seconds));
    }
    Ok(())
}

/// The two networks whose speed-up by threads is told.
fn networks() -> Result<()> {
    let (x, y) = (Tensor::uniform([10_000, 784], 0.0, 1.0), one_hot(10_000));
    let seconds = epochs(
        &mut first_network(512)?,
        &x,
        &y,
        Fit::epochs(4).batch_size(128),
    )?;
    tell("networks", "784-512-10", median(seconds));
    let (x, y) = (
        Tensor::uniform([1_280, 28, 28, 1], 0.0, 1.0),
        one_hot(1_280),
    );
    let seconds = epochs(&mut convolutional()?, &x, &y, Fit::epochs(4).batch_size(64))?;
    tell("networks", "convnet", median(seconds));
    Ok(())
}

/// The values of one series and the median time of each, in order.
pub fn line(figures: &Figures, case: &str, who: &str) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = figures
        .iter()
        .filter(|((found, _), _)| found == case)
        .filter_map(|((_, value), row)| Some((value.parse().ok()?, spread(row.get(who)?)[1])))
        .collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points
}

/// The power of the value that time grows with: the slope of the line through the logarithms.
fn power(points: &[(f64, f64)]) -> f64 {
    let points: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let count = points.len() as f64;
    let mean = |part: fn(&(f64, f64)) -> f64| points.iter().map(part).sum::<f64>() / count;
    let (x_mean, y_mean) = (mean(|p| p.0), mean(|p| p.1));
    let together: f64 = points
        .iter()
        .map(|(x, y)| (x - x_mean) * (y - y_mean))
        .sum();
    together
        / points
            .iter()
            .map(|(x, _)| (x - x_mean).powi(2))
            .sum::<f64>()
}

pub fn print(runner: &Runner) {
    for (case, _, fixed) in SERIES {
        println!("\nseconds of an epoch against {case} ({fixed})\n");
        let lines =
            threads().map(|threads| (name(threads), line(&runner.figures, case, &name(threads))));
        println!("| {case} | {} | {} | speed-up |", lines[0].0, lines[1].0);
        println!("|---|---|---|---|");
        for (one, all) in lines[0].1.iter().zip(&lines[1].1) {
            println!(
                "| {} | {} | {} | {:.2} |",
                one.0,
                short(one.1),
                short(all.1),
                one.1 / all.1
            );
        }
        for (who, points) in &lines {
            println!(
                "{who}: time grows as {case} to the power of {:.2}",
                power(points)
            );
        }
    }
    for network in ["784-512-10", "convnet"] {
        let row = runner
            .figures
            .get(&("networks".to_owned(), network.to_owned()));
        let time = |threads| row.and_then(|row| Some(spread(row.get(&name(threads))?)[1]));
        let [one, all] = threads();
        if let (Some(alone), Some(together)) = (time(one), time(all)) {
            println!(
                "{network}: {:.2} times as fast with {}",
                alone / together,
                name(all)
            );
        }
    }
}
