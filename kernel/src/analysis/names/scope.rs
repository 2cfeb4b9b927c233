//! What an expression is, as far as its words tell: enough for the chains of calls that notebooks
//! are made of. Where they do not tell, nothing is said; rust-analyzer knows more.

use super::library::{Found, Library, Member, Type};
use super::tokens::{Kind, Token, before_turbofish, opening};
use crate::engine::SessionView;

/// Expressions are not followed deeper than this.
const DEPTH: usize = 24;

/// What is known where the cursor stands.
pub struct Scope<'s> {
    /// What the cells before have defined, then dlcore.
    pub libraries: [&'s Library; 2],
    pub view: &'s SessionView,
    pub tokens: &'s [Token<'s>],
}

/// Something that stands at a path.
pub enum Named<'s> {
    /// A module of dlcore, by its path.
    Module(&'s str),
    Member(&'s Member),
}

impl<'s> Scope<'s> {
    /// The type of the expression that ends with the words before `end`.
    pub fn type_before(&self, end: usize) -> Option<Type> {
        Some(self.postfix(end, 0)?.1)
    }

    /// What belongs to a type.
    pub fn members_of(&self, of: &str) -> Vec<(&'s str, &'s Member)> {
        let own = self.libraries[0].members_of(of);
        if own.is_empty() {
            self.libraries[1].members_of(of)
        } else {
            own
        }
    }

    pub fn member_of(&self, of: &str, name: &str) -> Option<&'s Member> {
        self.libraries
            .iter()
            .find_map(|library| library.member_of(of, name))
    }

    pub fn has_type(&self, name: &str) -> bool {
        self.libraries.iter().any(|library| library.has_type(name))
    }

    /// The path that ends with the words before `end`: `Dense`, `plot::image`; and where it begins.
    pub fn path_before(&self, end: usize) -> (usize, Vec<&'s str>) {
        let mut path = Vec::new();
        let mut at = end;
        loop {
            at = before_turbofish(&self.tokens[..at]);
            let Some(name) = at.checked_sub(1).map(|last| self.tokens[last]) else {
                break;
            };
            if name.kind != Kind::Word {
                break;
            }
            path.insert(0, name.text);
            at -= 1;
            if at == 0 || !self.tokens[at - 1].is("::") {
                break;
            }
            at -= 1;
        }
        (at, path)
    }

    /// What a path leads to.
    pub fn named(&self, path: &[&str]) -> Option<Named<'s>> {
        if let [of, name] = path
            && self.libraries[0].has_type(of)
        {
            return self.libraries[0].member_of(of, name).map(Named::Member);
        }
        let own = match path {
            [name] => self.libraries[0].find(&["crate", name]),
            _ => None,
        };
        match own.or_else(|| self.libraries[1].find(path))? {
            Found::Module(path) => Some(Named::Module(path)),
            Found::Item(member) | Found::Member(member) => Some(Named::Member(member)),
        }
    }

    /// The expression of calls, fields and `?` that ends before `end`: where it begins, and its type.
    fn postfix(&self, end: usize, depth: usize) -> Option<(usize, Type)> {
        let last = *self.tokens.get(end.checked_sub(1)?)?;
        if depth > DEPTH {
            return None;
        }
        if last.is("?") {
            let (start, of) = self.postfix(end - 1, depth + 1)?;
            return Some((start, of.tried()?));
        }
        if last.is(")") {
            return self.call(opening(&self.tokens[..end])?, end, depth);
        }
        if last.kind != Kind::Word {
            return None;
        }
        if end >= 2 && self.tokens[end - 2].is(".") {
            let (start, of) = self.postfix(end - 2, depth + 1)?;
            return Some((start, self.field(&of, last.text)?));
        }
        let (start, path) = self.path_before(end);
        if let [name] = path[..] {
            return Some((start, self.variable(name, start, depth)?));
        }
        match self.named(&path)? {
            Named::Member(member) if member.kind == "instance" => {
                Some((start, member.gives.clone()?))
            }
            _ => None,
        }
    }

    /// A call whose parenthesis was opened at `open`, or what stands in parentheses.
    fn call(&self, open: usize, end: usize, depth: usize) -> Option<(usize, Type)> {
        let callee = before_turbofish(&self.tokens[..open]);
        let name = callee.checked_sub(1).map(|last| self.tokens[last]);
        let Some(name) = name.filter(Token::is_name) else {
            return Some((open, self.whole(open + 1, end - 1, depth + 1)?));
        };
        if callee >= 2 && self.tokens[callee - 2].is(".") {
            let (start, of) = self.postfix(callee - 2, depth + 1)?;
            return Some((start, self.method(&of, name.text)?));
        }
        let (start, path) = self.path_before(callee);
        match self.named(&path)? {
            Named::Member(member) => Some((start, member.gives.clone()?)),
            Named::Module(_) => None,
        }
    }

    fn method(&self, of: &Type, name: &str) -> Option<Type> {
        match (of.name.as_str(), name) {
            (
                "Result" | "Option",
                "unwrap" | "expect" | "unwrap_or" | "unwrap_or_default" | "unwrap_or_else",
            ) => {
                return of.tried();
            }
            (_, "clone") => return Some(of.clone()),
            _ => {}
        }
        self.member_of(&of.name, name)?.gives.clone()
    }

    fn field(&self, of: &Type, name: &str) -> Option<Type> {
        if of.name.is_empty() {
            return of.arguments.get(name.parse::<usize>().ok()?).cloned();
        }
        self.member_of(&of.name, name)?.gives.clone()
    }

    /// A variable: of this cell, or else of the session.
    fn variable(&self, name: &str, before: usize, depth: usize) -> Option<Type> {
        let defined = (0..before).rev().find(|&at| {
            let is_let = |at: Option<usize>| at.is_some_and(|at| self.tokens[at].is("let"));
            let is_mut = at.checked_sub(1).filter(|&at| self.tokens[at].is("mut"));
            self.tokens[at].is(name)
                && (is_let(at.checked_sub(1)) || is_mut.is_some_and(|at| is_let(at.checked_sub(1))))
        });
        let Some(at) = defined else {
            let known = self
                .view
                .variables
                .iter()
                .find(|known| known.name == name)?;
            return Type::parse(&known.type_name);
        };
        let next = self.tokens.get(at + 1)?;
        let end = self.end_of_statement(at + 1, before);
        if next.is(":") {
            let end = (at + 2..end)
                .find(|&at| self.tokens[at].is("="))
                .unwrap_or(end);
            let words = self.tokens[at + 2..end].iter().map(|token| token.text);
            return Type::parse(&words.collect::<Vec<_>>().join(" "));
        }
        if !next.is("=") {
            return None;
        }
        self.whole(at + 2, end, depth + 1)
    }

    /// Where the statement ends that `from` stands in, not behind `limit`.
    fn end_of_statement(&self, from: usize, limit: usize) -> usize {
        let mut depth = 0;
        for at in from..limit {
            match self.tokens[at].kind {
                Kind::Open => depth += 1,
                Kind::Close => depth -= 1,
                Kind::Mark if depth == 0 && self.tokens[at].is(";") => return at,
                _ => {}
            }
        }
        limit
    }

    /// The type of a whole expression: a chain of calls, or arithmetic in which a tensor takes part.
    fn whole(&self, start: usize, end: usize, depth: usize) -> Option<Type> {
        if start >= end || depth > DEPTH {
            return None;
        }
        let first = self.tokens[start];
        if first.is("&") || first.is("mut") || first.is("-") {
            return self.whole(start + 1, end, depth + 1);
        }
        if let Some((begin, of)) = self.postfix(end, depth + 1)
            && begin == start
        {
            return Some(of);
        }
        let operator = self.last_operator(start, end)?;
        let tensor = |of: &Type| of.name == "Tensor";
        let sides = [(start, operator), (operator + 1, end)];
        sides
            .into_iter()
            .find_map(|(start, end)| self.whole(start, end, depth + 1).filter(tensor))
    }

    /// The last `+ - * /` between two operands that stands in no brackets.
    fn last_operator(&self, start: usize, end: usize) -> Option<usize> {
        let mut depth = 0;
        for at in (start + 1..end).rev() {
            let (token, before) = (self.tokens[at], self.tokens[at - 1]);
            match token.kind {
                Kind::Close => depth += 1,
                Kind::Open => depth -= 1,
                Kind::Mark if depth == 0 && ["+", "-", "*", "/"].contains(&token.text) => {
                    let is_operand = matches!(before.kind, Kind::Word | Kind::Close | Kind::Text);
                    if is_operand || before.is("?") {
                        return Some(at);
                    }
                }
                _ => {}
            }
        }
        None
    }
}
