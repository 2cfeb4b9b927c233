//! Fields that hold nothing: which they are, and what is done about them.

use std::fmt;

use super::{Column, Table};
use crate::{Error, Result};

/// Whether a field holds nothing: what pandas 3 takes for it unless told otherwise.
pub(in crate::files) fn is_missing(field: &str) -> bool {
    const SIGNS: [&str; 19] = [
        "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
        "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
    ];
    SIGNS.contains(&field.trim())
}

/// A field that holds nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Missing {
    /// The line of the file at which its row begins, from 1; for a table that was made in the program, the
    /// number of its row from 1.
    pub line: u64,
    /// The name of its column.
    pub column: String,
}

/// `line 7, column "age"`
impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {:?}", self.line, self.column)
    }
}

/// What is put where something is missing: made of a number or of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Fill {
    /// For columns of numbers.
    Number(f64),
    /// For columns of text.
    Text(String),
}

impl From<f64> for Fill {
    fn from(number: f64) -> Fill {
        Fill::Number(number)
    }
}

impl From<i32> for Fill {
    fn from(number: i32) -> Fill {
        Fill::Number(f64::from(number))
    }
}

impl From<&str> for Fill {
    fn from(text: &str) -> Fill {
        Fill::Text(text.to_string())
    }
}

impl From<String> for Fill {
    fn from(text: String) -> Fill {
        Fill::Text(text)
    }
}

impl Fill {
    /// Puts it into each field of `column` that is missing; false where that holds the other kind.
    fn put(&self, column: &mut Column) -> bool {
        if let (Fill::Text(_), Column::Numbers(numbers)) = (self, &*column)
            && numbers.iter().all(|v| v.is_nan())
        {
            // Nothing has said yet what it holds.
            *column = Column::Text(vec![None; numbers.len()]);
        }
        match (self, column) {
            (Fill::Number(number), Column::Numbers(numbers)) => {
                let missing = numbers.iter_mut().filter(|v| v.is_nan());
                missing.for_each(|v| *v = *number);
            }
            (Fill::Text(text), Column::Text(texts)) => {
                let missing = texts.iter_mut().filter(|field| field.is_none());
                missing.for_each(|field| *field = Some(text.as_str().into()));
            }
            _ => return false,
        }
        true
    }
}

impl Table {
    /// The fields that hold nothing, row by row.
    pub fn missing(&self) -> Vec<Missing> {
        let mut missing = Vec::new();
        for (row, &line) in self.lines.iter().enumerate() {
            for (name, column) in self.names.iter().zip(&self.columns) {
                if !column.has(row) {
                    missing.push(Missing {
                        line,
                        column: name.clone(),
                    });
                }
            }
        }
        missing
    }

    /// The table without the rows in which something is missing.
    pub fn drop_missing(&self) -> Table {
        let kept: Vec<bool> = (0..self.rows())
            .map(|row| self.columns.iter().all(|column| column.has(row)))
            .collect();
        let mut table = self.clone();
        table
            .columns
            .iter_mut()
            .for_each(|column| column.keep(&kept));
        let mut rows = kept.iter();
        table.lines.retain(|_| rows.next() == Some(&true));
        table
    }

    /// The table with its column's mean wherever a number is missing; texts that are missing stay so, and so do
    /// columns without any number.
    pub fn fill_missing_by_mean(&self) -> Table {
        let mut table = self.clone();
        for column in &mut table.columns {
            if let Column::Numbers(numbers) = column {
                let there = numbers.iter().filter(|v| !v.is_nan());
                let mean = there.clone().sum::<f64>() / there.count() as f64;
                Fill::Number(mean).put(column);
            }
        }
        table
    }

