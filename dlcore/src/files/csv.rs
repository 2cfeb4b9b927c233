//! Tables as text: one row a line, fields between commas.

use std::path::Path;

use ::csv::{ErrorKind, Reader, ReaderBuilder, StringRecord};

use super::table::{Column, Table, is_missing, other_delimiter};
use super::whole;
use crate::Result;
use crate::config::Parsed;

/// The table in a CSV file, whose first line names the columns.
///
/// A column of numbers is one in which every field that is not missing is a number; others are text. A field is
/// missing where it is empty, `NA`, `N/A`, `n/a`, `NaN`, `null`, `None` or what else pandas takes for missing;
/// [`Table::missing`] says where, and [`ReadCsv::na_values`] names other signs.
///
/// ```no_run
/// use dlcore::prelude::*;
/// let table = files::read_csv("houses.csv")?;
/// let x = table.columns(["rooms", "age"])?;
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// [`Error::File`](crate::Error::File) with the line if the file is missing, a line has more or fewer fields
/// than the first, is not UTF-8, or two columns have one name.
pub fn read_csv(path: impl AsRef<Path>) -> Result<Table> {
    ReadCsv::new().read(path)
}

/// [`read_csv`] with settings.
///
/// ```no_run
/// use dlcore::prelude::*;
/// let table = files::ReadCsv::new().delimiter(';').header(false).read("wine.csv")?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ReadCsv {
    delimiter: char,
    header: bool,
    decimal: char,
    na_values: Vec<String>,
}

impl Default for ReadCsv {
    fn default() -> ReadCsv {
        Self::new()
    }
}

impl ReadCsv {
    /// Commas between fields, names in the first line.
    pub fn new() -> ReadCsv {
        ReadCsv {
            delimiter: ',',
            header: true,
            decimal: '.',
            na_values: Vec::new(),
        }
    }

    /// What stands between fields (`','`): one ASCII character, such as `';'` or `'\t'`.
    pub fn delimiter(mut self, delimiter: char) -> ReadCsv {
        self.delimiter = delimiter;
        self
    }

    /// Whether the first line names the columns (true). Otherwise they are `column_0`, `column_1` and so on.
    pub fn header(mut self, header: bool) -> ReadCsv {
        self.header = header;
        self
    }

    /// What stands before the fraction of a number (`'.'`): `','` in much of Europe, where fields stand between
    /// semicolons.
    pub fn decimal(mut self, decimal: char) -> ReadCsv {
        self.decimal = decimal;
        self
    }

    /// What else stands for a field that is missing (nothing): `["?", "-"]`.
    pub fn na_values<const N: usize>(mut self, values: [&str; N]) -> ReadCsv {
        self.na_values = values.map(str::to_string).to_vec();
        self
    }

    fn is_missing(&self, field: &str) -> bool {
        is_missing(field) || self.na_values.iter().any(|value| value == field.trim())
    }

    /// Reads a file.
    ///
    /// # Errors
    /// As [`read_csv`].
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Table> {
        let path = path.as_ref();
        let table = self.parse(&whole::read(path)?);
        table.map_err(|message| whole::error(path, message))
    }

