//! Names that are known without rust-analyzer: the session's, dlcore's, the language's.

mod library;
mod macros;
mod scope;
mod strings;
#[cfg(test)]
mod tests;
mod tokens;

use super::{Completions, Match, code_points};
use crate::engine::SessionView;
use library::Library;
use scope::{Named, Scope};
use std::collections::BTreeSet;
use std::path::Path;
use tokens::{Kind, open_call, tokens};

const KEYWORDS: &[&str] = &[
    "as", "async", "await", "break", "const", "continue", "else", "enum", "false", "fn", "for",
    "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return",
    "self", "static", "struct", "trait", "true", "type", "unsafe", "use", "where", "while",
];

/// A shorter beginning is that of too many names.
const LEAST: usize = 3;
/// So many names are guessed at.
const MOST_NEAR: usize = 4;

/// Names that can be offered at once.
#[derive(Debug, Default)]
pub struct Names {
    library: Library,
}

/// How much these names tell of what could stand at the cursor.
#[derive(Debug, PartialEq)]
pub enum Known {
    /// Everything: nobody else has to be asked.
    All(Completions),
    /// What dlcore and the session define; the standard library may have more.
    Some(Completions),
    /// Nothing: what stands before the cursor is not known here.
    Nothing,
}

impl Names {
    /// With dlcore's names, read from its source in `home`.
    pub fn of_library(home: &Path) -> Names {
        Names {
            library: Library::read(&home.join("src/dlcore/src")),
        }
    }

    /// Names that go on from what stands before `at`.
    pub fn complete(&self, view: &SessionView, code: &str, at: usize) -> Known {
        let start = start_of_name(code, at);
        let found = |mut matches: Vec<Match>| {
            let begun = &code[start..at];
            matches.retain(|found| found.text.starts_with(begun) && found.text != begun);
            Completions {
                matches,
                start: code_points(code, start),
                end: code_points(code, at),
                loading: false,
            }
        };
        // Nothing is offered within a comment or a number.
        let is_number = code[start..at].starts_with(|c: char| c.is_ascii_digit());
        let Some(tokens) = tokens(&code[..start]).filter(|_| !is_number) else {
            return Known::All(found(vec![]));
        };
        if tokens
            .last()
            .is_some_and(|last| last.kind == Kind::Unfinished)
        {
            return Known::All(found(vec![]));
        }
        let session = Library::of_items(&view.items);
        let scope = self.scope(view, &session, &tokens);
        match tokens.last() {
            Some(last) if last.is(".") => match scope.type_before(tokens.len() - 1) {
                Some(of) if scope.has_type(&of.name) => {
                    let members = scope.members_of(&of.name).into_iter();
                    let methods = members.filter(|(_, member)| member.is_method);
                    Known::Some(found(
                        methods.map(|(name, member)| member.offered(name)).collect(),
                    ))
                }
                _ => Known::Nothing,
            },
            Some(last) if last.is("::") => self.after_path(&scope, tokens.len() - 1, found),
            _ => {
                let mut offered = found(self.in_scope(view));
                offered.matches.extend(self.at_paths(&code[start..at]));
                Known::Some(offered)
            }
        }
    }

    /// Names that stand in a module, by their path, for whoever begins to write the name alone: those that begin
    /// so, or else those that hold it.
    fn at_paths(&self, begun: &str) -> Vec<Match> {
        if begun.len() < LEAST {
            return vec![];
        }
        let all = self.library.elsewhere();
        let lower = begun.to_lowercase();
        let pick = |fits: &dyn Fn(&str) -> bool| {
            let fitting = all.iter().filter(|(_, name, _)| fits(name));
            let offered = fitting.map(|(path, name, member)| Match {
                text: path.clone(),
                ..member.offered(name)
            });
            offered.collect::<Vec<_>>()
        };
        let beginning = pick(&|name| name.starts_with(begun));
        match beginning.is_empty() {
            true => pick(&|name| name.to_lowercase().contains(&lower)),
            false => beginning,
        }
    }

    /// Where a name that is not in scope stands, as a cell writes it, and what is said of it there.
    pub fn elsewhere(&self, name: &str) -> Option<(String, String)> {
        let all = self.library.elsewhere();
        let (path, _, _) = all.into_iter().find(|(_, known, _)| *known == name)?;
        let text = self.describe(&SessionView::default(), &path, path.len())?;
        Some((path, text))
    }

