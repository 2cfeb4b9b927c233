//! Who is measured: processes that take a case's name and print a line of JSON for each figure.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

/// Case and metric, then who: the values of the rounds.
pub type Figures = BTreeMap<(String, String), BTreeMap<String, Vec<f64>>>;

/// What `tests/bench/peers/setup DIR` has made: the words of each command.
pub fn installed(directory: &str) -> Vec<Vec<String>> {
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/bench/peers");
    let at = |name: &str| format!("{directory}/{name}");
    let keras = format!("{scripts}/keras_peer.py");
    let torch = format!("{scripts}/torch_peer.py");
    let peers = [
        vec![
            at("tensorflow/bin/python"),
            keras.clone(),
            "tensorflow".into(),
        ],
        vec![at("jax/bin/python"), keras, "jax".into()],
        vec![at("torch/bin/python"), torch.clone(), "eager".into()],
        vec![at("torch/bin/python"), torch, "compiled".into()],
        vec![at("candle_peer")],
        vec![at("burn_peer")],
    ];
    let there = |peer: &Vec<String>| {
        let found = Path::new(&peer[0]).exists();
        if !found {
            eprintln!("left out, since it is not there: {}", peer[0]);
        }
        found
    };
    peers.into_iter().filter(there).collect()
}

/// Runs processes one after the other and gathers what they say.
#[derive(Default)]
pub struct Runner {
    pub figures: Figures,
    /// Processor cores that everything else used while a process ran.
    pub others: Vec<f64>,
    failed: BTreeSet<String>,
}

impl Runner {
    /// Runs a process; its figures are noted under `name`, or under the one that it gives itself. One
    /// that failed is not started again.
    pub fn run(&mut self, command: &mut Command, name: Option<&str>) {
        let called = format!("{command:?}");
        if self.failed.contains(&called) {
            return;
        }
        let (before, start) = (Ticks::now(), Instant::now());
        let output = match command.output() {
            Ok(output) if output.status.success() => output,
            Ok(output) => {
                let words = String::from_utf8_lossy(&output.stderr);
                eprintln!("  {called} failed:\n{words}");
                self.failed.insert(called);
                return;
            }
            Err(error) => {
                eprintln!("  {called}: {error}");
                self.failed.insert(called);
                return;
            }
        };
        if let (Some(before), Some(after)) = (before, Ticks::now()) {
            self.others
                .push(before.others(&after, start.elapsed().as_secs_f64()));
        }
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            if let Ok(figure) = serde_json::from_str::<Value>(line) {
                self.note(&figure, name);
            }
        }
    }

    fn note(&mut self, figure: &Value, name: Option<&str>) {
        let text = |key: &str| figure[key].as_str().unwrap_or_default().to_owned();
        let who = name.map_or_else(|| text("peer"), str::to_owned);
        if let Some(value) = figure["value"].as_f64() {
            let row = self
                .figures
                .entry((text("case"), text("metric")))
                .or_default();
            row.entry(who).or_default().push(value);
        }
    }
}

/// Hundredths of a second that processors were busy: all of them, and those of our ended processes.
struct Ticks {
    all: f64,
    own: f64,
}

impl Ticks {
    /// What Linux tells; nothing elsewhere.
    fn now() -> Option<Ticks> {
        let numbers = |text: &str| -> Vec<f64> {
            text.split_whitespace()
                .filter_map(|word| word.parse().ok())
                .collect()
        };
        let all = std::fs::read_to_string("/proc/stat").ok()?;
        let all = numbers(all.lines().next()?);
        let own = std::fs::read_to_string("/proc/self/stat").ok()?;
        // After the name in brackets and the state: fields 4 and on; 16 and 17 are those of children.
        let own = numbers(own.rsplit_once(") ")?.1.get(1..)?);
        // user, nice, system, (idle, iowait,) irq, softirq, steal
        let busy = [0, 1, 2, 5, 6, 7]
            .iter()
            .filter_map(|&field| all.get(field));
        Some(Ticks {
            all: busy.sum(),
            own: own.get(12)? + own.get(13)?,
        })
    }

    fn others(&self, after: &Ticks, seconds: f64) -> f64 {
        let busy = (after.all - self.all) - (after.own - self.own);
        (busy / 100.0 / seconds.max(0.01)).max(0.0)
    }
}

/// Least, median and greatest.
pub fn spread(values: &[f64]) -> [f64; 3] {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    [
        sorted[0],
        sorted[sorted.len() / 2],
        sorted[sorted.len() - 1],
    ]
}
