//! Texts as an argument.

/// Texts: each a string, or a list of words that were separated already.
///
/// Made from arrays and vectors of `&str` or `String`, and from vectors of vectors of them for words.
#[derive(Clone, Debug)]
pub struct Texts(Vec<Text>);

#[derive(Clone, Debug)]
pub(super) enum Text {
    Whole(String),
    Words(Vec<String>),
}

impl Texts {
    pub(super) fn iter(&self) -> std::slice::Iter<'_, Text> {
        self.0.iter()
    }
}

fn whole<S: AsRef<str>>(texts: &[S]) -> Texts {
    let whole = |text: &S| Text::Whole(text.as_ref().to_owned());
    Texts(texts.iter().map(whole).collect())
}

fn words<S: AsRef<str>>(texts: &[Vec<S>]) -> Texts {
    let words = |text: &Vec<S>| {
        let words = text.iter().map(|word| word.as_ref().to_owned());
        Text::Words(words.collect())
    };
    Texts(texts.iter().map(words).collect())
}

macro_rules! texts_from {
    ($($text:ty),*) => {$(
        impl<const N: usize> From<[$text; N]> for Texts {
            fn from(texts: [$text; N]) -> Self {
                whole(&texts)
            }
        }
        impl<const N: usize> From<&[$text; N]> for Texts {
            fn from(texts: &[$text; N]) -> Self {
                whole(texts)
            }
        }
        impl From<&[$text]> for Texts {
            fn from(texts: &[$text]) -> Self {
                whole(texts)
            }
        }
        impl From<Vec<$text>> for Texts {
            fn from(texts: Vec<$text>) -> Self {
                whole(&texts)
            }
        }
        impl From<&Vec<$text>> for Texts {
            fn from(texts: &Vec<$text>) -> Self {
                whole(texts)
            }
        }
        impl From<Vec<Vec<$text>>> for Texts {
            fn from(texts: Vec<Vec<$text>>) -> Self {
                words(&texts)
            }
        }
        impl From<&Vec<Vec<$text>>> for Texts {
            fn from(texts: &Vec<Vec<$text>>) -> Self {
                words(texts)
            }
        }
    )*};
}
texts_from!(&str, String);