    /// What may have been meant by a name that nothing is known of.
    pub fn near(&self, name: &str) -> Vec<String> {
        let name = name.rsplit("::").next().unwrap_or(name).to_lowercase();
        let plain = |known: &str| known.to_lowercase();
        let in_scope = self
            .library
            .prelude()
            .map(|(known, _)| (known.to_owned(), plain(known)));
        let elsewhere = self.library.elsewhere();
        let elsewhere = elsewhere
            .iter()
            .map(|(path, known, _)| (path.clone(), plain(known)));
        let mut near: Vec<(usize, String)> = in_scope
            .chain(elsewhere)
            .filter_map(|(path, known)| {
                let edits = match name.len() >= LEAST && known.contains(&name) {
                    true => 1,
                    false => strsim::osa_distance(&name, &known),
                };
                (edits <= name.len() / 3).then_some((edits, path))
            })
            .collect();
        near.sort();
        near.into_iter()
            .map(|(_, path)| path)
            .take(MOST_NEAR)
            .collect()
    }

    fn after_path(
        &self,
        scope: &Scope<'_>,
        end: usize,
        found: impl Fn(Vec<Match>) -> Completions,
    ) -> Known {
        let (_, path) = scope.path_before(end);
        let offer = |members: Vec<(&str, &library::Member)>| {
            members
                .into_iter()
                .map(|(name, member)| member.offered(name))
                .collect()
        };
        match scope.named(&path) {
            Some(Named::Module(module)) => {
                Known::All(found(offer(self.library.module(module).collect())))
            }
            Some(Named::Member(member)) if member.kind == "class" => {
                let of = member.gives.as_ref().map_or("", |of| of.name.as_str());
                let mut members = scope.members_of(of);
                members.retain(|(_, member)| !is_field(member));
                Known::Some(found(offer(members)))
            }
            _ => Known::Nothing,
        }
    }

