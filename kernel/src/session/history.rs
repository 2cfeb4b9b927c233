//! What was entered, in this session and in earlier ones.

mod file;
mod search;

use jupyter_protocol::{HistoryEntry, HistoryReply, HistoryRequest};
use std::path::PathBuf;

use file::HistoryFile;
use search::matches_glob;

/// The number of a session that no file keeps.
const ONLY_SESSION: usize = 1;
/// How many cells stay in memory where they cannot be written to a file.
const MOST_IN_MEMORY: usize = 1000;

/// Cells in the order in which they were entered, with their plain-text results.
pub(super) struct History {
    file: Option<HistoryFile>,
    /// Cells that are in no file.
    cells: Vec<Cell>,
}

/// One cell that was entered.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cell {
    session: usize,
    number: usize,
    input: String,
    output: Option<String>,
}

/// Where the history of this user's cells is kept.
pub fn directory() -> Option<PathBuf> {
    let base = dirs::state_dir().or_else(dirs::data_local_dir);
    base.map(|base| base.join("rust-dl"))
}

impl History {
    /// A history that ends with the session.
    #[cfg(test)]
    pub(super) fn in_memory() -> History {
        History {
            file: None,
            cells: Vec::new(),
        }
    }

    /// A history that goes on from earlier sessions of this user, if there is a place to keep it.
    pub(super) fn of_user() -> History {
        History::kept_in(directory())
    }

