//! Variables between cells.

use std::any::{Any, type_name};
use std::collections::BTreeMap;

/// The variables of a notebook, by name, each in a box that knows its type.
#[derive(Default)]
pub struct Store {
    slots: BTreeMap<String, Slot>,
}

struct Slot {
    value: Box<dyn Any>,
    /// Lives in the library of the cell that put the value; these are never unloaded.
    type_name: &'static str,
    /// A type that needs no drop may be `Copy`; one that does cannot be. The kernel uses this to
    /// tell a move from a copy before it compiles.
    needs_drop: bool,
}

impl Store {
    /// Keeps `value` under `name`, dropping what was there.
    pub fn put<T: 'static>(&mut self, name: &str, value: T) {
        let slot = Slot {
            value: Box::new(value),
            type_name: type_name::<T>(),
            needs_drop: std::mem::needs_drop::<T>(),
        };
        self.slots.insert(name.to_owned(), slot);
    }

    /// Takes the variable `name` out.
    ///
    /// # Panics
    /// When there is none, or it has another type: the kernel compiled the cell against a
    /// different store.
    pub fn take<T: 'static>(&mut self, name: &str) -> T {
        let slot = self
            .slots
            .remove(name)
            .unwrap_or_else(|| panic!("the variable `{name}` is not there"));
        match slot.value.downcast() {
            Ok(value) => *value,
            Err(_) => panic!(
                "the variable `{name}` has type {}, the cell expected {}",
                slot.type_name,
                type_name::<T>()
            ),
        }
    }

    /// Drops the variable `name`, if it is there.
    pub(super) fn forget(&mut self, name: &str) {
        self.slots.remove(name);
    }

    /// Name, type and whether it needs a drop, of every variable.
    pub(super) fn describe(&self) -> serde_json::Value {
        let describe = |(name, slot): (&String, &Slot)| serde_json::json!({"name": name, "type": slot.type_name, "needs_drop": slot.needs_drop});
        self.slots.iter().map(describe).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_comes_back_as_it_was_put() {
        let mut store = Store::default();
        store.put("x", vec![1, 2]);
        store.put("x", String::from("later"));
        assert_eq!(store.take::<String>("x"), "later");
        assert_eq!(store.describe(), serde_json::json!([]));
    }

    #[test]
    fn what_needs_a_drop_is_told_from_what_may_be_copied() {
        let mut store = Store::default();
        store.put("number", 1.5f32);
        store.put("text", String::new());
        let told = store.describe();
        assert_eq!(told[0]["needs_drop"], false);
        assert_eq!(told[1]["needs_drop"], true);
        assert_eq!(told[1]["type"], "alloc::string::String");
    }

    #[test]
    #[should_panic(expected = "the cell expected alloc::string::String")]
    fn another_type_is_refused() {
        let mut store = Store::default();
        store.put("x", 1u8);
        store.take::<String>("x");
    }
}
