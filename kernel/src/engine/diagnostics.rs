//! What rustc says, said about the cell: its own words, pointing at the cell's own lines.

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Snippet};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use super::generate::{CellIndex, Generated, Origin};
use super::signatures::{self, Signature};
use super::{CellError, delimiters, hints, report, source};

/// One of rustc's JSON messages.
#[derive(Debug, Clone, Deserialize)]
pub struct Diagnostic {
    /// The first line.
    pub message: String,
    code: Option<Code>,
    level: String,
    spans: Vec<Span>,
    children: Vec<Diagnostic>,
    rendered: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Code {
    code: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Span {
    file_name: String,
    byte_start: usize,
    byte_end: usize,
    is_primary: bool,
    label: Option<String>,
    suggested_replacement: Option<String>,
    expansion: Option<Box<Expansion>>,
}

#[derive(Debug, Clone, Deserialize)]
struct Expansion {
    span: Span,
}

/// The messages in rustc's standard error, and what else stood there.
pub fn read(stderr: &str) -> (Vec<Diagnostic>, String) {
    let mut messages = vec![];
    let mut other = String::new();
    for line in stderr.lines() {
        match serde_json::from_str(line) {
            Ok(message) => messages.push(Diagnostic::shortened(message)),
            Err(_) => {
                other.push_str(line);
                other.push('\n');
            }
        }
    }
    (messages, other)
}

/// A cell, and bytes of it.
pub type Place = (CellIndex, Range<usize>);

/// The texts that messages can point into.
pub struct Sources<'a> {
    /// Where the library was compiled: its source is below this.
    pub library: &'a Path,
    /// The crate that was compiled.
    pub generated: &'a Generated,
    /// Its file name, as rustc knows it.
    pub file: &'a str,
    /// Number and text of each cell of the session.
    pub cells: &'a [(u32, String)],
    /// The cell that was compiled.
    pub index: CellIndex,
    /// The session's variables.
    pub names: &'a [String],
    /// What became of variables that are no longer there.
    pub gone: &'a BTreeMap<String, String>,
}

impl<'a> Sources<'a> {
    /// The text of the cell that was compiled.
    pub fn code(&self) -> &'a str {
        self.cells.get(self.index).map_or("", |(_, code)| code)
    }

    /// The text of the cell from where the error points on.
    pub fn place_of(&self, error: &Diagnostic) -> Option<&'a str> {
        let (cell, at) = error.primary_in_cell(self)?;
        self.cells.get(cell)?.1.get(at.start..)
    }

    /// The line that the error points into.
    pub fn line_of(&self, error: &Diagnostic) -> Option<&'a str> {
        let (cell, at) = error.primary_in_cell(self)?;
        let code: &'a str = &self.cells.get(cell)?.1;
        let start = code.get(..at.start)?.rfind('\n').map_or(0, |end| end + 1);
        code[start..].lines().next()
    }

    /// The number of the last cell before this one that defines this name at its top level.
    pub fn defined_by(&self, name: &str) -> Option<u32> {
        let defines = |code: &str| {
            let cell = source::parse(code);
            let item = |item: &source::Item| match &item.key {
                source::ItemKey::Type(own) | source::ItemKey::Value(own) => own == name,
                _ => false,
            };
            let bound = cell.bindings.iter().any(|binding| binding.name == name);
            bound || cell.nameless.iter().any(|own| own == name) || cell.items.iter().any(item)
        };
        let before = self.cells.get(..self.index)?;
        let mut before = before.iter().rev();
        before
            .find(|(_, code)| code.contains(name) && defines(code))
            .map(|(number, _)| *number)
    }
}

impl Diagnostic {
    /// Whether it stops the build.
    pub fn is_error(&self) -> bool {
        self.level.starts_with("error")
    }

    /// Whether it is about a name that nothing has.
    fn is_unknown_name(&self) -> bool {
        matches!(self.code(), Some("E0425" | "E0433" | "E0423"))
    }

    /// Whether it warns.
    pub fn is_warning(&self) -> bool {
        self.level == "warning"
    }

