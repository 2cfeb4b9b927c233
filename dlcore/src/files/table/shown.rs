//! A table as the last line of a cell: its first rows.

use std::fmt;

use super::{Column, Table, other_delimiter};

/// Numbers of a column as pandas shows them: six digits after the point, or as few as tell the whole column, and
/// with exponents where these would be many; whole numbers as such, nothing for what is missing.
fn shown_numbers(numbers: &[f64]) -> Vec<String> {
    const DIGITS: usize = 6;
    /// Where a number of more than a million takes more signs, exponents are shorter.
    const LONGEST: usize = DIGITS + 5;
    let finite = || numbers.iter().copied().filter(|number| number.is_finite());
    let whole = finite().all(|number| number.fract() == 0.0 && number.abs() < 1e15);
    let decimals = |number: f64| {
        let text = format!("{number:.DIGITS$}");
        text.trim_end_matches('0')
            .rsplit('.')
            .next()
            .map_or(0, str::len)
    };
    let after = match whole {
        true => 0,
        false => finite().map(decimals).max().unwrap_or(0).max(1),
    };
    let small = finite().any(|number| number != 0.0 && number.abs() < 1e-6);
    let long = finite().any(|number| format!("{number:.after$}").len() > LONGEST);
    let large = long && finite().any(|number| number.abs() > 1e6);
    let text = |&number: &f64| match number {
        number if number.is_nan() => String::new(),
        number if number.is_finite() && !whole && (small || large) => {
            let text = format!("{number:.DIGITS$e}");
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let exponent: i32 = exponent.parse().unwrap_or(0);
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
        }
        number => format!("{number:.after$}"),
    };
    numbers.iter().map(text).collect()
}

/// The first rows, in columns, and how many there are; the numbers as pandas shows them, rounded.
impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ROWS: usize = 10;
        const WIDEST: usize = 24;
        let short = |text: String| -> String {
            let line = text.lines().next().unwrap_or("");
            match line.char_indices().nth(WIDEST - 1) {
                Some((end, _)) => format!("{}…", &line[..end]),
                None => line.to_string(),
            }
        };
        let count =
            |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
        let shown = self.rows().min(ROWS);
        let fields = |column: &Column| -> Vec<String> {
            match column {
                Column::Numbers(numbers) => shown_numbers(&numbers[..shown]),
                texts => (0..shown).map(|row| short(texts.field(row))).collect(),
            }
        };
        let columns: Vec<Vec<String>> = self.columns.iter().map(fields).collect();
        let mut lines = vec![self.names.iter().cloned().map(short).collect::<Vec<_>>()];
        lines.extend(
            (0..shown).map(|row| columns.iter().map(|column| column[row].clone()).collect()),
        );
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
        let widths: Vec<usize> = (0..self.names.len())
            .map(|column| width(column).unwrap_or(0))
            .collect();
        for line in &lines {
            let fields = line.iter().zip(&widths).zip(&self.columns);
            let fields: Vec<String> = fields
                .map(|((field, &width), column)| match column {
                    Column::Numbers(_) => format!("{field:>width$}"),
                    Column::Text(_) => format!("{field:width$}"),
                })
                .collect();
            writeln!(f, "{}", fields.join("  ").trim_end())?;
        }
        let hint = other_delimiter(&self.names);
        let (rows, columns) = (count(self.rows(), "row"), count(self.names.len(), "column"));
        write!(
            f,
            "{rows}, {columns}, {} missing{hint}",
            self.missing().len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tensor;
    use crate::files::ReadCsv;

    #[test]
    fn numbers_are_printed_as_pandas_prints_them() {
        // As pandas 3.1.1 prints each column by DataFrame.to_string, but that whole numbers stay whole beside missing ones.
        let cases: [(&[f64], &[&str]); 9] = [
            (&[0.1 + 0.2, 5.0], &["0.3", "5.0"]),
            (&[std::f64::consts::PI, 2.5], &["3.141593", "2.500000"]),
            (&[36.0, f64::NAN, 28.0], &["36", "", "28"]),
            (&[1e-9, 1.0], &["1.000000e-09", "1.000000e+00"]),
            (&[1_234_567.891, 0.5], &["1234567.891", "0.500"]),
            (&[123_456_789.123, 1.0], &["1.234568e+08", "1.000000e+00"]),
            (&[1e20, 1.5], &["1.000000e+20", "1.500000e+00"]),
            (&[0.0000015, 1.0], &["0.000002", "1.000000"]),
            (&[f64::INFINITY, -0.25], &["inf", "-0.25"]),
        ];
        for (numbers, texts) in cases {
            assert_eq!(shown_numbers(numbers), texts);
        }
        let values = vec![0.1 + 0.2];
        let table = Table::new()
            .with("x", &Tensor::from_values(&[1], values.clone()))
            .unwrap();
        assert_eq!(format!("{table:?}"), "  x\n0.3\n1 row, 1 column, 0 missing");
        assert_eq!(
            table.text("x").unwrap(),
            [values[0].to_string()],
            "the value itself is whole"
        );
    }

    #[test]
    fn it_prints_as_a_table() {
        let expected =
            "name  age  city\nAda    36  London\nMax\nZoe    28\n3 rows, 3 columns, 3 missing";
        let people = ReadCsv::new().parse(b"name,age,city\nAda,36,London\nMax,,\nZoe,28,NA\n");
        assert_eq!(format!("{:?}", people.unwrap()), expected);
    }
}
