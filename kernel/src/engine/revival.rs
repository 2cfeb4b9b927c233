//! What a new cell process takes over from one that has died: the snapshots that dlcore has written
//! of models, histories, small tensors and plain values (`dlcore/src/cell/kept.rs`).

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use syn::visit::Visit;

use super::process::{CellProcess, Incoming};
use crate::private_dir::PrivateDir;

/// Where snapshots of this session are.
pub fn folder(dir: &PrivateDir) -> PathBuf {
    dir.path().join("kept")
}

/// So long a new process may take to read them.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was taken over.
#[derive(Debug, Default)]
pub struct Revived {
    /// The store's description of its variables, as after a cell.
    pub variables: Value,
    /// What each of them is: name, cell, epoch, note.
    kept: Vec<Kept>,
}

#[derive(Debug)]
struct Kept {
    name: String,
    cell: u64,
    epoch: Option<u64>,
    note: Option<String>,
}

impl Revived {
    /// Asks `process`, which is new, to take over what lies in `folder`. `code` is the cell in which
    /// the old one died. `None` if the process does not live through it.
    pub fn ask(process: &mut CellProcess, folder: &Path, code: &str) -> Option<Revived> {
        if !folder.is_dir() {
            return Some(Revived::default());
        }
        let frame = json!({"t": "restore", "keep": folder, "names": trained_in(code)});
        process.send(&frame).ok()?;
        let deadline = Instant::now() + PATIENCE;
        let mut answer = None;
        while answer.is_none() && Instant::now() < deadline {
            let alive = process.wait(200, &mut |incoming| match incoming {
                Incoming::Frame(frame) if frame["t"] == "restored" => answer = Some(frame),
                _ => {}
            });
            if !alive.unwrap_or(false) {
                break;
            }
        }
        let mut answer = answer?;
        let kept = answer["kept"].as_array().into_iter().flatten();
        let kept = kept.filter_map(|kept| {
            Some(Kept {
                name: kept["name"].as_str()?.to_owned(),
                cell: kept["cell"].as_u64()?,
                epoch: kept["epoch"].as_u64(),
                note: kept["note"].as_str().map(str::to_owned),
            })
        });
        Some(Revived {
            kept: kept.collect(),
            variables: answer["variables"].take(),
        })
    }

    /// What is said of it.
    pub fn told(&self) -> Option<String> {
        if self.kept.is_empty() {
            return None;
        }
        let one = |kept: &Kept| {
            let epoch = match kept.epoch {
                Some(epoch) => format!(", epoch {epoch}"),
                None => String::new(),
            };
            format!("{} (as of cell {}{epoch})", kept.name, kept.cell)
        };
        let all: Vec<String> = self.kept.iter().map(one).collect();
        let mut told = format!("Kept from their last snapshot: {}.", all.join(", "));
        for kept in &self.kept {
            if let Some(note) = &kept.note {
                told += &format!(" `{}`: {note}.", kept.name);
            }
        }
        Some(told)
    }
}

/// The variables that a cell binds and fits: one of these a model had that was in training and is
/// in no variable yet.
pub fn trained_in(code: &str) -> Vec<String> {
    #[derive(Default)]
    struct Fits(Vec<String>);
    impl Visit<'_> for Fits {
        fn visit_expr_method_call(&mut self, call: &syn::ExprMethodCall) {
            if let (true, syn::Expr::Path(receiver)) = (call.method == "fit", &*call.receiver)
                && let Some(name) = receiver.path.get_ident().map(ToString::to_string)
                && !self.0.contains(&name)
            {
                self.0.push(name);
            }
            syn::visit::visit_expr_method_call(self, call);
        }
    }
    let mut fits = Fits::default();
    let bindings = super::source::parse(code).bindings;
    if let Ok(statements) = syn::parse::Parser::parse_str(syn::Block::parse_within, code) {
        statements
            .iter()
            .for_each(|statement| fits.visit_stmt(statement));
    }
    proc_macro2::extra::invalidate_current_thread_spans();
    fits.0
        .retain(|name| bindings.iter().any(|binding| binding.name == *name));
    fits.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_of_a_model_in_training_is_found() {
        let code = "let mut a = f(); let b = 1; let history = a.fit(&x, &y, s)?; other.fit(&x)?;";
        assert_eq!(trained_in(code), ["a"]);
        assert!(trained_in("not rust (").is_empty());
    }
}
