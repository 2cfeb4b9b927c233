//! Names users choose by: layers counted as they are made, and the nearest known name for one
//! that is not known.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

static COUNTERS: Mutex<BTreeMap<&'static str, usize>> = Mutex::new(BTreeMap::new());

/// The next free name of a kind, counted as Keras counts: `dense`, `dense_1`, `dense_2`.
pub(crate) fn next(kind: &'static str) -> String {
    let mut counters = COUNTERS.lock().unwrap_or_else(PoisonError::into_inner);
    let count = counters.entry(kind).or_insert(0);
    let name = match *count {
        0 => kind.to_string(),
        n => format!("{kind}_{n}"),
    };
    *count += 1;
    name
}

/// Takes note of a name that came from elsewhere, a saved model, so that [`next`] does not give it again.
pub(crate) fn seen(kind: &'static str, name: &str) {
    let number = match name.strip_prefix(kind) {
        Some("") => Some(0),
        Some(rest) => rest
            .strip_prefix('_')
            .and_then(|number| number.parse().ok()),
        None => None,
    };
    let Some(number) = number.filter(|&number| number < usize::MAX) else {
        return;
    };
    let mut counters = COUNTERS.lock().unwrap_or_else(PoisonError::into_inner);
    let count = counters.entry(kind).or_insert(0);
    *count = (*count).max(number + 1);
}

/// The text for a name that is not known: what it was for, the nearest known one, and all of them.
///
/// ```text
/// unknown optimizer "rmsporp"; did you mean "rmsprop"? Known are: "sgd", "rmsprop", "adam"
/// ```
pub(crate) fn unknown(what: &str, given: &str, known: &[&str]) -> String {
    let mut text = format!("unknown {what} {given:?}");
    let longer = match by_initials(given, known) {
        Some(name) => vec![format!("{name:?}")],
        None => containing(given, known),
    };
    match longer.as_slice() {
        [others @ .., last] if !others.is_empty() => {
            text += &format!("; did you mean {} or {last}?", others.join(", "));
        }
        [only] => text += &format!("; did you mean {only}?"),
        _ => match nearest(given, known) {
            Some(name) => text += &format!("; did you mean {name:?}?"),
            None => text.push('.'),
        },
    }
    let all: Vec<String> = known.iter().map(|name| format!("{name:?}")).collect();
    text + " Known are: " + &all.join(", ")
}

/// The known names, quoted, of which `given` is a part: `"crossentropy"` is the end of several.
fn containing(given: &str, known: &[&str]) -> Vec<String> {
    let plain = |name: &str| name.to_lowercase().replace([' ', '-', '_'], "");
    let given = plain(given);
    let is_part = |name: &&&str| given.len() >= 2 && plain(name).contains(&given);
    let mut names: Vec<String> = known
        .iter()
        .filter(is_part)
        .map(|name| format!("{name:?}"))
        .collect();
    names.truncate(4);
    names
}

/// The known name that `given` abbreviates: `"rmse"` is `"root_mean_squared_error"`.
fn by_initials<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    let initials = |name: &str| {
        name.split('_')
            .filter_map(|word| word.chars().next())
            .collect::<String>()
    };
    let known = known.iter().copied();
    known
        .into_iter()
        .find(|name| given.len() >= 2 && initials(name) == given.to_lowercase())
}

/// The known name with the fewest edits to `given`, if fewer than half of it would have to change.
pub(crate) fn nearest<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    let given = given.to_lowercase().replace([' ', '-'], "_");
    known
        .iter()
        .map(|&name| (strsim::osa_distance(&given, &name.to_lowercase()), name))
        .min_by_key(|&(distance, _)| distance)
        .filter(|&(distance, name)| 2 * distance <= name.len().max(given.len()))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_counted_by_kind_from_the_bare_one() {
        assert_eq!(next("names_test"), "names_test");
        assert_eq!(next("names_test"), "names_test_1");
        assert_eq!(next("names_other"), "names_other");
        assert_eq!(next("names_test"), "names_test_2");
        seen("names_test", "names_test_7");
        seen("names_test", "names_test_4");
        seen("names_test", "names_testing");
        assert_eq!(next("names_test"), "names_test_8");
    }

    #[test]
    fn the_nearest_name_is_suggested_and_a_far_one_is_not() {
        let known = ["relu", "sigmoid", "softmax"];
        assert_eq!(nearest("sofmax", &known), Some("softmax"));
        assert_eq!(nearest("ReLu", &known), Some("relu"));
        assert_eq!(nearest("sigmiod", &known), Some("sigmoid"));
        assert_eq!(nearest("convolution", &known), None);
        assert_eq!(
            unknown("activation", "sofmax", &known),
            "unknown activation \"sofmax\"; did you mean \"softmax\"? Known are: \"relu\", \"sigmoid\", \"softmax\""
        );
        let known_losses = ["mse", "binary_crossentropy", "categorical_crossentropy"];
        assert!(
            unknown("loss", "crossentropy", &known_losses).starts_with(
                "unknown loss \"crossentropy\"; did you mean \"binary_crossentropy\" or \"categorical_crossentropy\"? Known"
            )
        );
        let metrics = ["mse", "r2_score", "root_mean_squared_error", "mean_io_u"];
        for (given, meant) in [
            ("r2", "r2_score"),
            ("RMSE", "root_mean_squared_error"),
            ("iou", "mean_io_u"),
        ] {
            let text = unknown("metric", given, &metrics);
            assert!(
                text.contains(&format!("did you mean {meant:?}? Known")),
                "{text}"
            );
        }
        assert!(
            unknown("activation", "convolution", &known)
                .starts_with("unknown activation \"convolution\". Known")
        );
    }
}
