//! The crate a cell becomes, and the way back from its bytes to the cells they came from.

use std::fmt::Write;
use std::ops::Range;

use super::source::{Binding, Cell, Item};
use super::tried;

/// Which text of the session a byte range belongs to: an index into its list of cells.
pub type CellIndex = usize;

/// An item kept from some cell.
#[derive(Debug, Clone)]
pub struct KeptItem {
    /// What it is known by and where it stood.
    pub item: Item,
    /// Its text.
    pub text: String,
    /// The cell it came from.
    pub cell: CellIndex,
}

/// A variable the cell takes from the store.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Its name.
    pub name: String,
    /// Its type as written in the crate.
    pub written: String,
    /// Whether it was bound with `mut`.
    pub mutable: bool,
    /// Whether it goes back when the cell is done: not when the cell moves it.
    pub returned: bool,
    /// Whether the cell binds the name anew: then the old value goes back only after a failure.
    pub shadowed: bool,
    /// Whether the cell assigns it a value.
    pub assigned: bool,
    /// Whether the cell moves it and then assigns it a value, which is kept.
    pub renewed: bool,
}

/// Where a stretch of the crate came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Text of a cell. When the lengths differ the whole stretch stands for the whole range.
    User(CellIndex, Range<usize>),
    /// The type in the line that takes a variable from the store.
    Take(String),
    /// The line that puts a taken variable back.
    PutBack(String),
    /// The line that keeps a variable the cell binds.
    PutNew(String),
}

/// A crate's text with its map.
#[derive(Debug, Clone, Default)]
pub struct Generated {
    /// What rustc compiles.
    pub text: String,
    /// Stretches in order, without overlap.
    pub map: Vec<(Range<usize>, Origin)>,
}

const HEAD: &str = "#![allow(unused, unreachable_code, non_snake_case, non_upper_case_globals, \
                    static_mut_refs, internal_features, mixed_script_confusables, \
                    confusable_idents, uncommon_codepoints)]\n#![warn(unused_must_use)]\n";

/// Where the session has tokio, what a cell awaits runs on one runtime that all cells share.
const TOKIO: &str = "let __runtime = __store.shared(|| ::tokio::runtime::Builder::new_multi_thread()\
    .enable_all().build().expect(\"tokio's threads start\"));";

/// What stands right before an expression that is shown.
const SHOWN: &str = "&(\n";

/// All that goes into one cell's crate.
pub struct Parts<'a> {
    /// The cell's text.
    pub code: &'a str,
    /// The cell taken apart.
    pub cell: &'a Cell,
    /// Which cell it is.
    pub index: CellIndex,
    /// `#![…]` of this and earlier cells.
    pub attributes: &'a [String],
    /// Lines that bring in other crates.
    pub links: &'a [String],
    /// Whether tokio is among the other crates.
    pub tokio: bool,
    /// Items of this and earlier cells.
    pub items: &'a [KeptItem],
    /// Variables to take.
    pub taken: &'a [Taken],
    /// Variables to keep.
    pub kept: &'a [Binding],
    /// The name of the exported function.
    pub entry: &'a str,
}

