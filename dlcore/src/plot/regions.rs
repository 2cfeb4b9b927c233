//! Parts of the plane: cells of a grid filled by kind, and the lines between them.

use std::collections::BTreeMap;

use super::canvas::{Canvas, Color};

/// How far a region reaches beneath its neighbours, in pixels.
const SEAM: f64 = 0.7;

/// Values on a grid, row by row from the bottom left.
#[derive(Debug)]
pub(super) struct Grid<T> {
    pub columns: usize,
    pub rows: usize,
    pub values: Vec<T>,
}

impl<T: Copy> Grid<T> {
    pub fn at(&self, column: usize, row: usize) -> T {
        self.values[row * self.columns + column]
    }

    /// The same grid of other values.
    pub fn map<U>(&self, make: impl Fn(T) -> U) -> Grid<U> {
        Grid {
            columns: self.columns,
            rows: self.rows,
            values: self.values.iter().map(|&value| make(value)).collect(),
        }
    }
}

/// A box in pixels, its bottom below its top.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

/// Fills the cells in the colours of their kinds: a rectangle for each stretch of a row that is of one
/// kind, and for the rows below that are like it. What has no colour is left out.
pub(super) fn fill(
    canvas: &mut dyn Canvas,
    kinds: &Grid<usize>,
    place: Place,
    color: impl Fn(usize) -> Option<Color>,
) {
    let (width, height) = (
        (place.right - place.left) / kinds.columns as f64,
        (place.bottom - place.top) / kinds.rows as f64,
    );
    // Stretches of the row before that go on: their ends and kind, and where they began.
    let mut open: BTreeMap<(usize, usize, usize), usize> = BTreeMap::new();
    for row in 0..=kinds.rows {
        let stretches = if row < kinds.rows {
            stretches(kinds, row)
        } else {
            Vec::new()
        };
        let ended: Vec<_> = open
            .keys()
            .filter(|key| !stretches.contains(key))
            .copied()
            .collect();
        for key in ended {
            let (first, end, kind) = key;
            let from = open.remove(&key).unwrap_or(row);
            if let Some(color) = color(kind) {
                // A little too large, under what comes next: no ground shows between them.
                let right = place.right.min(place.left + end as f64 * width + SEAM);
                let top = place.top.max(place.bottom - row as f64 * height - SEAM);
                let (left, bottom) = (
                    place.left + first as f64 * width,
                    place.bottom - from as f64 * height,
                );
                canvas.rectangle((left, top), (right - left, bottom - top), color);
            }
        }
        for stretch in stretches {
            open.entry(stretch).or_insert(row);
        }
    }
}

/// The stretches of one kind in a row: first column, the one after the last, and the kind.
fn stretches(kinds: &Grid<usize>, row: usize) -> Vec<(usize, usize, usize)> {
    let mut stretches: Vec<(usize, usize, usize)> = Vec::new();
    for column in 0..kinds.columns {
        let kind = kinds.at(column, row);
        match stretches.last_mut() {
            Some(last) if last.2 == kind => last.1 = column + 1,
            _ => stretches.push((column, column + 1, kind)),
        }
    }
    stretches
}

/// A side of a cell that a line crosses: its lower left end, and whether it goes up.
pub(super) type Side = (usize, usize, bool);

/// The two ends of a side, as columns and rows.
pub(super) fn ends((column, row, up): Side) -> [(usize, usize); 2] {
    match up {
        true => [(column, row), (column, row + 1)],
        false => [(column, row), (column + 1, row)],
    }
}

/// The sides between cells of different kinds.
pub(super) fn borders(kinds: &Grid<usize>) -> Vec<Side> {
    let sides = (0..kinds.rows).flat_map(|row| {
        (0..kinds.columns).flat_map(move |column| [(column, row, false), (column, row, true)])
    });
    let differs = |side: &Side| {
        let [(a, b), (c, d)] = ends(*side);
        c < kinds.columns && d < kinds.rows && kinds.at(a, b) != kinds.at(c, d)
    };
    sides.filter(differs).collect()
}

/// The lines along which the grid has this value, in pixels, by marching squares. The values lie in the
/// middles of the cells and are taken to rise evenly between them.
pub(super) fn contours(grid: &Grid<f64>, level: f64, place: Place) -> Vec<Vec<(f64, f64)>> {
    let share = |side: Side| {
        let [a, b] = ends(side).map(|(column, row)| grid.at(column, row));
        ((level - a) / (b - a)).clamp(0.0, 1.0)
    };
    lines(grid, level, place, &share)
}

