//! The inputs of this session, kept in memory.

use jupyter_protocol::{HistoryEntry, HistoryReply, HistoryRequest};

/// Frontends show a session number; a kernel's memory has one session.
const SESSION: usize = 1;

#[derive(Default)]
pub(super) struct History {
    cells: Vec<Cell>,
}

struct Cell {
    number: usize,
    input: String,
    output: Option<String>,
}

impl History {
    pub(super) fn add(&mut self, number: usize, input: &str, output: Option<String>) {
        self.cells.push(Cell {
            number,
            input: input.to_owned(),
            output,
        });
    }

    pub(super) fn answer(&self, request: &HistoryRequest) -> HistoryReply {
        let (cells, with_output) = match request {
            HistoryRequest::Range {
                session,
                start,
                stop,
                output,
                ..
            } => (self.range(*session, *start, *stop), *output),
            HistoryRequest::Tail { n, output, .. } => {
                (last(self.cells.iter().collect(), *n), *output)
            }
            HistoryRequest::Search {
                pattern,
                unique,
                output,
                n,
                ..
            } => (last(self.search(pattern, *unique), *n), *output),
        };
        HistoryReply::new(
            cells
                .into_iter()
                .map(|cell| cell.entry(with_output))
                .collect(),
        )
    }

    /// Session 0 is the present one, negative ones count back from it; `stop` is not included.
    fn range(&self, session: Option<i32>, start: i32, stop: i32) -> Vec<&Cell> {
        if !matches!(session, None | Some(0)) && session != Some(SESSION as i32) {
            return Vec::new();
        }
        let stop = if stop <= 0 { i32::MAX } else { stop };
        self.cells
            .iter()
            .filter(|cell| (start as i64..stop as i64).contains(&(cell.number as i64)))
            .collect()
    }

    fn search(&self, pattern: &str, unique: bool) -> Vec<&Cell> {
        let pattern: Vec<char> = pattern.chars().collect();
        let mut found: Vec<&Cell> = Vec::new();
        for cell in &self.cells {
            let input: Vec<char> = cell.input.chars().collect();
            if matches_glob(&pattern, &input) {
                if unique {
                    found.retain(|earlier| earlier.input != cell.input);
                }
                found.push(cell);
            }
        }
        found
    }
}

impl Cell {
    fn entry(&self, with_output: bool) -> HistoryEntry {
        let input = self.input.clone();
        if with_output {
            let output = self.output.clone().unwrap_or_default();
            HistoryEntry::InputOutput(SESSION, self.number, (input, output))
        } else {
            HistoryEntry::Input(SESSION, self.number, input)
        }
    }
}

fn last(cells: Vec<&Cell>, n: i32) -> Vec<&Cell> {
    let skip = cells.len().saturating_sub(usize::try_from(n).unwrap_or(0));
    cells.into_iter().skip(skip).collect()
}

/// Whether all of `text` fits a pattern of `*` and `?`.
fn matches_glob(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on when what follows the last star turns out not to fit.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(&c) if c == '?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((after_star, from)) => {
                    p = after_star;
                    t = from + 1;
                    retry = Some((after_star, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(pattern: &str, text: &str) -> bool {
        let chars = |s: &str| s.chars().collect::<Vec<_>>();
        matches_glob(&chars(pattern), &chars(text))
    }

    #[test]
    fn globs() {
        assert!(glob("*", ""));
        assert!(glob("let*x", "let mut x"));
        assert!(glob("?é*", "aé∂"));
        assert!(glob("*a*ab", "aaab"));
        assert!(!glob("let", "let x"));
        assert!(!glob("*y", "let x"));
    }

    fn filled() -> History {
        let mut history = History::default();
        for (number, input) in [(1, "a"), (2, "b"), (3, "a")] {
            history.add(number, input, Some(format!("out {number}")));
        }
        history
    }

    fn inputs(reply: &HistoryReply) -> Vec<(usize, String)> {
        reply
            .history
            .iter()
            .map(|entry| match entry {
                HistoryEntry::Input(_, n, input) => (*n, input.clone()),
                HistoryEntry::InputOutput(_, n, (input, output)) => {
                    (*n, format!("{input} -> {output}"))
                }
            })
            .collect()
    }

    #[test]
    fn tail_range_and_search() {
        let history = filled();
        let tail = HistoryRequest::Tail {
            n: 2,
            output: true,
            raw: true,
        };
        assert_eq!(
            inputs(&history.answer(&tail)),
            [(2, "b -> out 2".into()), (3, "a -> out 3".into())]
        );
        let range = HistoryRequest::Range {
            session: Some(0),
            start: 1,
            stop: 3,
            output: false,
            raw: true,
        };
        assert_eq!(
            inputs(&history.answer(&range)),
            [(1, "a".into()), (2, "b".into())]
        );
        let search = HistoryRequest::Search {
            pattern: "a".into(),
            unique: true,
            output: false,
            raw: true,
            n: 10,
        };
        assert_eq!(inputs(&history.answer(&search)), [(3, "a".into())]);
    }
}
