//! Names that are known without rust-analyzer: the session's, dlcore's, the language's.

mod library;
mod macros;
mod strings;

use super::{Completions, Match, code_points};
use crate::engine::SessionView;
use library::Library;
use std::collections::BTreeSet;
use std::path::Path;

const KEYWORDS: &[&str] = &[
    "as", "async", "await", "break", "const", "continue", "else", "enum", "false", "fn", "for",
    "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return",
    "self", "static", "struct", "trait", "true", "type", "unsafe", "use", "where", "while",
];

/// Names that can be offered at once.
#[derive(Debug, Default)]
pub struct Names {
    library: Library,
}

impl Names {
    /// With dlcore's names, read from its source in `home`.
    pub fn of_library(home: &Path) -> Names {
        Names {
            library: Library::read(&home.join("src/dlcore/src")),
        }
    }

    /// Names that go on from what stands before `at`.
    pub fn complete(&self, view: &SessionView, code: &str, at: usize) -> Completions {
        let start = start_of_name(code, at);
        let begun = &code[start..at];
        let before = code[..start].trim_end();
        let mut matches = if let Some(receiver) = receiver(before) {
            self.methods(view, receiver)
        } else if let Some(path) = before.strip_suffix("::") {
            let members = self.library.members_of(last_name(path));
            members.map(|(name, member)| member.offered(name)).collect()
        } else {
            self.in_scope(view)
        };
        matches.retain(|found| found.text.starts_with(begun) && found.text != begun);
        Completions {
            matches,
            start: code_points(code, start),
            end: code_points(code, at),
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
        })
    }

    /// The methods of a variable whose type is known; of everything, when it is not.
    fn methods(&self, view: &SessionView, receiver: &str) -> Vec<Match> {
        let variable = view.variables.iter().find(|known| known.name == receiver);
        let of_type = variable.map(|variable| {
            let path = variable.type_name.split('<').next().unwrap_or_default();
            self.library.members_of(last_name(path))
        });
        match of_type {
            Some(members) => members
                .filter(|(_, member)| member.is_method)
                .map(|(name, member)| member.offered(name))
                .collect(),
            None => named(self.library.methods(), "function"),
        }
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

    /// The text of what the session itself defines under the name that ends at `at`.
    pub fn own_source(&self, view: &SessionView, code: &str, at: usize) -> Option<String> {
        let name = &code[start_of_name(code, at)..at];
        own_item(view, name).cloned()
    }

    /// What is known of the name that ends at `at`.
    pub fn describe(&self, view: &SessionView, code: &str, at: usize) -> Option<String> {
        let start = start_of_name(code, at);
        let (before, name) = (code[..start].trim_end(), &code[start..at]);
        if let Some(path) = before.strip_suffix("::") {
            return self.library.describe_member(last_name(path), name);
        }
        if before.ends_with('.') {
            return None;
        }
        let variable = view.variables.iter().find(|known| known.name == name);
        if let Some(variable) = variable {
            let mutable = if variable.mutable { "mut " } else { "" };
            return Some(format!("let {mutable}{name}: {}", variable.type_name));
        }
        let own = own_item(view, name).map(|item| head(item));
        own.or_else(|| self.library.describe(name))
    }
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

/// The name before a dot that asks for a method; empty when something else stands there.
fn receiver(before: &str) -> Option<&str> {
    let before = before.strip_suffix('.')?;
    (!before.ends_with('.')).then(|| last_name(before))
}

/// The name that `code` ends with.
fn last_name(code: &str) -> &str {
    let code = code.trim_end();
    &code[start_of_name(code, code.len())..]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Variable;

    fn library() -> (tempfile::TempDir, Names) {
        let home = tempfile::tempdir().unwrap();
        let source = home.path().join("src/dlcore/src/tensor");
        std::fs::create_dir_all(&source).unwrap();
        std::fs::write(
            source.parent().unwrap().join("prelude.rs"),
            "pub use crate::{tensor::{Tensor, Tensor as Array}, random::set_seed, plot};",
        )
        .unwrap();
        std::fs::write(
            source.join("mod.rs"),
            "/// Numbers in a box.\npub struct Tensor;
             impl Tensor { pub fn reshape(&self, shape: u8) {} pub fn zeros() {} fn hidden(&self) {} }
             pub struct Other; impl Other { pub fn rest(&self) {} }",
        )
        .unwrap();
        std::fs::write(
            source.parent().unwrap().join("plot.rs"),
            "/// Draws one.\npub fn image(of: &Tensor) {} fn private() {}",
        )
        .unwrap();
        std::fs::write(
            source.parent().unwrap().join("layers.rs"),
            "pub struct Front; impl std::ops::Deref for Front { type Target = Dense; fn deref(&self) -> &Dense { &self.0 } }
             pub const NAMES: &[&str] = &[\"relu\", \"selu\"];
             macro_rules! settings { ($layer:ident, $prefix:literal) => { impl $layer {
                #[doc = concat!(\"Counted from `\", $prefix, \"`.\")] pub fn name(mut self, name: &str) -> $layer { self }
             } }; }
             pub struct Dense; settings!(Dense, \"dense\"); other!(Dense); settings!(Dense);",
        )
        .unwrap();
        let names = Names::of_library(home.path());
        (home, names)
    }

    fn view() -> SessionView {
        SessionView {
            items: vec!["fn settle() {}".to_owned()],
            crates: vec![],
            variables: vec![Variable {
                name: "sé".to_owned(),
                type_name: "Tensor".to_owned(),
                mutable: false,
            }],
        }
    }

    fn texts(found: &Completions) -> Vec<&str> {
        found.matches.iter().map(|m| m.text.as_str()).collect()
    }

    #[test]
    fn names_of_session_library_and_language() {
        let (_home, names) = library();
        let code = "let é = s";
        let found = names.complete(&view(), code, code.len());
        assert_eq!(
            texts(&found),
            ["sé", "settle", "set_seed", "self", "static", "struct"]
        );
        assert_eq!((found.start, found.end), (8, 9));
        let found = names.complete(&view(), "A", 1);
        assert_eq!(texts(&found), ["Array"]);
    }

    #[test]
    fn methods_after_a_dot() {
        let (_home, names) = library();
        let found = names.complete(&view(), "sé\n  .re", "sé\n  .re".len());
        assert_eq!(texts(&found), ["reshape"]);
        let unknown = names.complete(&view(), "f().re", 6);
        assert_eq!(texts(&unknown), ["reshape", "rest"]);
        assert!(texts(&names.complete(&view(), "0..", 3)).contains(&"sé"));
    }

    #[test]
    fn paths_lead_into_types_and_modules() {
        let (_home, names) = library();
        let path = |code: &str| {
            let found = names.complete(&view(), code, code.len());
            texts(&found).join(" ")
        };
        assert_eq!(path("Tensor::z"), "zeros");
        assert_eq!(path("plot::"), "image");
        assert_eq!(path("Nowhere::"), "");
    }

    #[test]
    fn what_the_library_says_of_its_names() {
        let (_home, names) = library();
        let say = |code: &str| names.describe(&view(), code, code.len());
        assert_eq!(
            say("Tensor").as_deref(),
            Some("struct Tensor\n\nNumbers in a box.")
        );
        assert_eq!(
            say("plot::image").as_deref(),
            Some("fn image(of)\n\nDraws one.")
        );
        assert_eq!(
            say("Tensor::reshape").as_deref(),
            Some("fn reshape(&self, shape)")
        );
        assert_eq!(
            say("Dense::name").as_deref(),
            Some("fn name(self, name)\n\nCounted from `dense`.")
        );
        assert!(say("Front::name").is_some());
        assert_eq!(names.library.choices("layers"), ["relu", "selu"]);
    }

    #[test]
    fn what_the_session_says_of_its_names() {
        let names = Names::default();
        let say = |code: &str| names.describe(&view(), code, code.len());
        assert_eq!(say("x + sé").as_deref(), Some("let sé: Tensor"));
        assert_eq!(say("settle").as_deref(), Some("fn settle()"));
        assert_eq!(say("x.settle"), None);
        assert_eq!(say("nothing"), None);
    }
}
