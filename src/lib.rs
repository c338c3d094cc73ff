//! rosterd keeps the people of an application in step with a company's identity provider.
//!
//! The rooms, in the order data flows: source → directory → rules → plan → target.

pub mod directory;
pub mod http;
pub mod plan;
pub mod sources;
