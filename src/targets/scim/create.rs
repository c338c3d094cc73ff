//! Making a user, and never a second one.

use reqwest::Method;

use super::client::Ask;
use super::memory::FoundUser;
use super::pace::Doing;
use super::trouble::Trouble;
use super::update::Update;
use super::users::foreign;
use super::wire;
use super::{Fail, Scim};
use crate::plan::{Account, Action};
use crate::targets::TargetError;

/// So often a user is sent anew after a fault that left nothing behind.
const TRIES: u32 = 2;

impl Scim {
    /// Makes the user, and gives the id it got.
    ///
    /// Whether one stands there was asked when this was decided. What is in doubt here is our
    /// own: a request whose answer was lost may have been carried out, and then the next one
    /// meets what the first one made.
    pub(super) async fn create(&self, action: &Action, account: &Account) -> Result<String, Fail> {
        if let Some(missing) = wire::lacks(account, &self.profile) {
            return Err(TargetError::Refused(format!(
                "the service takes no user without {missing}: give the user one at the source, or fill it with a mapping"
            ))
            .into());
        }
        let subject = &action.subject.id;
        let body = wire::user(account, subject, &self.profile);
        let mut tries = 0;
        let id = loop {
            tries += 1;
            let ask = Ask {
                what: "creating a user",
                method: Method::POST,
                url: self.client.url(&["Users"], &[]),
                body: Some(&body),
                doing: Doing::WriteUser,
            };
            match self.client.send(ask).await {
                Ok(made) => match made.as_ref().and_then(wire::id_of) {
                    Some(id) => break id,
                    None => {
                        return Err(TargetError::Refused(
                            "the service took the user and gave it no id: it may be switched off there, so that nothing is kept".to_owned(),
                        )
                        .into());
                    }
                },
                Err(Trouble::Taken(text)) => {
                    let found = self.seek(&action.portal, subject, account).await?;
                    break self.is_ours(action, account, found, text).await?;
                }
                Err(Trouble::Fault(text)) => {
                    let found = self.seek(&action.portal, subject, account).await?;
                    let own = found.filter(|found| found.external_id.as_ref() == Some(subject));
                    if own.is_some() {
                        break self.is_ours(action, account, own, text).await?;
                    }
                    if tries >= TRIES {
                        return Err(self.client.weigh(text).await.into());
                    }
                    tokio::time::sleep(crate::http::backoff(tries)).await;
                }
                Err(trouble) => return Err(trouble.into()),
            }
        };
        self.note_id(action, &id)?;
        self.role_follows(&id, &Account::default(), account).await?;
        Ok(id)
    }

    /// Something stands where the user was to go. If it is what an earlier try made, that is
    /// what was wanted.
    async fn is_ours(
        &self,
        action: &Action,
        account: &Account,
        found: Option<FoundUser>,
        text: String,
    ) -> Result<String, Fail> {
        let Some(found) = found else {
            return Err(TargetError::Refused(format!(
                "{text}; what stands in the way cannot be found by its name: look for it in the service"
            ))
            .into());
        };
        let subject = &action.subject.id;
        if found.external_id.as_ref() != Some(subject) {
            if self.is_somebody_elses(&action.portal, &action.key, &found)? {
                return Err(Fail::Taken(text));
            }
            // What it is called is noted, so that the next run finds it whatever it is found
            // by there.
            self.note_id(action, &found.id)?;
            return Err(TargetError::Refused(format!(
                "an account of this name stands there already; the next run adopts it ({text})"
            ))
            .into());
        }
        let update = Update {
            before: &found.account,
            after: account,
            external_id: foreign(&found, subject),
        };
        match self.update_user(&found.id, &update).await {
            Ok(()) => Ok(found.id),
            Err(Trouble::Taken(text)) => Err(Fail::Taken(text)),
            Err(trouble) => Err(trouble.into()),
        }
    }
}
