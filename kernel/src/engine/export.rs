//! A notebook's cells as one program: `rust-dl export`.

use std::ops::Range;
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};

use super::commands;
use super::deps::{self, Request, Wanted};
use super::generate::KeptItem;
use super::source::{self, Cell};

/// A program that does what the cells did, in their order.
#[derive(Debug, Default)]
pub struct Program {
    /// `main.rs`.
    pub source: String,
    /// The crates that `:dep` lines asked for.
    pub crates: Wanted,
    /// What differs from the notebook, a line each.
    pub notes: Vec<String>,
}

/// Shows a value as its cell did. Method lookup finds the best form that its type has.
const SHOW: &str = "\
/// Prints a value as the notebook showed it.
macro_rules! show {
    ($value:expr) => {{
        #[allow(unused_imports)]
        use dlcore::cell::{ShowDebug as _, ShowNothing as _, ShowRich as _};
        match &$value {
            value => (&&&dlcore::cell::Shown(value)).show(),
        }
    }};
}
";

/// Writes the program. `working_dir` is what paths in `:dep` lines start from.
pub fn program(cells: &[String], working_dir: &Path) -> Program {
    let mut program = Program::default();
    let mut parts = Parts::default();
    for (index, code) in cells.iter().enumerate() {
        let (commands, mut code) = commands::split(code);
        // In a notebook the last `let` may lack its semicolon.
        if !source::is_readable(&code) {
            let ended = [";", "\n;"].map(|end| format!("{}{end}", code.trim_end()));
            code = ended
                .into_iter()
                .find(|c| source::is_readable(c))
                .unwrap_or(code);
        }
        if !source::is_readable(&code) {
            program.notes.push(format!(
                "cell {} is left out: it is no Rust that can be read",
                index + 1
            ));
            continue;
        }
        for command in commands {
            program.command(command, index, working_dir);
        }
        parts.add(&code, index, &mut program.notes);
    }
    program.source = parts.write(program.crates.contains_key("tokio"));
    program
}

impl Program {
    fn command(&mut self, command: &str, index: usize, working_dir: &Path) {
        if !command.starts_with(":dep") {
            self.notes
                .push(format!("cell {}: `{command}` is left out", index + 1));
            return;
        }
        match deps::parse(command, working_dir) {
            Ok(Request::Add(name, value)) => {
                self.crates.insert(name, value);
            }
            Ok(Request::Present(..)) => {}
            Err(error) => self.notes.push(format!(
                "cell {}: `{command}` is left out: {error}",
                index + 1
            )),
        }
    }
}

#[derive(Default)]
struct Parts {
    attributes: Vec<String>,
    items: Vec<KeptItem>,
    body: String,
    shows: bool,
    awaits: bool,
}

impl Parts {
    fn add(&mut self, code: &str, index: usize, notes: &mut Vec<String>) {
        let cell = source::parse(code);
        if cell.is_empty() {
            return;
        }
        for span in &cell.attributes {
            let text = code[span.clone()].to_owned();
            if !self.attributes.contains(&text) {
                self.attributes.push(text);
            }
        }
        self.add_items(&cell, code, index, notes);
        self.awaits |= cell.awaits;
        if cell.statements.is_empty() {
            return;
        }
        self.body
            .push_str(&format!("\n    // Cell {}\n", index + 1));
        // What stands between two statements are their comments.
        let mut before = 0;
        for statement in &cell.statements {
            let (start, end) = (statement.span.start, statement.span.end);
            let comments = code.get(before..start).unwrap_or_default();
            let text = &code[start..end];
            for line in comments
                .lines()
                .filter(|line| line.trim_start().starts_with("//"))
            {
                self.line(line.trim_start());
            }
            if statement.shown {
                self.shows = true;
                self.line(&format!("show!({text});"));
            } else {
                self.line(text);
            }
            before = end;
        }
    }

