//! Actions on accounts: making, adopting, changing and removing people.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;

use super::client::{Failure, code};
use super::people::{Kind, Person, role_word};
use super::{Applivery, Place, Step, TargetError};
use crate::directory::fold::fold;
use crate::plan::{Account, Action, AttributeChange, Op, Role, SubjectKind};
use crate::store::target_ids::{TargetId, delete_target_id, put_target_id};

/// How often one is posted whose making may have failed. Each time it is looked up first.
const POSTINGS: usize = 3;

/// What came of posting somebody new.
pub(super) enum Posted {
    Made(Person),
    /// Somebody stands under the address already.
    Stands(Person),
}

impl Applivery {
    pub(super) async fn account(&self, step: &Step<'_>) -> Result<(), TargetError> {
        let action = step.action;
        let place = self.place(&action.portal)?;
        match action.op {
            Op::CreateAccount => self.create(place, action).await,
            Op::RemoveAccount => self.remove(place, action).await,
            Op::AdoptAccount | Op::UpdateAccount | Op::SetRole => match step.old_key {
                Some(old) => self.change_address(place, action, old).await,
                None => self.update(place, action).await,
            },
            // No portal that may live here disables accounts, and there is no such state.
            Op::EnableAccount | Op::DisableAccount => Ok(()),
            _ => Err(TargetError::Refused(
                "that is no account's action".to_owned(),
            )),
        }
    }

    async fn create(&self, place: &Place, action: &Action) -> Result<(), TargetError> {
        let mut account = Account::default();
        account.apply(&action.changes);
        let tags = self.names_of(&action.portal, &action.joins)?;
        match self.post(place, &account, &tags, &action.key).await? {
            Posted::Made(person) => self.made(place, action, person, account.role).await,
            Posted::Stands(person) if self.is_ours(action, &person)? => {
                self.made(place, action, person, account.role).await
            }
            Posted::Stands(_) => Err(TargetError::Refused(format!(
                "'{}' stands there already; the next run adopts it",
                action.key
            ))),
        }
    }

    /// Posts somebody new. What may have been made is looked up before it is posted again.
    pub(super) async fn post(
        &self,
        place: &Place,
        account: &Account,
        tags: &BTreeSet<String>,
        key: &str,
    ) -> Result<Posted, TargetError> {
        let kind = place.kind;
        let body = kind.create_body(account, tags);
        let what = "the new account";
        let mut unsure = None;
        for _ in 0..POSTINGS {
            let posted = self.client.once(what, kind.create_path(), &body).await;
            match posted.and_then(|data| kind.read_created(data)) {
                Ok(person) => return Ok(Posted::Made(person)),
                Err(Failure::Unsure(text)) => {
                    let found = self.look_again(place, key).await?;
                    if let Some(person) = found {
                        return Ok(Posted::Made(person));
                    }
                    unsure = Some(text);
                }
                Err(failure) if failure.has_code(code::LIMIT) => {
                    return Err(TargetError::Refused(format!(
                        "{failure}; the plan of the organization is full: make room there"
                    )));
                }
                Err(failure @ Failure::Refused { .. }) => {
                    // Only one kind of people has a code of its own for "exists".
                    let exists = failure.has_code(code::EXISTS) || kind != Kind::DeviceUser;
                    if exists && let Some(person) = self.look_again(place, key).await? {
                        return Ok(Posted::Stands(person));
                    }
                    return Err(self.told(failure));
                }
                Err(failure) => return Err(self.told(failure)),
            }
        }
        Err(self.told(Failure::Unsure(unsure.unwrap_or_default())))
    }

    async fn look_again(&self, place: &Place, key: &str) -> Result<Option<Person>, TargetError> {
        let found = place.known.look_again(&self.client, place.kind, key).await;
        found.map_err(|failure| self.unanswered(failure))
    }

    fn is_ours(&self, action: &Action, person: &Person) -> Result<bool, TargetError> {
        let subject = &action.subject;
        let known = self.store.target_id(
            &action.portal,
            SubjectKind::User,
            &subject.source,
            &subject.id,
        )?;
        Ok(known.as_deref() == Some(person.id.as_str()))
    }

    /// What follows once somebody stands there: the role, and our note of who it is.
    async fn made(
        &self,
        place: &Place,
        action: &Action,
        mut person: Person,
        role: Option<Role>,
    ) -> Result<(), TargetError> {
        self.remember(action, &person)?;
        if place.kind == Kind::Collaborator {
            let set = self.set_role(place, &mut person, role).await;
            set.map_err(|error| match error {
                TargetError::Refused(text) => TargetError::Refused(format!(
                    "the account was made, but not with its role: {text}"
                )),
                error => error,
            })?;
        }
        place.known.note(action.key.clone(), Some(person)).await;
        Ok(())
    }

    pub(super) fn remember(&self, action: &Action, person: &Person) -> Result<(), TargetError> {
        let subject = &action.subject;
        let row = TargetId {
            kind: SubjectKind::User,
            source: subject.source.clone(),
            subject: subject.id.clone(),
            id: person.id.clone(),
        };
        Ok(self
            .store
            .write(vec![put_target_id(&action.portal, &row)])?)
    }

    pub(super) fn forget(&self, action: &Action) -> Result<(), TargetError> {
        let subject = &action.subject;
        let op = delete_target_id(
            &action.portal,
            SubjectKind::User,
            &subject.source,
            &subject.id,
        );
        Ok(self.store.write(vec![op])?)
    }

