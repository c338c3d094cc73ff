//! rosterd keeps the people of an application in step with a company's identity provider.
//!
//! The rooms, in the order data flows: source → directory → rules → plan → target.

pub mod answers;
pub mod app;
pub mod audit;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod daemon;
pub mod directory;
pub mod finding;
pub mod frames;
pub mod http;
pub mod plan;
pub mod rules;
pub mod scim;
pub mod server;
pub mod sources;
pub mod store;
pub mod sync;
pub mod targets;
pub mod telemetry;
