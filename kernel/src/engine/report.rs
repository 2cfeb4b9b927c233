//! Failures of a running cell, as the notebook shows them.

use std::collections::BTreeSet;
use std::ops::Range;

use annotate_snippets::renderer::{Effects, Style};
use annotate_snippets::{Annotation, AnnotationKind, Level, Renderer, Snippet};
use serde_json::Value;

use super::CellError;
use super::generate::{Generated, Origin};
use super::tried;

/// Errors are drawn without colours: JupyterLab shows them on light red in its light theme and on dark red in its
/// dark one, and of its sixteen colours none has a contrast of 4.5 to both (bold red has 2.1 on the dark one, bold
/// blue 2.4). What matters most stands out in bold.
pub fn renderer() -> Renderer {
    let (plain, bold) = (Style::new(), Style::new().effects(Effects::BOLD));
    Renderer::styled()
        .error(bold)
        .warning(bold)
        .note(bold)
        .help(bold)
        .info(bold)
        .emphasis(bold)
        .context(plain)
        .line_num(plain)
        .addition(plain)
        .removal(plain)
}

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
        // An operation of the library that does not return its error panics with it, and says its name.
        "panic" if text("type").is_empty() => "panic",
        _ => text("type")
            .rsplit("::")
            .next()
            .unwrap_or("Error")
            .trim_end_matches('>'),
    };
    let mut traceback = vec![];
    match places.find(text("file"), &frame["line"], &frame["column"]) {
        Some(mut place) => {
            let code = &places.cells[place.cell].1;
            let wider = match text("t") {
                "panic" => tried::panicked(code, place.range.start, message),
                _ => tried::failed(code, place.range.start, place.brackets),
            };
            place.range = wider.unwrap_or(place.range);
            traceback.push(places.draw(name, message, &place));
        }
        None => {
            traceback.push(format!("\u{1b}[1m{name}: {message}\u{1b}[0m"));
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

/// Where something failed.
struct Place {
    /// An index into the session's cells.
    cell: usize,
    range: Range<usize>,
    /// How many brackets of ours stand before it; see [`tried`].
    brackets: usize,
}

impl Places<'_> {
    /// The place in a cell that a line and column of a crate came from.
    fn find(&self, file: &str, line: &Value, column: &Value) -> Option<Place> {
        let (line, column) = (line.as_u64()? as usize, column.as_u64()? as usize);
        let (_, generated) = self.sources.iter().rev().find(|(name, _)| name == file)?;
        let at = generated.byte_at(line, column)?;
        let brackets = generated.brackets_at(at);
        let origin = generated.origin_near(at)?;
        let Origin::User(cell, range) = origin else {
            return None;
        };
        self.cells.get(cell)?;
        Some(Place {
            cell,
            range,
            brackets,
        })
    }

    /// Drawn as rustc draws its errors; with the lines of the last cell that call the function it is in.
    fn draw(&self, name: &str, message: &str, place: &Place) -> String {
        let (number, code) = &self.cells[place.cell];
        let title = Level::ERROR.with_name(name).primary_title(message);
        let mut snippet =
            snippet(*number, code).annotation(AnnotationKind::Primary.span(place.range.clone()));
        let Some((last, called)) = self.calls(place) else {
            return renderer().render(&[title.element(snippet)]);
        };
        let calls = called.iter().map(|call| {
            AnnotationKind::Context
                .span(call.clone())
                .label("called here")
        });
        if last == place.cell {
            snippet = snippet.annotations(calls);
            return renderer().render(&[title.element(snippet)]);
        }
        let (number, code) = &self.cells[last];
        let caller = self::snippet(*number, code).annotations(calls);
        renderer().render(&[title.element(snippet).element(caller)])
    }

    /// The last cell, and where it calls the function that a place stands in.
    fn calls(&self, place: &Place) -> Option<(usize, Vec<Range<usize>>)> {
        let name = tried::function_at(&self.cells[place.cell].1, place.range.start)?;
        let last = self.cells.len() - 1;
        let calls = tried::calls_of(&self.cells[last].1, &name);
        (1..=MOST_CALLS)
            .contains(&calls.len())
            .then_some((last, calls))
    }
}

/// With more calls in a cell than this none of them says much.
const MOST_CALLS: usize = 3;

fn snippet(number: u32, code: &str) -> Snippet<'_, Annotation<'_>> {
    Snippet::source(code).path(format!("cell [{number}]"))
}

/// Drawn as rustc draws its errors.
fn draw(name: &str, message: &str, number: u32, code: &str, range: Range<usize>) -> String {
    let snippet = snippet(number, code).annotation(AnnotationKind::Primary.span(range));
    let title = Level::ERROR.with_name(name).primary_title(message);
    renderer().render(&[title.element(snippet)])
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
