//! Columns of numbers and of text.

mod missing;
mod shown;

pub(super) use missing::is_missing;
pub use missing::{Fill, Missing};

use serde_json::{Value, json};

use crate::config::{Fields, Parsed};
use crate::{DType, Error, Result, Tensor, names};

/// Named columns of one length, each of numbers or of text: what a CSV file holds.
///
/// ```
/// use dlcore::prelude::*;
/// let table = Table::new().with("age", &Tensor::from([31, 45]))?.with_text("name", &["Ada", "Max"])?;
/// assert_eq!(table.column("age")?.to_vec(), [31.0, 45.0]);
/// assert_eq!(table.text("name")?, ["Ada", "Max"]);
/// # Ok::<(), Error>(())
/// ```
///
/// Parts of it are [`Table::column`], [`Table::columns`], [`Table::all_numbers`], [`Table::integers`], [`Table::text`]
/// and [`Table::classes`]; what is missing is told by [`Table::missing`], left out by [`Table::drop_missing`], and
/// replaced by [`Table::fill_missing`], [`Table::fill_missing_in`] and [`Table::fill_missing_by_mean`];
/// [`Table::save_csv`] writes a file.
#[derive(Clone, Default, PartialEq)]
pub struct Table {
    names: Vec<String>,
    columns: Vec<Column>,
    /// The line of the file at which each row begins.
    lines: Vec<u64>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Column {
    /// NaN where a number is missing.
    Numbers(Vec<f64>),
    Text(Vec<Option<Box<str>>>),
}

impl Column {
    /// One more field, or what is missing, and the number that it is; in a column of numbers a number, or nothing.
    pub(super) fn push(&mut self, field: Option<&str>, number: Option<f64>) {
        match self {
            Column::Numbers(numbers) => {
                numbers.push(field.and(number).unwrap_or(f64::NAN));
            }
            Column::Text(texts) => texts.push(field.map(|text| text.to_string().into_boxed_str())),
        }
    }

    fn len(&self) -> usize {
        match self {
            Column::Numbers(numbers) => numbers.len(),
            Column::Text(texts) => texts.len(),
        }
    }

    fn has(&self, row: usize) -> bool {
        match self {
            Column::Numbers(numbers) => !numbers[row].is_nan(),
            Column::Text(texts) => texts[row].is_some(),
        }
    }

    fn field(&self, row: usize) -> String {
        match self {
            Column::Numbers(numbers) if self.has(row) => numbers[row].to_string(),
            Column::Text(texts) => texts[row].as_deref().unwrap_or("").to_string(),
            Column::Numbers(_) => String::new(),
        }
    }

    fn keep(&mut self, rows: &[bool]) {
        let mut kept = rows.iter();
        let mut keep = || kept.next().copied().unwrap_or(false);
        match self {
            Column::Numbers(numbers) => numbers.retain(|_| keep()),
            Column::Text(texts) => texts.retain(|_| keep()),
        }
    }
}

/// What to do about a table of one column whose name has something else than commas within; nothing for others.
pub(super) fn other_delimiter(names: &[String]) -> String {
    let [only] = names else {
        return String::new();
    };
    let found = [';', '\t', '|']
        .into_iter()
        .find(|&other| only.contains(other));
    found.map_or(String::new(), |other| {
        format!(
            "; if {other:?} stands between the fields of the file, read it by files::ReadCsv::new().delimiter({other:?})"
        )
    })
}

impl Table {
    /// A table without columns.
    pub fn new() -> Table {
        Table::default()
    }

