//! Losses and metrics as lines of a file.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{Callback, Control, Logs, Trainable};
use crate::sorted;
use crate::{Error, Result};

/// Writes a line of comma-separated values after each epoch: its number, counted from 0 as in Keras,
/// then losses and metrics in alphabetical order, under a line of their names.
///
/// Each line is written at once and complete, so the file can be read while training runs.
///
/// ```
/// use dlcore::callbacks::CSVLogger;
/// let log = CSVLogger::new("training.csv").append(true);
/// ```
pub struct CSVLogger {
    path: PathBuf,
    separator: char,
    append: bool,
    file: Option<File>,
    /// Whether the line of names is still to be written.
    names: bool,
}

impl CSVLogger {
    /// Writes to `path`; an older file there is replaced.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self::at(path.as_ref())
    }

    fn at(path: &Path) -> Self {
        CSVLogger {
            path: path.to_owned(),
            separator: ',',
            append: false,
            file: None,
            names: true,
        }
    }

    /// What stands between values (`,`).
    pub fn separator(mut self, separator: char) -> Self {
        self.separator = separator;
        self
    }

    /// Whether lines are added to what the file holds, to go on with an earlier training (false).
    pub fn append(mut self, append: bool) -> Self {
        self.append = append;
        self
    }

    fn error(&self, message: String) -> Error {
        Error::File {
            path: self.path.clone(),
            message,
        }
    }

    fn open(&mut self) -> Result<()> {
        let failed = |problem: std::io::Error| self.error(format!("cannot be written: {problem}"));
        let mut options = OpenOptions::new();
        match self.append {
            true => options.read(true).append(true),
            false => options.write(true).truncate(true),
        };
        let mut file = options.create(true).open(&self.path).map_err(failed)?;
        let empty = file.metadata().map_err(failed)?.len() == 0;
        if !empty {
            // What broke off in the middle of a line does not run into the next.
            let mut last = [0];
            file.seek(SeekFrom::End(-1)).map_err(failed)?;
            file.read_exact(&mut last).map_err(failed)?;
            if last != *b"\n" {
                file.write_all(b"\n").map_err(failed)?;
            }
        }
        self.names = empty;
        self.file = Some(file);
        Ok(())
    }

    /// A line of these cells, quoted where they need it.
    fn line(&self, cells: impl Iterator<Item = String>) -> String {
        let quoted = |cell: String| match cell.contains([self.separator, '"', '\n', '\r']) {
            true => format!("\"{}\"", cell.replace('"', "\"\"")),
            false => cell,
        };
        let cells: Vec<String> = cells.map(quoted).collect();
        cells.join(&self.separator.to_string()) + "\n"
    }

    fn names_line<'a>(&self, names: impl Iterator<Item = &'a str>) -> String {
        let mut names: Vec<&str> = names.collect();
        names.sort_unstable();
        let names = std::iter::once("epoch").chain(names);
        self.line(names.map(str::to_string))
    }

    fn write(&mut self, epoch: usize, logs: &Logs) -> Result<()> {
        let values = sorted::by(logs.iter().collect(), |a, b| a.0.cmp(b.0));
        let mut text = match self.names {
            true => self.names_line(logs.iter().map(|(name, _)| name)),
            false => String::new(),
        };
        let cells = std::iter::once(epoch.to_string());
        text += &self.line(cells.chain(values.iter().map(|(_, value)| value.to_string())));
        if let Some(file) = &mut self.file {
            let written = file.write_all(text.as_bytes());
            written.map_err(|problem| self.error(format!("cannot be written: {problem}")))?;
        }
        self.names = false;
        Ok(())
    }

    /// The line of names in the file to be added to.
    fn written_names(&self) -> Option<String> {
        let mut line = String::new();
        let file = File::open(&self.path).ok()?;
        BufReader::new(file).read_line(&mut line).ok()?;
        let line = line.trim_end_matches(['\r', '\n']);
        (!line.is_empty()).then(|| line.to_string())
    }
}

