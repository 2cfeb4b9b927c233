//! The history of all of a user's sessions: a line of JSON a cell, in one file that is only
//! appended to, under a lock, so that several kernels may write to it. Lines that make no sense (a
//! disk that was full, a process that was killed) are passed over.

use super::Cell;
use nix::fcntl::{Flock, FlockArg};
use serde_json::{Value, json};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read as _, Result, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// When a session finds the file longer, it keeps the latter half.
const MOST_BYTES: u64 = 4 << 20;
/// Inputs longer than this are kept up to here; no one browses to them.
const MOST_INPUT: usize = 64 << 10;
/// Results are kept up to here.
const MOST_OUTPUT: usize = 4 << 10;

#[cfg(test)]
thread_local! {
    /// How often files were read: an answer that reads megabytes again for each cell keeps a notebook waiting.
    pub(super) static READS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

pub(super) struct HistoryFile {
    path: PathBuf,
    lock: PathBuf,
    /// This session's number, from its first cell on.
    session: Option<usize>,
    complained: bool,
}

impl HistoryFile {
    pub(super) fn new(directory: &Path) -> HistoryFile {
        HistoryFile {
            path: directory.join("history.jsonl"),
            lock: directory.join("history.lock"),
            session: None,
            complained: false,
        }
    }

    /// This session's number; while it has no cell, the next free one behind what was read.
    pub(super) fn session_behind(&self, read: &[Cell]) -> usize {
        self.session.unwrap_or_else(|| next_session(read))
    }

    /// Appends a cell, and says in it which session it is of.
    pub(super) fn add(&mut self, cell: &mut Cell) -> Result<()> {
        if let Some(directory) = self.path.parent() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(directory)?;
        }
        let _lock = self.locked()?;
        let session = match self.session {
            Some(session) => session,
            None => self.begin()?,
        };
        self.session = Some(session);
        cell.session = session;
        let mut file = private(OpenOptions::new().read(true).append(true), &self.path)?;
        let mut text = line(cell);
        if !ends_a_line(&mut file)? {
            text.insert(0, '\n');
        }
        file.write_all(text.as_bytes())
    }

    /// Every cell that can be read.
    pub(super) fn read(&self) -> Vec<Cell> {
        #[cfg(test)]
        READS.set(READS.get() + 1);
        let bytes = std::fs::read(&self.path).unwrap_or_default();
        String::from_utf8_lossy(&bytes)
            .lines()
            .filter_map(cell_of)
            .collect()
    }

    /// Says once that history cannot be kept.
    pub(super) fn complain(&mut self, error: &std::io::Error) {
        if !std::mem::replace(&mut self.complained, true) {
            eprintln!(
                "rust-dl: the history is not kept in {}: {error}",
                self.path.display()
            );
        }
    }

    /// This session's number. Shortens the file where it has grown too long.
    fn begin(&self) -> Result<usize> {
        let cells = self.read();
        let session = next_session(&cells);
        if std::fs::metadata(&self.path).is_ok_and(|file| file.len() > MOST_BYTES) {
            let mut size = 0;
            let fits = |cell: &&Cell| {
                size += line(cell).len() as u64;
                size <= MOST_BYTES / 2
            };
            let mut kept: Vec<String> = cells.iter().rev().take_while(fits).map(line).collect();
            kept.reverse();
            let shorter = self.path.with_extension("new");
            private(OpenOptions::new().write(true).truncate(true), &shorter)?
                .write_all(kept.concat().as_bytes())?;
            std::fs::rename(shorter, &self.path)?;
        }
        Ok(session)
    }

    fn locked(&self) -> Result<Flock<File>> {
        let file = private(OpenOptions::new().write(true), &self.lock)?;
        // Another kernel holds it for an instant; one that hangs must not hold up this one.
        let mut file = file;
        for _ in 0..PATIENCE {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(lock),
                Err((back, nix::errno::Errno::EWOULDBLOCK)) => file = back,
                Err((_, error)) => return Err(error.into()),
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        Err(std::io::ErrorKind::WouldBlock.into())
    }
}

/// How often to try for the lock, with two milliseconds in between.
const PATIENCE: usize = 50;

/// Opens a file that only its owner may read: code holds passwords more often than it should.
fn private(options: &mut OpenOptions, path: &Path) -> Result<File> {
    options.create(true).mode(0o600).open(path)
}

fn next_session(cells: &[Cell]) -> usize {
    let last = cells.iter().map(|cell| cell.session).max();
    last.unwrap_or(0).saturating_add(1)
}

fn ends_a_line(file: &mut File) -> Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last[0] == b'\n')
}