    /// Adds lines, indented; but not those that are inside of a text.
    fn line(&mut self, text: &str) {
        let texts = long_literals(text);
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let inside = texts.iter().any(|text| text.start < at && at <= text.end);
            if !inside && !line.trim().is_empty() {
                self.body.push_str("    ");
            }
            self.body.push_str(line);
            at += line.len();
        }
        self.body.push('\n');
    }

    fn add_items(&mut self, cell: &Cell, code: &str, index: usize, notes: &mut Vec<String>) {
        for item in &cell.items {
            let replaced = self
                .items
                .iter()
                .position(|older| item.key.replaces(&older.item.key));
            if let Some(at) = replaced {
                let older = self.items.remove(at);
                let text = &code[item.span.clone()];
                if let Some(name) = item.key.name()
                    && older.text != text
                    && item.rewritten.is_none()
                {
                    notes.push(format!(
                        "cell {}: `{name}` is defined anew; the program has only this last definition",
                        index + 1
                    ));
                }
            }
            let text = item.rewritten.clone();
            self.items.push(KeptItem {
                item: item.clone(),
                text: text.unwrap_or_else(|| code[item.span.clone()].to_owned()),
                cell: index,
            });
        }
    }

    fn write(self, tokio: bool) -> String {
        let mut source = String::new();
        for attribute in &self.attributes {
            source.push_str(attribute);
            source.push('\n');
        }
        source.push_str("#[allow(unused_imports)]\nuse dlcore::prelude::*;\n");
        let imports = |kept: &&KeptItem| kept.item.rewritten.is_some();
        for kept in self.items.iter().filter(imports) {
            source.push_str(kept.text.trim());
            source.push('\n');
        }
        if self.shows {
            source.push('\n');
            source.push_str(SHOW);
        }
        for kept in self.items.iter().filter(|kept| !imports(kept)) {
            source.push('\n');
            source.push_str(&kept.text);
            source.push('\n');
        }
        let head = "fn main() -> Result<(), Box<dyn std::error::Error>> {";
        match (self.awaits, tokio) {
            (false, _) => source.push_str(&format!("\n{head}{}    Ok(())\n}}\n", self.body)),
            (true, true) => {
                source.push_str(&format!(
                    "\n#[tokio::main]\nasync {head}{}    Ok(())\n}}\n",
                    self.body
                ));
            }
            (true, false) => source.push_str(&format!(
                "\n{head}\n    dlcore::cell::block_on(async {{{}    Ok(())\n    }})\n}}\n",
                self.body
            )),
        }
        source
    }
}

/// Where texts of several lines stand.
fn long_literals(code: &str) -> Vec<Range<usize>> {
    fn look(tokens: TokenStream, code: &str, found: &mut Vec<Range<usize>>) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => look(group.stream(), code, found),
                TokenTree::Literal(literal) => {
                    let range = literal.span().byte_range();
                    if code
                        .get(range.clone())
                        .is_some_and(|text| text.contains('\n'))
                    {
                        found.push(range);
                    }
                }
                _ => {}
            }
        }
    }
    let mut found = vec![];
    if let Ok(tokens) = code.parse() {
        look(tokens, code, &mut found);
    }
    proc_macro2::extra::invalidate_current_thread_spans();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cells: &[&str]) -> Program {
        let cells: Vec<String> = cells.iter().map(|cell| (*cell).to_owned()).collect();
        program(&cells, Path::new("/nowhere"))
    }

    #[test]
    fn a_last_let_may_lack_its_semicolon() {
        let program = of(&["let x = 5", "let y = x + 1 // six", "y"]);
        assert!(program.notes.is_empty(), "{:?}", program.notes);
        assert!(program.source.contains("let x = 5;"), "{}", program.source);
        assert!(
            syn::parse_file(&program.source).is_ok(),
            "{}",
            program.source
        );
    }

    #[test]
    fn lines_are_indented_and_texts_are_not() {
        let program = of(&[
            "for i in 0..3 {\n    let t = \"a\n  b\";\n    println!(\"{t}\");\n}\nlet n = 1;",
        ]);
        let expected =
            "    for i in 0..3 {\n        let t = \"a\n  b\";\n        println!(\"{t}\");\n    }\n";
        assert!(program.source.contains(expected), "{}", program.source);
    }

    #[test]
    fn items_stand_outside_and_statements_in_order() {
        let program = of(&[
            ":dep rand = \"0.9\"\nuse std::fmt::{Debug, Write};\nfn f() -> u8 { 1 }",
            "// About x.\nlet x = f();\nx",
            "fn f() -> u8 { 2 }\nprintln!(\"{x}\");",
        ]);
        assert!(
            syn::parse_file(&program.source).is_ok(),
            "{}",
            program.source
        );
        assert_eq!(program.crates["rand"].as_str(), Some("0.9"));
        assert!(!program.source.contains("{ 1 }"), "{}", program.source);
        let main = program.source.split("fn main").nth(1).unwrap();
        let order = ["// About x.", "let x = f();", "show!(x);", "println!"];
        let places: Vec<_> = order
            .iter()
            .map(|text| main.find(text).expect(text))
            .collect();
        assert!(places.is_sorted(), "{main}");
        assert_eq!(program.notes.len(), 1, "{:?}", program.notes);
    }

    #[test]
    fn a_program_that_awaits_has_a_runtime() {
        let own = of(&["async fn f() {}\nf().await;"]).source;
        assert!(
            own.contains("block_on") && syn::parse_file(&own).is_ok(),
            "{own}"
        );
        let tokio = of(&[":dep tokio = \"1\"", "async fn f() {}\nf().await;"]).source;
        assert!(
            tokio.contains("#[tokio::main]") && syn::parse_file(&tokio).is_ok(),
            "{tokio}"
        );
    }
}