/// Writes the crate.
pub fn generate(parts: &Parts<'_>) -> Generated {
    let mut out = Generated::default();
    out.text.push_str(HEAD);
    for attribute in parts.attributes {
        out.line(attribute);
    }
    out.line("use ::dlcore::prelude::*;");
    for link in parts.links {
        out.line(link);
    }
    for kept in parts.items {
        out.piece(&kept.text, Origin::User(kept.cell, kept.item.span.clone()));
        out.text.push('\n');
    }
    out.line("#[allow(unused_imports)] use ::dlcore::cell::{probe as __probe, IsCopy as _, IsNotCopy as _, Spare as _, NoSpare as _};");
    out.line("#[unsafe(no_mangle)]");
    let _ = writeln!(
        out.text,
        "pub fn {}(__store: &mut ::dlcore::cell::Store) {{",
        parts.entry
    );
    for taken in parts.taken {
        let _ = write!(
            out.text,
            "let {}{}: ",
            if taken.mutable { "mut " } else { "" },
            taken.name
        );
        out.piece(&taken.written, Origin::Take(taken.name.clone()));
        let _ = writeln!(out.text, " = __store.take(\"{}\");", taken.name);
    }
    for taken in parts.taken.iter().filter(|taken| !taken.returned) {
        let name = &taken.name;
        out.line(&format!(
            "let __spare_{} = (&__probe(&{name})).spare(&{name});",
            name.trim_start_matches("r#")
        ));
    }
    if parts.cell.awaits && parts.tokio {
        out.line(TOKIO);
    }
    out.line("let __done = ::dlcore::cell::run(|| -> ::std::result::Result<(), ::dlcore::cell::Failure> {");
    if parts.cell.awaits {
        let block_on = if parts.tokio {
            "__runtime.block_on"
        } else {
            "::dlcore::cell::block_on"
        };
        out.line(&format!(
            "{block_on}(::dlcore::cell::interruptible(async {{"
        ));
        body(&mut out, parts);
        out.line("Ok(()) })) });");
    } else {
        body(&mut out, parts);
        out.line("Ok(()) });");
    }
    for taken in parts.taken.iter().filter(|taken| !taken.returned) {
        let name = &taken.name;
        let back = put(name);
        out.line(&format!(
            "if !__done {{ if let Some({name}) = __spare_{} {{ {back} }} }}",
            name.trim_start_matches("r#")
        ));
    }
    for taken in parts.taken.iter().filter(|taken| taken.returned) {
        let guard = if taken.shadowed { "if !__done " } else { "" };
        let text = format!("{guard}{}", put(&taken.name));
        out.piece(&text, Origin::PutBack(taken.name.clone()));
        out.text.push('\n');
    }
    out.line("}");
    out
}

/// A crate like a cell's that does next to nothing.
pub fn empty_cell(links: &[String]) -> String {
    let code = "let primed = 1.0; primed";
    let cell = super::source::parse(code);
    let entry = "cell_0";
    generate(&Parts {
        code,
        index: 0,
        attributes: &[],
        links,
        tokio: false,
        items: &[],
        taken: &[],
        kept: &cell.bindings,
        cell: &cell,
        entry,
    })
    .text
}

fn body(out: &mut Generated, parts: &Parts<'_>) {
    for statement in &parts.cell.statements {
        let text = &parts.code[statement.span.clone()];
        let origin = Origin::User(parts.index, statement.span.clone());
        if statement.shown {
            // `match` keeps temporaries of the expression alive until it has been shown.
            out.text.push_str("{ trait __NoOwnDisplay { fn evcxr_display(&self) -> ::dlcore::cell::NotShown { ::std::default::Default::default() } } impl<T: ?Sized> __NoOwnDisplay for T {} use ::dlcore::cell::{ShowRich as _, ShowDebug as _, ShowNothing as _}; match ");
            out.text.push_str(SHOWN);
            out.statement(text, origin);
            out.text.push_str(
                "\n) { __value => if !::dlcore::cell::shown_by_itself(&__value.evcxr_display()) { (&&&::dlcore::cell::Shown(__value)).show() } } }\n",
            );
        } else {
            out.statement(text, origin);
            // Behind what is unfinished this says so, in place of lines of ours.
            out.text.push_str("\n;\n");
        }
    }
    for taken in parts.taken.iter().filter(|taken| taken.renewed) {
        out.piece(&put(&taken.name), Origin::PutBack(taken.name.clone()));
        out.text.push('\n');
    }
    for binding in parts.kept {
        out.piece(&put(&binding.name), Origin::PutNew(binding.name.clone()));
        out.text.push('\n');
    }
}

fn put(name: &str) -> String {
    format!(
        "{{ let __copies = (&__probe(&{name})).copies(); __store.put(\"{name}\", {name}, __copies); }}"
    )
}