    fn reader<'a>(&self, bytes: &'a [u8]) -> Parsed<Reader<&'a [u8]>> {
        let delimiter = u8::try_from(self.delimiter).ok().filter(u8::is_ascii);
        let delimiter = delimiter.ok_or_else(|| {
            format!(
                "expected one ASCII character between fields, got {:?}",
                self.delimiter
            )
        })?;
        let mut builder = ReaderBuilder::new();
        builder.delimiter(delimiter).has_headers(self.header);
        Ok(builder.from_reader(bytes))
    }

    /// The table in two passes, so that only what is kept is ever in memory: what columns hold, then the fields.
    pub(super) fn parse(&self, bytes: &[u8]) -> Parsed<Table> {
        if self.decimal == self.delimiter {
            return Err(format!(
                "{:?} cannot stand both between fields and in numbers; name another delimiter, such as ';'",
                self.decimal
            ));
        }
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return Err("line 1: the file is UTF-16; save it as UTF-8 (\"CSV UTF-8\")".to_string());
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let names = self.names(bytes)?;
        let mut numbers = vec![true; names.len()];
        let mut rows = 0;
        let read = self.records(bytes, |_, record| {
            rows += 1;
            for (field, number) in record.iter().zip(&mut numbers) {
                *number = *number && (self.is_missing(field) || self.number(field).is_some());
            }
        });
        read.map_err(|error| error + &other_delimiter(&names))?;
        let column = |&number: &bool| match number {
            true => Column::Numbers(Vec::with_capacity(rows)),
            false => Column::Text(Vec::with_capacity(rows)),
        };
        let mut columns: Vec<Column> = numbers.iter().map(column).collect();
        let mut lines = Vec::with_capacity(rows);
        self.records(bytes, |line, record| {
            lines.push(line);
            for (field, column) in record.iter().zip(&mut columns) {
                let there = (!self.is_missing(field)).then_some(field);
                column.push(there, self.number(field));
            }
        })?;
        Table::of(names, columns, lines)
    }

    /// The number in a field, where it is one.
    fn number(&self, field: &str) -> Option<f64> {
        let field = field.trim();
        match self.decimal {
            '.' => field.parse().ok(),
            // A point would separate thousands then.
            _ if field.contains('.') => None,
            decimal => field.replacen(decimal, ".", 1).parse().ok(),
        }
    }

    fn names(&self, bytes: &[u8]) -> Parsed<Vec<String>> {
        let mut reader = self.reader(bytes)?;
        let first = match self.header {
            true => reader.headers().cloned(),
            false => {
                let mut record = StringRecord::new();
                reader.read_record(&mut record).map(|_| record)
            }
        };
        let first = first.map_err(|error| problem(&error, bytes))?;
        if first.is_empty() {
            return Err("line 1: expected a table, found nothing".to_string());
        }
        Ok(match self.header {
            true => first.iter().map(|name| name.trim().to_string()).collect(),
            false => (0..first.len()).map(|i| format!("column_{i}")).collect(),
        })
    }

    /// Each row with the line at which it begins.
    fn records(&self, bytes: &[u8], mut each: impl FnMut(u64, &StringRecord)) -> Parsed<()> {
        let mut reader = self.reader(bytes)?;
        if self.header {
            // Otherwise the first row counts as at the place of the names.
            reader.byte_headers().map_err(|e| problem(&e, bytes))?;
        }
        let mut record = StringRecord::new();
        while reader
            .read_record(&mut record)
            .map_err(|e| problem(&e, bytes))?
        {
            let line = record.position().map_or(0, |place| line(place, bytes));
            each(line, &record);
        }
        Ok(())
    }
}

/// The line at which a row begins. The reader's place is before what ended the row before: the second half of
/// Windows's ends of lines, and lines that are empty.
fn line(place: &::csv::Position, bytes: &[u8]) -> u64 {
    let from = usize::try_from(place.byte()).unwrap_or(usize::MAX);
    let rest = bytes.get(from..).unwrap_or_default();
    let ends = rest
        .iter()
        .take_while(|&&byte| byte == b'\n' || byte == b'\r');
    place.line() + ends.filter(|&&byte| byte == b'\n').count() as u64
}

/// What is wrong, and in which line.
fn problem(error: &::csv::Error, bytes: &[u8]) -> String {
    let line = |position: &Option<::csv::Position>| {
        let place = position.as_ref();
        place.map_or(String::new(), |place| {
            format!("line {}: ", line(place, bytes))
        })
    };
    match error.kind() {
        ErrorKind::UnequalLengths {
            pos,
            expected_len,
            len,
        } => {
            let fields = if *expected_len == 1 {
                "field"
            } else {
                "fields"
            };
            format!(
                "{}expected {expected_len} {fields}, as in the first line, found {len}",
                line(pos)
            )
        }
        ErrorKind::Utf8 { pos, err } => format!(
            "{}field {} is not UTF-8; save the file as UTF-8",
            line(pos),
            err.field() + 1
        ),
        _ => error.to_string(),
    }
}

