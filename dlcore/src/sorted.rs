//! Sorting for lists that are short, or sorted seldom.
//!
//! The standard library's sort is compiled anew, some seven kilobytes each time, for every type and every
//! comparison, and `collect` into a sorted map or set brings one of its own along. Here it is compiled once.

use std::cmp::Ordering;

/// The items in the order of `compare`; equal ones stay in theirs.
pub(crate) fn by<T>(items: Vec<T>, compare: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    let places = order(items.len(), &|a, b| compare(&items[a], &items[b]));
    let mut items: Vec<Option<T>> = items.into_iter().map(Some).collect();
    places
        .into_iter()
        .filter_map(|place| items[place].take())
        .collect()
}

/// The numbers below `count` in the order of `compare`; equal ones stay in theirs.
pub(crate) fn order(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).collect();
    places.sort_by(|&a, &b| compare(a, b));
    places
}

/// A map or set of the entries, put in one by one.
pub(crate) fn gathered<M: Default + Extend<E>, E>(entries: impl IntoIterator<Item = E>) -> M {
    let mut all = M::default();
    all.extend(entries);
    all
}

#[cfg(test)]
mod tests {
    use super::by;

    #[test]
    fn equal_items_stay_in_order_and_none_is_lost() {
        let items: Vec<(usize, String)> = (0..100).map(|i| (i * 37 % 10, i.to_string())).collect();
        let mut expected = items.clone();
        expected.sort_by_key(|item| item.0);
        assert_eq!(by(items, |a, b| a.0.cmp(&b.0)), expected);
    }
}
