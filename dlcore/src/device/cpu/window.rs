//! A window that slides over images: what convolution and pooling have in common.

use super::buffers::Scratch;
use crate::tensor::Real;

/// The form of a window and how it moves over the two spatial axes, height first. A sequence is an
/// image of height 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// Places of the window along each axis.
    pub(crate) size: [usize; 2],
    /// How far it moves from one position to the next.
    pub(crate) strides: [usize; 2],
    /// How far apart its places are.
    pub(crate) dilation: [usize; 2],
    /// Padding above and to the left; what lies beyond the image elsewhere is padding too.
    pub(crate) before: [usize; 2],
}

impl Window {
    /// Places in all.
    pub(crate) fn places(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// The row (axis 0) or column (axis 1) of the image under a place of the window, unless that is
    /// padding.
    #[inline(always)]
    fn source(&self, axis: usize, position: usize, place: usize, length: usize) -> Option<usize> {
        let at = position * self.strides[axis] + place * self.dilation[axis];
        at.checked_sub(self.before[axis]).filter(|&at| at < length)
    }

    /// The position, of so many, whose place lies over this row (axis 0) or column (axis 1) of the image, if there is
    /// one: what [`Window::source`] undoes.
    #[inline(always)]
    fn target(&self, axis: usize, at: usize, place: usize, positions: usize) -> Option<usize> {
        let start = (at + self.before[axis]).checked_sub(place * self.dilation[axis])?;
        let stride = self.strides[axis];
        // Most windows move by one, and dividing takes longer than all else here.
        let position = match stride {
            1 => start,
            _ if start % stride == 0 => start / stride,
            _ => return None,
        };
        (position < positions).then_some(position)
    }
}

/// A batch of images, `[batch, height, width, channels]`, and the positions of a window over them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slide {
    pub(crate) window: Window,
    pub(crate) batch: usize,
    /// Height and width of the images.
    pub(crate) images: [usize; 2],
    /// Positions along each axis.
    pub(crate) positions: [usize; 2],
}

/// Positions in a line, and the pixels under them at a place of the window.
pub(crate) struct Stretch {
    /// The first pixel, and how many pixels further the next one is.
    pub(crate) pixel: usize,
    pub(crate) stride: usize,
    /// The first position's row.
    pub(crate) row: usize,
    pub(crate) length: usize,
}

impl Slide {
    /// Pixels of an image.
    pub(crate) fn pixels(&self) -> usize {
        self.images[0] * self.images[1]
    }

    /// Positions over an image.
    pub(crate) fn per_image(&self) -> usize {
        self.positions[0] * self.positions[1]
    }

    /// Positions over all images; one is called a row, counted from the first image's first.
    pub(crate) fn rows(&self) -> usize {
        self.batch * self.per_image()
    }

    /// Whether no pixel lies under two positions, and none of them reaches beyond the images.
    pub(crate) fn is_apart(&self) -> bool {
        let Window {
            size,
            strides,
            dilation,
            before,
        } = self.window;
        let within = (0..2).all(|axis| self.positions[axis] * size[axis] <= self.images[axis]);
        within && strides == size && dilation == [1, 1] && before == [0, 0]
    }

    /// Whether positions that are apart leave no pixel out.
    pub(crate) fn is_covered(&self) -> bool {
        (0..2).all(|axis| self.positions[axis] * self.window.size[axis] == self.images[axis])
    }

    /// The image of a row, and its position there.
    #[inline(always)]
    fn locate(&self, row: usize) -> (usize, usize, usize) {
        let [height, width] = self.positions;
        (row / (height * width), row / width % height, row % width)
    }

    /// Calls `visit(place, pixel)` for each place of the window at a row that is no padding, in
    /// order; pixels are counted from the first image's first.
    #[inline(always)]
    pub(crate) fn places(&self, row: usize, mut visit: impl FnMut(usize, usize)) {
        let (image, y, x) = self.locate(row);
        let [height, width] = self.images;
        let [down, across] = self.window.size;
        for place_y in 0..down {
            let Some(from_y) = self.window.source(0, y, place_y, height) else {
                continue;
            };
            let line = (image * height + from_y) * width;
            for place_x in 0..across {
                if let Some(from_x) = self.window.source(1, x, place_x, width) {
                    visit(place_y * across + place_x, line + from_x);
                }
            }
        }
    }