fn line(cell: &Cell) -> String {
    let output = cell.output.as_deref().map(|text| cut(text, MOST_OUTPUT));
    let value = json!({"session": cell.session, "number": cell.number,
        "input": cut(&cell.input, MOST_INPUT), "output": output});
    format!("{value}\n")
}

fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

fn cell_of(line: &str) -> Option<Cell> {
    let value: Value = serde_json::from_str(line).ok()?;
    Some(Cell {
        // A number beyond what any frontend can hold is no number of a session.
        session: u32::try_from(value["session"].as_u64()?).ok()? as usize,
        number: u32::try_from(value["number"].as_u64()?).ok()? as usize,
        input: value["input"].as_str()?.to_owned(),
        output: value["output"].as_str().map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(number: usize, input: &str) -> Cell {
        Cell {
            session: 0,
            number,
            input: input.to_owned(),
            output: None,
        }
    }

    fn inputs(file: &HistoryFile) -> Vec<String> {
        file.read().into_iter().map(|cell| cell.input).collect()
    }

    #[test]
    fn what_is_damaged_is_passed_over_and_the_next_line_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = HistoryFile::new(directory.path());
        file.add(&mut cell(1, "first")).unwrap();
        let mut raw = OpenOptions::new().append(true).open(&file.path).unwrap();
        raw.write_all(b"\xff\xfe\n[]\n{\"session\": 99999999999}\n{\"session\": 1, \"numb")
            .unwrap();
        file.add(&mut cell(2, "second")).unwrap();
        assert_eq!(inputs(&file), ["first", "second"]);
        let next = HistoryFile::new(directory.path());
        assert_eq!(next.session_behind(&next.read()), 2);
    }

    #[test]
    fn a_long_file_is_cut_to_its_latter_half() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = HistoryFile::new(directory.path());
        let long = "x".repeat(MOST_INPUT + 5);
        for number in 0..80 {
            file.add(&mut cell(number, &long)).unwrap();
        }
        assert!(std::fs::metadata(&file.path).unwrap().len() > MOST_BYTES);
        let mut next = HistoryFile::new(directory.path());
        next.add(&mut cell(1, "new")).unwrap();
        assert!(std::fs::metadata(&file.path).unwrap().len() <= MOST_BYTES / 2 + 100);
        let kept = next.read();
        assert_eq!(
            kept.last().map(|cell| (cell.session, cell.number)),
            Some((2, 1))
        );
        assert_eq!(kept[kept.len() - 2].number, 79);
    }

    #[test]
    fn two_writers_lose_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let writers: Vec<_> = (0..4)
            .map(|_| {
                let mut file = HistoryFile::new(directory.path());
                std::thread::spawn(move || {
                    for number in 0..50 {
                        file.add(&mut cell(number, "text")).unwrap();
                    }
                    file.session.unwrap()
                })
            })
            .collect();
        let mut sessions: Vec<usize> = writers.into_iter().map(|w| w.join().unwrap()).collect();
        sessions.sort_unstable();
        assert_eq!(sessions, [1, 2, 3, 4]);
        assert_eq!(HistoryFile::new(directory.path()).read().len(), 200);
    }
}
