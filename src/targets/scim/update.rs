//! Changing a user: a patch of what differs, in the form that this provider takes; where it
//! takes none, the whole user back.

use reqwest::Method;
use serde_json::Value as Json;

use super::Scim;
use super::client::Ask;
use super::pace::Doing;
use super::trouble::Trouble;
use super::wire::{self, Style};
use crate::config::{ActiveStyle, UpdateBy};
use crate::plan::{Account, AttributeChange};

/// What an account is, and what it is to be.
pub struct Update<'a> {
    pub before: &'a Account,
    pub after: &'a Account,
    /// The `externalId`, where it is to be another.
    pub external_id: Option<&'a str>,
}

impl Scim {
    /// Sends what differs, if anything does.
    pub(super) async fn update_user(&self, id: &str, update: &Update<'_>) -> Result<(), Trouble> {
        let changes = wire::changes(update.before, update.after, &self.profile);
        if changes.is_empty() && update.external_id.is_none() {
            return Ok(());
        }
        let learnt = self.learnt();
        let switches = changes.iter().any(|change| change.attribute == "active");
        if learnt.user_update == UpdateBy::Put {
            return self.put_user(id, &changes, update.external_id).await;
        }
        if switches && learnt.active == ActiveStyle::Put {
            // The rest of it goes along.
            return self.put_user(id, &changes, update.external_id).await;
        }
        let styles = [
            Style {
                pathless: learnt.pathless,
                active: learnt.active,
                whole_lists: learnt.whole_lists,
            },
            // No paths with filters, then no paths at all.
            Style {
                pathless: learnt.pathless,
                active: learnt.active,
                whole_lists: true,
            },
            Style {
                pathless: true,
                active: ActiveStyle::Pathless,
                whole_lists: true,
            },
        ];
        let mut before: Option<Vec<Json>> = None;
        let mut refusal = None;
        for (nth, style) in styles.into_iter().enumerate() {
            let operations = wire::operations(
                &changes,
                update.external_id,
                update.after,
                &self.profile,
                style,
            );
            if before.as_ref() == Some(&operations) {
                continue;
            }
            before = Some(operations.clone());
            match self.patch_user(id, operations).await {
                Err(trouble) if trouble.is_about_the_path() => refusal = Some(trouble),
                // What is to be replaced is not there: that is so of this user only.
                Err(trouble) if trouble.found_no_target() && nth == 0 => refusal = Some(trouble),
                Ok(()) => {
                    let formal = refusal.as_ref().is_some_and(Trouble::is_about_the_path);
                    if nth > 0 && formal {
                        self.learn(|learnt| {
                            learnt.pathless = style.pathless;
                            learnt.active = style.active;
                            learnt.whole_lists = style.whole_lists;
                        });
                    }
                    return Ok(());
                }
                Err(trouble) => return Err(trouble),
            }
        }
        match refusal {
            Some(Trouble::Unsupported(_)) => {
                self.put_user(id, &changes, update.external_id).await?;
                self.learn(|learnt| learnt.user_update = UpdateBy::Put);
                Ok(())
            }
            Some(trouble) => Err(trouble),
            None => Ok(()),
        }
    }

    async fn patch_user(&self, id: &str, operations: Vec<Json>) -> Result<(), Trouble> {
        let ask = Ask {
            what: "changing a user",
            method: Method::PATCH,
            url: self.client.url(&["Users", id], &[]),
            body: Some(&wire::patch(operations)),
            doing: Doing::WriteUser,
        };
        self.client.send(ask).await.map(drop)
    }

    /// What a PUT leaves out is gone, so the user is read first.
    async fn put_user(
        &self,
        id: &str,
        changes: &[AttributeChange],
        external_id: Option<&str>,
    ) -> Result<(), Trouble> {
        let url = self.client.url(&["Users", id], &[]);
        let read = self.client.get("reading a user", url.clone()).await?;
        let Some(read) = read else {
            return Err(Trouble::Gone);
        };
        let body = wire::put(read, changes, external_id, &self.profile);
        let ask = Ask {
            what: "changing a user",
            method: Method::PUT,
            url,
            body: Some(&body),
            doing: Doing::WriteUser,
        };
        self.client.send(ask).await.map(drop)
    }
}
