//! Where in a call a string stands: `.activation("re` is offered activations.

use super::tokens::{Kind, open_call, tokens};

/// An unfinished string and the call that it is an argument of.
#[derive(Debug, PartialEq, Eq)]
pub struct Place<'c> {
    /// The byte after the opening quote.
    pub start: usize,
    /// The function or method that is called.
    pub callee: &'c str,
    /// Which of its arguments the string is in.
    pub argument: usize,
}

/// The string that `at` stands in, if it is an argument.
pub fn place(code: &str, at: usize) -> Option<Place<'_>> {
    let tokens = tokens(&code[..at])?;
    let (string, before) = tokens.split_last()?;
    let call = open_call(before).filter(|_| string.kind == Kind::Unfinished)?;
    Some(Place {
        start: string.start,
        callee: call.callee,
        argument: call.argument,
    })
}

/// The module of dlcore that lists the names which fit there, and what may stand before each.
pub fn names_for(place: &Place<'_>) -> Option<(&'static str, &'static [&'static str])> {
    const PLAIN: &[&str] = &[""];
    match (place.callee, place.argument) {
        ("activation" | "recurrent_activation", 0) => Some(("activations", PLAIN)),
        (callee, 0) if callee.ends_with("initializer") => Some(("initializers", PLAIN)),
        (callee, 0) if callee.ends_with("regularizer") => Some(("regularizers", PLAIN)),
        ("compile", 0) => Some(("optimizers", PLAIN)),
        ("compile", 1) => Some(("losses", PLAIN)),
        ("compile", 2) => Some(("metrics", PLAIN)),
        ("monitor", 0) => Some(("metrics", &["", "val_"])),
        // `Activation::from_name("…")`: the type says what.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_end(code: &str) -> Option<(&str, usize)> {
        place(code, code.len()).map(|place| (place.callee, place.argument))
    }

    #[test]
    fn a_string_knows_its_call_and_its_place_in_it() {
        assert_eq!(
            at_end("Dense::new(8).activation(\"re"),
            Some(("activation", 0))
        );
        assert_eq!(
            at_end("net.compile(RMSprop::new(1, 2), \""),
            Some(("compile", 1))
        );
        assert_eq!(
            at_end("net.compile(\"a\", \"b(\\\",\", [\"acc\", \"m"),
            Some(("compile", 2))
        );
        assert_eq!(
            at_end("// f(\"\nlet c = ['\"', ',']; g(\"ü"),
            Some(("g", 0))
        );
        assert_eq!(at_end("f(\"done\") + 1"), None);
        assert_eq!(at_end("let s = \"alone"), None);
        assert_eq!(place("f(\"ab", 5).map(|place| place.start), Some(3));
    }
}