    pub(super) fn of(names: Vec<String>, columns: Vec<Column>, lines: Vec<u64>) -> Parsed<Table> {
        let mut sorted: Vec<&String> = names.iter().collect();
        sorted.sort();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("line 1: two columns are named {:?}", pair[0]));
        }
        Ok(Table {
            names,
            columns,
            lines,
        })
    }

    /// The table with one more column, of numbers; a tensor `[rows]`. NaN stands for what is missing.
    ///
    /// # Errors
    /// [`Error::Shape`] for a tensor of another shape, [`Error::Value`] for a name that there is.
    pub fn with(self, name: &str, numbers: &Tensor) -> Result<Table> {
        if numbers.ndim() != 1 {
            return Err(Error::Shape(format!(
                "column {name:?}: expected a tensor [rows], got shape {:?}",
                numbers.shape()
            )));
        }
        let numbers = numbers.cast(DType::F64).to_vec_of::<f64>();
        self.with_column(name, Column::Numbers(numbers))
    }

    /// The table with one more column, of text.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of rows, [`Error::Value`] for a name that there is.
    pub fn with_text(self, name: &str, texts: &[impl AsRef<str>]) -> Result<Table> {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_string().into_boxed_str());
        let texts = texts.iter().map(|one| text(one.as_ref())).collect();
        self.with_column(name, Column::Text(texts))
    }

    fn with_column(mut self, name: &str, column: Column) -> Result<Table> {
        if self.names.iter().any(|known| known == name) {
            return Err(Error::Value(format!(
                "the table has a column {name:?} already"
            )));
        }
        if self.columns.is_empty() {
            self.lines = (1..=column.len() as u64).collect();
        }
        if column.len() != self.rows() {
            return Err(Error::Shape(format!(
                "column {name:?}: expected {} rows, as the table has, got {}",
                self.rows(),
                column.len()
            )));
        }
        self.names.push(name.to_string());
        self.columns.push(column);
        Ok(self)
    }

    /// The names of the columns, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.lines.len()
    }

    /// A row's fields as text.
    pub(super) fn fields(&self, row: usize) -> Vec<String> {
        self.columns
            .iter()
            .map(|column| column.field(row))
            .collect()
    }

    fn place(&self, name: &str) -> Result<usize> {
        let place = self.names.iter().position(|known| known == name);
        place.ok_or_else(|| {
            let known: Vec<&str> = self.names.iter().map(String::as_str).collect();
            Error::Value(names::unknown("column", name, &known) + &other_delimiter(&self.names))
        })
    }

    fn find(&self, name: &str) -> Result<(usize, &Column)> {
        let place = self.place(name)?;
        let column = &self.columns[place];
        match (0..self.rows()).find(|&row| !column.has(row)) {
            None => Ok((place, column)),
            Some(row) => Err(Error::Value(format!(
                "line {}, column {name:?}: the field is missing; drop_missing() leaves such rows out, {}",
                self.lines[row],
                match column {
                    Column::Numbers(_) =>
                        "fill_missing(0.0) puts a number there, fill_missing_by_mean() the column's mean",
                    Column::Text(_) => "fill_missing(\"unknown\") puts a text there",
                }
            ))),
        }
    }

    fn numbers(&self, name: &str) -> Result<&[f64]> {
        match self.find(name)? {
            (_, Column::Numbers(numbers)) => Ok(numbers),
            (_, Column::Text(texts)) => {
                let no_number = |text: &&Option<Box<str>>| {
                    text.as_deref()
                        .is_some_and(|text| text.trim().parse::<f64>().is_err())
                };
                let row = texts.iter().position(|text| no_number(&text)).unwrap_or(0);
                let found = texts[row].as_deref().unwrap_or("");
                let comma = found.trim().replacen(',', ".", 1).parse::<f64>().is_ok();
                Err(Error::Value(format!(
                    "line {}, column {name:?}: expected a number, found {found:?}; {}",
                    self.lines[row],
                    match comma {
                        true =>
                            "if that is a decimal comma, read the file by files::ReadCsv::new().decimal(',')".to_string(),
                        // A sign alone, as `?` and `-`.
                        false if !found.contains(char::is_alphanumeric) => format!(
                            "if that stands for what is missing, read the file by files::ReadCsv::new().na_values([{found:?}])"
                        ),
                        false => "text(name) returns the texts, classes(name) numbers them".to_string(),
                    }
                )))
            }
        }
    }

    /// A column of numbers as a tensor `[rows]`, `F32`.
    ///
    /// # Errors
    /// [`Error::Value`] with the nearest name there is, or the line of the first field that is missing or no
    /// number.
    pub fn column(&self, name: &str) -> Result<Tensor> {
        let values: Vec<f32> = self.numbers(name)?.iter().map(|&v| v as f32).collect();
        Ok(Tensor::from_values(&[values.len()], values))
    }

    /// A column of whole numbers as a tensor `[rows]`, `I64`: labels, identifiers.
    ///
    /// # Errors
    /// As [`Table::column`]; also for a number that is not whole.
    pub fn integers(&self, name: &str) -> Result<Tensor> {
        let numbers = self.numbers(name)?;
        let whole = |v: f64| v.fract() == 0.0 && v.abs() < 9e15;
        if let Some(row) = numbers.iter().position(|&v| !whole(v)) {
            return Err(Error::Value(format!(
                "line {}, column {name:?}: expected a whole number, found {}",
                self.lines[row], numbers[row]
            )));
        }
        let values: Vec<i64> = numbers.iter().map(|&v| v as i64).collect();
        Ok(Tensor::from_values(&[values.len()], values))
    }

    /// Columns of numbers side by side: a tensor `[rows, columns]`, `F32`.
    ///
    /// # Errors
    /// As [`Table::column`].
    pub fn columns<const N: usize>(&self, names: [&str; N]) -> Result<Tensor> {
        self.side_by_side(&names)
    }

    /// All columns of numbers side by side, in order: a tensor `[rows, columns]`, `F32`.
    ///
    /// # Errors
    /// [`Error::Value`] with the line of the first field that is missing.
    pub fn all_numbers(&self) -> Result<Tensor> {
        let pairs = self.names.iter().zip(&self.columns);
        let names: Vec<&str> = pairs
            .filter(|(_, column)| matches!(column, Column::Numbers(_)))
            .map(|(name, _)| name.as_str())
            .collect();
        self.side_by_side(&names)
    }

    fn side_by_side(&self, names: &[&str]) -> Result<Tensor> {
        let columns: Result<Vec<&[f64]>> = names.iter().map(|name| self.numbers(name)).collect();
        let columns = columns?;
        let values: Vec<f32> = (0..self.rows())
            .flat_map(|row| columns.iter().map(move |column| column[row] as f32))
            .collect();
        Ok(Tensor::from_values(&[self.rows(), columns.len()], values))
    }

    /// A column as text.
    ///
    /// # Errors
    /// As [`Table::column`], but for numbers, which are texts too.
    pub fn text(&self, name: &str) -> Result<Vec<String>> {
        let (_, column) = self.find(name)?;
        Ok((0..self.rows()).map(|row| column.field(row)).collect())
    }

    /// A column's texts as classes: the number of each row's class, a tensor `[rows]` of `I64`, and the
    /// classes' names, sorted.
    ///
    /// # Errors
    /// As [`Table::text`].
    pub fn classes(&self, name: &str) -> Result<(Tensor, Vec<String>)> {
        let texts = self.text(name)?;
        let mut classes = texts.clone();
        classes.sort();
        classes.dedup();
        let number = |text: &String| classes.binary_search(text).unwrap_or(0) as i64;
        let numbers: Vec<i64> = texts.iter().map(number).collect();
        Ok((Tensor::from_values(&[numbers.len()], numbers), classes))
    }
}

