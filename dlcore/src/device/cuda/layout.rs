//! How an operand is read for a result of another shape.

/// Axes that kernels know, as they have it.
const AXES: usize = 8;

/// Axes of a result, and by how much two operands advance along each; the kernels' own `Layout`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    axes: i32,
    shape: [i32; AXES],
    left: [i32; AXES],
    right: [i32; AXES],
}

impl Layout {
    /// Both operands in row-major order, repeated where their length is 1 or an axis is missing; none if there
    /// are more axes than kernels know.
    pub(super) fn broadcast(shape: &[usize], left: &[usize], right: &[usize]) -> Option<Layout> {
        let left = repeated(shape, left);
        let right = repeated(shape, right);
        Layout::of(shape, &left, &right)
    }

    /// One operand with these strides.
    pub(super) fn strided(shape: &[usize], strides: &[isize]) -> Option<Layout> {
        Layout::of(shape, strides, &vec![0; shape.len()])
    }

    /// Neighbouring axes that both operands pass over alike are made one.
    fn of(shape: &[usize], left: &[isize], right: &[isize]) -> Option<Layout> {
        let mut merged: Vec<(usize, isize, isize)> = Vec::new();
        for axis in (0..shape.len()).rev() {
            let (length, l, r) = (shape[axis], left[axis], right[axis]);
            if length == 1 {
                continue;
            }
            match merged.last_mut() {
                Some((inner, inner_l, inner_r))
                    if l == *inner_l * *inner as isize && r == *inner_r * *inner as isize =>
                {
                    *inner *= length;
                }
                _ => merged.push((length, l, r)),
            }
        }
        if merged.len() > AXES {
            return None;
        }
        let mut layout = Layout {
            axes: merged.len() as i32,
            shape: [1; AXES],
            left: [0; AXES],
            right: [0; AXES],
        };
        for (axis, (length, l, r)) in merged.into_iter().rev().enumerate() {
            layout.shape[axis] = i32::try_from(length).ok()?;
            layout.left[axis] = i32::try_from(l).ok()?;
            layout.right[axis] = i32::try_from(r).ok()?;
        }
        Some(layout)
    }
}

/// The strides of row-major order.
pub(super) fn row_major(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis] as isize;
    }
    strides
}

/// The strides of an operand in row-major order, 0 where it is repeated to `shape`.
pub(super) fn repeated(shape: &[usize], operand: &[usize]) -> Vec<isize> {
    let own = row_major(operand);
    let added = shape.len() - operand.len();
    (0..shape.len())
        .map(|axis| match axis.checked_sub(added) {
            Some(own_axis) if operand[own_axis] != 1 => own[own_axis],
            _ => 0,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axes(layout: &Layout) -> Vec<(i32, i32, i32)> {
        (0..layout.axes as usize)
            .map(|axis| (layout.shape[axis], layout.left[axis], layout.right[axis]))
            .collect()
    }

    #[test]
    fn axes_that_are_passed_over_alike_are_one() {
        let same = Layout::broadcast(&[2, 3, 4], &[2, 3, 4], &[2, 3, 4]).unwrap();
        assert_eq!(axes(&same), [(24, 1, 1)]);
        let number = Layout::broadcast(&[2, 3], &[2, 3], &[]).unwrap();
        assert_eq!(axes(&number), [(6, 1, 0)]);
        let bias = Layout::broadcast(&[2, 3, 4], &[2, 3, 4], &[4]).unwrap();
        assert_eq!(axes(&bias), [(6, 4, 0), (4, 1, 1)]);
        let column = Layout::broadcast(&[2, 3, 4], &[2, 1, 1], &[2, 3, 4]).unwrap();
        assert_eq!(axes(&column), [(2, 1, 12), (12, 0, 1)]);
    }

    #[test]
    fn a_single_number_has_no_axis_and_too_many_have_no_layout() {
        assert_eq!(axes(&Layout::broadcast(&[], &[], &[]).unwrap()), []);
        let shape = [2; 10];
        let every_other = [2, 1, 2, 1, 2, 1, 2, 1, 2, 1];
        assert!(Layout::broadcast(&shape, &shape, &every_other).is_none());
    }
}
