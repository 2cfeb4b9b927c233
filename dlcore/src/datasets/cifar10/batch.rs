//! A part of CIFAR-10: a Python dictionary with an array of bytes and a list of labels, pickled.
//!
//! A pickle is a program. This reader knows only the instructions that occur in these files, and three
//! names (`_reconstruct`, `ndarray`, `dtype`), which it does not call but recognises. Everything else is
//! refused where it stands. Instruction set: CPython's `Lib/pickletools.py`, protocol 2.

use std::rc::Rc;

use super::PIXELS;

/// Objects under construction, remembered, and in lists: a part has 20,000 of them.
const MAX_OBJECTS: usize = 1 << 20;
/// Tuples within tuples: the array's state holds its shape.
const MAX_DEPTH: usize = 3;

type Step<T> = Result<T, String>;

/// Pictures, as planes of bytes, and their labels.
pub(super) fn read(bytes: &[u8]) -> Result<(&[u8], Vec<u8>), String> {
    let mut machine = Machine {
        bytes,
        ..Machine::default()
    };
    loop {
        let offset = machine.at;
        let done = machine
            .step()
            .map_err(|message| format!("byte {offset}: {message}"))?;
        if done {
            return machine.content();
        }
    }
}

#[derive(Clone)]
enum Object<'a> {
    Mark,
    None,
    Bool,
    Int(i64),
    Bytes(&'a [u8]),
    Tuple(Rc<[Object<'a>]>, usize),
    /// Its place among the lists.
    List(usize),
    Dictionary,
    Global(Global),
    Dtype,
    Array,
}

#[derive(Clone, Copy, PartialEq)]
enum Global {
    Reconstruct,
    Ndarray,
    Dtype,
}

#[derive(Default)]
struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Object<'a>>,
    memo: Vec<Option<Object<'a>>>,
    lists: Vec<Vec<Object<'a>>>,
    /// Objects in lists and in the dictionary.
    held: usize,
    /// The one dictionary.
    entries: Vec<(&'a [u8], Object<'a>)>,
    dictionaries: usize,
    /// The one array: its shape and content.
    array: Option<(Vec<usize>, &'a [u8])>,
}

impl<'a> Machine<'a> {
    /// One instruction; whether it was the last.
    fn step(&mut self) -> Step<bool> {
        match self.number(1)? {
            0x2e => return Ok(true),
            0x80 => match self.number(1)? {
                2..=5 => {}
                other => return Err(format!("expected pickle protocol 2 to 5, found {other}")),
            },
            0x95 => drop(self.take(8)?),
            0x28 => self.push(Object::Mark)?,
            0x4e => self.push(Object::None)?,
            0x88 | 0x89 => self.push(Object::Bool)?,
            0x4b => self.int(1)?,
            0x4d => self.int(2)?,
            0x4a => {
                let number = self.number(4)? as u32 as i32;
                self.push(Object::Int(number.into()))?;
            }
            // Text and bytes, with their length in one byte, in four, in eight.
            0x55 | 0x8c | 0x43 => self.text(1)?,
            0x54 | 0x58 | 0x42 => self.text(4)?,
            0x8d | 0x8e => self.text(8)?,
            0x5d => {
                self.lists.push(Vec::new());
                self.push(Object::List(self.lists.len() - 1))?;
            }
            0x7d => {
                self.dictionaries += 1;
                self.push(Object::Dictionary)?;
            }
            0x61 => {
                let item = self.pop()?;
                self.extend(vec![item])?;
            }
            0x65 => {
                let items = self.pop_mark()?;
                self.extend(items)?;
            }
            0x73 => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(vec![key, value])?;
            }
            0x75 => {
                let items = self.pop_mark()?;
                self.set(items)?;
            }
            count @ (0x29 | 0x85..=0x87) => {
                let count = if count == 0x29 { 0 } else { count - 0x84 };
                let mut items = (0..count).map(|_| self.pop()).collect::<Step<Vec<_>>>()?;
                items.reverse();
                self.tuple(items)?;
            }
            0x74 => {
                let items = self.pop_mark()?;
                self.tuple(items)?;
            }
            0x94 => self.remember(self.memo.len())?,
            0x71 => {
                let slot = self.number(1)?;
                self.remember(slot)?;
            }
            0x72 => {
                let slot = self.number(4)?;
                self.remember(slot)?;
            }
            0x68 => {
                let slot = self.number(1)?;
                self.recall(slot)?;
            }
            0x6a => {
                let slot = self.number(4)?;
                self.recall(slot)?;
            }
            0x63 => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(module, name)?;
            }
            0x93 => match (self.pop()?, self.pop()?) {
                (Object::Bytes(name), Object::Bytes(module)) => self.global(module, name)?,
                _ => return Err("a name is not text".to_owned()),
            },
            0x52 => self.reduce()?,
            0x62 => self.build()?,
            code => {
                return Err(format!(
                    "expected pictures and labels, found instruction 0x{code:02x}, which does not occur in such \
                     a file; nothing was run"
                ));
            }
        }
        Ok(false)
    }

    fn take(&mut self, count: usize) -> Step<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let taken = rest
            .get(..count)
            .ok_or("the pickle ends in the middle of an instruction")?;
        self.at += count;
        Ok(taken)
    }

    /// An unsigned number of so many bytes, the lowest first.
    fn number(&mut self, bytes: usize) -> Step<usize> {
        let bytes = self.take(bytes)?.iter().rev();
        Ok(bytes.fold(0, |number, &byte| number << 8 | usize::from(byte)))
    }

    fn line(&mut self) -> Step<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().take(256).position(|&byte| byte == b'\n');
        let line = &rest[..length.ok_or("a name has no end")?];
        self.at += line.len() + 1;
        Ok(line)
    }

    fn push(&mut self, object: Object<'a>) -> Step<()> {
        if self.stack.len().max(self.lists.len()) >= MAX_OBJECTS {
            return Err("the pickle holds more objects than any data set".to_owned());
        }
        self.stack.push(object);
        Ok(())
    }

    fn pop(&mut self) -> Step<Object<'a>> {
        match self.stack.pop() {
            Some(Object::Mark) | None => Err("an instruction lacks its operand".to_owned()),
            Some(object) => Ok(object),
        }
    }

    fn pop_mark(&mut self) -> Step<Vec<Object<'a>>> {
        let mark = self
            .stack
            .iter()
            .rposition(|object| matches!(object, Object::Mark));
        let mark = mark.ok_or("a collection ends that has not begun")?;
        let items = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(items)
    }

    fn int(&mut self, bytes: usize) -> Step<()> {
        let number = self.number(bytes)?;
        self.push(Object::Int(number as i64))
    }

    fn text(&mut self, bytes: usize) -> Step<()> {
        let length = self.number(bytes)?;
        let text = self.take(length)?;
        self.push(Object::Bytes(text))
    }

    fn tuple(&mut self, items: Vec<Object<'a>>) -> Step<()> {
        let inner = items.iter().map(|item| match item {
            Object::Tuple(_, depth) => *depth,
            _ => 0,
        });
        let depth = 1 + inner.max().unwrap_or(0);
        if depth > MAX_DEPTH || items.len() > 16 {
            return Err("expected pictures and labels, found tuples".to_owned());
        }
        self.push(Object::Tuple(items.into(), depth))
    }

    fn hold(&mut self, count: usize) -> Step<()> {
        self.held += count;
        match self.held <= MAX_OBJECTS {
            true => Ok(()),
            false => Err("the pickle holds more objects than any data set".to_owned()),
        }
    }

    fn extend(&mut self, items: Vec<Object<'a>>) -> Step<()> {
        self.hold(items.len())?;
        let Some(Object::List(place)) = self.stack.last() else {
            return Err("something is added to what is no list".to_owned());
        };
        self.lists[*place].extend(items);
        Ok(())
    }

    fn set(&mut self, items: Vec<Object<'a>>) -> Step<()> {
        self.hold(items.len())?;
        if !matches!(self.stack.last(), Some(Object::Dictionary)) || self.dictionaries != 1 {
            return Err("expected one dictionary".to_owned());
        }
        let mut items = items.into_iter();
        while let Some(key) = items.next() {
            let (Object::Bytes(key), Some(value)) = (key, items.next()) else {
                return Err("expected a dictionary of names".to_owned());
            };
            self.entries.push((key, value));
        }
        Ok(())
    }

    fn remember(&mut self, slot: usize) -> Step<()> {
        // Slots are given out in order; a gap as large as this is an attack on memory.
        if slot >= MAX_OBJECTS || slot > self.memo.len() + 256 {
            return Err(format!(
                "the pickle remembers an object under the number {slot}, out of order"
            ));
        }
        let object = self.stack.last().ok_or("there is nothing to remember")?;
        if slot >= self.memo.len() {
            self.memo.resize(slot + 1, None);
        }
        self.memo[slot] = Some(object.clone());
        Ok(())
    }

    fn recall(&mut self, slot: usize) -> Step<()> {
        let object = self.memo.get(slot).cloned().flatten();
        let object = object
            .ok_or_else(|| format!("the pickle recalls object {slot}, which it never made"))?;
        self.push(object)
    }

    fn global(&mut self, module: &[u8], name: &[u8]) -> Step<()> {
        let global = match (module, name) {
            (b"numpy.core.multiarray" | b"numpy._core.multiarray", b"_reconstruct") => {
                Global::Reconstruct
            }
            (b"numpy", b"ndarray") => Global::Ndarray,
            (b"numpy", b"dtype") => Global::Dtype,
            _ => {
                return Err(format!(
                    "expected pictures and labels, found the name {}.{}, which could run code; nothing was run",
                    String::from_utf8_lossy(module),
                    String::from_utf8_lossy(name)
                ));
            }
        };
        self.push(Object::Global(global))
    }

    /// A call: of NumPy's two constructors, with the arguments that they have for an array of bytes.
    fn reduce(&mut self) -> Step<()> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let (Object::Tuple(arguments, _), Object::Global(function)) = (arguments, function) else {
            return Err("expected pictures and labels, found a call".to_owned());
        };
        match (function, &*arguments) {
            (
                Global::Reconstruct,
                [
                    Object::Global(Global::Ndarray),
                    Object::Tuple(..),
                    Object::Bytes(_),
                ],
            ) => self.push(Object::Array),
            (Global::Dtype, [Object::Bytes(b"u1" | b"|u1"), ..]) => self.push(Object::Dtype),
            _ => Err("expected an array of bytes, found a call with other arguments".to_owned()),
        }
    }

    /// Gives the array its content; what it says of the dtype is known already.
    fn build(&mut self) -> Step<()> {
        let state = self.pop()?;
        let Object::Tuple(state, _) = state else {
            return Err("expected an array of bytes, found an object with a state".to_owned());
        };
        match (self.stack.last(), &*state) {
            (Some(Object::Dtype), _) => Ok(()),
            (
                Some(Object::Array),
                [
                    Object::Int(_),
                    Object::Tuple(shape, _),
                    Object::Dtype,
                    Object::Bool,
                    Object::Bytes(content),
                ],
            ) if self.array.is_none() => {
                let axes = shape.iter().map(|axis| match axis {
                    Object::Int(axis) => usize::try_from(*axis).ok(),
                    _ => None,
                });
                let shape = axes.collect::<Option<Vec<usize>>>();
                let shape = shape.ok_or("the array's shape is not of whole numbers")?;
                self.array = Some((shape, content));
                Ok(())
            }
            _ => Err("expected one array of bytes, found another object with a state".to_owned()),
        }
    }

    /// What the dictionary holds under `data` and `labels`.
    fn content(self) -> Step<(&'a [u8], Vec<u8>)> {
        if !matches!(self.stack.as_slice(), [Object::Dictionary]) {
            return Err("expected a dictionary, found something else".to_owned());
        }
        let entry = |name: &str| {
            let mut entries = self.entries.iter().rev();
            let found = entries.find(|(key, _)| *key == name.as_bytes());
            found.map(|(_, value)| value)
        };
        let (shape, pixels) = match (entry("data"), self.array) {
            (Some(Object::Array), Some(array)) => array,
            _ => return Err("expected an array of bytes under the name \"data\"".to_owned()),
        };
        let Some(Object::List(labels)) = entry("labels") else {
            return Err("expected a list under the name \"labels\"".to_owned());
        };
        let label = |object: &Object<'_>| match object {
            Object::Int(label @ 0..=9) => Ok(*label as u8),
            Object::Int(label) => Err(format!("expected labels from 0 to 9, found {label}")),
            _ => Err("expected labels that are numbers".to_owned()),
        };
        let labels: Vec<u8> = self.lists[*labels].iter().map(label).collect::<Step<_>>()?;
        if shape != [labels.len(), PIXELS] || pixels.len() != labels.len() * PIXELS {
            return Err(format!(
                "expected {PIXELS} bytes for each of {} labels, found {} bytes of shape {shape:?}",
                labels.len(),
                pixels.len()
            ));
        }
        Ok((pixels, labels))
    }
}
