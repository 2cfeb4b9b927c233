//! Variables between cells.

use std::any::{Any, type_name};
use std::collections::BTreeMap;
use std::marker::PhantomData;

use super::{about, kept};

/// Asks whether a type is `Copy`, by which of two methods the compiler finds for it: the generated
/// cell calls `(&probe(&value)).copies()`.
pub fn probe<T>(_: &T) -> Probe<T> {
    Probe(PhantomData)
}

/// Stands for a type.
pub struct Probe<T>(PhantomData<T>);

/// Found for types that are `Copy`.
pub trait IsCopy {
    /// True.
    fn copies(&self) -> bool;
}

impl<T: Copy> IsCopy for Probe<T> {
    fn copies(&self) -> bool {
        true
    }
}

/// Found for all others.
pub trait IsNotCopy {
    /// False.
    fn copies(&self) -> bool;
}

impl<T> IsNotCopy for &Probe<T> {
    fn copies(&self) -> bool {
        false
    }
}

/// A value that costs next to nothing to clone. A cell that takes such a variable over and fails
/// gives back the clone, so that a shape that does not fit costs nobody a tensor or a model.
pub trait CheapClone: Clone {
    /// The clone; that of a model shares its layers, as other variables may.
    fn spare(&self) -> Self {
        self.clone()
    }
}

impl CheapClone for crate::Tensor {}
impl CheapClone for crate::models::History {}
impl CheapClone for crate::models::LayerRef {}
impl CheapClone for crate::models::Symbol {}

impl CheapClone for crate::models::Model {
    fn spare(&self) -> Self {
        self.beside()
    }
}

impl CheapClone for crate::models::Sequential {
    fn spare(&self) -> Self {
        self.beside()
    }
}

/// Found for types that are cheap to clone: `(&probe(&value)).spare(&value)`.
pub trait Spare<T> {
    /// A clone.
    fn spare(&self, value: &T) -> Option<T>;
}

impl<T: CheapClone> Spare<T> for Probe<T> {
    fn spare(&self, value: &T) -> Option<T> {
        Some(CheapClone::spare(value))
    }
}

/// Found for all others.
pub trait NoSpare<T> {
    /// None.
    fn spare(&self, value: &T) -> Option<T>;
}

impl<T> NoSpare<T> for &Probe<T> {
    fn spare(&self, _: &T) -> Option<T> {
        None
    }
}

/// The variables of a notebook, by name, each in a box that knows its type.
#[derive(Default)]
pub struct Store {
    slots: BTreeMap<String, Slot>,
    /// What cells share beside their variables, for as long as the process lives.
    shared: Vec<&'static dyn Any>,
}

struct Slot {
    value: Box<dyn Any>,
    /// Lives in the library of the cell that put the value; these are never unloaded.
    type_name: &'static str,
    /// Lets the kernel tell a move from a copy before it compiles.
    copy: bool,
}

impl Store {
    /// Keeps `value` under `name`, dropping what was there. `copy` says whether its type is `Copy`:
    /// see [`probe`].
    pub fn put<T: 'static>(&mut self, name: &str, value: T, copy: bool) {
        self.put_slot(name, Box::new(value), type_name::<T>(), copy);
    }

    /// Not generic: compiled once, here, instead of in each cell.
    fn put_slot(&mut self, name: &str, value: Box<dyn Any>, type_name: &'static str, copy: bool) {
        let slot = Slot {
            value,
            type_name,
            copy,
        };
        self.slots.insert(name.to_owned(), slot);
        kept::put(name);
    }

    /// Takes the variable `name` out.
    ///
    /// # Panics
    /// When there is none, or it has another type: the kernel compiled the cell against a
    /// different store.
    pub fn take<T: 'static>(&mut self, name: &str) -> T {
        let slot = self.take_slot(name);
        match slot.value.downcast() {
            Ok(value) => *value,
            Err(_) => other_type(name, slot.type_name, type_name::<T>()),
        }
    }

    /// The one value of its type that all cells share, such as a runtime for what they await.
    pub fn shared<T: 'static>(&mut self, make: impl FnOnce() -> T) -> &'static T {
        let known = self.shared.iter().find_map(|value| value.downcast_ref());
        known.unwrap_or_else(|| {
            let value: &'static T = Box::leak(Box::new(make()));
            self.shared.push(value);
            value
        })
    }

    /// Not generic either.
    fn take_slot(&mut self, name: &str) -> Slot {
        let slot = self
            .slots
            .remove(name)
            .unwrap_or_else(|| panic!("the variable `{name}` is not there"));
        kept::taken(name, &*slot.value);
        slot
    }

    /// Every variable's name and value.
    pub(super) fn values(&self) -> impl Iterator<Item = (&str, &dyn Any)> {
        self.slots
            .iter()
            .map(|(name, slot)| (name.as_str(), &*slot.value))
    }

    /// Drops the variable `name`, if it is there.
    pub(super) fn forget(&mut self, name: &str) {
        self.slots.remove(name);
    }

    /// Name, type, whether it is `Copy`, what is to be seen of it and its size, of every variable.
    pub(super) fn describe(&self) -> serde_json::Value {
        let describe = |(name, slot): (&String, &Slot)| {
            let (about, bytes) = about::of(&*slot.value);
            serde_json::json!({"name": name, "type": slot.type_name, "copy": slot.copy, "about": about, "bytes": bytes})
        };
        self.slots.iter().map(describe).collect()
    }
}

fn other_type(name: &str, found: &str, expected: &str) -> ! {
    panic!("the variable `{name}` has type {found}, the cell expected {expected}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_comes_back_as_it_was_put() {
        let mut store = Store::default();
        store.put("x", vec![1, 2], false);
        store.put("x", String::from("later"), false);
        assert_eq!(store.take::<String>("x"), "later");
        assert_eq!(store.describe(), serde_json::json!([]));
    }

    #[test]
    #[expect(
        clippy::needless_borrow,
        reason = "as cells call it: the reference decides which trait answers"
    )]
    fn a_copy_is_told_from_a_move() {
        let (number, text) = (1.5f32, String::new());
        assert!((&probe(&number)).copies());
        assert!(!(&probe(&text)).copies());
        let mut store = Store::default();
        store.put("text", text, false);
        let told = store.describe();
        assert_eq!(told[0]["copy"], false);
        assert_eq!(told[0]["type"], "alloc::string::String");
    }

    #[test]
    #[should_panic(expected = "the cell expected alloc::string::String")]
    fn another_type_is_refused() {
        let mut store = Store::default();
        store.put("x", 1u8, true);
        store.take::<String>("x");
    }
}
