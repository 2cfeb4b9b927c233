//! What nearly every cell would compile for itself once more: keeping, taking back, showing and dropping
//! values of the types that are met most. `warm` compiles this file once, as a dynamic library beside
//! dlcore, and rustc takes from it what it finds there when it compiles a cell. Nothing here ever runs.

use std::collections::{BTreeMap, HashMap, HashSet};

use dlcore::cell::{
    Failure, IsCopy as _, IsNotCopy as _, NoSpare as _, NotShown, ShowDebug as _, ShowNothing as _,
    ShowRich as _, Shown, Spare as _, Store, probe, run, shown_by_itself,
};
use dlcore::prelude::*;

/// For each type a function that does with a value of it what cells do.
macro_rules! values {
    ($($name:ident: $kind:ty),* $(,)?) => {
        $(
            pub fn $name(store: &mut Store, name: &str, shown: &Option<$kind>) {
                let value: $kind = store.take(name);
                let spare = (&probe(&value)).spare(&value);
                (&&&Shown(&value)).show();
                (&&&Shown(shown)).show();
                let copies = (&probe(&value)).copies();
                store.put(name, value, copies);
                drop(spare);
            }
        )*
    };
}

values! {
    tensor: Tensor,
    tensors: Vec<Tensor>,
    two_tensors: (Tensor, Tensor),
    sequential: Sequential,
    model: Model,
    history: History,
    evaluation: Evaluation,
    summary: Summary,
    layer: LayerRef,
    symbol: Symbol,
    plot: Plot,
    sequences: Sequences,
    mnist: dlcore::datasets::mnist::Mnist,
    imdb: dlcore::datasets::imdb::Imdb,
    tensor_result: Result<Tensor>,
    history_result: Result<History>,
    evaluation_result: Result<Evaluation>,
    nothing_result: Result<()>,
    boolean: bool,
    character: char,
    byte: u8,
    short: u32,
    long: u64,
    size: usize,
    signed: i32,
    signed_long: i64,
    float: f32,
    double: f64,
    text: String,
    slice: &'static str,
    bytes: Vec<u8>,
    shorts: Vec<u32>,
    sizes: Vec<usize>,
    signeds: Vec<i32>,
    signed_longs: Vec<i64>,
    floats: Vec<f32>,
    doubles: Vec<f64>,
    booleans: Vec<bool>,
    texts: Vec<String>,
    slices: Vec<&'static str>,
    rows: Vec<Vec<f64>>,
    short_rows: Vec<Vec<f32>>,
    number_rows: Vec<Vec<u32>>,
    named: Vec<(String, f64)>,
    counts: HashMap<String, usize>,
    index: HashMap<String, u32>,
    words: HashSet<String>,
    sorted: BTreeMap<String, usize>,
}

/// A cell around its code, and what `?` makes of the errors met most.
pub fn cells(
    body: fn() -> std::result::Result<(), Failure>,
    error: Error,
    io: std::io::Error,
    number: std::num::ParseFloatError,
    whole: std::num::ParseIntError,
) -> [Failure; 4] {
    run(body);
    let _ = shown_by_itself(&NotShown::default());
    [error.into(), io.into(), number.into(), whole.into()]
}

/// Vectors and texts as notebooks make them.
pub fn collections(mut floats: Vec<f64>, mut numbers: Vec<usize>, mut texts: Vec<String>) -> String {
    floats.push(0.0);
    numbers.push(floats.len());
    texts.push(format!("{floats:?} {numbers:?} {texts:?}"));
    let squares: Vec<f64> = floats.iter().map(|number| number * number).collect();
    let copies = (floats.clone(), numbers.clone(), texts.clone());
    format!("{squares:?} {copies:?} {}", texts.join(" "))
}
