//! A pickle reader that can hold lists of whole numbers in a NumPy object array, and nothing else.
//!
//! A pickle is a program: `pickle.load` runs whatever function it names. This reader knows only the
//! instructions that occur when NumPy saves an object array of lists of integers, and three names
//! (`_reconstruct`, `ndarray`, `dtype`), which it does not call but recognises. Everything else is
//! refused where it stands. Instruction set: CPython's `Lib/pickletools.py`, protocols 2 to 5.

use std::rc::Rc;

/// What the file may hold in all; the largest known one (IMDB) has 6 million numbers.
const MAX_NUMBERS: usize = 1 << 28;
/// Objects under construction and remembered objects.
const MAX_OBJECTS: usize = 1 << 26;
/// Tuples within tuples: the array's state holds its shape.
const MAX_DEPTH: usize = 3;

/// Where and why a pickle was refused.
#[derive(Debug, PartialEq)]
pub(crate) struct PickleError {
    /// The byte at which the instruction begins.
    pub offset: usize,
    pub message: String,
}

/// Reads a NumPy object array of lists of whole numbers.
pub(crate) fn read_lists(bytes: &[u8]) -> Result<Vec<Vec<u32>>, PickleError> {
    let mut machine = Machine {
        bytes,
        at: 0,
        ..Machine::default()
    };
    loop {
        let offset = machine.at;
        match machine.step() {
            Ok(None) => {}
            Ok(Some(rows)) => return Ok(rows),
            Err(message) => return Err(PickleError { offset, message }),
        }
    }
}

#[derive(Clone)]
enum Object {
    Mark,
    None,
    Bool,
    Int(i64),
    Text(Rc<str>),
    Tuple(Rc<[Object]>, usize),
    List(usize),
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

/// A list holds numbers, or it holds lists.
#[derive(Default)]
struct List {
    numbers: Vec<u32>,
    lists: Vec<usize>,
}

#[derive(Default)]
struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Object>,
    memo: Vec<Option<Object>>,
    lists: Vec<List>,
    numbers: usize,
    rows: Option<Vec<usize>>,
}

type Step<T> = Result<T, String>;