impl Generated {
    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn piece(&mut self, text: &str, origin: Origin) {
        let start = self.text.len();
        self.text.push_str(text);
        self.map.push((start..self.text.len(), origin));
    }

    /// A statement of a cell, with brackets of ours that tell each `?` of a chain from the others.
    fn statement(&mut self, text: &str, origin: Origin) {
        let chains = tried::in_chains(text);
        let Origin::User(cell, span) = origin else {
            return self.piece(text, origin);
        };
        let ends = |tried: &Range<usize>| [(tried.start, "("), (tried.end, ")")];
        let mut brackets: Vec<(usize, &str)> = chains.iter().flat_map(ends).collect();
        brackets.sort();
        let mut from = 0;
        for (at, bracket) in brackets {
            if at > from {
                let stretch = span.start + from..span.start + at;
                self.piece(&text[from..at], Origin::User(cell, stretch));
                from = at;
            }
            self.text.push_str(bracket);
        }
        self.piece(
            &text[from..],
            Origin::User(cell, span.start + from..span.end),
        );
    }

    /// How many brackets of ours stand between this byte and text of a cell.
    pub fn brackets_at(&self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        let brackets = rest.len() - rest.trim_start_matches('(').len();
        let is_ours = !self.map.iter().any(|(stretch, _)| stretch.contains(&at));
        let begins = |count: &usize| {
            let after = at + count;
            self.map.iter().any(|(stretch, _)| stretch.start == after)
        };
        let found = (1..=brackets).find(|count| is_ours && begins(count));
        found.unwrap_or(0)
    }

    /// Where the bytes `range` came from; `None` for text that no one wrote. A shown expression may be meant with
    /// the brackets of ours that it stands in.
    pub fn origin(&self, range: &Range<usize>) -> Option<Origin> {
        let start = range.start + self.brackets_at(range.start);
        let range = &(start..range.end.max(start));
        let starts = |(stretch, _): &&(Range<usize>, Origin)| {
            stretch.contains(&range.start) || (stretch.end == range.start && range.is_empty())
        };
        let framed = |(stretch, _): &&(Range<usize>, Origin)| {
            let before = self.text.get(range.start..stretch.start);
            before.is_some_and(|before| SHOWN.ends_with(before)) && stretch.end <= range.end
        };
        let mut stretches = self.map.iter();
        let found = stretches.find(starts);
        let (stretch, origin) = found.or_else(|| self.map.iter().find(framed))?;
        Some(match origin {
            Origin::User(cell, at) if at.len() == stretch.len() => {
                let start = at.start + (range.start.max(stretch.start) - stretch.start);
                let end = at.start + (range.end.min(stretch.end) - stretch.start);
                Origin::User(
                    *cell,
                    start..self.end_in(*cell, range).unwrap_or(end).max(end),
                )
            }
            other => other.clone(),
        })
    }

    /// Where the end of `range` is in a cell, when it is in another stretch than its beginning.
    fn end_in(&self, cell: CellIndex, range: &Range<usize>) -> Option<usize> {
        let covered = self.text.get(range.clone())?;
        let within = |at: usize| self.map.iter().find(|(stretch, _)| stretch.contains(&at));
        let letters = covered.char_indices().rev();
        let mut letters = letters.map(|(at, letter)| (range.start + at, letter));
        // Brackets of ours may end it.
        let (last, letter) = letters.find(|&(at, letter)| letter != ')' || within(at).is_some())?;
        let (stretch, origin) = within(last)?;
        match origin {
            Origin::User(of, at) if *of == cell && at.len() == stretch.len() => {
                Some(at.start + (last + letter.len_utf8() - stretch.start))
            }
            _ => None,
        }
    }

    /// Where the code at this byte came from; a shown expression begins behind a bracket of ours.
    pub fn origin_near(&self, at: usize) -> Option<Origin> {
        self.origin(&(at..at + 1)).or_else(|| {
            let start = self.text.get(at..)?.strip_prefix("(\n").map(|_| at + 2)?;
            self.origin(&(start..start + 1))
        })
    }