    /// The table with this number wherever one is missing, or with this text wherever one is; columns of the other
    /// kind stay as they are. A column in which all is missing counts as one of numbers.
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// let table = Table::new()
    ///     .with("age", &Tensor::from([31.0, f32::NAN]))?
    ///     .with_text("city", &["", "Rome"])?;
    /// let table = table.fill_missing(0.0).fill_missing("unknown");
    /// assert_eq!(table.column("age")?.to_vec(), [31.0, 0.0]);
    /// assert_eq!(table.text("city")?, ["unknown", "Rome"]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn fill_missing(&self, value: impl Into<Fill>) -> Table {
        self.filled(&value.into())
    }

    fn filled(&self, value: &Fill) -> Table {
        let mut table = self.clone();
        for column in &mut table.columns {
            let blank = matches!(column, Column::Numbers(_));
            if blank == matches!(value, Fill::Number(_)) {
                value.put(column);
            }
        }
        table
    }

    /// The table with this number or text wherever something is missing in one column.
    ///
    /// # Errors
    /// [`Error::Value`] with the nearest name there is, or for a text in a column of numbers and a number in one of
    /// text.
    pub fn fill_missing_in(&self, column: &str, value: impl Into<Fill>) -> Result<Table> {
        self.filled_in(column, &value.into())
    }

    fn filled_in(&self, name: &str, value: &Fill) -> Result<Table> {
        let mut table = self.clone();
        let place = self.place(name)?;
        if !value.put(&mut table.columns[place]) {
            return Err(Error::Value(match value {
                Fill::Text(text) => {
                    format!(
                        "column {name:?} holds numbers: expected a number to fill it with, got {text:?}"
                    )
                }
                Fill::Number(number) => {
                    format!(
                        "column {name:?} holds texts: expected a text to fill it with, such as \"{number}\", got {number}"
                    )
                }
            }));
        }
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::people;
    use super::*;
    use crate::files::ReadCsv;

    #[test]
    fn what_is_missing_is_said_with_line_and_column() {
        let table = people();
        let places: Vec<String> = table.missing().iter().map(Missing::to_string).collect();
        assert_eq!(
            places,
            [
                "line 3, column \"age\"",
                "line 3, column \"city\"",
                "line 4, column \"city\""
            ]
        );
        let error = table.column("age").unwrap_err().to_string();
        assert!(
            error.starts_with("line 3, column \"age\": the field is missing"),
            "{error}"
        );
        assert_eq!(
            table.fill_missing(-1.0).column("age").unwrap().to_vec(),
            [36.0, -1.0, 28.0]
        );
        assert_eq!(
            table.fill_missing_by_mean().column("age").unwrap().to_vec(),
            [36.0, 32.0, 28.0]
        );
        let whole = table.drop_missing();
        assert_eq!(
            (whole.rows(), whole.text("name").unwrap()),
            (1, vec!["Ada".to_string()])
        );
        assert!(whole.missing().is_empty());
    }

    #[test]
    fn what_pandas_takes_for_missing_is_missing() {
        // As pandas 3 reads them by `read_csv`; `-` and `?` are texts to it.
        let signs = "#N/A,#N/A N/A,#NA,-1.#IND,-1.#QNAN,-NaN,-nan,1.#IND,1.#QNAN,<NA>,N/A,NA,NULL,NaN,None,n/a,nan,null,";
        let rows: String = signs.split(',').map(|sign| format!("{sign},1\n")).collect();
        let table = ReadCsv::new()
            .parse(format!("a,b\n{rows}2,1\n").as_bytes())
            .unwrap();
        assert_eq!(table.missing().len(), 19);
        assert_eq!(table.drop_missing().column("a").unwrap().to_vec(), [2.0]);
    }

    #[test]
    fn other_signs_are_named() {
        let text = b"age,city\n?,?\n-1,Rome\n30,Oslo\n";
        let table = ReadCsv::new().parse(text).unwrap();
        let error = table.column("age").unwrap_err().to_string();
        assert!(
            error.contains("ReadCsv::new().na_values([\"?\"])"),
            "{error}"
        );
        let table = ReadCsv::new().na_values(["?", "-1"]).parse(text).unwrap();
        assert_eq!(table.missing().len(), 3);
        assert_eq!(
            table.fill_missing(0.0).column("age").unwrap().to_vec(),
            [0.0, 0.0, 30.0]
        );
    }

    #[test]
    fn a_category_is_filled_by_a_text_and_one_column_by_its_own() {
        let table = people();
        let error = table.classes("city").unwrap_err().to_string();
        assert!(
            error.contains("fill_missing(\"unknown\") puts a text there"),
            "{error}"
        );
        let filled = table.fill_missing("unknown");
        let (_, classes) = filled.classes("city").unwrap();
        assert_eq!(classes, ["London", "unknown"]);
        assert!(filled.column("age").is_err(), "numbers stay missing");
        let filled = table.fill_missing_in("age", 0).unwrap();
        assert_eq!(filled.column("age").unwrap().to_vec(), [36.0, 0.0, 28.0]);
        let filled = filled
            .fill_missing_in("city", String::from("none"))
            .unwrap();
        assert!(filled.missing().is_empty());
        let error = table
            .fill_missing_in("age", "none")
            .unwrap_err()
            .to_string();
        assert!(error.contains("\"age\" holds numbers"), "{error}");
        let error = table.fill_missing_in("city", 0.0).unwrap_err().to_string();
        assert!(error.contains("\"city\" holds texts"), "{error}");
        let error = table.fill_missing_in("ctiy", 0.0).unwrap_err().to_string();
        assert!(error.contains("did you mean \"city\"?"), "{error}");
        let blank = ReadCsv::new().parse(b"a,b\n1,\n2,\n").unwrap();
        assert_eq!(
            blank.fill_missing_in("b", "x").unwrap().text("b").unwrap(),
            ["x", "x"]
        );
    }
}
