//! Long lists as a page holds them: of many elements the first and the last, of numbers many to a line.
//!
//! It reads the one-line `Debug` text of a value as that is written, and so works for every type without holding all
//! of a long list. What is not put together of brackets, commas and texts in quotes is left to others.

use std::collections::VecDeque;
use std::fmt::{self, Debug, Write};

use crate::tensor::{EDGE, THRESHOLD};

const LINE_WIDTH: usize = 75;
/// Longer texts are not read to their end.
const MOST_BYTES: usize = 64 << 20;

/// The value's text, folded; `None` where its `Debug` text cannot be read.
pub(super) fn folded(value: &dyn Debug) -> Option<String> {
    let mut counted = Counted(0);
    let few = write!(counted, "{value:-?}").is_ok();
    let edge = if few { usize::MAX / 2 } else { EDGE };
    let mut reader = Reader::new(edge);
    write!(reader, "{value:-?}").ok()?;
    let item = reader.finish()?;
    let mut text = String::new();
    item.write(&mut text, 0);
    Some(text)
}

/// Counts commas, and fails when there are too many.
struct Counted(usize);

impl Write for Counted {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.matches(',').count();
        if self.0 < THRESHOLD {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}

/// What stands between two commas.
#[derive(Default)]
struct Item(Vec<Part>);

enum Part {
    Text(String),
    Group(Group),
}

/// What stands in brackets.
struct Group {
    open: char,
    close: char,
    /// Whether it is a list, a set or a map, which may be cut; fields are all shown.
    is_list: bool,
    first: Vec<Item>,
    last: VecDeque<Item>,
    left_out: usize,
}

impl Group {
    fn push(&mut self, item: Item, edge: usize) {
        if !self.is_list || self.first.len() < edge {
            return self.first.push(item);
        }
        self.last.push_back(item);
        if self.last.len() > edge {
            self.last.pop_front();
            self.left_out += 1;
        }
    }

    /// The elements, and between them what is written for those left out.
    fn texts(&self) -> Vec<String> {
        let gap = (self.left_out > 0).then(|| format!("… {} more …", self.left_out));
        let (first, last) = (
            self.first.iter().map(Item::one_line),
            self.last.iter().map(Item::one_line),
        );
        first.chain(gap).chain(last).collect()
    }

    fn is_of_groups(&self) -> bool {
        let of_groups = |item: &Item| item.0.iter().any(|part| matches!(part, Part::Group(_)));
        self.first.iter().chain(&self.last).any(of_groups)
    }

    fn write(&self, text: &mut String, indent: usize) {
        text.push(self.open);
        let inner = indent + 4;
        if self.is_list && !self.is_of_groups() {
            let mut line = LINE_WIDTH;
            for word in self.texts() {
                if line + word.len() + 2 > LINE_WIDTH {
                    text.truncate(text.trim_end_matches(' ').len());
                    new_line(text, inner);
                    line = inner;
                }
                line += word.chars().count() + 2;
                text.push_str(&word);
                text.push_str(", ");
            }
            text.truncate(text.trim_end_matches(' ').len());
        } else {
            for item in &self.first {
                new_line(text, inner);
                item.write(text, inner);
                text.push(',');
            }
            if self.left_out > 0 {
                new_line(text, inner);
                text.push_str(&format!("… {} more …", self.left_out));
            }
            for item in &self.last {
                new_line(text, inner);
                item.write(text, inner);
                text.push(',');
            }
        }
        new_line(text, indent);
        text.push(self.close);
    }
}

fn new_line(text: &mut String, indent: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n(' ', indent));
}

impl Item {
    fn one_line(&self) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Group(group) => {
                let blank = if group.open == '{' && !group.is_list {
                    " "
                } else {
                    ""
                };
                format!(
                    "{}{blank}{}{blank}{}",
                    group.open,
                    group.texts().join(", "),
                    group.close
                )
            }
        };
        self.0.iter().map(part).collect()
    }

    fn write(&self, text: &mut String, indent: usize) {
        let line = self.one_line();
        if indent + line.chars().count() < LINE_WIDTH {
            return text.push_str(&line);
        }
        for part in &self.0 {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Group(group) => group.write(text, indent),
            }
        }
    }

    fn text(&mut self) -> &mut String {
        if !matches!(self.0.last(), Some(Part::Text(_))) {
            self.0.push(Part::Text(String::new()));
        }
        match self.0.last_mut() {
            Some(Part::Text(text)) => text,
            _ => unreachable!("it was put there"),
        }
    }
}

struct Reader {
    edge: usize,
    /// The groups that are open, each with the item that it stands in.
    open: Vec<(Item, Group)>,
    item: Item,
    /// The sign that ends the text in quotes.
    quote: Option<char>,
    escaped: bool,
    bytes: usize,
}

impl Reader {
    fn new(edge: usize) -> Reader {
        Reader {
            edge,
            open: Vec::new(),
            item: Item::default(),
            quote: None,
            escaped: false,
            bytes: 0,
        }
    }

