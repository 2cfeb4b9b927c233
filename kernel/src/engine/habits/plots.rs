//! What matplotlib's users set of a plot, and how it is said here.

use crate::engine::hints::calls::arguments_of;

/// Figures with a title and a width.
const FIGURES: [&str; 10] = [
    "Bars",
    "ConfusionMatrix",
    "Curves",
    "DecisionBoundary",
    "Histogram",
    "Images",
    "LinearMap",
    "PaperBall",
    "Scatter",
    "Surface",
];

/// A setting's name here, of the figure that `plot::function` makes.
fn setting(function: &str, name: &str) -> Option<&'static str> {
    Some(match (function, name) {
        ("scatter" | "bars" | "histogram" | "curves", "xlabel" | "x_label") => "x_label",
        ("scatter" | "curves", "ylabel" | "y_label") => "y_label",
        ("histogram", "bins") => "bins",
        (_, "title") => "title",
        _ => return None,
    })
}

/// `plot::scatter(&x, &y)?.title("Points")` for `plot::scatter(&x, &y, title="Points")`; what is left out has no like.
pub(in crate::engine) fn without_names(function: &str, given: &str) -> Option<String> {
    let name = function.strip_prefix("plot::")?;
    let (mut values, mut settings) = (vec![], String::new());
    for argument in arguments_of(given) {
        let Some((set, value)) = argument.split_once('=') else {
            values.push(argument);
            continue;
        };
        let (set, value) = (set.trim(), value.trim().replace('\'', "\""));
        match setting(name, set) {
            Some(method) => settings += &format!(".{method}({value})"),
            None if ["figsize", "width"].contains(&set) => settings += ".width(800)",
            None => {}
        }
    }
    let fails = if name == "image" { "" } else { "?" };
    Some(format!(
        "{function}({}){fails}{settings}",
        values.join(", ")
    ))
}

/// A method that a figure does not have: E0599.
pub(super) fn method(of: &str, text: &str) -> Option<String> {
    if of == "Plot"
        && [
            "title",
            "set_title",
            "x_label",
            "xlabel",
            "y_label",
            "ylabel",
        ]
        .contains(&text)
    {
        return Some(
            "a chart of a history has no title; `plot::curves([(\"loss\", &history)])?.title(\"…\")` draws it with one".into(),
        );
    }
    if !FIGURES.contains(&of) && of != "Plot" && of != "Image" {
        return None;
    }
    let here = match text {
        "xlabel" | "set_xlabel" => ".x_label(\"…\")",
        "ylabel" | "set_ylabel" => ".y_label(\"…\")",
        "set_title" | "suptitle" => ".title(\"…\")",
        "figsize" | "set_size" | "size" | "height" => {
            return Some(
                "the width in pixels is `.width(800)`, and the height follows from it".into(),
            );
        }
        "savefig" => ".save(\"plot.png\")?",
        "show" | "display" => {
            return Some(
                "a plot shows itself where it ends a cell, elsewhere by `display(&plot)`".into(),
            );
        }
        "color" | "colors" | "cmap" | "marker" | "grid" | "legend" | "xlim" | "ylim" | "alpha" => {
            return Some(
                "colours, marks and legends are chosen so that they can be told apart, in a dark theme too; `:doc plot` lists what is set"
                    .into(),
            );
        }
        _ => return None,
    };
    Some(format!("it is written `{here}` here"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_by_name_become_methods() {
        let cases = [
            (
                "plot::scatter",
                "&x, &y, title='Points', xlabel=\"x\", figsize=(8, 6), color='r'",
                "plot::scatter(&x, &y)?.title(\"Points\").x_label(\"x\").width(800)",
            ),
            (
                "plot::histogram",
                "&x, bins=20, ylabel=\"n\"",
                "plot::histogram(&x)?.bins(20)",
            ),
        ];
        for (function, given, written) in cases {
            assert_eq!(without_names(function, given).as_deref(), Some(written));
        }
        assert_eq!(without_names("history.plot", "title=1"), None);
    }
}