    /// Calls `visit(place, stretch)` for each place of the window and the positions of a line at which it lies over a
    /// pixel; lines of positions are counted from the first image's first.
    #[inline(always)]
    pub(crate) fn stretches(&self, line: usize, mut visit: impl FnMut(usize, Stretch)) {
        let [height, width] = self.images;
        let [down, across] = self.window.size;
        let (image, y) = (line / self.positions[0], line % self.positions[0]);
        for place_y in 0..down {
            let Some(from_y) = self.window.source(0, y, place_y, height) else {
                continue;
            };
            for place_x in 0..across {
                let over = |x: usize| self.window.source(1, x, place_x, width);
                let mut positions = 0..self.positions[1];
                let Some((first, from_x)) = positions.find_map(|x| Some((x, over(x)?))) else {
                    continue;
                };
                let length = 1 + positions.take_while(|&x| over(x).is_some()).count();
                let stretch = Stretch {
                    pixel: (image * height + from_y) * width + from_x,
                    stride: self.window.strides[1],
                    row: line * self.positions[1] + first,
                    length,
                };
                visit(place_y * across + place_x, stretch);
            }
        }
    }

    /// Calls `visit(place, row)` for each position of the window that has a place over a pixel, which is counted from
    /// the first image's first, as rows are.
    #[inline(always)]
    pub(crate) fn positions_over(&self, pixel: usize, mut visit: impl FnMut(usize, usize)) {
        let [height, width] = self.images;
        let (image, y, x) = (
            pixel / (height * width),
            pixel / width % height,
            pixel % width,
        );
        let [down, across] = self.window.size;
        for place_y in 0..down {
            let Some(to_y) = self.window.target(0, y, place_y, self.positions[0]) else {
                continue;
            };
            let line = (image * self.positions[0] + to_y) * self.positions[1];
            for place_x in 0..across {
                if let Some(to_x) = self.window.target(1, x, place_x, self.positions[1]) {
                    visit(place_y * across + place_x, line + to_x);
                }
            }
        }
    }

    /// Cuts the patch at a row, `own` of each pixel's `channels` beginning at `first`, into runs that
    /// lie together in the image too, and calls `visit(offset in the patch, offset in the images,
    /// length)` for each; padding has no offset in the images.
    #[inline(always)]
    pub(crate) fn runs(
        &self,
        row: usize,
        (first, own, channels): (usize, usize, usize),
        mut visit: impl FnMut(usize, Option<usize>, usize),
    ) {
        let (image, y, x) = self.locate(row);
        let [height, width] = self.images;
        let [down, across] = self.window.size;
        let together = own == channels && self.window.dilation[1] == 1;
        let start = x * self.window.strides[1];
        let before = self.window.before[1];
        for place_y in 0..down {
            let at = place_y * across * own;
            let Some(from_y) = self.window.source(0, y, place_y, height) else {
                visit(at, None, across * own);
                continue;
            };
            let line = (image * height + from_y) * width * channels + first;
            if !together {
                for place_x in 0..across {
                    let from_x = self.window.source(1, x, place_x, width);
                    let offset = from_x.map(|from_x| line + from_x * channels);
                    visit(at + place_x * own, offset, own);
                }
                continue;
            }
            let left = before.saturating_sub(start).min(across);
            let right = (width + before).saturating_sub(start).clamp(left, across);
            if left > 0 {
                visit(at, None, left * own);
            }
            if right > left {
                let offset = line + (start + left - before) * channels;
                visit(at + left * own, Some(offset), (right - left) * own);
            }
            if right < across {
                visit(at + right * own, None, (across - right) * own);
            }
        }
    }
}

/// Multiplications, or moved elements, below which work is not given to several threads.
pub(super) const WORTH_THREADS: usize = 1 << 17;

/// What is done with a piece: its number, itself, and a buffer of any length.
type Work<'a, T> = dyn Fn(usize, &mut [T], &mut Vec<T>) + Sync + 'a;

/// Calls `work(index, piece, scratch)` for each piece of `piece` elements, in parallel if `threads`; the scratch buffer has
/// room for `room` elements.
pub(super) fn pieces<T: Real>(
    buffer: &mut [T],
    piece: usize,
    room: usize,
    threads: bool,
    work: &Work<'_, T>,
) {
    let piece = piece.max(1);
    if threads {
        super::each_piece(buffer, piece, &|index, part| {
            let mut scratch = Scratch::with_room(room);
            work(index, part, &mut scratch.0);
        });
    } else {
        let mut scratch = Scratch::with_room(room);
        for (index, part) in buffer.chunks_mut(piece).enumerate() {
            work(index, part, &mut scratch.0);
        }
    }
}

