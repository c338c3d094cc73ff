//! The engine as a whole, against a source that remembers: change the company, sync, and
//! compare the portals with what the rules ask for, worked out naively.

mod conductor;
mod cut_off;
mod histories;
mod keep;
mod stories;
mod targets;
pub mod world;
