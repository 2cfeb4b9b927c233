//! From what `std::any::type_name` says to a type that can be written in the next cell.

/// The name of the crate that every cell is compiled as.
pub const CELL_CRATE: &str = "ctx";

/// Public homes of standard types whose defining module is private. What is missing here is found
/// by [`without_segment`], at the price of one more build.
const PUBLIC_HOMES: &[(&str, &str)] = &[
    (
        "std::collections::hash::map::",
        "std::collections::hash_map::",
    ),
    (
        "std::collections::hash::set::",
        "std::collections::hash_set::",
    ),
    (
        "std::collections::btree::map::",
        "std::collections::btree_map::",
    ),
    (
        "std::collections::btree::set::",
        "std::collections::btree_set::",
    ),
    (
        "std::collections::vec_deque::into_iter::",
        "std::collections::vec_deque::",
    ),
    (
        "std::collections::vec_deque::iter::",
        "std::collections::vec_deque::",
    ),
];

/// Modules of std that have no public modules with types in them: what is defined anywhere below is
/// named by the module alone.
const STD_ROOMS: &[&str] = &[
    "any", "array", "borrow", "boxed", "cell", "env", "error", "ffi", "fmt", "fs", "future",
    "hash", "io", "iter", "marker", "mem", "num", "ops", "path", "pin", "process", "rc", "slice",
    "str", "string", "thread", "time", "vec",
];

/// The type as a cell can write it, or `None` when it has no name that can be written: a closure,
/// or a type declared inside a block.
pub fn writable(type_name: &str) -> Option<String> {
    if type_name.contains('{') || type_name.contains("impl ") {
        return None;
    }
    let mut written = String::with_capacity(type_name.len());
    for (path, rest) in paths(type_name) {
        written.push_str(&public_path(path));
        written.push_str(rest);
    }
    Some(written)
}

/// The type without the module at byte `at`, for a module that turned out to be private.
pub fn without_segment(written: &str, at: usize) -> Option<String> {
    let end = at + written.get(at..)?.find("::")? + 2;
    let start = written[..at].rfind("::").map_or(0, |colons| colons + 2);
    let start = start.max(
        written[..at]
            .rfind(|c: char| "<([, &".contains(c))
            .map_or(0, |at| at + 1),
    );
    Some(format!("{}{}", &written[..start], &written[end..]))
}

/// What a person reads in a list of variables: `Vec<Tensor>` for the full paths.
pub fn short(written: &str) -> String {
    paths(written)
        .map(|(path, rest)| format!("{}{rest}", path.rsplit("::").next().unwrap_or(path)))
        .collect()
}

/// The names in it that cells may have defined: of types, of the modules they are in, of imports.
pub fn of_the_user(written: &str) -> Vec<&str> {
    let from_cell = |path: &&str| {
        let first = path.split("::").next().unwrap_or_default();
        !["std", "dlcore", ""].contains(&first)
    };
    let names = paths(written).map(|(path, _)| path).filter(from_cell);
    names
        .flat_map(|path| path.split("::"))
        .filter(|name| *name != "crate")
        .collect()
}

/// Whether it names a type of a cell or of a crate other than std and dlcore.
pub fn is_foreign(written: &str) -> bool {
    paths(written).any(|(path, _)| {
        path.split_once("::")
            .is_some_and(|(first, _)| !["std", "dlcore"].contains(&first))
    })
}

/// The pieces of a type's text: a path, and what stands between it and the next.
fn paths(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let in_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '#';
    let mut left = text;
    std::iter::from_fn(move || {
        if left.is_empty() {
            return None;
        }
        let path_end = left.find(|c| !in_path(c)).unwrap_or(left.len());
        let rest_end = left[path_end..]
            .find(in_path)
            .map_or(left.len(), |at| path_end + at);
        let piece = (&left[..path_end], &left[path_end..rest_end]);
        left = &left[rest_end..];
        Some(piece)
    })
}

/// Rooms of dlcore whose files are private and whose types are named by the room alone.
const ROOMS: &[&str] = &[
    "callbacks",
    "layers",
    "models",
    "optimizers",
    "plot",
    "preprocessing",
    "tensor",
];