/// What is done with a run: from which row, up to which, what is added to, and a buffer.
type Run<'a, T> = dyn Fn(usize, usize, &mut [T], &mut Vec<T>) + Sync + 'a;

/// The sum of what `work` adds to zeros for runs of at most `step` of `0..rows`. Runs depend on nothing but these
/// numbers and are added in order.
pub(super) fn sum_of_runs<T: Real>(
    sum: &mut [T],
    (rows, step): (usize, usize),
    room: usize,
    threads: bool,
    work: &Run<'_, T>,
) {
    let (step, length) = (step.max(1), sum.len());
    let count = rows.div_ceil(step);
    let mut parts = Scratch::new(count * length);
    pieces(
        &mut parts.0,
        length,
        room,
        threads && count > 1,
        &|index, part, scratch| {
            part.fill(T::zero());
            let end = rows.min((index + 1) * step);
            work(index * step, end, part, scratch);
        },
    );
    let (first, rest) = parts.0.split_at(length.min(parts.0.len()));
    match first.is_empty() {
        true => sum.fill(T::zero()),
        false => sum.copy_from_slice(first),
    }
    super::chunks(sum, 1, super::Cost::Costly, &|start, piece| {
        super::vectorised(
            #[inline(always)]
            || {
                for other in rest.chunks_exact(length) {
                    for (sum, &value) in piece.iter_mut().zip(&other[start..]) {
                        *sum += value;
                    }
                }
            },
        );
    });
}

/// Windows, and numbers, on which kernels are compared with their naive twins.
#[cfg(test)]
pub(super) mod testing {
    use super::{Slide, Window};
    use crate::tensor::{Element, Real};

    /// Odd shapes: strides, dilation, padding on either side, windows that lie beyond the images.
    pub(crate) fn slides() -> Vec<Slide> {
        let slide = |batch, images, positions, size, strides, dilation, before| Slide {
            window: Window {
                size,
                strides,
                dilation,
                before,
            },
            batch,
            images,
            positions,
        };
        vec![
            slide(1, [1, 1], [1, 1], [1, 1], [1, 1], [1, 1], [0, 0]),
            slide(2, [5, 7], [3, 5], [3, 3], [1, 1], [1, 1], [0, 0]),
            slide(3, [5, 6], [5, 6], [3, 2], [1, 1], [1, 1], [1, 0]),
            slide(2, [7, 6], [4, 3], [2, 3], [2, 2], [1, 1], [0, 1]),
            slide(2, [1, 11], [1, 11], [1, 4], [1, 1], [1, 3], [0, 9]),
            slide(2, [6, 5], [2, 3], [3, 2], [1, 2], [2, 1], [0, 1]),
            slide(1, [4, 3], [6, 5], [2, 4], [1, 1], [1, 2], [1, 3]),
            slide(9, [8, 9], [8, 9], [3, 3], [1, 1], [1, 1], [1, 1]),
            slide(0, [3, 3], [2, 2], [2, 2], [1, 1], [1, 1], [0, 0]),
            // It steps over lines and columns, which lie under no position.
            slide(2, [9, 8], [3, 3], [2, 1], [4, 3], [1, 1], [1, 0]),
        ]
    }

    /// Irregular numbers between -1 and 1.
    pub(crate) fn some<T: Real>(length: usize, salt: usize) -> Vec<T> {
        let value = |i: usize| ((i * 37 + salt * 101) % 211) as f64 / 105.0 - 1.0;
        (0..length).map(|i| T::from_f64(value(i))).collect()
    }

    pub(crate) fn wide<T: Real>(values: &[T]) -> Vec<f64> {
        values.iter().map(|&value| Element::to_f64(value)).collect()
    }

    /// Equal but for the rounding of sums of some hundred terms.
    #[track_caller]
    pub(crate) fn close<T: Real>(fast: &[T], naive: &[f64]) {
        assert_eq!(fast.len(), naive.len());
        let tolerance = 50.0 * Element::to_f64(T::epsilon());
        for (index, (fast, naive)) in wide(fast).iter().zip(naive).enumerate() {
            let difference = (fast - naive).abs();
            assert!(
                difference <= tolerance * naive.abs().max(4.0),
                "element {index}: {fast} and {naive}"
            );
        }
    }
}
