//! Word of changes: services that can be asked to send some to an address.
//!
//! Such word only ever says that there is something to fetch. What the service calls it, and
//! how it is asked for, stays in the source's folder.

use async_trait::async_trait;
use jiff::Timestamp;
use url::Url;

use super::FetchError;

/// Where word is to be sent, and what it must carry to be believed.
#[derive(Clone)]
pub struct Hook {
    pub url: Url,
    pub secret: String,
}

/// What stands at the service.
#[derive(Clone, Copy, Debug)]
pub struct Subscribed {
    /// When the first subscription runs out, unless it is renewed before.
    pub until: Timestamp,
    /// Something had to be made anew: changes may have passed without a word.
    pub made: bool,
}

#[async_trait]
pub trait Notifier: Send + Sync {
    /// Sees to it that the service sends word to the hook: renews what is there, makes what is
    /// missing, and removes what was meant for this hook and is of no use. `known` are the
    /// subscriptions made with this secret so far; it is kept up to date even on an error.
    async fn subscribe(
        &self,
        hook: &Hook,
        known: &mut Vec<String>,
    ) -> Result<Subscribed, FetchError>;

    /// Ends these subscriptions.
    async fn unsubscribe(&self, known: &[String]) -> Result<(), FetchError>;
}
