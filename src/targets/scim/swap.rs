//! Names that change hands: two users swap their addresses, or one takes what another gives up.
//!
//! A provider refuses a name that somebody still has. So whoever was refused is tried again
//! when the others are through; and where they wait for each other in a ring, one of them steps
//! aside under a name of nobody's until the rest are done.

use super::update::Update;
use super::users::is_change;
use super::{Fail, Job, Scim};
use crate::directory::Value;
use crate::plan::Account;
use crate::targets::TargetError;

type Results = [Option<Result<(), Fail>>];

impl Scim {
    pub(super) async fn names_that_change_hands(&self, jobs: &[Job<'_>], results: &mut Results) {
        let mut waiting: Vec<&Job<'_>> =
            jobs.iter().filter(|job| is_refused(job, results)).collect();
        self.try_again(&mut waiting, results).await;
        // Nobody of ours stands in the way of the only one.
        if waiting.len() < 2 {
            return;
        }
        let steps_aside =
            |job: &&Job<'_>| job.steps.iter().all(|(_, step)| is_change(step.action.op));
        let Some(place) = waiting.iter().position(steps_aside) else {
            return;
        };
        let head = waiting.remove(place);
        match self.step_aside(head, &mut waiting, results).await {
            Ok(()) => {
                for (place, _) in &head.steps {
                    results[*place] = Some(Ok(()));
                }
            }
            Err(fail) => {
                for (place, _) in &head.steps {
                    results[*place] = Some(Err(fail.again()));
                }
            }
        }
    }

    /// Tries those who were refused one by one, for as long as that gets somebody through.
    async fn try_again(&self, waiting: &mut Vec<&Job<'_>>, results: &mut Results) {
        loop {
            let before = waiting.len();
            for job in waiting.iter() {
                for (place, result) in self.job(job).await {
                    results[place] = Some(result);
                }
            }
            waiting.retain(|job| is_refused(job, results));
            if waiting.is_empty() || waiting.len() == before {
                return;
            }
        }
    }

    async fn step_aside(
        &self,
        head: &Job<'_>,
        others: &mut Vec<&Job<'_>>,
        results: &mut Results,
    ) -> Result<(), Fail> {
        let Some((_, first)) = head.steps.first() else {
            return Ok(());
        };
        let (before, after) = self.before_and_after(&head.steps)?;
        let Some(id) = self.known_id(first.action)? else {
            return Err(Fail::Target(TargetError::Refused(
                "it is not known what the service calls the account".to_owned(),
            )));
        };
        let aside = aside(&before);
        let from = |before, after| Update {
            before,
            after,
            external_id: None,
        };
        self.update_user(&id, &from(&before, &aside)).await?;
        self.try_again(others, results).await;
        match self.update_user(&id, &from(&aside, &after)).await {
            Ok(()) => {}
            Err(trouble) => {
                // Back to what it was, so that nobody is left without a name.
                self.update_user(&id, &from(&aside, &before)).await?;
                return Err(trouble.into());
            }
        }
        self.role_follows(&id, &before, &after).await?;
        Ok(())
    }
}

fn is_refused(job: &Job<'_>, results: &Results) -> bool {
    job.steps
        .iter()
        .any(|(place, _)| matches!(results[*place], Some(Err(Fail::Taken(_)))))
}

/// An account under a name of nobody's.
fn aside(account: &Account) -> Account {
    let name = format!("moving-{}@rosterd.invalid", ulid::Ulid::new()).to_lowercase();
    let mut aside = account.clone();
    aside.set("userName", Some(Value::from(name.as_str())));
    if account.email.is_some() {
        aside.set("email", Some(Value::from(name)));
    }
    aside
}
