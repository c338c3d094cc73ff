//! Subscriptions: Graph is asked to send word of changed users and groups, for some days at a
//! time.
//!
//! What stands at Graph is what counts: every look begins with the list of the application's
//! own. Making one waits until Graph has asked the hook whether it is ours; see `notice`.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::json;

use super::GraphSource;
use super::client::PageKind;
use super::errors::{Area, GraphError, fetch_error};
use crate::clock;
use crate::http::{HttpError, Response};
use crate::sources::{FetchError, Hook, Notifier, Subscribed};

/// What word is wanted of. Assignments to the application cannot be subscribed to.
const RESOURCES: [(&str, Area); 2] = [("/users", Area::Users), ("/groups", Area::Groups)];

/// Graph has no word of its own for a new or a restored object: both are updates. `deleted` is
/// one that left the recycle bin.
const CHANGES: &str = "updated,deleted";

/// How long a subscription is asked to live. Graph allows 29 days; after three nobody sends
/// word to a daemon that is gone, and one that was down for a weekend is still in time.
const LIFE: SignedDuration = SignedDuration::from_hours(72);

/// A subscription as Graph tells of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subscription {
    id: String,
    #[serde(default)]
    resource: String,
    #[serde(default)]
    notification_url: String,
    #[serde(default)]
    expiration_date_time: Option<Timestamp>,
}

impl Subscription {
    fn is_of(&self, resource: &str) -> bool {
        let bare = |text: &str| text.trim_matches('/').to_ascii_lowercase();
        bare(&self.resource) == bare(resource)
    }
}

#[async_trait]
impl Notifier for GraphSource {
    async fn subscribe(
        &self,
        hook: &Hook,
        known: &mut Vec<String>,
    ) -> Result<Subscribed, FetchError> {
        let listed = list(self)
            .await
            .map_err(|error| fetch_error(error, Area::Users))?;
        // One that nobody remembers was made with another secret, or by a daemon that ended
        // before it could note it; one for another address is from before a move.
        let (ours, useless): (Vec<_>, Vec<_>) = listed
            .into_iter()
            .filter(|one| known.contains(&one.id) || one.notification_url == hook.url.as_str())
            .partition(|one| known.contains(&one.id) && one.notification_url == hook.url.as_str());
        let mut left = ours;
        known.retain(|id| left.iter().any(|one| one.id == *id));
        for one in useless {
            remove(self, &one.id).await?;
        }
        let mut standing = Subscribed {
            until: Timestamp::MAX,
            made: false,
        };
        for (resource, area) in RESOURCES {
            let at = left.iter().position(|one| one.is_of(resource));
            let renewed = match at {
                Some(at) => renew(self, &left.swap_remove(at).id, area).await?,
                None => None,
            };
            let one = match renewed {
                Some(one) => one,
                None => {
                    let one = create(self, hook, resource, area).await?;
                    tracing::info!(
                        source.name = self.name,
                        "Graph sends word of changes below {resource}"
                    );
                    known.push(one.id.clone());
                    standing.made = true;
                    one
                }
            };
            let until = one.expiration_date_time.unwrap_or_else(end);
            standing.until = standing.until.min(until);
        }
        for one in left {
            remove(self, &one.id).await?;
            known.retain(|id| *id != one.id);
        }
        Ok(standing)
    }

    async fn unsubscribe(&self, known: &[String]) -> Result<(), FetchError> {
        for id in known {
            remove(self, id).await?;
        }
        Ok(())
    }
}

async fn list(source: &GraphSource) -> Result<Vec<Subscription>, HttpError> {
    let handler = source.graph.sdk.subscriptions().list_subscription();
    let first = source.graph.address(&handler)?;
    let what = "the subscriptions";
    let mut pages = source.graph.pages(what, PageKind::List, first, |raw| {
        // One that cannot be read is nobody's we know.
        serde_json::from_str::<Subscription>(raw.get()).ok()
    });
    let mut all = Vec::new();
    while let Some(page) = pages.next().await? {
        all.extend(page.into_iter().flatten());
    }
    Ok(all)
}

/// None where Graph no longer has it.
async fn renew(
    source: &GraphSource,
    id: &str,
    area: Area,
) -> Result<Option<Subscription>, FetchError> {
    let handler = source
        .graph
        .sdk
        .subscription(id)
        .update_subscription(&json!({ "expirationDateTime": end() }));
    let renewed = source.graph.send("a subscription", handler, read).await;
    match renewed {
        Ok(one) => Ok(Some(one)),
        Err(error) if error.status().is_some_and(|answer| answer.status == 404) => Ok(None),
        Err(error) => Err(fetch_error(error, area)),
    }
}

async fn create(
    source: &GraphSource,
    hook: &Hook,
    resource: &str,
    area: Area,
) -> Result<Subscription, FetchError> {
    let body = json!({
        "changeType": CHANGES,
        "notificationUrl": hook.url,
        "lifecycleNotificationUrl": hook.url,
        "resource": resource,
        "expirationDateTime": end(),
        "clientState": hook.secret,
        "latestSupportedTlsVersion": "v1_2",
    });
    let handler = source.graph.sdk.subscriptions().create_subscription(&body);
    let created = source.graph.send("a subscription", handler, read).await;
    created.map_err(|error| not_created(error, hook, resource, area))
}

async fn remove(source: &GraphSource, id: &str) -> Result<(), FetchError> {
    let handler = source.graph.sdk.subscription(id).delete_subscription();
    let removed = source
        .graph
        .send("a subscription", handler, |_| Ok(()))
        .await;
    match removed {
        Err(error) if error.status().is_some_and(|answer| answer.status == 404) => Ok(()),
        removed => removed.map_err(|error| fetch_error(error, Area::Users)),
    }
}

fn read(answer: &Response) -> Result<Subscription, String> {
    serde_json::from_slice(&answer.body).map_err(|error| super::wire::not_json(&error))
}

/// When a subscription asked for now is to end.
fn end() -> Timestamp {
    let end = clock::now().saturating_add(LIFE).unwrap_or(Timestamp::MAX);
    Timestamp::from_second(end.as_second()).unwrap_or(end)
}

/// Why Graph made no subscription: most often it could not reach us.
fn not_created(error: HttpError, hook: &Hook, resource: &str, area: Area) -> FetchError {
    let Some(answer) = error.status() else {
        return fetch_error(error, area);
    };
    let said = GraphError::read(&answer.body).brief();
    match answer.status.as_u16() {
        400 => FetchError::Refused(format!(
            "Graph makes no subscription of {resource}: it has to get an answer from {}; see that \
             `server.public_url` leads to this daemon from the internet ({said})",
            hook.url
        )),
        403 => {
            let permission = match area {
                Area::Groups => "Group.Read.All",
                other => other.permission(),
            };
            FetchError::Refused(format!(
                "Graph makes no subscription of {resource}: the application lacks the application \
                 permission {permission}, or has as many subscriptions as it may ({said})"
            ))
        }
        _ => fetch_error(error, area),
    }
}
