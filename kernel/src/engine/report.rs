//! Failures of a running cell, as the notebook shows them.

use std::collections::BTreeSet;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde_json::Value;

use super::CellError;
use super::generate::{Generated, Origin};

/// What the place of a failure is looked up in.
pub struct Places<'a> {
    /// File name and text of what may still run.
    pub sources: &'a [(String, Generated)],
    /// Number and text of each cell of the session.
    pub cells: &'a [(u32, String)],
}

/// The error for a `panic` or `failure` frame of the cell process.
pub fn failure(frame: &Value, places: &Places<'_>) -> CellError {
    let text = |name: &str| frame[name].as_str().unwrap_or_default();
    let message = text("message");
    let name = match text("t") {
        "panic" => "panic",
        _ => text("type")
            .rsplit("::")
            .next()
            .unwrap_or("Error")
            .trim_end_matches('>'),
    };
    let mut traceback = vec![];
    match places.find(text("file"), &frame["line"], &frame["column"]) {
        Some((number, code, range)) => traceback.push(draw(name, message, number, code, range)),
        None => {
            traceback.push(format!(
                "\u{1b}[1;91m{name}\u{1b}[0m\u{1b}[1m: {message}\u{1b}[0m"
            ));
            if !text("file").is_empty() {
                traceback.push(format!(
                    "  at {}:{}:{}",
                    text("file"),
                    frame["line"],
                    frame["column"]
                ));
            }
        }
    }
    CellError {
        ename: name.to_owned(),
        evalue: message.to_owned(),
        traceback,
    }
}

impl<'a> Places<'a> {
    /// Number and text of the cell that a line and column of a crate came from, and the place.
    fn find(
        &self,
        file: &str,
        line: &Value,
        column: &Value,
    ) -> Option<(u32, &'a str, Range<usize>)> {
        let (line, column) = (line.as_u64()? as usize, column.as_u64()? as usize);
        let (_, generated) = self.sources.iter().rev().find(|(name, _)| name == file)?;
        let at = generated.byte_at(line, column)?;
        let Origin::User(cell, range) = generated.origin_near(at)? else {
            return None;
        };
        let (number, text) = self.cells.get(cell)?;
        Some((*number, text, range))
    }
}

/// Drawn as rustc draws its errors.
fn draw(name: &str, message: &str, number: u32, code: &str, range: Range<usize>) -> String {
    let snippet = Snippet::source(code)
        .path(format!("cell [{number}]"))
        .annotation(AnnotationKind::Primary.span(range));
    let title = Level::ERROR.with_name(name).primary_title(message);
    Renderer::styled().render(&[title.element(snippet)])
}

/// `[1], [3]`
pub fn listed(cells: &BTreeSet<u32>) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| format!("[{cell}]")).collect();
    cells.join(", ")
}

/// Which variables are gone, and which cells bring them back; each with its cells.
pub fn lost(variables: &[(String, BTreeSet<u32>)]) -> String {
    if variables.is_empty() {
        return "No variables were lost.".to_owned();
    }
    let names: Vec<&str> = variables.iter().map(|(name, _)| name.as_str()).collect();
    let cells: BTreeSet<u32> = variables
        .iter()
        .flat_map(|(_, cells)| cells.iter().copied())
        .collect();
    format!(
        "These variables are gone: {}. Run again: {}.",
        names.join(", "),
        listed(&cells)
    )
}

/// An error at a place of a cell.
pub fn at(name: &str, message: &str, number: u32, code: &str, range: Range<usize>) -> CellError {
    CellError {
        ename: name.to_owned(),
        evalue: message.to_owned(),
        traceback: vec![draw(name, message, number, code, range)],
    }
}

/// An error whose text is all there is to say.
pub fn plain(ename: &str, text: String) -> CellError {
    CellError {
        ename: ename.into(),
        evalue: text.lines().next().unwrap_or_default().to_owned(),
        traceback: vec![text],
    }
}
