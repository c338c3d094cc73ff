//! Okta: people, groups and assignments over the management API.
mod auth;
mod client;
mod convert;
mod cursor;
mod errors;
mod key;
mod options;
mod wire;
