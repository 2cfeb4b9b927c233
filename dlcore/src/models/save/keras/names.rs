//! Names as Keras makes them from those of classes, and back.

use std::collections::BTreeMap;

/// The name of a class in snake case, in Keras's way: `Conv2D` is `conv2d`, `PReLU` is `p_re_lu`.
///
/// Source: Keras 3, `utils/naming.py`.
pub(super) fn snake(class: &str) -> String {
    let characters: Vec<char> = class.chars().filter(|c| c.is_alphanumeric()).collect();
    let mut name = String::new();
    for (place, &character) in characters.iter().enumerate() {
        let before = place.checked_sub(1).map(|before| characters[before]);
        let after = characters.get(place + 1);
        if let Some(before) = before
            && character.is_ascii_uppercase()
            && (after.is_some_and(char::is_ascii_lowercase) || before.is_ascii_lowercase())
        {
            name.push('_');
        }
        name.push(character.to_ascii_lowercase());
    }
    name
}

/// Paths of layers that are counted by their classes: `dense`, `dense_1`, `conv2d`.
#[derive(Default)]
pub(super) struct Counted(BTreeMap<String, usize>);

impl Counted {
    /// The next of a class.
    pub(super) fn next(&mut self, class: &str) -> String {
        let name = snake(class);
        let count = self.0.entry(name.clone()).or_insert(0);
        *count += 1;
        match *count {
            1 => name,
            more => format!("{name}_{}", more - 1),
        }
    }
}

/// Names of classes that are not the capitalized parts of their own names here.
const CLASSES: [(&str, &str); 12] = [
    ("auc", "AUC"),
    ("f1_score", "F1Score"),
    ("kl_divergence", "KLDivergence"),
    ("mean_io_u", "MeanIoU"),
    ("r2_score", "R2Score"),
    ("sgd", "SGD"),
    ("rmsprop", "RMSprop"),
    ("adamw", "AdamW"),
    ("top_k_categorical_accuracy", "TopKCategoricalAccuracy"),
    (
        "sparse_top_k_categorical_accuracy",
        "SparseTopKCategoricalAccuracy",
    ),
    ("log_cosh", "LogCosh"),
    ("binary_io_u", "BinaryIoU"),
];

/// Short names of losses, which are metrics too.
const SHORT: [(&str, &str); 6] = [
    ("mse", "MeanSquaredError"),
    ("mae", "MeanAbsoluteError"),
    ("mape", "MeanAbsolutePercentageError"),
    ("msle", "MeanSquaredLogarithmicError"),
    ("bce", "BinaryCrossentropy"),
    ("kld", "KLDivergence"),
];

/// The class that a name in snake case stands for: `mean_squared_error` is `MeanSquaredError`.
pub(super) fn class_of(name: &str) -> String {
    let mut known = CLASSES.iter().chain(&SHORT);
    if let Some((_, class)) = known.find(|(known, _)| *known == name) {
        return (*class).to_string();
    }
    let capital = |part: &str| {
        let mut characters = part.chars();
        let first = characters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(characters).collect::<String>()
    };
    name.split('_').map(capital).collect()
}

/// The name in snake case of a class of losses, metrics or optimizers.
pub(super) fn name_of(class: &str) -> String {
    match CLASSES.iter().find(|(_, known)| *known == class) {
        Some((name, _)) => (*name).to_string(),
        None => snake(class),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_keras_makes() {
        for (class, name) in [
            ("Dense", "dense"),
            ("Conv2D", "conv2d"),
            ("Conv2DTranspose", "conv2d_transpose"),
            ("SeparableConv1D", "separable_conv1d"),
            ("GRU", "gru"),
            ("SimpleRNN", "simple_rnn"),
            ("PReLU", "p_re_lu"),
            ("LeakyReLU", "leaky_re_lu"),
            ("ELU", "elu"),
            ("GlobalAveragePooling1D", "global_average_pooling1d"),
            ("BatchNormalization", "batch_normalization"),
            ("TimeDistributed", "time_distributed"),
            ("InputLayer", "input_layer"),
        ] {
            assert_eq!(snake(class), name);
        }
        let mut counted = Counted::default();
        let names = ["Dense", "ReLU", "Dense", "Dense"].map(|class| counted.next(class));
        assert_eq!(names, ["dense", "re_lu", "dense_1", "dense_2"]);
        for name in [
            "mean_squared_error",
            "auc",
            "f1_score",
            "sgd",
            "adamax",
            "log_cosh",
        ] {
            assert_eq!(name_of(&class_of(name)), name);
        }
    }
}
