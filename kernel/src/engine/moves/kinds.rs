//! Types that a cell's text gives away, and what their methods take.

/// Methods that take their receiver by value, by how the receiver's type begins.
pub const CONSUMING: &[(&str, &str)] = &[
    ("std::", "into_*"),
    (
        "std::option::Option<",
        "unwrap* expect map map_* and and_then or or_else ok_or ok_or_else filter zip flatten xor unzip",
    ),
    (
        "std::result::Result<",
        "unwrap* expect* ok err map map_* and and_then or or_else",
    ),
    ("std::thread::JoinHandle<", "join"),
    ("std::io::", "lines split bytes chain"),
    ("std::vec::IntoIter<", ITERATOR),
    ("std::ops::Range", ITERATOR),
    ("std::iter::", ITERATOR),
    ("std::slice::", ITERATOR),
    ("std::str::", ITERATOR),
];

const ITERATOR: &str = "collect sum product count last map filter filter_map flat_map flatten enumerate zip chain \
                        rev take skip step_by take_while skip_while fold for_each max min cloned copied peekable";

/// Types of the standard library that are not `Copy`, by the name they are mostly written with.
const OWNED: &[(&str, &str)] = &[
    ("String", "std::string::String"),
    ("Vec", "std::vec::Vec<_>"),
    ("Box", "std::boxed::Box<_>"),
    ("Rc", "std::rc::Rc<_>"),
    ("Arc", "std::sync::Arc<_>"),
    ("RefCell", "std::cell::RefCell<_>"),
    ("Mutex", "std::sync::Mutex<_>"),
    ("HashMap", "std::collections::HashMap<_, _>"),
    ("HashSet", "std::collections::HashSet<_>"),
    ("BTreeMap", "std::collections::BTreeMap<_, _>"),
    ("BTreeSet", "std::collections::BTreeSet<_>"),
    ("VecDeque", "std::collections::VecDeque<_>"),
];

fn owned(name: &syn::Ident) -> Option<String> {
    let found = OWNED.iter().find(|(short, _)| name == short);
    found.map(|(_, kind)| (*kind).to_owned())
}

pub fn kind_of_type(kind: &syn::Type) -> Option<String> {
    match kind {
        syn::Type::Path(path) => owned(&path.path.segments.last()?.ident),
        _ => None,
    }
}

/// The type of a value that says it: `String::from(…)`, `vec![…]`, `format!(…)`, `….to_string()`.
pub fn kind_of_value(value: &syn::Expr) -> Option<String> {
    match value {
        syn::Expr::Call(call) => {
            let syn::Expr::Path(path) = &*call.func else {
                return None;
            };
            let mut names = path.path.segments.iter().rev();
            let (function, of) = (names.next()?, names.next()?);
            match (
                of.ident.to_string().as_str(),
                function.ident.to_string().as_str(),
            ) {
                ("thread", "spawn") => Some("std::thread::JoinHandle<_>".to_owned()),
                (_, "new" | "from" | "with_capacity" | "clone" | "default") => owned(&of.ident),
                _ => None,
            }
        }
        syn::Expr::Macro(call) if call.mac.path.is_ident("vec") => {
            Some("std::vec::Vec<_>".to_owned())
        }
        syn::Expr::Macro(call) if call.mac.path.is_ident("format") => {
            Some("std::string::String".to_owned())
        }
        syn::Expr::MethodCall(call) => match call.method.to_string().as_str() {
            "to_string" | "to_uppercase" | "to_lowercase" => Some("std::string::String".to_owned()),
            "to_vec" => Some("std::vec::Vec<_>".to_owned()),
            _ => None,
        },
        _ => None,
    }
}

/// The last name of the function that is called.
pub fn called(value: &syn::Expr) -> Option<String> {
    match value {
        syn::Expr::Call(call) => match &*call.func {
            syn::Expr::Path(path) => Some(path.path.segments.last()?.ident.to_string()),
            _ => None,
        },
        _ => None,
    }
}
