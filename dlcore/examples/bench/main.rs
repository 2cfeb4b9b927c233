//! How fast the book's networks train, beside their peers.
//!
//! ```text
//! cargo run --release -p dlcore --example bench -- [CASE …] [--rounds N] [--json FILE]
//!     [--peer PYTHON tests/bench/peers/keras_peer.py] [--peer PYTHON tests/bench/peers/torch_peer.py]
//! ```
//!
//! A round runs each case in a process of its own, so that peak memory and start mean something, and the
//! peers' beside it: only figures of one run compare. What is printed, and written as JSON, is the
//! median of the rounds and their spread. A peer whose interpreter lacks its packages is left out.
//!
//! The data is random, of the shapes and, for the reviews, the sparsity of the book's sets.

mod cases;

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Instant;

use dlcore::{Error, Result};
use serde_json::{Value, json};

/// What the command line asks for.
struct Plan {
    cases: Vec<String>,
    rounds: usize,
    json: Option<String>,
    /// Interpreter and script of each peer.
    peers: Vec<(String, String)>,
}

/// Case and metric, then who: the values of the rounds.
type Figures = BTreeMap<(String, String), BTreeMap<String, Vec<f64>>>;

fn main() -> Result<()> {
    let start = Instant::now();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, case] = arguments.as_slice()
        && flag == "--one"
    {
        return cases::run(case, start);
    }
    let plan = Plan::of(arguments)?;
    let mut figures = Figures::new();
    for round in 0..plan.rounds {
        for case in &plan.cases {
            eprintln!("round {} of {}: {case}", round + 1, plan.rounds);
            let own = std::env::current_exe().map_err(failed)?;
            read(Command::new(own).args(["--one", case]), &mut figures);
            for (python, script) in &plan.peers {
                read(Command::new(python).args([script, case]), &mut figures);
            }
        }
    }
    print(&figures);
    if let Some(path) = plan.json {
        let report =
            json!({ "machine": machine(), "rounds": plan.rounds, "figures": listed(&figures) });
        std::fs::write(path, format!("{report:#}\n")).map_err(failed)?;
    }
    Ok(())
}

fn failed(error: std::io::Error) -> Error {
    Error::Value(error.to_string())
}

impl Plan {
    fn of(arguments: Vec<String>) -> Result<Plan> {
        let mut plan = Plan {
            cases: Vec::new(),
            rounds: 3,
            json: None,
            peers: Vec::new(),
        };
        let mut words = arguments.into_iter();
        while let Some(word) = words.next() {
            let mut value = || {
                let missing = || Error::Value(format!("{word}: expected a value after it"));
                words.next().ok_or_else(missing)
            };
            match word.as_str() {
                "--rounds" => {
                    let text = value()?;
                    let wrong = |_| Error::Value(format!("--rounds: not a number: {text:?}"));
                    plan.rounds = text.parse().map_err(wrong)?;
                }
                "--json" => plan.json = Some(value()?),
                "--peer" => plan.peers.push((value()?, value()?)),
                case if cases::NAMES.contains(&case) => plan.cases.push(word),
                other => {
                    let known = cases::NAMES.join(", ");
                    return Err(Error::Value(format!(
                        "no case {other:?}; there are {known}"
                    )));
                }
            }
        }
        if plan.cases.is_empty() {
            plan.cases = cases::NAMES.map(String::from).to_vec();
        }
        Ok(plan)
    }
}

/// Runs a process that prints a line of JSON for each figure.
fn read(command: &mut Command, figures: &mut Figures) {
    let output = match command.output() {
        Ok(output) if output.status.success() => output,
        Ok(output) => {
            let words = String::from_utf8_lossy(&output.stderr);
            let last = words.lines().last().unwrap_or_default();
            return eprintln!("  {:?} failed: {last}", command.get_program());
        }
        Err(error) => return eprintln!("  {:?}: {error}", command.get_program()),
    };
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(figure) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let text = |key: &str| figure[key].as_str().unwrap_or_default().to_string();
        if let Some(value) = figure["value"].as_f64() {
            let row = figures.entry((text("case"), text("metric"))).or_default();
            row.entry(text("peer")).or_default().push(value);
        }
    }
}

/// Least, median and greatest.
fn spread(values: &[f64]) -> [f64; 3] {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    [
        sorted[0],
        sorted[sorted.len() / 2],
        sorted[sorted.len() - 1],
    ]
}

fn print(figures: &Figures) {
    println!("{}", machine());
    println!("| case | figure | who | median | least – greatest | ours is better by |");
    println!("|---|---|---|---|---|---|");
    for ((case, metric), row) in figures {
        let own = row.get(cases::PEER).map(|values| spread(values)[1]);
        for (who, values) in row {
            let [least, median, greatest] = spread(values);
            let ratio = match own {
                Some(own) if who != cases::PEER => format!("{:.1}×", median / own),
                _ => String::new(),
            };
            println!(
                "| {case} | {metric} | {who} | {median:.4} | {least:.4} – {greatest:.4} | {ratio} |"
            );
        }
    }
}

fn listed(figures: &Figures) -> Vec<Value> {
    let mut list = Vec::new();
    for ((case, metric), row) in figures {
        for (who, values) in row {
            let [least, median, greatest] = spread(values);
            list.push(json!({
                "case": case, "metric": metric, "peer": who, "median": median, "least": least,
                "greatest": greatest, "values": values,
            }));
        }
    }
    list
}

/// The processor, its cores, and the threads that may be used.
fn machine() -> Value {
    let information = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = information
        .lines()
        .find(|line| line.starts_with("model name"));
    let model = model
        .and_then(|line| line.split_once(": "))
        .map_or("unknown", |(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    json!({
        "processor": model, "cores": cores, "system": std::env::consts::OS,
        "architecture": std::env::consts::ARCH, "dlcore": env!("CARGO_PKG_VERSION"),
        "threads": rayon::current_num_threads(),
    })
}