impl Machine<'_> {
    /// One instruction; the rows at the last one.
    fn step(&mut self) -> Step<Option<Vec<Vec<u32>>>> {
        match self.byte()? {
            b'.' => return self.stop().map(Some),
            0x80 => self.protocol()?,
            0x95 => self.frame()?,
            b'(' => self.push(Object::Mark)?,
            b'N' => self.push(Object::None)?,
            0x88 | 0x89 => self.push(Object::Bool)?,
            b'K' => self.int::<1>()?,
            b'M' => self.int::<2>()?,
            b'J' => self.signed_int()?,
            0x8a => self.long()?,
            0x8c | b'C' | b'U' => self.text::<1>()?,
            b'X' | b'B' | b'T' => self.text::<4>()?,
            b')' => self.tuple_of(0)?,
            0x85 => self.tuple_of(1)?,
            0x86 => self.tuple_of(2)?,
            0x87 => self.tuple_of(3)?,
            b't' => {
                let items = self.pop_mark()?;
                self.tuple(items)?;
            }
            b']' => self.empty_list()?,
            b'a' => {
                let item = self.pop()?;
                self.extend(vec![item])?;
            }
            b'e' => {
                let items = self.pop_mark()?;
                self.extend(items)?;
            }
            0x94 => self.remember(self.memo.len())?,
            b'q' => {
                let slot = self.number::<1>()?;
                self.remember(slot)?;
            }
            b'r' => {
                let slot = self.number::<4>()?;
                self.remember(slot)?;
            }
            b'h' => {
                let slot = self.number::<1>()?;
                self.recall(slot)?;
            }
            b'j' => {
                let slot = self.number::<4>()?;
                self.recall(slot)?;
            }
            b'c' => self.global_by_line()?,
            0x93 => self.global_by_stack()?,
            b'R' => self.reduce()?,
            b'b' => self.build()?,
            code => return Err(refused(code)),
        }
        Ok(None)
    }

    fn take(&mut self, count: usize) -> Step<&[u8]> {
        let end = self
            .at
            .checked_add(count)
            .filter(|&end| end <= self.bytes.len());
        let end = end.ok_or("the pickle ends in the middle of an instruction")?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Step<u8> {
        let byte = *self
            .bytes
            .get(self.at)
            .ok_or("the pickle ends without its last instruction")?;
        self.at += 1;
        Ok(byte)
    }

    /// An unsigned little-endian number of `N` bytes.
    fn number<const N: usize>(&mut self) -> Step<usize> {
        Ok(self
            .take(N)?
            .iter()
            .rev()
            .fold(0, |number, &byte| number << 8 | usize::from(byte)))
    }

    fn push(&mut self, object: Object) -> Step<()> {
        if self.stack.len() >= MAX_OBJECTS {
            return Err("the pickle holds more objects than any data set".to_owned());
        }
        self.stack.push(object);
        Ok(())
    }

    fn pop(&mut self) -> Step<Object> {
        match self.stack.pop() {
            Some(Object::Mark) | None => Err("an instruction lacks its operand".to_owned()),
            Some(object) => Ok(object),
        }
    }

    fn pop_mark(&mut self) -> Step<Vec<Object>> {
        let mark = self
            .stack
            .iter()
            .rposition(|object| matches!(object, Object::Mark));
        let mark = mark.ok_or("a collection ends that has not begun")?;
        let items = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(items)
    }

    fn protocol(&mut self) -> Step<()> {
        match self.byte()? {
            2..=5 => Ok(()),
            other => Err(format!("expected pickle protocol 2 to 5, found {other}")),
        }
    }

    fn frame(&mut self) -> Step<()> {
        let length = self.number::<8>()?;
        if length > self.bytes.len() - self.at {
            return Err(format!(
                "a frame claims {length} bytes, past the end of the pickle"
            ));
        }
        Ok(())
    }

    fn int<const N: usize>(&mut self) -> Step<()> {
        let number = self.number::<N>()?;
        self.push(Object::Int(number as i64))
    }

    fn signed_int(&mut self) -> Step<()> {
        let number = self.number::<4>()? as u32 as i32;
        self.push(Object::Int(i64::from(number)))
    }

    /// A whole number in as many bytes as it needs.
    fn long(&mut self) -> Step<()> {
        let length = usize::from(self.byte()?);
        if length > 8 {
            return Err(format!(
                "expected whole numbers of up to 8 bytes, found one of {length}"
            ));
        }
        let mut bytes = [0; 8];
        let taken = self.take(length)?;
        if taken.last().is_some_and(|&byte| byte >= 0x80) {
            bytes = [0xff; 8];
        }
        bytes[..length].copy_from_slice(taken);
        self.push(Object::Int(i64::from_le_bytes(bytes)))
    }

    /// Text or bytes: names of NumPy's own, never data.
    fn text<const N: usize>(&mut self) -> Step<()> {
        let length = self.number::<N>()?;
        if length > 64 {
            return Err(format!(
                "expected lists of whole numbers, found a text of {length} bytes"
            ));
        }
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.push(Object::Text(text.into()))
    }

    fn tuple_of(&mut self, count: usize) -> Step<()> {
        let mut items = (0..count).map(|_| self.pop()).collect::<Step<Vec<_>>>()?;
        items.reverse();
        self.tuple(items)
    }

    fn tuple(&mut self, items: Vec<Object>) -> Step<()> {
        let inner = |object: &Object| {
            if let Object::Tuple(_, depth) = object {
                *depth
            } else {
                0
            }
        };
        let depth = 1 + items.iter().map(inner).max().unwrap_or(0);
        if depth > MAX_DEPTH || items.len() > 16 {
            return Err("expected lists of whole numbers, found tuples".to_owned());
        }
        self.push(Object::Tuple(items.into(), depth))
    }

    fn empty_list(&mut self) -> Step<()> {
        if self.lists.len() >= MAX_OBJECTS {
            return Err("the pickle holds more lists than any data set".to_owned());
        }
        self.lists.push(List::default());
        self.push(Object::List(self.lists.len() - 1))
    }

    fn extend(&mut self, items: Vec<Object>) -> Step<()> {
        let Some(Object::List(id)) = self.stack.last() else {
            return Err("numbers are added to something that is no list".to_owned());
        };
        let list = &mut self.lists[*id];
        self.numbers += items.len();
        if self.numbers > MAX_NUMBERS {
            return Err("the pickle holds more numbers than any data set".to_owned());
        }
        for item in items {
            match item {
                Object::Int(number) => list.numbers.push(u32::try_from(number).map_err(|_| {
                    format!(
                        "expected whole numbers from 0 to {}, found {number}",
                        u32::MAX
                    )
                })?),
                Object::List(id) => list.lists.push(id),
                other => {
                    return Err(format!(
                        "expected lists of whole numbers, found {}",
                        other.name()
                    ));
                }
            }
        }
        if list.numbers.is_empty() || list.lists.is_empty() {
            Ok(())
        } else {
            Err(
                "expected a list of whole numbers, found one that mixes numbers and lists"
                    .to_owned(),
            )
        }
    }

    fn remember(&mut self, slot: usize) -> Step<()> {
        // Slots are given out in order; a gap as large as this is an attack on memory.
        if slot >= MAX_OBJECTS || slot > self.memo.len() + 256 {
            return Err(format!(
                "the pickle remembers an object under the number {slot}, out of order"
            ));
        }
        let object = self
            .stack
            .last()
            .filter(|object| !matches!(object, Object::Mark))
            .cloned();
        let object = object.ok_or("there is nothing to remember")?;
        if slot >= self.memo.len() {
            self.memo.resize(slot + 1, None);
        }
        self.memo[slot] = Some(object);
        Ok(())
    }

    fn recall(&mut self, slot: usize) -> Step<()> {
        let object = self.memo.get(slot).cloned().flatten();
        let object = object
            .ok_or_else(|| format!("the pickle recalls object {slot}, which it never made"))?;
        self.push(object)
    }

    /// Protocols up to 3 write a name as two lines.
    fn global_by_line(&mut self) -> Step<()> {
        let mut line = || {
            let rest = &self.bytes[self.at..];
            let length = rest.iter().take(256).position(|&byte| byte == b'\n');
            let length = length.ok_or("a name has no end")?;
            self.at += length + 1;
            Ok::<_, String>(String::from_utf8_lossy(&rest[..length]).into_owned())
        };
        let (module, name) = (line()?, line()?);
        self.push_global(&module, &name)
    }

    fn global_by_stack(&mut self) -> Step<()> {
        match (self.pop()?, self.pop()?) {
            (Object::Text(name), Object::Text(module)) => self.push_global(&module, &name),
            _ => Err("a name is not text".to_owned()),
        }
    }

    fn push_global(&mut self, module: &str, name: &str) -> Step<()> {
        let global = match (module, name) {
            ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => {
                Global::Reconstruct
            }
            ("numpy", "ndarray") => Global::Ndarray,
            ("numpy", "dtype") => Global::Dtype,
            _ => {
                return Err(format!(
                    "expected lists of whole numbers, found the name {module}.{name}, which could run code; \
                     nothing was run"
                ));
            }
        };
        self.push(Object::Global(global))
    }

    /// A call: of NumPy's two constructors, with the arguments that they have in an object array.
    fn reduce(&mut self) -> Step<()> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let (Object::Tuple(arguments, _), Object::Global(function)) = (arguments, function) else {
            return Err("expected lists of whole numbers, found a call".to_owned());
        };
        match (function, &*arguments) {
            (
                Global::Reconstruct,
                [
                    Object::Global(Global::Ndarray),
                    Object::Tuple(..),
                    Object::Text(_),
                ],
            ) => self.push(Object::Array),
            (Global::Dtype, [Object::Text(kind), ..]) if matches!(&**kind, "O8" | "O4" | "O") => {
                self.push(Object::Dtype)
            }
            _ => Err("expected an array of lists, found a call with other arguments".to_owned()),
        }
    }

    /// Gives the array its content; what it says of the dtype is known already.
    fn build(&mut self) -> Step<()> {
        let state = self.pop()?;
        let target = self.stack.last();
        let Object::Tuple(state, _) = state else {
            return Err(
                "expected an array of lists, found an object with a state of its own".to_owned(),
            );
        };
        match (target, &*state) {
            (Some(Object::Dtype), _) => Ok(()),
            (
                Some(Object::Array),
                [
                    Object::Int(_),
                    Object::Tuple(shape, _),
                    Object::Dtype,
                    Object::Bool,
                    Object::List(id),
                ],
            ) => {
                let rows = self.lists[*id].lists.clone();
                let fits = matches!(&**shape, [Object::Int(count)] if *count == rows.len() as i64);
                if !fits || !self.lists[*id].numbers.is_empty() || self.rows.is_some() {
                    return Err(format!(
                        "expected one array of lists, found one whose shape does not fit its {} lists",
                        rows.len()
                    ));
                }
                self.rows = Some(rows);
                Ok(())
            }
            _ => Err(
                "expected an array of lists, found an object with a state of its own".to_owned(),
            ),
        }
    }

    fn stop(&mut self) -> Step<Vec<Vec<u32>>> {
        let rows = match self.stack.as_slice() {
            [Object::Array] => self.rows.take(),
            _ => None,
        };
        let rows =
            rows.ok_or("expected an array of lists of whole numbers, found something else")?;
        let mut taken = vec![false; self.lists.len()];
        rows.into_iter()
            .map(|id| {
                // A list that stands twice could make a small file huge.
                if std::mem::replace(&mut taken[id], true) || !self.lists[id].lists.is_empty() {
                    return Err("expected each list once, and only numbers in it".to_owned());
                }
                Ok(std::mem::take(&mut self.lists[id].numbers))
            })
            .collect()
    }
}

impl Object {
    fn name(&self) -> &'static str {
        match self {
            Object::Mark => "an unfinished collection",
            Object::None => "None",
            Object::Bool => "a truth value",
            Object::Int(_) => "a number",
            Object::Text(_) => "text",
            Object::Tuple(..) => "a tuple",
            Object::List(_) => "a list",
            Object::Global(_) => "a function",
            Object::Dtype => "a dtype",
            Object::Array => "an array",
        }
    }
}

fn refused(code: u8) -> String {
    let name = match code {
        b'i' | b'o' | 0x81 | 0x92 => "makes an object",
        0x82..=0x84 => "names an extension",
        b'P' | b'Q' => "refers to something outside the file",
        b'G' | b'F' => "makes a number that is not whole",
        b'}' | b'd' | b's' | b'u' => "makes a dictionary",
        _ => "does not occur in one",
    };
    format!(
        "expected lists of whole numbers, found instruction 0x{code:02x}, which {name}; nothing was run"
    )
}

#[cfg(test)]
mod tests;
