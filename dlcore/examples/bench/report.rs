//! What was measured, as a table and as JSON.

use serde_json::{Value, json};

use crate::cases::PEER;
use crate::peers::{Figures, Runner, spread};
use crate::rows::{Row, rows};

/// The most operations a second that anyone reached in the product of two matrices of 1024 by 1024.
pub fn peak(figures: &Figures) -> Option<f64> {
    let products = figures.get(&("gemm".to_owned(), "gflops".to_owned()))?;
    let medians = products.values().map(|values| spread(values)[1]);
    Some(medians.fold(0.0, f64::max) * 1e9)
}

/// All that were measured, dlcore first.
pub fn everyone(figures: &Figures) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for name in figures.values().flat_map(|row| row.keys()) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names.sort_by_key(|&name| (name != PEER, name));
    names
}

/// Three digits that mean something.
pub fn short(value: f64) -> String {
    let decimals = (2 - value.abs().max(1e-9).log10().floor() as i32).clamp(0, 5);
    format!("{value:.*}", decimals as usize)
}

pub fn print(runner: &Runner) {
    let figures = &runner.figures;
    let names = everyone(figures);
    println!("\nmedian (least – greatest); × how many times as long as dlcore\n");
    println!("| figure | goal | of peak | {} |", names.join(" | "));
    println!("|---|---|---|{}", "---|".repeat(names.len()));
    for row in rows() {
        if let Some(line) = line(&row, figures, &names) {
            println!("{line}");
        }
    }
    if let Some(products) = figures.get(&("gemm".to_owned(), "gflops".to_owned())) {
        let cell = |name: &&str| match products.get(*name) {
            Some(values) => short(spread(values)[1]),
            None => "–".to_owned(),
        };
        let cells: Vec<String> = names.iter().map(cell).collect();
        println!(
            "| product of matrices of 1024 by 1024, GFLOP/s | | | {} |",
            cells.join(" | ")
        );
    }
    if !runner.others.is_empty() {
        let [_, median, greatest] = spread(&runner.others);
        println!(
            "\nother processes used {median:.2} cores (median of the runs; most {greatest:.2})"
        );
    }
}

fn line(row: &Row, figures: &Figures, names: &[&str]) -> Option<String> {
    let measured = figures.get(&(row.case.to_owned(), row.metric.to_owned()))?;
    let own = measured.get(PEER).map(|values| spread(values)[1]);
    let share = own
        .zip(peak(figures))
        .and_then(|(own, peak)| row.share(own, peak));
    let share = share
        .map(|share| format!("{:.0} %", share * 100.0))
        .unwrap_or_default();
    let cell = |name: &&str| {
        let Some(values) = measured.get(*name) else {
            return "–".to_owned();
        };
        let [least, median, greatest] = spread(values).map(short);
        match own {
            Some(own) if *name != PEER => {
                let times = short(spread(values)[1] / own);
                format!("{median} ({least} – {greatest}), {times}×")
            }
            _ => format!("{median} ({least} – {greatest})"),
        }
    };
    let cells: Vec<String> = names.iter().map(cell).collect();
    let goal = row.goal.map(|goal| goal.to_string()).unwrap_or_default();
    Some(format!(
        "| {} | {goal} | {share} | {} |",
        row.words,
        cells.join(" | ")
    ))
}

/// Everything, with the machine it was measured on.
pub fn report(runner: &Runner, rounds: usize) -> Value {
    let mut list = Vec::new();
    for ((case, metric), row) in &runner.figures {
        for (who, values) in row {
            let [least, median, greatest] = spread(values).map(rounded);
            let values: Vec<f64> = values.iter().copied().map(rounded).collect();
            list.push(json!({
                "case": case, "metric": metric, "peer": who, "median": median, "least": least,
                "greatest": greatest, "values": values,
            }));
        }
    }
    let others = (!runner.others.is_empty()).then(|| spread(&runner.others).map(rounded));
    json!({
        "machine": machine(), "rounds": rounds, "figures": list,
        "cores_used_by_others": others, "peak_gflops": peak(&runner.figures).map(|peak| rounded(peak / 1e9)),
    })
}

/// Four digits: what is beyond is noise.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

/// The processor, what it can do at once, its cores and memory, and what built this program.
pub fn machine() -> Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let processor = read("/proc/cpuinfo");
    let flags = field(&processor, "flags").unwrap_or_default();
    let simd = ["avx512f", "avx2", "fma", "sse4_2"]
        .map(|flag| (flag, flags.split(' ').any(|word| word == flag)));
    let simd: Vec<&str> = simd
        .iter()
        .filter(|(_, has)| *has)
        .map(|(flag, _)| *flag)
        .collect();
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    let memory = memory.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    json!({
        "processor": field(&processor, "model name"), "family": field(&processor, "cpu family"),
        "simd": simd, "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "memory_GB": memory.map(|kilobytes| (kilobytes / 1024.0 / 1024.0).round()),
        "system": std::env::consts::OS, "architecture": std::env::consts::ARCH,
        "dlcore": env!("CARGO_PKG_VERSION"), "rustc": rustc(), "threads": rayon::current_num_threads(),
    })
}

fn rustc() -> Option<String> {
    let output = std::process::Command::new("rustc")
        .arg("--version")
        .output()
        .ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