    /// `E0382`, or the name of a lint.
    pub fn code(&self) -> Option<&str> {
        self.code.as_ref().map(|code| code.code.as_str())
    }

    /// Where its primary span came from, with the bytes of that span in the crate.
    pub fn primary_origin(&self, sources: &Sources<'_>) -> Option<(Origin, Range<usize>)> {
        self.spans
            .iter()
            .filter(|span| span.is_primary)
            .find_map(|span| {
                let range = span.in_file(sources.file)?;
                Some((sources.generated.origin(&range)?, range))
            })
    }

    /// The cell and the line, from 0, that it points into.
    fn line(&self, sources: &Sources<'_>) -> Option<(CellIndex, usize)> {
        let (Origin::User(cell, range), _) = self.primary_origin(sources)? else {
            return None;
        };
        let before = sources.cells[cell].1.get(..range.start)?;
        Some((cell, before.matches('\n').count()))
    }

    /// All origins of its spans, primary or not.
    pub fn origins(&self, sources: &Sources<'_>) -> Vec<Origin> {
        let own = self
            .spans
            .iter()
            .filter_map(|span| sources.generated.origin(&span.in_file(sources.file)?));
        own.collect()
    }

    /// The function of the library that it is about, `called` so in the cell.
    pub fn signature(&self, sources: &Sources<'_>, called: &str) -> Option<Signature> {
        let defined = |child: &&Diagnostic| child.message.ends_with("defined here");
        let span = self.children.iter().find(defined)?.spans.first()?;
        match span.in_file(sources.file) {
            None => signatures::read(sources.library, &span.file_name, span.byte_start, called),
            Some(_) => None,
        }
    }

    /// The message drawn over the cell's lines.
    pub fn render(&self, sources: &Sources<'_>) -> String {
        let mut groups = vec![self.group(sources, self.title_level())];
        let mut notes = vec![];
        // What the compiler guesses is beside the point where more is known.
        let misled = hints::knows_better(self, sources);
        for child in &self.children {
            let visible = child.spans.is_empty()
                || child.spans.iter().any(|span| span.user(sources).is_some());
            let about_the_crate = child
                .message
                .starts_with("the following error was instantiated");
            let guess = child.message.contains("with a similar name")
                || child
                    .message
                    .starts_with("you might have meant to introduce a new binding")
                || child.message.starts_with("consider cloning the value")
                || child.message.starts_with("try wrapping the pattern");
            if visible && !about_the_crate && !(guess && misled) {
                notes.push(child);
            }
        }
        for note in notes {
            if note.spans.is_empty() {
                let first = groups.remove(0);
                groups.insert(
                    0,
                    first.element(note.title_level().message(note.message.as_str())),
                );
            } else {
                groups.push(note.group(sources, note.title_level()));
            }
        }
        report::renderer().render(&groups)
    }

    fn title_level(&self) -> Level<'static> {
        match self.level.as_str() {
            "warning" => Level::WARNING,
            "note" | "failure-note" => Level::NOTE,
            "help" => Level::HELP,
            _ => Level::ERROR,
        }
    }

    fn group<'a>(&'a self, sources: &Sources<'a>, level: Level<'a>) -> Group<'a> {
        let title = level.primary_title(self.message.as_str());
        let title = match self.code() {
            Some(code) if code.starts_with('E') => title.id(code),
            _ => title,
        };
        let mut snippets: Vec<(CellIndex, Snippet<'a, Annotation<'a>>)> = vec![];
        for span in &self.spans {
            let Some((cell, range)) = span.user(sources) else {
                continue;
            };
            let (number, text) = &sources.cells[cell];
            let at = match snippets.iter().position(|(other, _)| *other == cell) {
                Some(at) => at,
                None => {
                    let name = format!("cell [{number}]");
                    snippets.push((cell, Snippet::source(text.as_str()).path(name)));
                    snippets.len() - 1
                }
            };
            let kind = if span.is_primary {
                AnnotationKind::Primary
            } else {
                AnnotationKind::Context
            };
            let mut annotation = kind.span(range);
            let suggestion = span
                .suggested_replacement
                .as_ref()
                .filter(|text| !text.is_empty());
            if let Some(label) = span
                .label
                .clone()
                .or_else(|| suggestion.map(|text| format!("write `{}`", text.trim())))
            {
                annotation = annotation.label(label);
            }
            let (cell, snippet) = snippets.remove(at);
            snippets.insert(at, (cell, snippet.annotation(annotation)));
        }
        let mut group = title.elements(Vec::<Snippet<'a, Annotation<'a>>>::new());
        for (_, snippet) in snippets {
            group = group.element(snippet);
        }
        group
    }
}