    fn sign(&mut self, sign: char) -> fmt::Result {
        if let Some(quote) = self.quote {
            self.item.text().push(sign);
            match sign {
                _ if self.escaped => self.escaped = false,
                '\\' => self.escaped = true,
                _ if sign == quote => self.quote = None,
                _ => {}
            }
            return Ok(());
        }
        match sign {
            '[' | '(' | '{' => {
                let before = self.item.text().clone();
                let close = match sign {
                    '[' => ']',
                    '(' => ')',
                    _ => '}',
                };
                let named = !(before.is_empty() || before.ends_with(": "));
                let group = Group {
                    open: sign,
                    close,
                    is_list: sign == '[' || sign == '{' && !named,
                    first: Vec::new(),
                    last: VecDeque::new(),
                    left_out: 0,
                };
                self.open.push((std::mem::take(&mut self.item), group));
            }
            ']' | ')' | '}' => {
                self.end_of_item();
                let Some((mut item, group)) =
                    self.open.pop().filter(|(_, group)| group.close == sign)
                else {
                    return Err(fmt::Error);
                };
                item.0.push(Part::Group(group));
                self.item = item;
            }
            ',' if !self.open.is_empty() => self.end_of_item(),
            // What prints itself in lines of its own is laid out already.
            '\n' => return Err(fmt::Error),
            ' ' if self.item.0.is_empty() => {}
            _ => {
                let text = self.item.text();
                if sign == '"' || sign == '\'' && !text.ends_with(char::is_alphanumeric) {
                    self.quote = Some(sign);
                }
                text.push(sign);
            }
        }
        Ok(())
    }

    fn end_of_item(&mut self) {
        let mut item = std::mem::take(&mut self.item);
        if let Some(Part::Text(text)) = item.0.last_mut() {
            text.truncate(text.trim_end().len());
        }
        let empty = |part: &Part| matches!(part, Part::Text(text) if text.is_empty());
        if item.0.iter().all(empty) {
            return;
        }
        if let Some((_, group)) = self.open.last_mut() {
            group.push(item, self.edge);
        }
    }

    /// The whole value, if every bracket and quote was closed.
    fn finish(self) -> Option<Item> {
        (self.open.is_empty() && self.quote.is_none()).then_some(self.item)
    }
}

impl Write for Reader {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes += text.len();
        if self.bytes > MOST_BYTES {
            return Err(fmt::Error);
        }
        text.chars().try_for_each(|sign| self.sign(sign))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    #[expect(dead_code, reason = "they are printed")]
    struct Odd {
        name: &'static str,
        pair: (u8, char),
        rows: Vec<Vec<u32>>,
        none: Option<Vec<u8>>,
    }

    #[test]
    fn few_elements_stand_many_to_a_line() {
        let text = folded(&(100..150).collect::<Vec<u32>>()).unwrap();
        assert_eq!(text.lines().count(), 6, "{text}");
        assert!(
            text.starts_with("[\n    100, 101,") && text.ends_with("149,\n]"),
            "{text}"
        );
        assert!(text.lines().all(|line| line.len() <= LINE_WIDTH), "{text}");
    }

    #[test]
    fn of_many_elements_the_ends_are_shown_with_the_number_of_the_others() {
        let rows = vec![(0..200).collect::<Vec<u32>>(); 3000];
        let text = folded(&rows).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 9, "{text}");
        assert_eq!(lines[1], "    [0, 1, 2, … 194 more …, 197, 198, 199],");
        assert_eq!(lines[4], "    … 2994 more …");
    }

    #[test]
    fn fields_texts_and_signs_within_them_stay() {
        let odd = Odd {
            name: "a, [b] \"c\" don't",
            pair: (1, '\''),
            rows: vec![(0..600).collect(), vec![], (0..600).collect()],
            none: None,
        };
        let expected = "\
Odd {
    name: \"a, [b] \\\"c\\\" don't\",
    pair: (1, '\\''),
    rows: [
        [0, 1, 2, … 594 more …, 597, 598, 599],
        [],
        [0, 1, 2, … 594 more …, 597, 598, 599],
    ],
    none: None,
}";
        assert_eq!(folded(&odd).unwrap(), expected);
        let map: std::collections::BTreeMap<u32, u32> = (0..2000).map(|i| (i, i)).collect();
        assert_eq!(
            folded(&map).unwrap(),
            "{0: 0, 1: 1, 2: 2, … 1994 more …, 1997: 1997, 1998: 1998, 1999: 1999}"
        );
    }

    #[test]
    fn what_is_no_such_text_is_left_alone() {
        struct Own(&'static str);
        impl Debug for Own {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.0)
            }
        }
        for text in ["[1, 2", "1, 2]", "(1]", "one\ntwo", "\"open"] {
            assert_eq!(folded(&Own(text)), None, "{text}");
        }
    }
}