/// `dlcore::models::Sequential` for `dlcore::models::sequential::Sequential`.
fn without_file(path: &str) -> Option<String> {
    let (room, rest) = path.strip_prefix("dlcore::")?.split_once("::")?;
    let (_, name) = rest.rsplit_once("::")?;
    ROOMS
        .contains(&room)
        .then(|| format!("dlcore::{room}::{name}"))
}

fn public_path(path: &str) -> String {
    if let Some(path) = without_file(path) {
        return path;
    }
    if let Some(rest) = path
        .strip_prefix(CELL_CRATE)
        .and_then(|rest| rest.strip_prefix("::"))
    {
        return format!("crate::{rest}");
    }
    let standard = ["alloc::", "core::", "std::"]
        .iter()
        .find_map(|root| path.strip_prefix(root));
    let Some(rest) = standard else {
        return path.to_owned();
    };
    if let (Some((room, _)), Some((_, name))) = (rest.split_once("::"), rest.rsplit_once("::"))
        && STD_ROOMS.contains(&room)
    {
        return format!("std::{room}::{name}");
    }
    if let Some(below) = rest.strip_prefix("sync::")
        && !["atomic::", "mpsc::"]
            .iter()
            .any(|public| below.starts_with(public))
    {
        let name = below.rsplit("::").next().unwrap_or(below);
        return format!("std::sync::{name}");
    }
    let path = format!("std::{rest}");
    let home = PUBLIC_HOMES.iter().find_map(|(private, public)| {
        path.strip_prefix(private)
            .map(|name| format!("{public}{name}"))
    });
    home.unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_types_get_their_public_names() {
        let written = |name| writable(name).unwrap();
        assert_eq!(
            written("alloc::vec::Vec<alloc::string::String>"),
            "std::vec::Vec<std::string::String>"
        );
        assert_eq!(
            written("std::collections::hash::map::HashMap<&str, (u8, [f32; 3])>"),
            "std::collections::hash_map::HashMap<&str, (u8, [f32; 3])>"
        );
        assert_eq!(
            written("alloc::boxed::Box<dyn core::ops::function::Fn(i32) -> i32>"),
            "std::boxed::Box<dyn std::ops::Fn(i32) -> i32>"
        );
        assert_eq!(
            written("core::iter::adapters::step_by::StepBy<core::ops::range::RangeFrom<i32>>"),
            "std::iter::StepBy<std::ops::RangeFrom<i32>>"
        );
        assert_eq!(
            written("std::sync::poison::mutex::Mutex<std::sync::mpsc::Sender<u8>>"),
            "std::sync::Mutex<std::sync::mpsc::Sender<u8>>"
        );
        assert_eq!(written("ctx::Point"), "crate::Point");
        assert_eq!(
            written("dlcore::models::sequential::Sequential"),
            "dlcore::models::Sequential"
        );
        assert_eq!(written("dlcore::tensor::Tensor"), "dlcore::tensor::Tensor");
        assert_eq!(
            written("dlcore::datasets::imdb::Imdb"),
            "dlcore::datasets::imdb::Imdb"
        );
    }

    #[test]
    fn types_of_other_crates_are_foreign() {
        assert!(is_foreign("std::vec::Vec<rand::rngs::StdRng>"));
        assert!(is_foreign("crate::Point"));
        assert!(!is_foreign("(std::vec::Vec<dlcore::tensor::Tensor>, f32)"));
    }

    #[test]
    fn a_closure_has_no_name() {
        assert_eq!(writable("ctx::cell_1::{{closure}}"), None);
    }

    #[test]
    fn a_private_module_is_left_out() {
        let written = "std::vec::Vec<std::iter::adapters::rev::Rev<u8>>";
        let at = written.find("adapters").unwrap();
        assert_eq!(
            without_segment(written, at).unwrap(),
            "std::vec::Vec<std::iter::rev::Rev<u8>>"
        );
    }

    #[test]
    fn names_of_cells_are_told_from_those_of_libraries() {
        let names =
            of_the_user("std::vec::Vec<(crate::shapes::Point, dlcore::tensor::Tensor, Alias)>");
        assert_eq!(names, ["shapes", "Point", "Alias"]);
    }

    #[test]
    fn short_names_keep_the_shape_of_the_type() {
        assert_eq!(
            short("std::vec::Vec<(dlcore::tensor::Tensor, &str)>"),
            "Vec<(Tensor, &str)>"
        );
    }
}
