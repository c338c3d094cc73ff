//! Outgoing HTTP: one client, made once, and one way to send.
//!
//! [`Http::execute`] sends a request until it has an answer that its caller can read, waits
//! when the service says so, and gives up with a reason. It knows status lines, timeouts and
//! rate headers; what a body means, and which permission a 403 lacks, its callers know.
//!
//! `budget` decides when a request may leave, `retry` how long to wait after a fault, `page`
//! keeps chains of pages from going in circles, `reach` keeps requests from leading inside.

mod bucket;
mod budget;
mod client;
mod error;
mod page;
mod reach;
mod retry;

#[cfg(test)]
mod tests;

pub use budget::{Budget, Load, Pacing};
pub use client::{Call, Http, Options, Response, Signer, set_authorization};
pub use error::{HttpError, StatusError};
pub use page::{Chain, host_of, same_origin};
pub use reach::{Reach, is_public};
pub use retry::{Policy, answered_at, backoff, retry_after};