/// As a session keeps it, every number exactly.
impl Table {
    pub(crate) fn config(&self) -> Value {
        let column = |column: &Column| match column {
            Column::Numbers(numbers) => {
                json!({"numbers": numbers.iter().map(|v| v.to_bits()).collect::<Vec<_>>()})
            }
            Column::Text(texts) => json!({"texts": texts}),
        };
        let columns: Vec<Value> = self.columns.iter().map(column).collect();
        json!({"names": self.names, "lines": self.lines, "columns": columns})
    }

    pub(crate) fn from_config(value: &Value) -> Parsed<Table> {
        let fields = Fields::of(value, "table")?;
        let column = |value: &Value| -> Option<Column> {
            if let Some(texts) = value["texts"].as_array() {
                let texts = texts.iter().map(|text| text.as_str().map(Into::into));
                return Some(Column::Text(texts.collect()));
            }
            let numbers = value["numbers"].as_array()?.iter();
            let numbers = numbers.map(|bits| bits.as_u64().map(f64::from_bits));
            numbers.collect::<Option<_>>().map(Column::Numbers)
        };
        let lines: Option<Vec<u64>> = fields.list("lines")?.iter().map(Value::as_u64).collect();
        let columns: Option<Vec<Column>> = fields.list("columns")?.iter().map(column).collect();
        let (names, lines) = (fields.texts("names")?, lines.unwrap_or_default());
        let columns = columns.filter(|columns| {
            columns.len() == names.len() && columns.iter().all(|column| column.len() == lines.len())
        });
        Table::of(
            names,
            columns.ok_or("table: expected columns of one length")?,
            lines,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::ReadCsv;

    pub(super) fn people() -> Table {
        let text = b"name,age,city\nAda,36,London\nMax,,\nZoe,28,NA\n";
        ReadCsv::new().parse(text).unwrap()
    }

    #[test]
    fn a_table_of_one_column_asks_for_its_delimiter() {
        let table = ReadCsv::new().parse(b"a;b\n1;2\n").unwrap();
        assert!(format!("{table:?}").contains("1 row, 1 column, 0 missing; if ';' stands between"));
        let error = ReadCsv::new().parse(b"a;b\n1,5;2\n").unwrap_err();
        assert!(
            error.starts_with("line 2: expected 1 field, as in the first line, found 2")
                && error.contains("delimiter(';')"),
            "{error}"
        );
        assert!(!format!("{:?}", people()).contains("delimiter"));
    }

    #[test]
    fn what_does_not_fit_is_said_with_its_place() {
        let table = people();
        let error = table.column("name").unwrap_err().to_string();
        assert!(
            error.starts_with("line 2, column \"name\": expected a number, found \"Ada\""),
            "{error}"
        );
        let error = table.column("aeg").unwrap_err().to_string();
        assert!(error.contains("did you mean \"age\"?"), "{error}");
        let halves = Table::new().with("x", &Tensor::from([1.0, 2.5])).unwrap();
        let error = halves.integers("x").unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("2.5"), "{error}");
        assert!(halves.clone().with("x", &Tensor::from([1.0, 2.0])).is_err());
        assert!(halves.clone().with("y", &Tensor::from([1.0])).is_err());
        assert!(halves.with("y", &Tensor::ones([2, 1])).is_err());
    }

    #[test]
    fn a_file_that_was_read_by_other_signs_says_which_it_may_be() {
        let one = ReadCsv::new().parse(b"length;width\n1,5;2\n").unwrap_err();
        assert!(
            one.contains("line 2") && one.contains("delimiter(';')"),
            "{one}"
        );
        let one = ReadCsv::new().parse(b"length;width\n1;2\n").unwrap();
        let error = one.column("width").unwrap_err().to_string();
        assert!(error.contains("ReadCsv::new().delimiter(';')"), "{error}");
        let wine = b"length;width\n1,5;2\n-3,25;4e1\n;\n";
        let comma = ReadCsv::new().delimiter(';');
        let error = comma.parse(wine).unwrap().drop_missing().column("length");
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("found \"1,5\"; if that is a decimal comma"),
            "{error}"
        );
        let table = comma.decimal(',').parse(wine).unwrap().drop_missing();
        assert_eq!(
            table.all_numbers().unwrap(),
            Tensor::from([[1.5, 2.0], [-3.25, 40.0]])
        );
        let error = ReadCsv::new().decimal(',').parse(wine).unwrap_err();
        assert!(
            error.contains("both between fields and in numbers"),
            "{error}"
        );
    }

    #[test]
    fn classes_are_numbered_by_their_names() {
        let table = Table::new()
            .with_text("kind", &["cat", "ant", "cat"])
            .unwrap();
        let (numbers, names) = table.classes("kind").unwrap();
        assert_eq!(numbers, Tensor::from([1, 0, 1]));
        assert_eq!(names, ["ant", "cat"]);
    }
}
