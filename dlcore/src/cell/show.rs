//! The display of a cell's last expression, for every type there is.
//!
//! Method lookup does the choosing: the generated cell calls `(&&&Shown(&value)).show()`, and the
//! compiler takes the first of these that fits: [`ShowRich`], then [`ShowDebug`], then
//! [`ShowNothing`]. So one build serves whatever the type can do.

use std::fmt::Debug;

use super::folded::folded;
use crate::display::{MimeBundle, Rich, channel};

/// A value to be shown.
pub struct Shown<'a, T: ?Sized>(pub &'a T);

/// For types that say themselves how they look.
pub trait ShowRich {
    /// Sends the value as the cell's result.
    fn show(&self);
}

impl<T: Rich> ShowRich for &&Shown<'_, T> {
    fn show(&self) {
        send(&self.0.mime_bundle());
    }
}

/// For types with `Debug`.
pub trait ShowDebug {
    /// Sends the value's `{:-#?}` or `{:-?}` form as the cell's result; nothing for `()`.
    fn show(&self);
}

/// Up to this many characters stand on one line; longer values are spread over several.
const ONE_LINE: usize = 100;

impl<T: Debug + ?Sized> ShowDebug for &Shown<'_, T> {
    fn show(&self) {
        if std::any::type_name::<T>() != "()" {
            show_debug(&self.0);
        }
    }
}

/// Not generic: compiled once, here, instead of in each cell.
fn show_debug(value: &dyn Debug) {
    // The minus has tensors within leave out their heading.
    let (short, whole) = written(format_args!("{value:-?}"));
    let text = if short.len() > ONE_LINE || short.contains('\n') {
        let (text, whole) = written(format_args!("{value:-#?}"));
        let long = text.lines().count() > MOST_LINES;
        match long.then(|| folded(value)).flatten() {
            Some(folded) if folded.len() <= MOST_BYTES => folded,
            _ if whole => text,
            _ => text + CUT,
        }
    } else if whole {
        short
    } else {
        short + CUT
    };
    send(&MimeBundle::text(text));
}

/// Values of more lines than this are folded, if they can be.
const MOST_LINES: usize = 40;
/// More than this nobody reads, and a page does not hold.
const MOST_BYTES: usize = 20_000;
/// What stands behind a value that is longer.
const CUT: &str =
    "\n… (cut here: the value is longer than a page takes; show a part of it, or print it)";

/// The text, up to a limit, and whether that is all of it.
fn written(value: std::fmt::Arguments<'_>) -> (String, bool) {
    struct Limited(String);
    impl std::fmt::Write for Limited {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            let room = MOST_BYTES - self.0.len();
            if text.len() <= room {
                self.0.push_str(text);
                return Ok(());
            }
            let mut end = room;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            self.0.push_str(&text[..end]);
            Err(std::fmt::Error)
        }
    }
    let mut limited = Limited(String::new());
    let whole = std::fmt::Write::write_fmt(&mut limited, value).is_ok();
    (limited.0, whole)
}

/// For types that cannot be shown.
pub trait ShowNothing {
    /// Says what the type is and what to add.
    fn show(&self);
}

impl<T: ?Sized> ShowNothing for Shown<'_, T> {
    fn show(&self) {
        show_name(std::any::type_name::<T>());
    }
}

fn show_name(name: &str) {
    send(&MimeBundle::text(format!(
        "a value of type {name}, which has no text form (add #[derive(Debug)] to see what is in it)"
    )));
}

/// What the cell's own stand-in for `evcxr_display` returns, which the compiler calls for types without
/// one: a method that a type has itself goes before one of a trait.
///
/// The trait is the cell's and not here, since evcxr's evaluator tells by rustc's words that a type of
/// this library has no such method.
#[derive(Default)]
pub struct NotShown(());

/// Whether a value's own `evcxr_display`, which returned `returned`, has shown it.
pub fn shown_by_itself<T: 'static>(_returned: &T) -> bool {
    std::any::TypeId::of::<T>() != std::any::TypeId::of::<NotShown>()
}

/// Without a kernel, in a program that a notebook became, the text form is printed.
fn send(bundle: &MimeBundle) {
    if !channel::connected() {
        println!("{}", bundle.plain());
        return;
    }
    channel::send(&serde_json::json!({"t": "result", "data": bundle.to_json(), "metadata": {}}));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut_and_a_short_one_is_not() {
        let long = "ä".repeat(MOST_BYTES);
        let (text, whole) = written(format_args!("{long:?}"));
        assert!(!whole && text.len() <= MOST_BYTES && text.ends_with('ä'));
        assert_eq!(
            written(format_args!("{:?}", [1, 2])),
            ("[1, 2]".to_owned(), true)
        );
    }
}
