//! An invented company: people and groups, the same for the same seed.
//!
//! Nothing here is stored. A person is worked out from the seed and a position whenever somebody
//! asks, which is how a million of them fit in little memory. What tests change is kept by the
//! tenant, on top.

pub mod groups;
mod names;
pub mod people;
