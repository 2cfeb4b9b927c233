//! Public names with their documentation, read from source: dlcore's, and what a session defines.

mod member;
mod read;
mod text;

pub use member::{Member, Type};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What a library offers to whoever uses it.
#[derive(Debug, Default)]
pub struct Library {
    /// What stands in each public module, by its path: `datasets::mnist`, and the root by nothing.
    modules: BTreeMap<String, BTreeMap<String, Member>>,
    /// Where the names are that the prelude brings into scope.
    prelude: BTreeMap<String, String>,
    types: BTreeMap<String, Known>,
    /// Traits that every type with another trait has, by that other one.
    blankets: Vec<(String, String)>,
    /// The names that users choose by, such as those of activations, by the module that lists them.
    choices: BTreeMap<String, Vec<String>>,
}

/// What is known of a type or a trait.
#[derive(Debug, Default)]
struct Known {
    members: BTreeMap<String, Member>,
    /// What it has that only the library itself can use.
    hidden: BTreeSet<String>,
    /// The type that it stands for, by `Deref`, and has the methods of.
    front: Option<String>,
    traits: BTreeSet<String>,
}

/// What a path leads to.
#[derive(Debug)]
pub enum Found<'l> {
    /// A module, by its path.
    Module(&'l str),
    /// An item of a module.
    Item(&'l Member),
    /// What belongs to a type.
    Member(&'l Member),
}

impl Library {
    /// Reads the crate whose `lib.rs` lies in `source`; what cannot be read is left out.
    pub fn read(source: &Path) -> Library {
        let library = read::library(source);
        super::forget_spans();
        library
    }

    /// What items of a session define: all of it can be used there.
    pub fn of_items(items: &[String]) -> Library {
        let library = read::session(items);
        super::forget_spans();
        library
    }

    /// The names in scope and what they are.
    pub fn prelude(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.prelude.iter().map(|(name, path)| {
            let kind = match self.at(path) {
                Some(Found::Module(_)) => "module",
                Some(Found::Item(member) | Found::Member(member)) => member.kind,
                None => "class",
            };
            (name.as_str(), kind)
        })
    }

    /// What stands in a module.
    pub fn module(&self, path: &str) -> impl Iterator<Item = (&str, &Member)> {
        let members = self.modules.get(path).into_iter().flatten();
        members.map(|(name, member)| (name.as_str(), member))
    }

    /// What belongs to a type: its own, that of the type that it stands for, that of its traits.
    pub fn members_of(&self, name: &str) -> Vec<(&str, &Member)> {
        let Some(known) = self.types.get(name) else {
            return Vec::new();
        };
        let front = known.front.as_ref().and_then(|front| self.types.get(front));
        let behind = front.iter().flat_map(|front| &front.members);
        let traits = self
            .traits_of(known)
            .into_iter()
            .chain(front.into_iter().flat_map(|front| self.traits_of(front)));
        let of_traits = traits
            .filter(|of| self.prelude.contains_key(*of) || self.prelude.is_empty())
            .filter_map(|of| self.types.get(of))
            .flat_map(|of| &of.members);
        let inherited = behind
            .chain(of_traits)
            .filter(|(_, member)| member.is_method);
        let mut seen = BTreeSet::new();
        known
            .members
            .iter()
            .chain(inherited)
            .filter(|(name, _)| seen.insert(name.as_str()))
            .map(|(name, member)| (name.as_str(), member))
            .collect()
    }

    /// One thing that belongs to a type.
    pub fn member_of(&self, of: &str, name: &str) -> Option<&Member> {
        let members = self.members_of(of);
        members
            .into_iter()
            .find(|(known, _)| *known == name)
            .map(|(_, member)| member)
    }

    fn traits_of<'l>(&'l self, known: &'l Known) -> Vec<&'l str> {
        let own = known.traits.iter().map(String::as_str);
        let blanket = self
            .blankets
            .iter()
            .filter(|(bound, _)| known.traits.contains(bound));
        own.chain(blanket.map(|(_, of)| of.as_str())).collect()
    }

    /// Whether the library has a type of this name.
    pub fn has_type(&self, name: &str) -> bool {
        self.types.contains_key(name)
    }

    /// Whether a type has something of this name that only the library itself can use: of a field,
    /// though a function may have the same name.
    pub fn hides(&self, of: &str, name: &str, is_field: bool) -> bool {
        let hidden = |of: &str| {
            self.types
                .get(of)
                .is_some_and(|known| known.hidden.contains(name))
        };
        let front = self.types.get(of).and_then(|known| known.front.as_deref());
        let usable = self.member_of(of, name);
        let usable = usable.is_some_and(|member| !is_field || member.kind == "instance");
        (hidden(of) || front.is_some_and(hidden)) && !usable
    }

    /// The names that a module takes as text.
    pub fn choices(&self, module: &str) -> &[String] {
        self.choices.get(module).map_or(&[], Vec::as_slice)
    }

    /// What stands in public modules and not in scope by its own name: how a cell writes each, its own name, and
    /// what it is. What is passed on by several modules is written in the shortest way.
    pub fn elsewhere(&self) -> Vec<(String, &str, &Member)> {
        let mut found: BTreeMap<&str, (String, &Member)> = BTreeMap::new();
        for (module, members) in &self.modules {
            if module.is_empty() || module == "prelude" {
                continue;
            }
            for (name, member) in members {
                if self.prelude.contains_key(name) {
                    continue;
                }
                let path = self.written(&format!("{module}::{name}"));
                let shorter = |(known, _): &(String, &Member)| path.len() < known.len();
                if found.get(name.as_str()).is_none_or(shorter) {
                    found.insert(name, (path, member));
                }
            }
        }
        let found = found.into_iter();
        found
            .map(|(name, (path, member))| (path, name, member))
            .collect()
    }

    /// How a cell writes a path from the root.
    fn written(&self, path: &str) -> String {
        let in_scope = self.prelude.iter().find_map(|(name, start)| {
            let rest = path.strip_prefix(start.as_str())?.strip_prefix("::")?;
            Some(format!("{name}::{rest}"))
        });
        in_scope.unwrap_or_else(|| format!("dlcore::{path}"))
    }

    /// What a path that a cell writes leads to: `plot::image`, `dlcore::layers`, `Dense::new`.
    pub fn find(&self, path: &[&str]) -> Option<Found<'_>> {
        let (first, rest) = path.split_first()?;
        let start = match *first {
            "dlcore" | "crate" => "",
            first => self.prelude.get(first)?,
        };
        let mut whole: Vec<&str> = start.split("::").filter(|part| !part.is_empty()).collect();
        whole.extend(rest);
        self.at(&whole.join("::"))
    }

    /// What stands at a path from the root.
    fn at(&self, path: &str) -> Option<Found<'_>> {
        if let Some((path, _)) = self.modules.get_key_value(path) {
            return Some(Found::Module(path));
        }
        let (before, name) = path.rsplit_once("::").unwrap_or(("", path));
        if let Some(members) = self.modules.get(before) {
            return members.get(name).map(Found::Item);
        }
        // `models::Sequential::new`: what belongs to an item.
        let (module, of) = before.rsplit_once("::").unwrap_or(("", before));
        let of = self.modules.get(module)?.get(of)?.gives.as_ref()?;
        self.member_of(&of.name, name).map(Found::Member)
    }
}