impl Table {
    /// Writes the table as a CSV file with the names in the first line. The file takes its place when it is
    /// complete.
    ///
    /// # Errors
    /// [`Error::File`](crate::Error::File) if the file cannot be written.
    pub fn save_csv(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let bytes = self.csv().map_err(|message| whole::error(path, message))?;
        whole::replace_by(path, &bytes)
    }

    pub(super) fn csv(&self) -> Parsed<Vec<u8>> {
        let mut writer = ::csv::Writer::from_writer(Vec::new());
        let failed = |error: ::csv::Error| format!("cannot be written: {error}");
        writer.write_record(self.names()).map_err(failed)?;
        for row in 0..self.rows() {
            writer.write_record(self.fields(row)).map_err(failed)?;
        }
        writer
            .into_inner()
            .map_err(|error| format!("cannot be written: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tensor;

    fn read(text: &str) -> Parsed<Table> {
        ReadCsv::new().parse(text.as_bytes())
    }

    #[test]
    fn columns_become_tensors_and_texts() {
        let table = read(
            "\u{feff}length, width,kind,note\r\n5.1,3,setosa,\"a \"\"quoted\"\", one\"\r\n-6e1,2.5,virginica,\"two\nlines\"\n",
        )
        .unwrap();
        assert_eq!(table.names(), ["length", "width", "kind", "note"]);
        assert_eq!(table.rows(), 2);
        let x = table.columns(["length", "width"]).unwrap();
        assert_eq!(x, Tensor::from([[5.1, 3.0], [-60.0, 2.5]]));
        let notes = table.text("note").unwrap();
        assert_eq!(notes, ["a \"quoted\", one", "two\nlines"]);
        let again = ReadCsv::new().parse(&table.csv().unwrap()).unwrap();
        assert_eq!(again.text("note").unwrap(), notes);
        assert_eq!(again.columns(["length", "width"]).unwrap(), x);
    }

    #[test]
    fn lines_are_counted_as_an_editor_counts_them() {
        for end in ["\n", "\r\n"] {
            for begin in ["", "\u{feff}"] {
                let text = format!("{begin}a,b{end}1,{end}{end}\"x{end}y\",2{end},3{end}");
                let missing = read(&text).unwrap().missing();
                let lines: Vec<u64> = missing.iter().map(|missing| missing.line).collect();
                assert_eq!(lines, [2, 6], "{text:?}");
                let short = format!("{begin}a,b{end}1,2{end}{end}3{end}");
                let error = read(&short).unwrap_err();
                assert!(
                    error.starts_with("line 4: expected 2 fields"),
                    "{short:?}: {error}"
                );
            }
        }
    }

    #[test]
    fn other_delimiters_and_tables_without_names() {
        let options = ReadCsv::new().delimiter(';').header(false);
        let table = options.parse(b"1;a\n2;b\n").unwrap();
        assert_eq!(table.names(), ["column_0", "column_1"]);
        assert_eq!(table.column("column_0").unwrap(), Tensor::from([1.0, 2.0]));
        let error = ReadCsv::new().delimiter('→').parse(b"1").unwrap_err();
        assert!(error.contains("one ASCII character"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let error = |text: &str| read(text).unwrap_err();
        assert_eq!(
            error("a,b\n1,2\n\"x\ny\",3\n4\n"),
            "line 5: expected 2 fields, as in the first line, found 1"
        );
        let latin = ReadCsv::new().parse(b"a,b\n1,2\n3,caf\xe9\n").unwrap_err();
        assert!(latin.starts_with("line 3: field 2 is not UTF-8"), "{latin}");
        assert!(error("").contains("found nothing"));
        let first = ReadCsv::new().parse(b"a,b\ncaf\xe9,1\n").unwrap_err();
        assert!(first.starts_with("line 2: field 1 is not UTF-8"), "{first}");
        let wide = ReadCsv::new().parse(b"\xff\xfea\0,\0").unwrap_err();
        assert!(wide.contains("UTF-16; save it as UTF-8"), "{wide}");
        assert!(error("a,a\n1,2\n").contains("two columns are named \"a\""));
    }
}
