//! rosterd keeps the people of an application in step with a company's identity provider.
//!
//! The rooms, in the order data flows: source → directory → rules → plan → target.

pub mod directory;
pub mod plan;
pub mod rules;
pub mod sources;
pub mod store;
