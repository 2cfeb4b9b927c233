//! The variables of a session as a table.

use std::collections::BTreeMap;

use super::draft::Kept;
use super::types;

/// A longer type or value is cut.
const WIDEST: usize = 44;

/// Name, type, what there is to see and memory, a line each, and the sum.
pub fn table(variables: &BTreeMap<String, Kept>) -> String {
    if variables.is_empty() {
        return "no variables yet: `let x = 1.0;` makes one\n".to_owned();
    }
    let row = |(name, kept): (&String, &Kept)| {
        let kind = types::short(&kept.written);
        [
            format!("{}{name}", if kept.mutable { "mut " } else { "    " }),
            cut(&kind),
            cut(&kept.about),
            match is_known(kept) {
                true => size(kept.bytes),
                false => String::new(),
            },
        ]
    };
    let rows: Vec<[String; 4]> = variables.iter().map(row).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let [name, kind, about, memory] = [0, 1, 2, 3].map(|column| width(column).unwrap_or(0));
    let line = |row: &[String; 4]| {
        let [a, b, c, d] = row;
        let line = format!("{a:name$}  {b:kind$}  {c:about$}  {d:>memory$}");
        line.trim_end().to_owned() + "\n"
    };
    let mut text: String = rows.iter().map(line).collect();
    let known = variables.values().filter(|kept| is_known(kept));
    let total: u64 = known.map(|kept| kept.bytes).sum();
    let count = match variables.len() {
        1 => "1 variable".to_owned(),
        count => format!("{count} variables"),
    };
    text += &format!("    {count}, {}\n", size(total));
    text
}

/// Whether the size is all that it takes: of a type that is not looked into, what it points to is not counted.
fn is_known(kept: &Kept) -> bool {
    kept.copy || !kept.about.is_empty()
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(WIDEST) {
        Some(_) => text.chars().take(WIDEST - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

/// `188.2 MB`
fn size(bytes: u64) -> String {
    let mut size = bytes as f64;
    let mut unit = "B";
    for larger in ["kB", "MB", "GB", "TB"] {
        if size < 1000.0 {
            break;
        }
        size /= 1000.0;
        unit = larger;
    }
    match unit {
        "B" => format!("{bytes} B"),
        _ => format!("{size:.1} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_the_sum_is_told() {
        let kept = |written: &str, mutable, about: &str, bytes| Kept {
            written: written.into(),
            full: written.into(),
            mutable,
            copy: false,
            cell: 1,
            after: std::collections::BTreeSet::new(),
            about: about.into(),
            bytes,
        };
        let variables = BTreeMap::from([
            (
                "network".to_owned(),
                kept(
                    "dlcore::models::Sequential",
                    true,
                    "407,050 parameters",
                    3_256_400,
                ),
            ),
            (
                "x".to_owned(),
                kept("dlcore::Tensor", false, "f32 [60000, 784]", 188_160_000),
            ),
            ("n".to_owned(), kept("i32", false, "5", 4)),
            // What it points to is not counted, so no size is told.
            ("map".to_owned(), kept("Map<u8, u8>", false, "", 48)),
        ]);
        let expected = "    map      Map<u8, u8>
    n        i32          5                        4 B
mut network  Sequential   407,050 parameters    3.3 MB
    x        Tensor       f32 [60000, 784]    188.2 MB
    4 variables, 191.4 MB
";
        assert_eq!(table(&variables), expected);
        assert!(table(&BTreeMap::new()).contains("no variables yet"));
    }
}