/// [`contours`] where it is known otherwise at which share of a side a line crosses it.
pub(super) fn lines(
    grid: &Grid<f64>,
    level: f64,
    place: Place,
    share: &dyn Fn(Side) -> f64,
) -> Vec<Vec<(f64, f64)>> {
    let mut neighbours: BTreeMap<Side, Vec<Side>> = BTreeMap::new();
    for row in 0..grid.rows.saturating_sub(1) {
        for column in 0..grid.columns.saturating_sub(1) {
            for (a, b) in crossings(grid, level, column, row) {
                neighbours.entry(a).or_default().push(b);
                neighbours.entry(b).or_default().push(a);
            }
        }
    }
    let mut lines = Vec::new();
    // Open lines first, from their ends; what is left are rings.
    for ends in [true, false] {
        let starts: Vec<Side> = neighbours.keys().copied().collect();
        for start in starts {
            let count = neighbours.get(&start).map_or(0, Vec::len);
            if count > 0 && (count == 1 || !ends) {
                let sides = walk(&mut neighbours, start);
                lines.push(
                    sides
                        .into_iter()
                        .map(|side| point(grid, place, side, share(side)))
                        .collect(),
                );
            }
        }
    }
    lines
}

/// Follows a line to its end, and takes it out.
fn walk(neighbours: &mut BTreeMap<Side, Vec<Side>>, start: Side) -> Vec<Side> {
    let (mut line, mut at) = (vec![start], start);
    while let Some(next) = neighbours.get_mut(&at).and_then(Vec::pop) {
        if let Some(back) = neighbours.get_mut(&next) {
            back.retain(|side| *side != at);
        }
        line.push(next);
        at = next;
    }
    line
}

/// Which sides of a cell are joined by a line.
fn crossings(grid: &Grid<f64>, level: f64, column: usize, row: usize) -> Vec<(Side, Side)> {
    let corner = |c: usize, r: usize| grid.at(column + c, row + r);
    let corners = [corner(0, 0), corner(1, 0), corner(1, 1), corner(0, 1)];
    if corners.iter().any(|value| !value.is_finite()) {
        return Vec::new();
    }
    let sides = [
        (column, row, false),
        (column + 1, row, true),
        (column, row + 1, false),
        (column, row, true),
    ];
    let above = corners.map(|value| value >= level);
    let crossed: Vec<usize> = (0..4)
        .filter(|&side| above[side] != above[(side + 1) % 4])
        .collect();
    match crossed[..] {
        [a, b] => vec![(sides[a], sides[b])],
        [_, _, _, _] => {
            // A saddle: the middle decides which corners are together.
            let middle = corners.iter().sum::<f64>() / 4.0 >= level;
            match middle == above[0] {
                true => vec![(sides[0], sides[1]), (sides[2], sides[3])],
                false => vec![(sides[3], sides[0]), (sides[1], sides[2])],
            }
        }
        _ => Vec::new(),
    }
}

/// Where a share of a side lies.
fn point<T>(grid: &Grid<T>, place: Place, (column, row, up): Side, share: f64) -> (f64, f64) {
    let (dx, dy) = if up { (0.0, share) } else { (share, 0.0) };
    (
        place.left + (column as f64 + dx + 0.5) * (place.right - place.left) / grid.columns as f64,
        place.bottom - (row as f64 + dy + 0.5) * (place.bottom - place.top) / grid.rows as f64,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place {
        left: 0.0,
        top: 0.0,
        right: 100.0,
        bottom: 100.0,
    };

    fn bowl() -> Grid<f64> {
        let values = (0..2500).map(|i| {
            let (x, y) = (f64::from(i % 50) - 24.5, f64::from(i / 50) - 24.5);
            x.hypot(y)
        });
        Grid {
            columns: 50,
            rows: 50,
            values: values.collect(),
        }
    }

    #[test]
    fn the_level_of_a_bowl_is_one_ring() {
        let lines = contours(&bowl(), 10.0, PLACE);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].first(), lines[0].last());
        for &(x, y) in &lines[0] {
            assert!(((x - 50.0).hypot(y - 50.0) - 20.0).abs() < 0.2, "{x}, {y}");
        }
    }

    #[test]
    fn a_line_that_leaves_the_grid_is_open() {
        let slope = Grid {
            columns: 4,
            rows: 3,
            values: [0.0, 1.0, 2.0, 3.0].repeat(3),
        };
        let lines = contours(&slope, 1.5, PLACE);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].len(), 3);
        assert!(lines[0].iter().all(|(x, _)| (x - 50.0).abs() < 1e-9));
    }
}
