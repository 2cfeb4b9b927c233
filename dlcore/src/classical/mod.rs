//! What came before deep learning: naive Bayes, logistic regression, the support vector machine,
//! decision trees, random forests and gradient boosting, with scikit-learn's names, defaults and
//! decisions.
//!
//! ```
//! use dlcore::prelude::*;
//! let (x, y) = datasets::make_moons(200, 0.2, 0);
//! let mut svc = SVC::new().c(1.0);
//! svc.fit(&x, &y)?;
//! assert!(svc.score(&x, &y)? > 0.9);
//! plot::decision_boundary(&svc, &x, &y)?;
//! # Ok::<(), Error>(())
//! ```
//!
//! The code is dlcore's own, since the crates there are do not decide as scikit-learn does: their
//! forests vote by trees instead of averaging probabilities and draw other numbers, and they have no
//! gradient boosting for classes. Two of scikit-learn's own forests that differ in the seed alone
//! agree on 89 % of the points of one of the test sets; here `random_state(0)` draws what it draws
//! there.

mod base;
mod criterion;
mod data;
mod forest;
mod gradient_boosting;
mod grow;
mod lbfgs;
mod logistic_regression;
mod naive_bayes;
mod smo;
mod svc;
mod tree;

pub use base::Classifier;
pub(crate) use data::class_numbers;
pub use forest::RandomForestClassifier;
pub use gradient_boosting::GradientBoostingClassifier;
pub use logistic_regression::LogisticRegression;
pub use naive_bayes::GaussianNB;
pub use svc::{Kernel, SVC};
pub use tree::DecisionTreeClassifier;

#[cfg(test)]
mod parity;
#[cfg(test)]
mod tests;