impl Span {
    /// The bytes this span, or the macro call it comes from, covers in `file`.
    fn in_file(&self, file: &str) -> Option<Range<usize>> {
        if self.file_name == file {
            return Some(self.byte_start..self.byte_end);
        }
        self.expansion.as_ref()?.span.in_file(file)
    }

    fn user(&self, sources: &Sources<'_>) -> Option<(CellIndex, Range<usize>)> {
        match sources.generated.origin(&self.in_file(sources.file)?)? {
            Origin::User(cell, range) => Some((cell, range)),
            _ => None,
        }
    }
}

/// One `error` for all that rustc found.
pub fn compile_error(messages: &[Diagnostic], sources: &Sources<'_>, other: &str) -> CellError {
    let errors: Vec<_> = messages
        .iter()
        .filter(|message| message.is_error())
        .collect();
    let users: Vec<_> = errors
        .iter()
        .filter(|error| matches!(error.primary_origin(sources), Some((Origin::User(..), _))))
        .collect();
    if errors
        .iter()
        .any(|error| error.message.contains("delimiter"))
        && let Some((number, code)) = sources.cells.get(sources.index)
        && let Some(found) = delimiters::unbalanced(code)
    {
        let mut error = report::at(
            "error",
            &found.message,
            *number,
            code,
            found.at..found.at + 1,
        );
        error.traceback.push(hint_line(&found.hint));
        return error;
    }
    if errors.iter().any(|error| error.code() == Some("E0765"))
        && let Some((number, code)) = sources.cells.get(sources.index)
        && let Some(at) = delimiters::open_text(code)
    {
        let mut error = report::at(
            "E0765",
            "this text is never closed",
            *number,
            code,
            at..at + 1,
        );
        error.traceback.push(hint_line("add a `\"` where it ends"));
        return error;
    }
    let Some(first) = users.first() else {
        let cut_short = errors.iter().find_map(|error| error.cut_short(sources));
        return cut_short.unwrap_or_else(|| unplaced_error(&errors, other));
    };
    // Behind what is no Rust at all the compiler finds more that is not; and so it does of a closure that is none.
    let follows = first.code().is_none() && first.message.starts_with("prefix `")
        || hints::wants_closure(first);
    let told = if follows { &users[..1] } else { &users[..] };
    let mut told: Vec<&Diagnostic> = told.iter().map(|error| **error).collect();
    // Of a call with arguments by name, all else that does not fit follows from them.
    let by_name = |error: &&Diagnostic| hints::is_by_name(error, sources);
    let lines: Vec<_> = told
        .iter()
        .copied()
        .filter(by_name)
        .map(|e| e.line(sources))
        .collect();
    told.retain(|error| error.is_unknown_name() || !lines.contains(&error.line(sources)));
    let users = without_types_again(told, sources);
    let mut traceback: Vec<String> = users.iter().map(|error| error.render(sources)).collect();
    let hint = hints::borrows(&users, sources)
        .or_else(|| users.iter().find_map(|error| hints::hint(error, sources)));
    if let Some(hint) = hint {
        traceback.push(hint_line(&hint));
    }
    CellError {
        ename: first.code().unwrap_or("error").to_owned(),
        evalue: first.told(),
        traceback,
    }
}

