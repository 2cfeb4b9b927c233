//! Code that runs while a model trains.

mod logs;

pub use logs::Logs;