    fn kept_in(directory: Option<PathBuf>) -> History {
        History {
            file: directory.map(|directory| HistoryFile::new(&directory)),
            cells: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, number: usize, input: &str, output: Option<String>) {
        let mut cell = Cell {
            session: ONLY_SESSION,
            number,
            input: input.to_owned(),
            output,
        };
        if let Some(file) = &mut self.file {
            match file.add(&mut cell) {
                Ok(()) => return,
                Err(error) => file.complain(&error),
            }
            cell.session = file.session_behind(&file.read());
        }
        if self.cells.len() == MOST_IN_MEMORY {
            self.cells.remove(0);
        }
        self.cells.push(cell);
    }

    pub(super) fn answer(&self, request: &HistoryRequest) -> HistoryReply {
        let (cells, with_output) = match request {
            HistoryRequest::Range {
                session,
                start,
                stop,
                output,
                ..
            } => (self.range(session.unwrap_or(0), *start, *stop), *output),
            HistoryRequest::Tail { n, output, .. } => (last(self.all().1, *n), *output),
            HistoryRequest::Search {
                pattern,
                unique,
                output,
                n,
                ..
            } => (last(self.search(pattern, *unique), *n), *output),
        };
        let entry = |cell: Cell| cell.entry(with_output);
        HistoryReply::new(cells.into_iter().map(entry).collect())
    }

    /// The number of this session, and all cells, its own last.
    fn all(&self) -> (usize, Vec<Cell>) {
        let Some(file) = &self.file else {
            return (ONLY_SESSION, self.cells.clone());
        };
        let read = file.read();
        let session = file.session_behind(&read);
        let (mine, mut cells): (Vec<Cell>, Vec<Cell>) =
            read.into_iter().partition(|cell| cell.session == session);
        // Two kernels at once write in turns.
        cells.sort_by_key(|cell| (cell.session, cell.number));
        cells.extend(mine);
        cells.extend(self.cells.iter().cloned());
        (session, cells)
    }

    /// Session 0 is the present one, negative ones count back from it; `stop` is not included.
    fn range(&self, session: i32, start: i32, stop: i32) -> Vec<Cell> {
        let (present, cells) = self.all();
        let session = match i64::from(session) {
            back if back <= 0 => present as i64 + back,
            named => named,
        };
        let stop = if stop <= 0 { i32::MAX } else { stop };
        let asked = |cell: &Cell| {
            cell.session as i64 == session
                && (i64::from(start)..i64::from(stop)).contains(&(cell.number as i64))
        };
        cells.into_iter().filter(asked).collect()
    }

    fn search(&self, pattern: &str, unique: bool) -> Vec<Cell> {
        let pattern: Vec<char> = pattern.chars().collect();
        let (_, mut found) = self.all();
        found.retain(|cell| {
            let input: Vec<char> = cell.input.chars().collect();
            matches_glob(&pattern, &input)
        });
        if unique {
            let mut seen = std::collections::HashSet::new();
            found.reverse();
            found.retain(|cell| seen.insert(cell.input.clone()));
            found.reverse();
        }
        found
    }
}

impl Cell {
    fn entry(self, with_output: bool) -> HistoryEntry {
        if with_output {
            let output = self.output.unwrap_or_default();
            HistoryEntry::InputOutput(self.session, self.number, (self.input, output))
        } else {
            HistoryEntry::Input(self.session, self.number, self.input)
        }
    }
}

fn last(mut cells: Vec<Cell>, n: i32) -> Vec<Cell> {
    let keep = usize::try_from(n).unwrap_or(0);
    cells.split_off(cells.len().saturating_sub(keep))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(history: &mut History) {
        for (number, input) in [(1, "a"), (2, "b"), (3, "a")] {
            history.add(number, input, Some(format!("out {number}")));
        }
    }

    fn inputs(reply: &HistoryReply) -> Vec<(usize, usize, String)> {
        reply
            .history
            .iter()
            .map(|entry| match entry {
                HistoryEntry::Input(session, n, input) => (*session, *n, input.clone()),
                HistoryEntry::InputOutput(session, n, (input, output)) => {
                    (*session, *n, format!("{input} -> {output}"))
                }
            })
            .collect()
    }

    fn tail(n: i32) -> HistoryRequest {
        HistoryRequest::Tail {
            n,
            output: true,
            raw: true,
        }
    }

    fn range(session: i32) -> HistoryRequest {
        HistoryRequest::Range {
            session: Some(session),
            start: 1,
            stop: 3,
            output: false,
            raw: true,
        }
    }

    fn search(pattern: &str, unique: bool, n: i32) -> HistoryRequest {
        HistoryRequest::Search {
            pattern: pattern.into(),
            unique,
            output: false,
            raw: true,
            n,
        }
    }

    #[test]
    fn tail_range_and_search() {
        let directory = tempfile::tempdir().unwrap();
        for mut history in [
            History::in_memory(),
            History::kept_in(Some(directory.path().join("new"))),
        ] {
            fill(&mut history);
            assert_eq!(
                inputs(&history.answer(&tail(2))),
                [(1, 2, "b -> out 2".into()), (1, 3, "a -> out 3".into())]
            );
            assert_eq!(
                inputs(&history.answer(&range(0))),
                [(1, 1, "a".into()), (1, 2, "b".into())]
            );
            let found = |unique, n| inputs(&history.answer(&search("a", unique, n))).len();
            assert_eq!(
                (found(true, 10), found(false, 10), found(false, 1)),
                (1, 2, 1)
            );
            assert_eq!(inputs(&history.answer(&tail(0))), []);
        }
    }

    #[test]
    fn earlier_sessions_are_found_by_number_and_counting_back() {
        let directory = tempfile::tempdir().unwrap();
        let kept = || History::kept_in(Some(directory.path().to_owned()));
        fill(&mut kept());
        let (mut second, mut third) = (kept(), kept());
        third.add(1, "two lines\nof \"text\"", None);
        second.add(1, "later", None);
        assert_eq!(
            inputs(&third.answer(&tail(2))),
            [
                (3, 1, "later -> ".into()),
                (2, 1, "two lines\nof \"text\" -> ".into())
            ]
        );
        let expected = [(1, 1, "a".into()), (1, 2, "b".into())];
        assert_eq!(inputs(&third.answer(&range(-1))), expected);
        assert_eq!(inputs(&second.answer(&range(1))), expected);
        assert_eq!(inputs(&third.answer(&range(7))), []);
        // A session that has entered nothing yet has the next number.
        assert_eq!(inputs(&kept().answer(&range(-3))), expected);
        assert_eq!(inputs(&third.answer(&search("*i*", true, 9))).len(), 1);
    }

    #[test]
    fn an_answer_reads_the_file_once_also_before_the_first_cell() {
        let directory = tempfile::tempdir().unwrap();
        let kept = || History::kept_in(Some(directory.path().to_owned()));
        let mut earlier = kept();
        fill(&mut earlier);
        for history in [earlier, kept()] {
            for request in [tail(2), range(0), range(-1), search("*", true, 9)] {
                let before = file::READS.get();
                history.answer(&request);
                assert_eq!(file::READS.get() - before, 1, "{request:?}");
            }
        }
    }
}