    /// Whether what rust-analyzer would offer at `at` is nothing that a cell can use: it takes dlcore
    /// for a part of the same workspace, whose private parts may be edited.
    pub fn hides<'n>(
        &'n self,
        view: &SessionView,
        code: &str,
        at: usize,
    ) -> impl Fn(&Match) -> bool + use<'n> {
        let start = start_of_name(code, at);
        let of = tokens(&code[..start]).and_then(|tokens| {
            let session = Library::of_items(&view.items);
            let scope = self.scope(view, &session, &tokens);
            let last = tokens.last()?;
            if last.is(".") {
                return Some(scope.type_before(tokens.len() - 1)?.name);
            }
            let path = last
                .is("::")
                .then(|| scope.path_before(tokens.len() - 1).1)?;
            path.last().map(|of| (*of).to_owned())
        });
        move |found| {
            let is_field = found.kind != "function";
            of.as_ref()
                .is_some_and(|of| self.library.hides(of, &found.text, is_field))
        }
    }

    fn scope<'s>(
        &'s self,
        view: &'s SessionView,
        session: &'s Library,
        tokens: &'s [tokens::Token<'s>],
    ) -> Scope<'s> {
        Scope {
            libraries: [session, &self.library],
            view,
            tokens,
        }
    }

    /// Names that fit the string that `at` stands in; `None` when it stands in none that is known.
    pub fn complete_string(&self, code: &str, at: usize) -> Option<Completions> {
        let place = strings::place(code, at)?;
        let (module, prefixes) = strings::names_for(&place)?;
        let mut names: Vec<String> = self.library.choices(module).to_vec();
        if module == "metrics" {
            // Every loss is a metric as well.
            names.extend_from_slice(self.library.choices("losses"));
        }
        if prefixes.len() > 1 {
            names.push("loss".to_owned());
        }
        let begun = &code[place.start..at];
        let matches = prefixes
            .iter()
            .flat_map(|prefix| names.iter().map(move |name| format!("{prefix}{name}")))
            .filter(|name| name.starts_with(begun))
            .map(|name| plain(&name, "text"))
            .collect();
        Some(Completions {
            matches,
            start: code_points(code, place.start),
            end: code_points(code, at),
            loading: false,
        })
    }

    fn in_scope(&self, view: &SessionView) -> Vec<Match> {
        let mut matches: Vec<Match> = view
            .variables
            .iter()
            .map(|variable| Match {
                text: variable.name.clone(),
                kind: "instance".to_owned(),
                label: format!("{}: {}", variable.name, variable.type_name),
            })
            .collect();
        matches.sort_by(|a, b| a.text.cmp(&b.text));
        for item in &view.items {
            if let Some((name, kind)) = item_name(item) {
                matches.push(plain(&name, kind));
            }
        }
        let prelude = self.library.prelude();
        matches.extend(prelude.map(|(name, kind)| plain(name, kind)));
        matches.extend(named(KEYWORDS.iter().copied(), "keyword"));
        let mut seen = BTreeSet::new();
        matches.retain(|found| seen.insert(found.text.clone()));
        matches
    }

    /// The source of the name that ends at `at`: an item of the session or of dlcore.
    pub fn source(&self, view: &SessionView, code: &str, at: usize) -> Option<String> {
        let name = &code[start_of_name(code, at)..at];
        if let Some(own) = own_item(view, name) {
            return Some(own.clone());
        }
        let tokens = tokens(&code[..at])?;
        let session = Library::of_items(&view.items);
        let scope = self.scope(view, &session, &tokens);
        match self.at_end(&scope)? {
            Named::Member(member) => member.source(),
            Named::Module(_) => None,
        }
    }

    /// What is known of the name that ends at `at`.
    pub fn describe(&self, view: &SessionView, code: &str, at: usize) -> Option<String> {
        let tokens = tokens(&code[..at])?;
        let session = Library::of_items(&view.items);
        let scope = self.scope(view, &session, &tokens);
        let is_alone = !matches!(&tokens[..], [.., before, _] if before.is(".") || before.is("::"));
        if is_alone {
            let name = &code[start_of_name(code, at)..at];
            let variable = view.variables.iter().find(|known| known.name == name);
            if let Some(variable) = variable {
                return Some(self.of_variable(variable));
            }
            if let Some(own) = own_item(view, name) {
                return Some(head(own));
            }
        }
        match self.at_end(&scope)? {
            Named::Module(module) => self.of_module(module),
            Named::Member(member) => Some(with_members(member, &scope)),
        }
    }

    /// What the last words name.
    fn at_end<'s>(&'s self, scope: &Scope<'s>) -> Option<Named<'s>> {
        let end = scope.tokens.len();
        let last = scope.tokens.last().filter(|last| last.kind == Kind::Word)?;
        if end > 1 && scope.tokens[end - 2].is(".") {
            let of = scope.type_before(end - 2)?;
            return scope.member_of(&of.name, last.text).map(Named::Member);
        }
        scope.named(&scope.path_before(end).1)
    }

    /// A variable with what there is to say of its type.
    fn of_variable(&self, variable: &crate::engine::Variable) -> String {
        let mutable = if variable.mutable { "mut " } else { "" };
        let written = format!("let {mutable}{}: {}", variable.name, variable.type_name);
        let of = library::Type::parse(&variable.type_name);
        let docs = of.and_then(|of| match self.library.find(&[&of.name])? {
            library::Found::Item(member) => Some(member.documentation().to_owned()),
            _ => None,
        });
        match docs {
            Some(docs) if !docs.is_empty() => format!("{written}\n\n{docs}"),
            _ => written,
        }
    }

    /// A module with the names in it.
    fn of_module(&self, path: &str) -> Option<String> {
        let (above, name) = path.rsplit_once("::").unwrap_or(("", path));
        let found = self.library.module(above).find(|(known, _)| *known == name);
        let names: Vec<String> = self
            .library
            .module(path)
            .map(|(name, _)| format!("`{name}`"))
            .collect();
        let text = found.map_or(format!("mod {path}"), |(_, member)| member.text.clone());
        Some(format!("{text}\n\nIn it: {}.", names.join(", ")))
    }

    /// The end of the name to describe at `at`: the one that stands there, or that of the function
    /// whose arguments do. A variable among the arguments is not what is asked about.
    pub fn asked(&self, view: &SessionView, code: &str, at: usize) -> Option<usize> {
        let here = super::source::end_of_name(code, at);
        let start = here.map_or(at, |end| start_of_name(code, end));
        let call =
            tokens(&code[..start]).and_then(|tokens| open_call(&tokens).map(|call| call.end));
        let Some(end) = here else { return call };
        let name = &code[start..end];
        let before = code[..start].trim_end();
        let is_argument = name.starts_with(|c: char| c.is_ascii_digit())
            || !before.ends_with(['.', ':'])
                && !code[end..].trim_start().starts_with(['(', ':', '!', '.'])
                && view.variables.iter().any(|variable| variable.name == name);
        let of_macro = call.is_some_and(|end| code[end..].starts_with('!'));
        match call {
            Some(call) if is_argument && !of_macro => Some(call),
            _ => Some(end),
        }
    }
}

