//! Places for the boxes of a directed graph: ranks from top to bottom, few crossings, short lines.
//!
//! Sugiyama's way in four steps: ranks by the longest path, points for lines to pass ranks that they
//! cross, an order within each rank by the mean place of neighbours, then the positions themselves.

/// Rounds of ordering and of moving; drawings of networks settle in fewer.
const ROUNDS: usize = 12;
/// Room between boxes that stand beside each other.
const APART: f64 = 22.0;
/// Half the width that a passing line takes.
const PASSING: f64 = 4.0;

/// What is to be placed: boxes by their widths, and where each takes its inputs from, which stands before it.
use crate::sorted;
pub(super) struct Graph<'a> {
    pub widths: &'a [f64],
    pub inputs: &'a [Vec<usize>],
}

/// Where everything is: middles of boxes, and the middles through which each line passes.
pub(super) struct Layout {
    /// Rank and horizontal middle of each box.
    pub boxes: Vec<(usize, f64)>,
    pub lines: Vec<Line>,
    pub width: f64,
    pub ranks: usize,
}

/// From which box to which, with a rank and a middle for each rank that is passed.
pub(super) struct Line {
    pub from: usize,
    pub to: usize,
    pub way: Vec<(usize, f64)>,
}

/// A box, or a line's way past a rank.
struct Point {
    rank: usize,
    half: f64,
    middle: f64,
    above: Vec<usize>,
    below: Vec<usize>,
}

pub(super) fn layout(graph: &Graph<'_>) -> Layout {
    let ranks = ranks(graph.inputs);
    let mut points: Vec<Point> = Vec::new();
    for (&rank, width) in ranks.iter().zip(graph.widths) {
        points.push(point(rank, width / 2.0));
    }
    let mut ways: Vec<(usize, usize, Vec<usize>)> = Vec::new();
    for (to, inputs) in graph.inputs.iter().enumerate() {
        for &from in inputs {
            let mut way = Vec::new();
            let mut last = from;
            for rank in ranks[from] + 1..ranks[to] {
                points.push(point(rank, PASSING));
                let passing = points.len() - 1;
                connect(&mut points, last, passing);
                way.push(passing);
                last = passing;
            }
            connect(&mut points, last, to);
            ways.push((from, to, way));
        }
    }
    let count = ranks.iter().max().map_or(0, |last| last + 1);
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (index, point) in points.iter().enumerate() {
        rows[point.rank].push(index);
    }
    order(&mut rows, &points);
    place(&rows, &mut points);
    finish(&points, ranks.len(), ways, count)
}

fn point(rank: usize, half: f64) -> Point {
    Point {
        rank,
        half,
        middle: 0.0,
        above: Vec::new(),
        below: Vec::new(),
    }
}

fn connect(points: &mut [Point], from: usize, to: usize) {
    points[from].below.push(to);
    points[to].above.push(from);
}

/// The longest path from the top; what takes nothing stands just above the first that takes it.
fn ranks(inputs: &[Vec<usize>]) -> Vec<usize> {
    let mut ranks = vec![0; inputs.len()];
    for (index, from) in inputs.iter().enumerate() {
        ranks[index] = from.iter().map(|&i| ranks[i] + 1).max().unwrap_or(0);
    }
    for index in 0..inputs.len() {
        let takers = inputs.iter().zip(&ranks);
        let first = takers.filter(|(from, _)| from.contains(&index));
        if let Some(first) = first.map(|(_, &rank)| rank).min()
            && inputs[index].is_empty()
        {
            ranks[index] = first - 1;
        }
    }
    ranks
}

/// Sorts each rank by the mean place of what it is connected to, above and below in turn; the order with
/// the fewest crossings stays.
fn order(rows: &mut Vec<Vec<usize>>, points: &[Point]) {
    let mut best = (crossings(rows, points), rows.clone());
    for round in 0..ROUNDS {
        let down = round % 2 == 0;
        let count = rows.len();
        for step in 1..count {
            let rank = if down { step } else { count - 1 - step };
            let neighbours = |index: usize| match down {
                true => &points[index].above,
                false => &points[index].below,
            };
            let beside = if down { rank - 1 } else { rank + 1 };
            let places = places(&rows[beside], points.len());
            let keyed: Vec<(f64, usize)> = rows[rank]
                .iter()
                .enumerate()
                .map(|(place, &index)| {
                    let all = neighbours(index).iter().map(|&n| places[n] as f64);
                    (mean(all).unwrap_or(place as f64), index)
                })
                .collect();
            let keyed = sorted::by(keyed, |a, b| a.0.total_cmp(&b.0));
            rows[rank] = keyed.into_iter().map(|(_, index)| index).collect();
        }
        let crossed = crossings(rows, points);
        if crossed < best.0 {
            best = (crossed, rows.clone());
        }
    }
    *rows = best.1;
}

