//! The least that anybody has to do: the fewest pages that hold the users, the groups and the
//! memberships, decoded into structs and dropped.
//!
//! No retry, no pacing, no comparison, no store. The chains run side by side as far as one
//! does not need another's answer.

use std::cell::Cell;
use std::time::Instant;

use anyhow::{Context, bail};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use reqwest::{Client, RequestBuilder, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

/// The properties rosterd asks for with the settings of the benchmarks.
const SELECT: &str = "id,accountEnabled,userPrincipalName,mail,displayName,givenName,surname,\
                      department,jobTitle";

#[derive(Default)]
struct Counted {
    requests: Cell<u64>,
    users: Cell<u64>,
    groups: Cell<u64>,
    memberships: Cell<u64>,
}

impl Counted {
    fn print(&self, began: Instant) {
        println!(
            "{}",
            serde_json::json!({
                "wall_ms": began.elapsed().as_millis() as u64,
                "requests": self.requests.get(),
                "users": self.users.get(),
                "groups": self.groups.get(),
                "memberships": self.memberships.get(),
            })
        );
    }
}

fn add(to: &Cell<u64>, many: usize) {
    to.set(to.get() + many as u64);
}

async fn send(request: RequestBuilder, counted: &Counted) -> anyhow::Result<Response> {
    add(&counted.requests, 1);
    Ok(request.send().await?.error_for_status()?)
}

async fn body<T: DeserializeOwned>(answer: Response) -> anyhow::Result<T> {
    let bytes = answer.bytes().await?;
    serde_json::from_slice(&bytes).context("a page cannot be decoded")
}

#[derive(Deserialize)]
struct Page<T> {
    value: Vec<T>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "decoded for the work that it is, and dropped")]
struct GraphUser {
    id: String,
    account_enabled: Option<bool>,
    user_principal_name: Option<String>,
    mail: Option<String>,
    display_name: Option<String>,
    given_name: Option<String>,
    surname: Option<String>,
    department: Option<String>,
    job_title: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "decoded for the work that it is, and dropped")]
struct GraphGroup {
    id: String,
    display_name: Option<String>,
    #[serde(rename = "members@delta", default)]
    members: Vec<GraphMember>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "decoded for the work that it is, and dropped")]
struct GraphMember {
    #[serde(rename = "@odata.type")]
    kind: Option<String>,
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "decoded for the work that it is, and dropped")]
struct Assignment {
    principal_id: String,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

/// The position in the users' changes, then the users list; the groups with their members;
/// the assignments if an application is named.
pub async fn graph(api: &str, token: &str, application: Option<&str>) -> anyhow::Result<()> {
    let began = Instant::now();
    let counted = Counted::default();
    let client = Client::builder().build()?;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "sim-client"),
        ("client_secret", "sim-secret"),
        ("scope", "https://graph.microsoft.com/.default"),
    ];
    let token: Token = body(client.post(token).form(&form).send().await?).await?;
    let chain = Chain {
        client: &client,
        token: &token.access_token,
        counted: &counted,
    };
    let users = async {
        let latest = format!("{api}/users/delta?$select={SELECT}&$deltatoken=latest");
        chain.pages::<GraphUser>(latest, |_| ()).await?;
        let list = format!("{api}/users?$select={SELECT}&$top=999");
        chain
            .pages::<GraphUser>(list, |users| add(&counted.users, users.len()))
            .await
    };
    let groups = chain.pages::<GraphGroup>(
        format!("{api}/groups/delta?$select=id,displayName,members"),
        |groups| {
            add(&counted.groups, groups.len());
            let members: usize = groups.iter().map(|group| group.members.len()).sum();
            add(&counted.memberships, members);
        },
    );
    let assignments = async {
        let Some(application) = application else {
            return Ok(());
        };
        let url =
            format!("{api}/servicePrincipals(appId='{application}')/appRoleAssignedTo?$top=999");
        chain.pages::<Assignment>(url, |_| ()).await
    };
    futures::try_join!(users, groups, assignments)?;
    counted.print(began);
    Ok(())
}

struct Chain<'a> {
    client: &'a Client,
    token: &'a str,
    counted: &'a Counted,
}