    /// The cell whose text ends last before this byte, which is no cell's.
    pub fn cell_before(&self, at: usize) -> Option<CellIndex> {
        let before = self.map.iter().filter(|(stretch, _)| stretch.end <= at);
        match before.max_by_key(|(stretch, _)| stretch.end)? {
            (_, Origin::User(cell, _)) => Some(*cell),
            _ => None,
        }
    }

    /// The byte at a line and column (both from 1; columns count characters, as rustc's do).
    pub fn byte_at(&self, line: usize, column: usize) -> Option<usize> {
        let start = match line.checked_sub(1)? {
            0 => 0,
            skipped => self.text.match_indices('\n').nth(skipped - 1)?.0 + 1,
        };
        let offset = self.text[start..]
            .char_indices()
            .nth(column.checked_sub(1)?)?
            .0;
        Some(start + offset)
    }
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    fn crate_of(code: &str) -> Generated {
        let cell = source::parse(code);
        let items: Vec<_> = cell
            .items
            .iter()
            .map(|item| KeptItem {
                item: item.clone(),
                text: code[item.span.clone()].to_owned(),
                cell: 7,
            })
            .collect();
        generate(&Parts {
            code,
            cell: &cell,
            index: 7,
            attributes: &[],
            links: &[],
            tokio: false,
            items: &items,
            taken: &[],
            kept: &cell.bindings,
            entry: "cell_1",
        })
    }

    #[test]
    fn every_byte_of_the_cell_finds_its_way_back() {
        let code = "fn f() {}\nlet x = f();\n  x";
        let generated = crate_of(code);
        for needle in ["fn f", "let x = f"] {
            let at = generated.text.find(needle).unwrap();
            let back = generated.origin(&(at + 1..at + 3));
            let expected = code.find(needle).unwrap() + 1;
            assert_eq!(back, Some(Origin::User(7, expected..expected + 2)));
        }
        let put = generated.text.find("{ let __copies").unwrap();
        assert_eq!(
            generated.origin(&(put..put + 1)),
            Some(Origin::PutNew("x".into()))
        );
        assert_eq!(generated.origin(&(0..1)), None);
        // The last expression, with and without the brackets around it.
        let at = generated.text.find("&(\nx\n)").unwrap();
        for range in [at..at + 6, at + 1..at + 6, at + 3..at + 4] {
            let shown = Some(Origin::User(7, code.len() - 1..code.len()));
            assert_eq!(generated.origin(&range), shown);
        }
    }

    #[test]
    fn a_chain_of_tries_stands_in_brackets_and_finds_its_way_back() {
        let code = "let x = a()?.b()?.c()?;\nd()?;";
        let generated = crate_of(code);
        let at = generated.text.find("((a()?).b()?).c()?;").unwrap();
        let back = |range: Range<usize>| match generated.origin(&range) {
            Some(Origin::User(7, range)) => &code[range],
            other => panic!("{other:?}"),
        };
        assert_eq!(back(at..at + 18), "a()?.b()?.c()?");
        assert_eq!(back(at..at + 13), "a()?.b()?");
        assert_eq!(back(at + 1..at + 7), "a()?");
        let brackets = [0, 1, 2].map(|after| generated.brackets_at(at + after));
        assert_eq!(brackets, [2, 1, 0]);
        let inner = generated.text.find(".b()").unwrap();
        assert_eq!(back(inner..inner + 11), ".b()?.c()?");
    }

    #[test]
    fn lines_and_columns_are_found() {
        let generated = crate_of("let ä = 1;\nlet b = 2;");
        let at = generated.text.find("b = 2").unwrap();
        let line = generated.text[..at].matches('\n').count() + 1;
        assert_eq!(generated.byte_at(line, 5), Some(at));
    }
}