    pub(super) async fn set_role(
        &self,
        place: &Place,
        person: &mut Person,
        role: Option<Role>,
    ) -> Result<(), TargetError> {
        let word = role_word(role);
        if person.role.as_deref() == Some(word) {
            return Ok(());
        }
        if person.is_owner() {
            return Err(TargetError::Refused(
                "this is the owner of the organization, whom rosterd never changes".to_owned(),
            ));
        }
        let path = place.kind.path_of(&person.id);
        let body = json!({ "role": word });
        let what = "the role of the collaborator";
        let put = self.client.call(Method::PUT, what, &path, Some(&body));
        put.await.map_err(|failure| self.told(failure))?;
        person.role = Some(word.to_owned());
        Ok(())
    }

    /// The one who stands under a key, found by its address, else by what we know it is called.
    pub(super) async fn standing(
        &self,
        portal: &str,
        place: &Place,
        (source, user): (&str, &str),
        key: &str,
    ) -> Result<Option<Person>, TargetError> {
        if let Some(person) = self.find_person(place, key).await? {
            return Ok(Some(person));
        }
        let id = self
            .store
            .target_id(portal, SubjectKind::User, source, user)?;
        let Some(id) = id else { return Ok(None) };
        let all = place.known.all(&self.client, place.kind).await;
        let all = all.map_err(|failure| self.unanswered(failure))?;
        let found = all.into_iter().find(|(_, person)| person.id == id);
        Ok(found.map(|(_, person)| person))
    }

    /// The one an action is about, who stands under a key.
    pub(super) async fn subject(
        &self,
        place: &Place,
        action: &Action,
        key: &str,
    ) -> Result<Option<Person>, TargetError> {
        let who = (action.subject.source.as_str(), action.subject.id.as_str());
        self.standing(&action.portal, place, who, key).await
    }

    async fn update(&self, place: &Place, action: &Action) -> Result<(), TargetError> {
        let Some(mut person) = self.subject(place, action, &action.key).await? else {
            return Err(gone(&action.key));
        };
        if action.op == Op::AdoptAccount {
            self.remember(action, &person)?;
        }
        // The owner is adopted, so that nobody makes a second one; and that is all.
        if person.is_owner() && action.op != Op::SetRole {
            return Ok(());
        }
        if let Some(email) = new_address(&action.changes, &person) {
            return Err(self.address_is_fixed(&person.email, email));
        }
        self.write(place, &mut person, &action.changes).await?;
        for change in &action.changes {
            if change.attribute == "role" && place.kind == Kind::Collaborator {
                let role = change.after.as_ref().and_then(|role| role.as_text());
                let role = role.and_then(|role| role.parse().ok());
                self.set_role(place, &mut person, role).await?;
            }
        }
        place.known.note(person.key(), Some(person)).await;
        Ok(())
    }

    /// Writes what Applivery keeps of some changes.
    pub(super) async fn write(
        &self,
        place: &Place,
        person: &mut Person,
        changes: &[AttributeChange],
    ) -> Result<(), TargetError> {
        let Some(body) = place.kind.update_body(person, changes) else {
            return Ok(());
        };
        let path = place.kind.path_of(&person.id);
        let put = self
            .client
            .call(Method::PUT, "the account", &path, Some(&body))
            .await;
        let answer = match put {
            Ok(answer) => answer,
            Err(Failure::Gone(_)) => return Err(gone(&person.key())),
            Err(failure) => return Err(self.told(failure)),
        };
        // An answer that shows the account shows it as it is now.
        if let Ok(now) = place.kind.read(answer)
            && now.id == person.id
        {
            *person = now;
        }
        Ok(())
    }

    async fn remove(&self, place: &Place, action: &Action) -> Result<(), TargetError> {
        let Some(person) = self.subject(place, action, &action.key).await? else {
            return self.forget(action);
        };
        self.remove_person(place, &person).await?;
        self.forget(action)?;
        place.known.note(person.key(), None).await;
        Ok(())
    }

    pub(super) async fn remove_person(
        &self,
        place: &Place,
        person: &Person,
    ) -> Result<(), TargetError> {
        if person.is_owner() {
            return Err(TargetError::Refused(
                "this is the owner of the organization, whom rosterd never removes".to_owned(),
            ));
        }
        if place.kind != Kind::DeviceUser && !self.options.settings.undocumented_calls {
            return Err(TargetError::Refused(format!(
                "Applivery documents no call that removes this account; '{}.undocumented_calls' allows one that may work",
                self.options.path
            )));
        }
        let path = place.kind.path_of(&person.id);
        let deleted = self
            .client
            .call(Method::DELETE, "the account", &path, None)
            .await;
        match deleted {
            Ok(_) | Err(Failure::Gone(_)) => Ok(()),
            Err(failure) if failure.has_code(code::HAS_DEVICES) => Err(TargetError::Refused(
                format!("{failure}; it still has devices, which the next run sees to"),
            )),
            Err(failure) if failure.has_code(code::HAS_TOKENS) => {
                Err(TargetError::Refused(format!(
                    "{failure}; enrolment tokens are pending: it goes when they lapse or are removed"
                )))
            }
            Err(failure) => Err(self.told(failure)),
        }
    }

    pub(super) fn address_is_fixed(&self, old: &str, new: &str) -> TargetError {
        TargetError::Refused(format!(
            "conflict: Applivery changes no address, so '{old}' cannot become '{new}'; '{}.email_change = \"recreate\"' makes the account anew",
            self.options.path
        ))
    }
}

/// The address an action asks for, where it is another than the person's.
fn new_address<'a>(changes: &'a [AttributeChange], person: &Person) -> Option<&'a str> {
    let change = changes.iter().find(|change| change.attribute == "email")?;
    let email = change.after.as_ref()?.as_text()?;
    (fold(email) != person.key()).then_some(email)
}

pub(super) fn gone(key: &str) -> TargetError {
    TargetError::Refused(format!(
        "the target has no account '{key}' any more; 'rosterd drift' shows what else changed there"
    ))
}