impl Chain<'_> {
    async fn pages<T: DeserializeOwned>(
        &self,
        first: String,
        each: impl Fn(&[T]),
    ) -> anyhow::Result<()> {
        let mut next = Some(first);
        while let Some(url) = next.take() {
            let request = self.client.get(url).bearer_auth(self.token);
            let page: Page<T> = body(send(request, self.counted).await?).await?;
            each(&page.value);
            next = page.next;
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "decoded for the work that it is, and dropped")]
struct OktaUser {
    id: String,
    status: Option<String>,
    profile: OktaProfile,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "decoded for the work that it is, and dropped")]
struct OktaProfile {
    login: Option<String>,
    email: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    display_name: Option<String>,
    department: Option<String>,
    title: Option<String>,
}

#[derive(Deserialize)]
struct OktaGroup {
    id: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    profile: OktaGroupProfile,
}

#[derive(Deserialize)]
struct OktaGroupProfile {
    name: Option<String>,
}

impl OktaGroup {
    /// Holds every user, so that its list says nothing new.
    fn is_everyone(&self) -> bool {
        self.kind.as_deref() == Some("BUILT_IN") && self.profile.name.as_deref() == Some("Everyone")
    }
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "decoded for the work that it is, and dropped")]
struct OktaMember {
    id: String,
    status: Option<String>,
}

/// The users, then those who are deactivated, in one chain; beside it the groups and, as many
/// at a time as there is room, their members.
pub async fn okta(api: &str, concurrency: usize) -> anyhow::Result<()> {
    let began = Instant::now();
    let counted = Counted::default();
    let client = Client::builder().build()?;
    let okta = Okta {
        client: &client,
        counted: &counted,
    };
    let users = async {
        let count = |users: &[OktaUser]| add(&counted.users, users.len());
        okta.pages(format!("{api}/users?limit=200"), count).await?;
        let gone = format!("{api}/users?limit=200&filter=status%20eq%20%22DEPROVISIONED%22");
        okta.pages(gone, count).await
    };
    let groups = async {
        let found = Cell::new(Vec::new());
        okta.pages(
            format!("{api}/groups?limit=200"),
            |groups: &[OktaGroup]| {
                add(&counted.groups, groups.len());
                let mut ids = found.take();
                let read = groups.iter().filter(|group| !group.is_everyone());
                ids.extend(read.map(|group| group.id.clone()));
                found.set(ids);
            },
        )
        .await?;
        let mut waiting = found.take().into_iter();
        let mut reading = FuturesUnordered::new();
        loop {
            // The users' chain is one of them.
            while reading.len() + 1 < concurrency.max(2) {
                let Some(id) = waiting.next() else { break };
                let url = format!("{api}/groups/{id}/users?limit=1000");
                let (okta, counted) = (&okta, &counted);
                reading.push(async move {
                    okta.pages(url, |members: &[OktaMember]| {
                        add(&counted.memberships, members.len());
                    })
                    .await
                });
            }
            match reading.next().await {
                Some(read) => read?,
                None => return anyhow::Ok(()),
            }
        }
    };
    futures::try_join!(users, groups)?;
    counted.print(began);
    Ok(())
}

struct Okta<'a> {
    client: &'a Client,
    counted: &'a Counted,
}

impl Okta<'_> {
    async fn pages<T: DeserializeOwned>(
        &self,
        first: String,
        each: impl Fn(&[T]),
    ) -> anyhow::Result<()> {
        let mut next = Some(first);
        while let Some(url) = next.take() {
            let request = self.client.get(url);
            let request = request.header("authorization", "SSWS sim-okta-token");
            let answer = send(request, self.counted).await?;
            next = next_link(&answer)?;
            each(&body::<Vec<T>>(answer).await?);
        }
        Ok(())
    }
}

fn next_link(answer: &Response) -> anyhow::Result<Option<String>> {
    for header in answer.headers().get_all("link") {
        for link in header.to_str()?.split(", ") {
            if let Some((url, rest)) = link.trim_start_matches('<').split_once('>')
                && rest.contains("rel=\"next\"")
            {
                if Url::parse(url).is_err() {
                    bail!("a next link is no address");
                }
                return Ok(Some(url.to_owned()));
            }
        }
    }
    Ok(None)
}
