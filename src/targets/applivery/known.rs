//! Who stands in a portal at Applivery, as far as this run has asked.
//!
//! A few are asked for one by one. Whoever asks for more gets the whole list read, once a run:
//! a hundred of them come with one request.

use std::collections::HashMap;

use tokio::sync::Mutex;

use super::client::{Client, Failure};
use super::people::{Kind, Person};

/// So many are asked for one by one.
const ONE_BY_ONE: usize = 5;

#[derive(Default)]
pub struct Known(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    /// By match key; None where nobody stands under it.
    people: HashMap<String, Option<Person>>,
    asked: usize,
    /// The list was read to its end: whoever is not here is not there.
    whole: bool,
}

impl Known {
    pub async fn forget(&self) {
        *self.0.lock().await = Seen::default();
    }

    /// Says that so many will be asked for.
    pub async fn expect(&self, client: &Client, kind: Kind, many: usize) -> Result<(), Failure> {
        let mut seen = self.0.lock().await;
        if seen.asked + many > ONE_BY_ONE {
            seen.read(client, kind).await?;
        }
        Ok(())
    }

    pub async fn get(
        &self,
        client: &Client,
        kind: Kind,
        key: &str,
    ) -> Result<Option<Person>, Failure> {
        let mut seen = self.0.lock().await;
        if let Some(known) = seen.people.get(key) {
            return Ok(known.clone());
        }
        if seen.whole {
            return Ok(None);
        }
        if seen.asked >= ONE_BY_ONE {
            seen.read(client, kind).await?;
            return Ok(seen.people.get(key).cloned().flatten());
        }
        seen.asked += 1;
        let found = client
            .list(kind.list_name(), kind.path(), &[("email", key)])
            .await?;
        // The filter may be a wider one than ours.
        let mut one = None;
        for json in found {
            let person = kind.read(json)?;
            if person.key() == key {
                one = Some(person);
            }
        }
        seen.people.insert(key.to_owned(), one.clone());
        Ok(one)
    }

    /// Everybody, in the order of the keys.
    pub async fn all(&self, client: &Client, kind: Kind) -> Result<Vec<(String, Person)>, Failure> {
        let mut seen = self.0.lock().await;
        seen.read(client, kind).await?;
        let there = seen.people.iter();
        let mut there: Vec<(String, Person)> = there
            .filter_map(|(key, person)| Some((key.clone(), person.clone()?)))
            .collect();
        there.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(there)
    }

    /// Notes what was made so; None for one that is gone.
    pub async fn note(&self, key: String, person: Option<Person>) {
        self.0.lock().await.people.insert(key, person);
    }

    /// Asks about a key anew, and the list itself instead of its filter: a service that says
    /// somebody is there whom the filter did not find is right.
    pub async fn look_again(
        &self,
        client: &Client,
        kind: Kind,
        key: &str,
    ) -> Result<Option<Person>, Failure> {
        let mut seen = self.0.lock().await;
        *seen = Seen::default();
        seen.read(client, kind).await?;
        Ok(seen.people.get(key).cloned().flatten())
    }
}

impl Seen {
    async fn read(&mut self, client: &Client, kind: Kind) -> Result<(), Failure> {
        if self.whole {
            return Ok(());
        }
        let mut people = HashMap::new();
        for json in client.list(kind.list_name(), kind.path(), &[]).await? {
            let person = kind.read(json)?;
            people.insert(person.key(), Some(person));
        }
        self.people = people;
        self.whole = true;
        Ok(())
    }
}
