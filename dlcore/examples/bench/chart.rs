//! The table and the growth of time as pictures.

use std::fmt::Write;

use crate::cases::PEER;
use crate::peers::{Figures, spread};
use crate::report::{everyone, short};
use crate::rows::rows;
use crate::scaling::{SERIES, line, name, threads};

/// Okabe and Ito's colours, which colour-blind readers can tell apart.
const COLORS: [&str; 8] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f5539", "#444444",
];
const INK: &str = "#222222";
const MUTED: &str = "#6b6b6b";
const GRID: &str = "#dddddd";

/// A logarithmic axis from `low` to `high` between two places.
struct Log {
    values: (f64, f64),
    places: (f64, f64),
}

impl Log {
    fn at(&self, value: f64) -> f64 {
        let (low, high) = (self.values.0.log10(), self.values.1.log10());
        let part = (value.log10() - low) / (high - low);
        self.places.0 + part * (self.places.1 - self.places.0)
    }

    /// 1, 2 and 5 of each power of ten.
    fn ticks(&self) -> Vec<f64> {
        let powers = self.values.0.log10().floor() as i32..=self.values.1.log10().ceil() as i32;
        let ticks = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(power)));
        let inside = |tick: &f64| (self.values.0 * 0.999..=self.values.1 * 1.001).contains(tick);
        ticks.filter(inside).collect()
    }
}

struct Picture(String);

impl Picture {
    fn new(width: f64, height: f64, title: &str) -> Picture {
        Picture(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n<title>{title}</title>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
        ))
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        self.0
            .write_fmt(element)
            .expect("a string takes everything");
        self.0.push('\n');
    }

    fn text(&mut self, words: &str, (x, y): (f64, f64), anchor: &str, color: &str) {
        let words = words.replace('&', "&amp;").replace('<', "&lt;");
        self.add(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{color}\">{words}</text>"
        ));
    }

    fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), color: &str, width: f64) {
        self.add(format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{color}\" stroke-width=\"{width}\"/>"
        ));
    }

    fn dot(&mut self, (x, y): (f64, f64), color: &str, words: &str) {
        self.add(format_args!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{color}\"><title>{words}</title></circle>"
        ));
    }

    fn done(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }
}

/// A row for each figure, a dot for each peer: how many times as long as dlcore it takes.
pub fn beside(figures: &Figures) -> String {
    let names = everyone(figures);
    let measured: Vec<_> = rows()
        .into_iter()
        .filter_map(|row| {
            let figures = figures.get(&(row.case.to_owned(), row.metric.to_owned()))?;
            Some((row.words, figures, spread(figures.get(PEER)?)[1]))
        })
        .collect();
    let ratios = measured.iter().flat_map(|(_, figures, own)| {
        let values = figures.values().flatten();
        values.map(move |value| value / own)
    });
    let (low, high) = ratios.fold((0.5, 2.0), |(low, high): (f64, f64), ratio| {
        (low.min(ratio), high.max(ratio))
    });
    let top = 70.0 + 18.0 * names.len().div_ceil(3) as f64;
    let bottom = top + 34.0 * measured.len() as f64;
    let axis = Log {
        values: (low, high * 1.1),
        places: (400.0, 960.0),
    };
    let mut picture = Picture::new(1000.0, bottom + 40.0, "Time and memory beside dlcore");
    picture.text(
        "times as long (memory: as much) as dlcore; further right is slower",
        (20.0, 26.0),
        "start",
        INK,
    );
    for (index, who) in names.iter().enumerate() {
        let (x, y) = (
            26.0 + 320.0 * (index % 3) as f64,
            52.0 + 18.0 * (index / 3) as f64,
        );
        picture.dot((x, y - 4.0), COLORS[index % COLORS.len()], who);
        picture.text(who, (x + 12.0, y), "start", INK);
    }
    for tick in axis.ticks() {
        let x = axis.at(tick);
        picture.line(
            (x, top - 14.0),
            (x, bottom - 10.0),
            if tick == 1.0 { INK } else { GRID },
            1.0,
        );
        picture.text(&format!("{tick}"), (x, bottom + 8.0), "middle", MUTED);
    }
    for (index, (words, figures, own)) in measured.iter().enumerate() {
        let y = top + 34.0 * index as f64;
        picture.text(words, (390.0, y + 4.0), "end", INK);
        for (index, who) in names.iter().enumerate() {
            let Some(values) = figures.get(*who) else {
                continue;
            };
            let color = COLORS[index % COLORS.len()];
            let [least, median, greatest] = spread(values);
            picture.line(
                (axis.at(least / own), y),
                (axis.at(greatest / own), y),
                color,
                2.0,
            );
            let words = format!("{who}: {}", short(median));
            picture.dot((axis.at(median / own), y), color, &words);
        }
    }
    picture.done()
}

/// A panel for each series, a line for each number of threads.
pub fn scaling(figures: &Figures) -> String {
    let (width, height) = (330.0, 330.0);
    let mut picture = Picture::new(width * SERIES.len() as f64, height, "How time grows");
    for (index, (case, _, fixed)) in SERIES.iter().enumerate() {
        let left = width * index as f64;
        let lines = threads().map(|threads| (name(threads), line(figures, case, &name(threads))));
        let points = || lines.iter().flat_map(|line| line.1.iter());
        let range = |part: fn(&(f64, f64)) -> f64| {
            let values = points().map(part).filter(|value| *value > 0.0);
            let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), value| {
                (low.min(value), high.max(value))
            });
            (low / 1.2, high * 1.2)
        };
        if points().count() == 0 {
            continue;
        }
        let x = Log {
            values: range(|point| point.0),
            places: (left + 60.0, left + width - 16.0),
        };
        let y = Log {
            values: range(|point| point.1),
            places: (height - 50.0, 64.0),
        };
        picture.text(
            &format!("seconds of an epoch; {fixed}"),
            (left + 16.0, 22.0),
            "start",
            INK,
        );
        for tick in x.ticks() {
            picture.line(
                (x.at(tick), y.places.0),
                (x.at(tick), y.places.1),
                GRID,
                1.0,
            );
        }
        for tick in y.ticks() {
            picture.line(
                (x.places.0, y.at(tick)),
                (x.places.1, y.at(tick)),
                GRID,
                1.0,
            );
            picture.text(
                format!("{tick:.4}")
                    .trim_end_matches('0')
                    .trim_end_matches('.'),
                (left + 54.0, y.at(tick) + 4.0),
                "end",
                MUTED,
            );
        }
        for (index, (who, points)) in lines.iter().enumerate() {
            let color = COLORS[index];
            picture.text(
                who,
                (left + 66.0 + 90.0 * index as f64, 46.0),
                "start",
                color,
            );
            for pair in points.windows(2) {
                let place = |point: &(f64, f64)| (x.at(point.0), y.at(point.1));
                picture.line(place(&pair[0]), place(&pair[1]), color, 1.5);
            }
            for point in points {
                picture.dot((x.at(point.0), y.at(point.1)), color, &short(point.1));
            }
        }
        let mut free_from = f64::MIN;
        for &(value, _) in &lines[0].1 {
            let (label, at) = (format!("{value}"), x.at(value));
            let half = 3.5 * label.len() as f64;
            if at - half >= free_from {
                picture.text(&label, (at, height - 32.0), "middle", MUTED);
                free_from = at + half + 4.0;
            }
        }
        picture.text(
            case,
            ((x.places.0 + x.places.1) / 2.0, height - 12.0),
            "middle",
            INK,
        );
    }
    picture.done()
}
