//! How fast the book's networks train, beside their peers.
//!
//! ```text
//! tests/bench/peers/setup DIR          # once: Keras, PyTorch, candle and burn
//! cargo run --release -p dlcore --example bench -- [CASE …] [--rounds N] [--minutes M]
//!     [--json FILE] [--svg FILE] [--peers DIR] [--peer "PROGRAM ARGUMENT …"]
//! cargo run --release -p dlcore --example bench -- --scaling [--rounds N] [--json FILE] [--svg FILE]
//! ```
//!
//! A round runs each case in a process of its own, so that peak memory and start mean something, and the
//! peers' beside it: only figures of one run compare. What is printed, drawn and written as JSON is the
//! median of the rounds and their spread. A peer is any program that takes a case's name and prints a line
//! of JSON for each figure.
//!
//! The data is random, of the shapes and, for the reviews, the sparsity of the book's sets.
//! `--scaling` measures how time grows with samples, units, batch size and threads instead.

mod cases;
mod chart;
mod peers;
mod report;
mod rows;
mod scaling;

use std::process::Command;
use std::time::Instant;

use dlcore::{Error, Result};

use peers::Runner;

/// What the command line asks for.
struct Plan {
    cases: Vec<String>,
    scaling: bool,
    rounds: usize,
    /// No round is begun that would end later.
    minutes: Option<f64>,
    json: Option<String>,
    svg: Option<String>,
    /// The words of each peer's command.
    peers: Vec<Vec<String>>,
}

fn main() -> Result<()> {
    let start = Instant::now();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, case] = arguments.as_slice()
        && flag == "--one"
    {
        return cases::run(case, start);
    }
    let plan = Plan::of(arguments)?;
    println!("{}", report::machine());
    let mut runner = Runner::default();
    let mut rounds = 0;
    for round in 0..plan.rounds {
        let with_another = start.elapsed().as_secs_f64() * (1.0 + 1.0 / round.max(1) as f64);
        if round > 0 && plan.minutes.is_some_and(|most| with_another > 60.0 * most) {
            break;
        }
        rounds = round + 1;
        for case in &plan.cases {
            eprintln!("round {} of {}: {case}", round + 1, plan.rounds);
            plan.one(case, &mut runner)?;
        }
    }
    let picture = if plan.scaling {
        scaling::print(&runner);
        chart::scaling(&runner.figures)
    } else {
        report::print(&runner);
        chart::beside(&runner.figures)
    };
    if let Some(path) = plan.svg {
        std::fs::write(path, picture).map_err(failed)?;
    }
    if let Some(path) = plan.json {
        let report = report::report(&runner, rounds);
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
            scaling: false,
            rounds: 3,
            minutes: None,
            json: None,
            svg: None,
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
                "--minutes" => {
                    let text = value()?;
                    let wrong = |_| Error::Value(format!("--minutes: not a number: {text:?}"));
                    plan.minutes = Some(text.parse().map_err(wrong)?);
                }
                "--json" => plan.json = Some(value()?),
                "--svg" => plan.svg = Some(value()?),
                "--peers" => plan.peers.extend(peers::installed(&value()?)),
                "--peer" => {
                    let command = value()?;
                    plan.peers
                        .push(command.split_whitespace().map(String::from).collect());
                }
                "--scaling" => plan.scaling = true,
                case if cases::NAMES.contains(&case) => plan.cases.push(word),
                other => {
                    let known = cases::NAMES.join(", ");
                    return Err(Error::Value(format!(
                        "no case {other:?}; there are {known}"
                    )));
                }
            }
        }
        if plan.scaling {
            plan.cases = scaling::NAMES.map(String::from).to_vec();
        } else if plan.cases.is_empty() {
            plan.cases = cases::NAMES.map(String::from).to_vec();
        }
        Ok(plan)
    }

    /// A case once, by everyone.
    fn one(&self, case: &str, runner: &mut Runner) -> Result<()> {
        let own = std::env::current_exe().map_err(failed)?;
        if self.scaling {
            for threads in scaling::threads() {
                let mut command = Command::new(&own);
                command
                    .args(["--one", case])
                    .env("DLCORE_THREADS", threads.to_string());
                runner.run(&mut command, Some(&scaling::name(threads)));
            }
            return Ok(());
        }
        runner.run(Command::new(own).args(["--one", case]), None);
        for peer in self.peers.iter().filter(|peer| !peer.is_empty()) {
            runner.run(Command::new(&peer[0]).args(&peer[1..]).arg(case), None);
        }
        Ok(())
    }
}
