//! How a function of the library is called, from where the compiler says that it is defined.

use std::path::Path;

/// A function as its source has it.
#[derive(Debug, PartialEq, Eq)]
pub struct Signature {
    /// Its name.
    pub name: String,
    /// The names of its arguments, without `self`.
    pub arguments: Vec<String>,
    /// A line of its documentation's example that calls it.
    pub example: Option<String>,
}

impl Signature {
    /// `Conv2D::new(filters, kernel_size)`, called as the cell has it.
    pub fn written(&self, called: &str) -> String {
        format!("{called}({})", self.arguments.join(", "))
    }
}

/// The function whose name begins at a byte of a file; `called` is how the cell names it.
pub fn read(library: &Path, file: &str, at: usize, called: &str) -> Option<Signature> {
    let text = std::fs::read_to_string(library.join(file)).ok()?;
    signature(&text, at, called)
}

fn signature(text: &str, at: usize, called: &str) -> Option<Signature> {
    let rest = text.get(at..)?;
    let name = rest
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .next()?;
    let mut arguments = arguments(&rest[rest.find('(')?..])?;
    arguments.retain(|name| name != "self");
    Some(Signature {
        name: name.to_owned(),
        arguments,
        example: example(text, at, called),
    })
}

/// The names in the brackets that a text begins with.
fn arguments(text: &str) -> Option<Vec<String>> {
    let mut depth = 0;
    let mut names = vec![String::new()];
    let mut before = ' ';
    for letter in text.chars() {
        match letter {
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            // Not of `->`.
            '>' if before != '-' => depth -= 1,
            ',' if depth == 1 => names.push(String::new()),
            _ if depth >= 1 => names.last_mut()?.push(letter),
            _ => {}
        }
        before = letter;
        if depth == 0 {
            let plain = |name: &String| {
                let name = name.split(':').next().unwrap_or_default().trim();
                let name = name
                    .trim_start_matches(['&', '$'])
                    .trim_start_matches("mut ");
                name.to_owned()
            };
            let names = names.iter().map(plain);
            return Some(names.filter(|name| !name.is_empty()).collect());
        }
    }
    None
}

/// Of the documentation above the function, or else of its file, the first line of code that calls it.
fn example(text: &str, at: usize, called: &str) -> Option<String> {
    let documented = |line: &&str| line.starts_with("///") || line.starts_with("#[");
    let above = text[..at].lines().rev().skip(1).map(str::trim);
    let mut above: Vec<&str> = above.take_while(documented).collect();
    above.reverse();
    let below = text.lines().map(str::trim);
    let call = format!("{called}(");
    let calls = |line: &&str| {
        let before = line.split(&call).next().unwrap_or_default();
        line.contains(&call)
            && line.ends_with(';')
            && before.matches('(').count() == before.matches(')').count()
    };
    let mut code = above
        .into_iter()
        .chain(below)
        .filter_map(|line| line.strip_prefix("///"))
        .map(str::trim);
    let line = code.find(|line| calls(line) && !line.starts_with('#'))?;
    let value = line
        .split_once(" = ")
        .filter(|(start, _)| start.starts_with("let "));
    let line = value.map_or(line, |(_, value)| value);
    Some(line.trim_end_matches(';').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "impl Model {
    /// Sets how it trains; see [`compile()`](x).
    ///
    /// ```
    /// # model.compile(0);
    /// let model = made();
    /// model.compile(\"sgd\", \"mse\", [\"mae\"])?;
    /// ```
    #[must_use]
    pub fn compile(&mut self, optimizer: impl Into<Optimizer>, loss: impl Fn(&T) -> T, metrics: [&str; 2]) -> Result<()> {}
    pub fn build(mut self, $shape: $kind) {}
}";

    fn read(name: &str) -> Signature {
        let at = SOURCE.find(&format!("fn {name}")).unwrap() + 3;
        signature(SOURCE, at, name).unwrap()
    }

    #[test]
    fn arguments_and_an_example_are_read() {
        let compile = read("compile");
        assert_eq!(compile.arguments, ["optimizer", "loss", "metrics"]);
        let example = "model.compile(\"sgd\", \"mse\", [\"mae\"])?";
        assert_eq!(compile.example.as_deref(), Some(example));
        assert_eq!(
            compile.written("compile"),
            "compile(optimizer, loss, metrics)"
        );
        let build = read("build");
        assert_eq!(
            (build.arguments, build.example),
            (vec!["shape".to_owned()], None)
        );
    }
}
