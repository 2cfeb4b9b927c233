//! Which names a crate's modules have for their users, whatever the files they are written in.

use super::super::{Library, Member};
use super::Reader;
use std::collections::BTreeMap;

/// Names that are passed on in a circle are not followed for ever.
const DEPTH: usize = 16;

/// What stands in one module, public or not.
#[derive(Default)]
pub(super) struct Module {
    pub(super) items: BTreeMap<String, (Member, bool)>,
    pub(super) uses: Vec<Use>,
    /// Modules in it, and whether they are public.
    pub(super) inner: BTreeMap<String, (Member, bool)>,
}

/// One name that a module takes from elsewhere.
pub(super) struct Use {
    pub(super) path: Vec<String>,
    /// The name it has here; `None` for all that is there.
    pub(super) name: Option<String>,
    pub(super) is_public: bool,
}

impl Reader {
    /// What users see of the modules.
    pub(super) fn finish(mut self) -> Library {
        let mut visible = vec![String::new()];
        let mut at = 0;
        while at < visible.len() {
            let path = visible[at].clone();
            at += 1;
            let Some(module) = self.modules.get(&path) else {
                continue;
            };
            let inner = module.inner.iter().filter(|(_, (_, is_public))| *is_public);
            visible.extend(inner.map(|(name, _)| join(&path, name)));
            let members = self.public_of(&path, 0);
            self.library
                .modules
                .insert(path, members.into_iter().collect());
        }
        self.library.prelude = self.prelude();
        self.library
    }

    /// What is public in a module, its own and what it passes on.
    fn public_of(&self, path: &str, depth: usize) -> Vec<(String, Member)> {
        let Some(module) = self.modules.get(path).filter(|_| depth < DEPTH) else {
            return Vec::new();
        };
        let own = module.items.iter().chain(&module.inner);
        let own = own.filter(|(_, (_, is_public))| *is_public);
        let mut all: Vec<(String, Member)> = own
            .map(|(name, (member, _))| (name.clone(), member.clone()))
            .collect();
        for one in module.uses.iter().filter(|one| one.is_public) {
            let Some(target) = self.absolute(path, &one.path) else {
                continue;
            };
            match &one.name {
                Some(name) => {
                    let found = self.item_at(&target, depth + 1);
                    all.extend(found.map(|member| (name.clone(), member)));
                }
                None => all.extend(self.public_of(&target, depth + 1)),
            }
        }
        all
    }

    /// The item or the module at a path from the root.
    fn item_at(&self, path: &str, depth: usize) -> Option<Member> {
        let (above, name) = split(path)?;
        let module = self.modules.get(above).filter(|_| depth < DEPTH)?;
        if let Some((member, is_public)) = module.items.get(name).or_else(|| module.inner.get(name))
        {
            return is_public.then(|| member.clone());
        }
        let one = module
            .uses
            .iter()
            .find(|one| one.name.as_deref() == Some(name))?;
        self.item_at(&self.absolute(above, &one.path)?, depth + 1)
    }

    /// A path of a `use` in `module`, from the root; `None` when it leads into another crate.
    fn absolute(&self, module: &str, path: &[String]) -> Option<String> {
        let mut at = module.to_owned();
        for (index, step) in path.iter().enumerate() {
            match step.as_str() {
                "crate" => at.clear(),
                "self" => {}
                "super" => at = split(&at).map_or(String::new(), |(above, _)| above.to_owned()),
                step => {
                    let known = self.modules.get(&at);
                    let is_here = known.is_some_and(|known| {
                        known.inner.contains_key(step)
                            || known.items.contains_key(step)
                            || known
                                .uses
                                .iter()
                                .any(|one| one.name.as_deref() == Some(step))
                    });
                    if index == 0 && !is_here {
                        return None;
                    }
                    at = join(&at, step);
                }
            }
        }
        Some(at)
    }

    /// The prelude's names and where they are.
    fn prelude(&self) -> BTreeMap<String, String> {
        let mut names = BTreeMap::new();
        for one in self
            .modules
            .get("prelude")
            .iter()
            .flat_map(|prelude| &prelude.uses)
        {
            let Some(target) = self.absolute("prelude", &one.path) else {
                continue;
            };
            match &one.name {
                Some(name) if name == "_" => {}
                Some(name) => {
                    names.insert(name.clone(), target);
                }
                None => {
                    let all = self.public_of(&target, 0).into_iter();
                    names.extend(all.map(|(name, _)| (name.clone(), join(&target, &name))));
                }
            }
        }
        names
    }
}

pub(super) fn join(module: &str, name: &str) -> String {
    if module.is_empty() {
        name.to_owned()
    } else {
        format!("{module}::{name}")
    }
}

/// The path above and the last name; `None` for the root.
pub(super) fn split(path: &str) -> Option<(&str, &str)> {
    (!path.is_empty()).then(|| path.rsplit_once("::").unwrap_or(("", path)))
}