/// What is said of something, and of a type also what belongs to it.
fn with_members(member: &library::Member, scope: &Scope<'_>) -> String {
    let of = member.gives.as_ref().filter(|_| member.kind == "class");
    let members = of.map_or(vec![], |of| scope.members_of(&of.name));
    let functions = members
        .iter()
        .filter(|(_, member)| member.kind == "function");
    let (methods, made): (Vec<_>, Vec<_>) = functions.partition(|(_, member)| member.is_method);
    let listed = |what: &str, members: Vec<&(&str, &library::Member)>| {
        let names: Vec<String> = members
            .iter()
            .map(|(name, _)| format!("`{name}`"))
            .collect();
        match names.is_empty() {
            true => String::new(),
            false => format!("\n\n{what}: {}.", names.join(", ")),
        }
    };
    let (made, methods) = (listed("Made by", made), listed("Methods", methods));
    format!("{}{made}{methods}", member.text)
}

fn is_field(member: &library::Member) -> bool {
    member.kind == "instance" && member.is_method
}

fn named<'a>(names: impl Iterator<Item = &'a str>, kind: &str) -> Vec<Match> {
    names.map(|name| plain(name, kind)).collect()
}

fn plain(name: &str, kind: &str) -> Match {
    Match {
        text: name.to_owned(),
        kind: kind.to_owned(),
        label: name.to_owned(),
    }
}

/// The name that ends at `at`.
pub fn name_before(code: &str, at: usize) -> &str {
    &code[start_of_name(code, at)..at]
}

fn start_of_name(code: &str, at: usize) -> usize {
    code[..at]
        .char_indices()
        .rev()
        .take_while(|&(_, c)| c.is_alphanumeric() || c == '_')
        .last()
        .map_or(at, |(start, _)| start)
}

fn own_item<'v>(view: &'v SessionView, name: &str) -> Option<&'v String> {
    let defines = |item: &&String| item_name(item).is_some_and(|(known, _)| known == name);
    view.items.iter().rev().find(defines)
}

/// An item without what a function does.
fn head(item: &str) -> String {
    let Ok(syn::Item::Fn(function)) = syn::parse_str(item) else {
        return item.to_owned();
    };
    let body = function.block.brace_token.span.open().byte_range().start;
    forget_spans();
    item.get(..body).unwrap_or(item).trim_end().to_owned()
}

/// What was parsed stays in a table of this thread, for the places in it, until this is called.
fn forget_spans() {
    proc_macro2::extra::invalidate_current_thread_spans();
}

/// The name that an item defines.
fn item_name(item: &str) -> Option<(String, &'static str)> {
    let item = syn::parse_str::<syn::Item>(item).ok();
    forget_spans();
    let (name, kind) = match item? {
        syn::Item::Fn(item) => (item.sig.ident, "function"),
        syn::Item::Struct(item) => (item.ident, "class"),
        syn::Item::Enum(item) => (item.ident, "class"),
        syn::Item::Trait(item) => (item.ident, "class"),
        syn::Item::Type(item) => (item.ident, "class"),
        syn::Item::Const(item) => (item.ident, "instance"),
        syn::Item::Static(item) => (item.ident, "instance"),
        syn::Item::Mod(item) => (item.ident, "module"),
        syn::Item::Macro(item) => (item.ident?, "function"),
        _ => return None,
    };
    Some((name.to_string(), kind))
}