/// Of a type that it lacks the compiler may speak twice: at the value, and at the call that it is given to, there with
/// all types that would do.
fn without_types_again<'a>(
    errors: Vec<&'a Diagnostic>,
    sources: &Sources<'_>,
) -> Vec<&'a Diagnostic> {
    let lacks_type = |error: &Diagnostic| matches!(error.code(), Some("E0282" | "E0283"));
    let mut said = Vec::new();
    let mut kept = errors;
    kept.retain(|error| {
        let again = lacks_type(error) && said.contains(&error.line(sources));
        if lacks_type(error) {
            said.push(error.line(sources));
        }
        !again
    });
    kept
}

fn hint_line(hint: &str) -> String {
    format!("\u{1b}[1mhint\u{1b}[0m: {hint}")
}

const UNUSED_RESULT: &str =
    "put `?` behind it: an error then ends the cell and is shown, instead of passing unseen";

const UNUSED_MODEL: &str = "`add` takes the model and hands it back, so it is gone now: write `let model = model.add(…);`, or \
    `model.push(…);`, which adds in place";

/// The warnings about the cell itself, drawn; those about earlier cells have been seen.
pub fn warnings(messages: &[Diagnostic], sources: &Sources<'_>, index: CellIndex) -> String {
    let in_cell = |message: &&Diagnostic| {
        message.is_warning()
            && matches!(message.primary_origin(sources), Some((Origin::User(cell, _), _)) if cell == index)
    };
    messages
        .iter()
        .filter(in_cell)
        .map(|message| {
            let hint = match message.message.as_str() {
                unused if unused.starts_with("unused `Result`") => hint_line(UNUSED_RESULT) + "\n",
                unused if unused.contains("`Sequential::add`") => hint_line(UNUSED_MODEL) + "\n",
                _ => String::new(),
            };
            message.render(sources) + "\n" + &hint
        })
        .collect()
}

/// For errors that point at no cell, such as a linker's: rustc's text as it is.
fn unplaced_error(errors: &[&Diagnostic], other: &str) -> CellError {
    let about = |error: &&&Diagnostic| !error.message.starts_with("aborting due to");
    let mut traceback: Vec<String> = errors
        .iter()
        .filter(about)
        .map(|error| {
            error
                .rendered
                .clone()
                .unwrap_or_else(|| error.message.clone())
        })
        .collect();
    if traceback.is_empty() {
        traceback.push(format!(
            "rustc failed and gave no message it is known by.\n{other}"
        ));
    }
    let first = errors.iter().find(about);
    CellError {
        ename: first
            .and_then(|error| error.code())
            .unwrap_or("error")
            .to_owned(),
        evalue: first.map_or_else(|| "rustc failed".to_owned(), |error| error.message.clone()),
        traceback,
    }
}

impl Diagnostic {
    /// What it says where the cell ended and rustc read on in the text around it.
    fn cut_short(&self, sources: &Sources<'_>) -> Option<CellError> {
        let primary = self.spans.iter().find(|span| span.is_primary)?;
        let at = primary.in_file(sources.file)?.start;
        if sources.generated.cell_before(at) != Some(sources.index) {
            return None;
        }
        let what = ["found `", "unexpected token: `"];
        let cut = what.iter().find_map(|what| self.message.find(what))?;
        let message = format!("{}found the end of the cell", &self.message[..cut]);
        let (number, code) = sources.cells.get(sources.index)?;
        let last = source::last_token(code)?;
        let word = code.get(last.clone())?;
        let mut error = report::at("error", &message, *number, code, last.clone());
        error.traceback.push(hint_line(&format!(
            "write what comes after `{word}`, or take it away"
        )));
        Some(error)
    }

