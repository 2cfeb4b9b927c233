//! File names with places for the epoch and its metrics.

use super::Logs;
use crate::names;

/// `{epoch:02}-{val_loss:.2}.dl`, taken apart. As in Python, `{{` and `}}` stand for braces, and a
/// format may end in `d` or `f`.
pub(super) struct FileName(Vec<Part>);

enum Part {
    Text(String),
    Place {
        name: String,
        zeros: bool,
        width: usize,
        decimals: Option<usize>,
    },
}

impl FileName {
    pub(super) fn parse(text: &str) -> Result<FileName, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(at);
            parts.push(Part::Text(before.to_string()));
            if brace.starts_with("{{") || brace.starts_with("}}") {
                parts.push(Part::Text(brace[..1].to_string()));
                rest = &brace[2..];
                continue;
            }
            let inside = brace
                .strip_prefix('{')
                .and_then(|inside| inside.split_once('}'));
            let Some((inside, after)) = inside else {
                return Err(format!(
                    "in the file name {text:?} a brace has no closing brace, or no opening one"
                ));
            };
            parts.push(place(inside)?);
            rest = after;
        }
        parts.push(Part::Text(rest.to_string()));
        Ok(FileName(parts))
    }

    /// What is wrong if a place names nothing that will be recorded.
    pub(super) fn unknown(&self, recorded: &[String]) -> Option<String> {
        let mut known: Vec<&str> = vec!["epoch"];
        known.extend(recorded.iter().map(String::as_str));
        self.0.iter().find_map(|part| match part {
            Part::Place { name, .. } if !known.contains(&name.as_str()) => {
                Some(names::unknown("metric in the file name", name, &known))
            }
            _ => None,
        })
    }

    /// The name for an epoch, counted from 0 here and from 1 in the name.
    pub(super) fn of(&self, epoch: usize, logs: &Logs) -> String {
        let filled = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Place {
                name,
                zeros,
                width,
                decimals,
            } => {
                let value = match (name.as_str(), decimals) {
                    ("epoch", _) => (epoch + 1).to_string(),
                    (name, Some(decimals)) => {
                        format!("{:.decimals$}", logs.get(name).unwrap_or(f64::NAN))
                    }
                    (name, None) => logs.get(name).unwrap_or(f64::NAN).to_string(),
                };
                let fill = if *zeros { '0' } else { ' ' };
                let missing = width.saturating_sub(value.len());
                std::iter::repeat_n(fill, missing).collect::<String>() + &value
            }
        };
        self.0.iter().map(filled).collect()
    }
}

/// `name` or `name:format`.
fn place(inside: &str) -> Result<Part, String> {
    let refused = || {
        Err(format!(
            "in the file name {{{inside}}} is no place that can be filled; write for instance {{epoch:02}} or \
             {{val_loss:.2}}"
        ))
    };
    let (name, format) = inside.split_once(':').unwrap_or((inside, ""));
    let letter = if name == "epoch" { 'd' } else { 'f' };
    let format = format.strip_suffix(letter).unwrap_or(format);
    let (width, decimals) = match format.split_once('.') {
        Some((width, decimals)) => (width, Some(decimals)),
        None => (format, None),
    };
    let number = |text: &str| match text {
        "" => Some(0),
        _ => text.parse::<usize>().ok().filter(|&n| n <= 32),
    };
    let decimals = match decimals {
        Some(_) if name == "epoch" => return refused(),
        Some(decimals) => match decimals.parse::<usize>().ok().filter(|&n| n <= 32) {
            Some(decimals) => Some(decimals),
            None => return refused(),
        },
        None => None,
    };
    match number(width) {
        Some(columns) if !name.is_empty() => Ok(Part::Place {
            name: name.to_string(),
            zeros: width.starts_with('0'),
            width: columns,
            decimals,
        }),
        _ => refused(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_as_python_fills_them() {
        let logs = Logs::from(vec![("val_loss".to_string(), 0.126)]);
        for (pattern, expected) in [
            ("model.dl", "model.dl"),
            ("{epoch:03d}-{val_loss:.2f}.dl", "008-0.13.dl"),
            ("{epoch}_{val_loss}", "8_0.126"),
            ("{epoch:4}{{x}}{val_loss:08.3}", "   8{x}0000.126"),
        ] {
            assert_eq!(FileName::parse(pattern).unwrap().of(7, &logs), expected);
        }
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for pattern in [
            "{",
            "a}b",
            "{}",
            "{epoch:x}",
            "{loss:.}",
            "{loss:.99}",
            "{epoch",
        ] {
            assert!(FileName::parse(pattern).is_err(), "{pattern}");
        }
    }
}