impl Callback for CSVLogger {
    fn check(&self, recorded: &[String]) -> Result<()> {
        if self.separator.is_alphanumeric()
            || ['"', '\n', '\r', '.', '-', '_'].contains(&self.separator)
        {
            return Err(Error::Value(format!(
                "CSVLogger: separator must be a character that stands in no name or number, got {:?}",
                self.separator
            )));
        }
        let names = self.names_line(recorded.iter().map(String::as_str));
        match self.written_names().filter(|_| self.append) {
            Some(written) if written != names.trim_end() => Err(self.error(format!(
                "has the columns {written}, but this training records {}; choose another file, or do not append",
                names.trim_end()
            ))),
            _ => Ok(()),
        }
    }

    fn train_begin(&mut self, _: &mut dyn Trainable) {
        self.file = None;
    }

    fn epoch_begin(&mut self, _: usize, _: &mut dyn Trainable) -> Control {
        match self.file {
            Some(_) => Control::Continue,
            None => self.open().into(),
        }
    }

    fn epoch_end(&mut self, epoch: usize, logs: &Logs, _: &mut dyn Trainable) -> Control {
        self.write(epoch, logs).into()
    }

    fn train_end(&mut self, _: &mut dyn Trainable) {
        self.file = None;
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Folder, Model, run};
    use super::*;

    #[test]
    fn lines_are_complete_after_each_epoch_and_replaced_or_added_to() {
        let folder = Folder::new("csv");
        let path = folder.path("log.csv");
        let read = || std::fs::read_to_string(&path).unwrap();
        let mut log = CSVLogger::new(&path);
        let mut model = Model::new();
        run(&mut log, &mut model, "loss", &[0.5, 0.25]);
        assert_eq!(read(), "epoch,loss\n0,0.5\n1,0.25\n");
        run(&mut log, &mut model, "loss", &[f64::NAN]);
        assert_eq!(read(), "epoch,loss\n0,NaN\n");
        std::fs::write(&path, "epoch,loss\n0,0.5\n1,0.").unwrap();
        run(
            &mut CSVLogger::new(&path).append(true),
            &mut model,
            "loss",
            &[0.125],
        );
        assert_eq!(read(), "epoch,loss\n0,0.5\n1,0.\n0,0.125\n");
    }

    #[test]
    fn columns_are_sorted_and_quoted_where_needed() {
        let folder = Folder::new("csv-columns");
        let path = folder.path("log.csv");
        let mut log = CSVLogger::new(&path).separator(';');
        let mut model = Model::new();
        let names = ["loss", "a;\"b\""].map(str::to_string);
        log.check(&names).unwrap();
        assert_eq!(log.epoch_begin(0, &mut model), Control::Continue);
        let logs = Logs::from(vec![(names[0].clone(), 1e-7), (names[1].clone(), 2.0)]);
        assert_eq!(log.epoch_end(0, &logs, &mut model), Control::Continue);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "epoch;\"a;\"\"b\"\"\";loss\n0;2;0.0000001\n");
    }

    #[test]
    fn other_columns_and_a_folder_that_is_missing_are_told_before_training() {
        let folder = Folder::new("csv-refused");
        let path = folder.path("log.csv");
        std::fs::write(&path, "epoch,accuracy,loss\n0,1,0\n").unwrap();
        let log = CSVLogger::new(&path).append(true);
        let error = log.check(&["loss".to_string()]).unwrap_err().to_string();
        assert!(
            error.contains("has the columns epoch,accuracy,loss"),
            "{error}"
        );
        let mut lost = CSVLogger::new(folder.path("missing/log.csv"));
        let ended = run(&mut lost, &mut Model::new(), "loss", &[0.5]);
        assert!(
            matches!(&ended, Some((0, Control::Fail(reason))) if reason.contains("cannot be written")),
            "{ended:?}"
        );
    }
}