    /// What stands at its places.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.spans.iter().filter_map(|span| span.label.as_deref())
    }

    /// Its message, with the types where it only says that they differ.
    fn told(&self) -> String {
        let types = self.labels().find(|label| label.starts_with("expected "));
        match types.filter(|_| self.message == "mismatched types") {
            Some(types) => format!("{}: {types}", self.message),
            None => self.message.clone(),
        }
    }

    /// What stands at its places in cells, and where that is.
    pub fn places<'a>(
        &'a self,
        sources: &'a Sources<'_>,
    ) -> impl Iterator<Item = (&'a str, Place)> {
        self.spans
            .iter()
            .filter_map(|span| Some((span.label.as_deref()?, span.user(sources)?)))
    }

    /// Its notes and helps that point into cells.
    pub fn notes_in_cells<'a>(&'a self, sources: &'a Sources<'_>) -> impl Iterator<Item = &'a str> {
        let placed =
            |child: &&Diagnostic| child.spans.iter().any(|span| span.user(sources).is_some());
        self.children
            .iter()
            .filter(placed)
            .map(|child| child.message.as_str())
    }

    /// Whether rustc knows what to write instead.
    pub fn has_suggestion(&self) -> bool {
        let suggests = |span: &Span| span.suggested_replacement.is_some();
        self.children
            .iter()
            .any(|child| child.spans.iter().any(suggests))
    }

    /// The cell it points into, and the bytes there.
    pub fn primary_in_cell(&self, sources: &Sources<'_>) -> Option<(CellIndex, Range<usize>)> {
        match self.primary_origin(sources)? {
            (Origin::User(cell, range), _) => Some((cell, range)),
            _ => None,
        }
    }

    /// The text it points at.
    pub fn primary_text<'a>(&self, sources: &Sources<'a>) -> Option<&'a str> {
        let (cell, range) = self.primary_in_cell(sources)?;
        sources.cells.get(cell)?.1.get(range)
    }

    /// In fewer words: without lists of what else there is, and with types by their names alone.
    fn shortened(mut self) -> Diagnostic {
        self.message = brief(&self.message);
        self.spans
            .retain(|span| span.is_primary || span.label.as_deref() != Some(BOUND));
        for span in &mut self.spans {
            span.label = span.label.as_deref().map(brief);
        }
        let arithmetic = self.message.starts_with("cannot ");
        let unused = self.code() == Some("unused_must_use");
        // What a hint says already, or says otherwise.
        let doubled = [
            "use a float literal",
            "use the `.` operator to call",
            "consider inserting whitespace here",
            "provide the argument",
            "remove the extra argument",
            "use `!` to invoke the macro",
            "store this in the heap by calling",
            "for more on the distinction between the stack and the heap",
            "you might be missing a crate named",
            "you might be missing a string literal",
            "consider using a semicolon here to finish",
        ];
        let borrow = self.message.contains("Into<Data>");
        let noise = |child: &Diagnostic| {
            child
                .message
                .starts_with("the following other types implement")
                || doubled.iter().any(|said| child.message.starts_with(said))
                || child
                    .message
                    .starts_with("the nightly-only, unstable trait")
                || child.message.starts_with("required for `")
                || child
                    .message
                    .starts_with("the following trait bounds were not satisfied")
                || borrow && child.message.starts_with("consider borrowing here")
                || arithmetic && child.message.starts_with("the trait `")
                || unused
        };
        self.children.retain(|child| !noise(child));
        self.children = self
            .children
            .into_iter()
            .map(Diagnostic::shortened)
            .collect();
        self
    }
}

/// What stands at the function of an argument that does not fit: no more than the argument itself says.
const BOUND: &str = "required by a bound introduced by this call";

fn brief(text: &str) -> String {
    without_places(&without_paths(text)).replace(" in the current scope", "")
}

/// `{closure}` for `{closure@cell_3.rs:12:19: 12:43}`, a place in no cell.
fn without_places(text: &str) -> String {
    let mut pieces = text.split("{closure@");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |brief, piece| {
        let after = piece.split_once('}').map_or("", |(_, after)| after);
        brief + "{closure}" + after
    })
}

/// `Loss` for `dlcore::losses::Loss`.
fn without_paths(text: &str) -> String {
    let mut brief = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("dlcore::") {
        brief.push_str(&rest[..at]);
        let path = &rest[at..];
        let end = path.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
        let path = path[..end.unwrap_or(path.len())].trim_end_matches(':');
        let after = &rest[at + path.len()..];
        // Functions keep their type's name.
        let names: Vec<&str> = path.split("::").collect();
        let first = names
            .iter()
            .position(|name| name.starts_with(char::is_uppercase));
        let from = first.unwrap_or(names.len() - 1);
        brief.push_str(&names[from..].join("::"));
        rest = after;
    }
    brief + rest
}