fn places(row: &[usize], points: usize) -> Vec<usize> {
    let mut places = vec![0; points];
    for (place, &index) in row.iter().enumerate() {
        places[index] = place;
    }
    places
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), v| (sum + v, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

fn crossings(rows: &[Vec<usize>], points: &[Point]) -> usize {
    let mut crossed = 0;
    for pair in rows.windows(2) {
        let places = places(&pair[1], points.len());
        let ends = |&index: &usize| points[index].below.iter().map(|&to| places[to]);
        let lines: Vec<Vec<usize>> = pair[0].iter().map(|i| ends(i).collect()).collect();
        for (index, left) in lines.iter().enumerate() {
            for right in lines[index + 1..].iter().flatten() {
                crossed += left.iter().filter(|&to| to > right).count();
            }
        }
    }
    crossed
}

/// Moves everything towards the middle of its neighbours, as far as there is room.
fn place(rows: &[Vec<usize>], points: &mut [Point]) {
    for row in rows {
        let mut at = 0.0;
        for &index in row {
            points[index].middle = at + points[index].half;
            at += 2.0 * points[index].half + APART;
        }
    }
    for round in 0..2 * ROUNDS {
        let down = round % 2 == 0;
        for step in 0..rows.len() {
            let row = &rows[if down { step } else { rows.len() - 1 - step }];
            let wanted: Vec<f64> = row
                .iter()
                .map(|&i| wish(&points[i], points, down))
                .collect();
            let halves: Vec<f64> = row.iter().map(|&i| points[i].half).collect();
            for (&index, middle) in row.iter().zip(apart(&wanted, &halves)) {
                points[index].middle = middle;
            }
        }
    }
}

fn wish(point: &Point, points: &[Point], down: bool) -> f64 {
    let side = match (down, point.above.is_empty(), point.below.is_empty()) {
        (true, false, _) | (false, false, true) => &point.above,
        _ => &point.below,
    };
    mean(side.iter().map(|&i| points[i].middle)).unwrap_or(point.middle)
}

/// The wished middles pushed apart until there is room: the mean of pushing to the right and to the left,
/// each of which leaves room.
fn apart(wanted: &[f64], halves: &[f64]) -> Vec<f64> {
    let room = |i: usize| halves[i] + halves[i + 1] + APART;
    let mut right = wanted.to_vec();
    for i in 1..right.len() {
        right[i] = right[i].max(right[i - 1] + room(i - 1));
    }
    let mut left = wanted.to_vec();
    for i in (0..left.len().saturating_sub(1)).rev() {
        left[i] = left[i].min(left[i + 1] - room(i));
    }
    let both = right.iter().zip(&left);
    both.map(|(right, left)| (right + left) / 2.0).collect()
}

fn finish(
    points: &[Point],
    boxes: usize,
    ways: Vec<(usize, usize, Vec<usize>)>,
    ranks: usize,
) -> Layout {
    let left = points.iter().map(|p| p.middle - p.half);
    let left = left.fold(f64::INFINITY, f64::min);
    let right = points.iter().map(|p| p.middle + p.half);
    let right = right.fold(f64::NEG_INFINITY, f64::max);
    let at = |index: usize| (points[index].rank, points[index].middle - left);
    Layout {
        boxes: (0..boxes).map(at).collect(),
        lines: ways
            .into_iter()
            .map(|(from, to, way)| Line {
                from,
                to,
                way: way.into_iter().map(at).collect(),
            })
            .collect(),
        width: if boxes == 0 { 0.0 } else { right - left },
        ranks,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_of_a_rank_do_not_overlap_and_lines_lead_down() {
        // Four branches of different lengths that meet again, and a line past all of them.
        let inputs = [
            vec![],
            vec![0],
            vec![0],
            vec![0],
            vec![2],
            vec![3],
            vec![5],
            vec![1, 4, 6, 0],
        ];
        let widths = [80.0, 60.0, 90.0, 70.0, 60.0, 60.0, 100.0, 120.0];
        let layout = layout(&Graph {
            widths: &widths,
            inputs: &inputs,
        });
        assert_eq!((layout.ranks, layout.lines.len()), (5, 10));
        for (to, from) in inputs.iter().enumerate() {
            assert!(
                from.iter()
                    .all(|&from| layout.boxes[from].0 < layout.boxes[to].0)
            );
        }
        for (i, &(rank, middle)) in layout.boxes.iter().enumerate() {
            assert!(middle - widths[i] / 2.0 >= -1e-9);
            assert!(middle + widths[i] / 2.0 <= layout.width + 1e-9);
            for (j, &(other, beside)) in layout.boxes.iter().enumerate().skip(i + 1) {
                let apart = (middle - beside).abs() - (widths[i] + widths[j]) / 2.0;
                assert!(rank != other || apart >= APART - 1e-9, "{i} and {j}");
            }
        }
    }

    #[test]
    fn crossed_branches_are_uncrossed_and_a_late_input_stands_where_it_is_needed() {
        // 0 → 3, 1 → 2: as given they cross. 4 is needed by the last only.
        let inputs = [
            vec![],
            vec![],
            vec![1],
            vec![0],
            vec![],
            vec![2, 3],
            vec![5, 4],
        ];
        let layout = layout(&Graph {
            widths: &[50.0; 7],
            inputs: &inputs,
        });
        let middle = |index: usize| layout.boxes[index].1;
        assert_eq!(middle(0) < middle(1), middle(3) < middle(2));
        assert_eq!(layout.boxes[4].0, layout.boxes[5].0);
    }

    #[test]
    fn a_row_of_layers_is_a_straight_line() {
        let inputs = [vec![], vec![0], vec![1]];
        let layout = layout(&Graph {
            widths: &[50.0, 90.0, 70.0],
            inputs: &inputs,
        });
        assert!(
            layout
                .boxes
                .iter()
                .all(|&(_, middle)| (middle - 45.0).abs() < 1e-9)
        );
    }
}
