//! The Graph source against a pretend tenant: what it reads is what is there, and nothing is
//! believed that was read half.

mod picture;

use std::collections::BTreeSet;
use std::time::Duration;

use picture::{Picture, list};
use rosterd::directory::{Collection, Cursor, GroupId, Member, UserId};
use rosterd::sources::graph::{Cloud, Credential, GraphSource, Options, Scope, Secret};
use rosterd::sources::{Ask, FetchError, Fetched, Source};
use rosterd_sim::{APP_ID, Sim, SimHandle, SimOptions, TENANT_DOMAIN};
use serde_json::{Value, json};

fn options(sim: &SimHandle) -> Options {
    let attributes = ["department", "manager", "division", "source.usageLocation"];
    Options {
        name: "entra".into(),
        tenant: TENANT_DOMAIN.into(),
        client_id: "sim-client".into(),
        credential: Credential::Secret(Secret::new("sim-secret")),
        cloud: Cloud::Global,
        endpoint: Some(sim.base_url().parse().unwrap()),
        authority: Some(sim.base_url().parse().unwrap()),
        scope: Scope::Assigned {
            application: APP_ID.into(),
        },
        attributes: attributes.iter().map(|name| name.to_string()).collect(),
        concurrency: 8,
        rate_share: 0.5,
        timeout: Duration::from_secs(5),
        ca_pem: None,
        progress: None,
    }
}

fn company(users: usize) -> SimHandle {
    Sim::start(SimOptions {
        users,
        groups: 30,
        memberships: users * 6,
        ..SimOptions::default()
    })
    .unwrap()
}

/// Reads one round onto a picture.
async fn read(
    source: &GraphSource,
    ask: Ask,
    picture: &mut Picture,
) -> Result<Fetched, FetchError> {
    let (sink, mut changes) = tokio::sync::mpsc::channel(4);
    let (fetched, ()) = tokio::join!(source.fetch(ask, sink), async {
        while let Some(batch) = changes.recv().await {
            batch.into_iter().for_each(|change| picture.take(change));
        }
    });
    fetched
}

async fn full(source: &GraphSource) -> (Picture, Fetched) {
    let mut picture = Picture::default();
    let fetched = read(source, Ask::Full, &mut picture).await.unwrap();
    (picture, fetched)
}

async fn since(
    source: &GraphSource,
    picture: &mut Picture,
    cursor: Option<Cursor>,
) -> Result<Fetched, FetchError> {
    read(source, Ask::Since(cursor.unwrap()), picture).await
}

fn some_user(sim: &SimHandle, n: usize) -> String {
    sim.graph_truth()["users"][n]["id"].as_str().unwrap().into()
}

/// Graph tells nobody that their manager was deleted: the next full round does.
fn nobodys_manager(sim: &SimHandle) -> String {
    let truth = sim.graph_truth();
    let managers: BTreeSet<&str> = list(&truth["users"])
        .filter_map(|user| user["manager"].as_str())
        .collect();
    list(&truth["users"])
        .skip(3)
        .filter_map(|user| user["id"].as_str())
        .find(|id| !managers.contains(id))
        .unwrap()
        .into()
}

fn some_group(sim: &SimHandle, n: usize) -> String {
    sim.graph_truth()["groups"][n]["id"]
        .as_str()
        .unwrap()
        .into()
}

#[tokio::test]
async fn a_full_round_is_the_tenant_as_it_is() {
    let sim = company(2_500);
    let source = GraphSource::open(options(&sim)).unwrap();
    let (picture, fetched) = full(&source).await;
    picture.assert_true(&sim);
    assert_eq!(picture.closed.len(), picture.names.len());
    assert!(picture.unreadable.is_empty());
    assert_eq!(
        fetched.complete,
        BTreeSet::from([Collection::Users, Collection::Groups, Collection::Assigned])
    );
    assert!(fetched.warnings.is_empty(), "{:?}", fetched.warnings);
    assert_eq!(fetched.requests, source.requests());
}

#[tokio::test]
async fn large_groups_small_pages_and_repetitions_change_nothing() {
    let sim = company(400);
    sim.settings(json!({
        "delta_page_users": 7, "delta_page_groups": 5, "delta_page_members": 40,
        "delta_group_chunk": 11, "delta_empty_every": 3, "delta_duplicates": true,
        "delta_spelling": "microsoft.graph.delta()",
    }))
    .unwrap();
    let source = GraphSource::open(options(&sim)).unwrap();
    let (mut picture, fetched) = full(&source).await;
    picture.assert_true(&sim);
    for n in 0..20 {
        let department = format!("D{n}");
        sim.patch_user(&some_user(&sim, n), json!({"department": department}))
            .unwrap();
    }
    since(&source, &mut picture, fetched.cursor).await.unwrap();
    picture.assert_true(&sim);
}

#[tokio::test]
async fn a_quiet_round_is_three_requests_and_says_nothing() {
    let sim = company(50);
    let source = GraphSource::open(options(&sim)).unwrap();
    let (_, fetched) = full(&source).await;
    let mut quiet = Picture::default();
    let fetched = since(&source, &mut quiet, fetched.cursor).await.unwrap();
    assert_eq!(fetched.requests, 3);
    assert_eq!(quiet.changes, 1, "the assignments, and nothing else");
    assert!(fetched.complete.is_empty());
}

#[tokio::test]
async fn an_incremental_round_carries_every_kind_of_change() {
    let sim = company(60);
    let source = GraphSource::open(options(&sim)).unwrap();
    let (mut picture, fetched) = full(&source).await;
    let (jane, boss, leaver, group) = (
        some_user(&sim, 1),
        some_user(&sim, 2),
        nobodys_manager(&sim),
        some_group(&sim, 0),
    );
    let change = json!({"department": null, "accountEnabled": false, "manager": boss});
    sim.patch_user(&jane, change).unwrap();
    sim.delete_user(&leaver).unwrap();
    let new = sim
        .create_user(json!({"displayName": "New", "userPrincipalName": "new@contoso.com"}))
        .unwrap();
    let new = new["id"].as_str().unwrap();
    let team = sim.create_group(json!({"displayName": "Team"})).unwrap();
    let team = team["id"].as_str().unwrap();
    sim.add_member(team, new).unwrap();
    sim.add_member(team, &group).unwrap();
    sim.assign(team).unwrap();
    let other = some_group(&sim, 2);
    sim.control("DELETE", &format!("/sim/graph/groups/{other}"), Value::Null)
        .unwrap();
    let fetched = since(&source, &mut picture, fetched.cursor).await.unwrap();
    picture.assert_true(&sim);
    assert!(picture.gone.contains(&leaver) && picture.gone.contains(&other));

    sim.remove_member(team, new).unwrap();
    sim.patch_user(&jane, json!({"manager": null})).unwrap();
    let restore = format!("/sim/graph/users/{leaver}/restore");
    sim.control("POST", &restore, Value::Null).unwrap();
    since(&source, &mut picture, fetched.cursor).await.unwrap();
    picture.assert_true(&sim);
}

#[tokio::test]
async fn an_expired_token_in_any_of_its_forms_asks_for_a_full_round() {
    let sim = company(30);
    let source = GraphSource::open(options(&sim)).unwrap();
    for form in ["gone", "gone_bare", "sync_state_not_found"] {
        sim.settings(json!({"delta_expiry": form})).unwrap();
        let (_, fetched) = full(&source).await;
        sim.control("POST", "/sim/graph/expire_delta_tokens", Value::Null)
            .unwrap();
        let result = since(&source, &mut Picture::default(), fetched.cursor).await;
        assert!(
            matches!(result, Err(FetchError::Resync(_))),
            "{form}: {result:?}"
        );
    }
}

#[tokio::test]
async fn a_position_of_other_attributes_another_tenant_or_another_host_is_not_used() {
    let sim = company(30);
    let source = GraphSource::open(options(&sim)).unwrap();
    let (_, fetched) = full(&source).await;
    let mut more = options(&sim);
    more.attributes.insert("title".into());
    let mut other = options(&sim);
    other.endpoint = Some("http://127.0.0.1:1".parse().unwrap());
    for changed in [more, other] {
        let changed = GraphSource::open(changed).unwrap();
        let result = since(&changed, &mut Picture::default(), fetched.cursor.clone()).await;
        assert!(matches!(result, Err(FetchError::Resync(_))), "{result:?}");
        assert_eq!(changed.requests(), 0);
    }
    let old = fetched
        .cursor
        .unwrap()
        .0
        .replace("\"taken_at\":\"2", "\"taken_at\":\"1");
    let result = since(&source, &mut Picture::default(), Some(Cursor(old))).await;
    assert!(matches!(result, Err(FetchError::Resync(_))), "{result:?}");
}

#[tokio::test]
async fn faults_on_the_way_leave_no_trace() {
    let sim = company(1_500);
    sim.settings(json!({"delta_page_groups": 4, "delta_page_members": 300}))
        .unwrap();
    for fault in ["drop", "truncate", "html", "reset_conn", "expire_token"] {
        sim.clear_faults();
        sim.faults(json!([
            {"path": "/v1.0/users*", "nth": 3, "kind": fault},
            {"path": "/v1.0/groups/*", "nth": 2, "kind": fault},
            {"path": "*appRoleAssignedTo", "nth": 1, "kind": "status", "status": 503},
            {"path": "/v1.0/groups/*", "nth": 4, "kind": "status", "status": 502, "body": "html"},
        ]))
        .unwrap();
        let source = GraphSource::open(options(&sim)).unwrap();
        let (picture, _) = full(&source).await;
        picture.assert_true(&sim);
        assert!(sim.stats().faults >= 4, "{fault}");
        sim.reset_stats();
    }
}

#[tokio::test]
async fn a_pause_is_kept_by_everything_in_flight() {
    let sim = company(2_000);
    sim.settings(json!({"graph_ru": 2, "graph_window_ms": 700, "delta_page_groups": 5}))
        .unwrap();
    let source = GraphSource::open(options(&sim)).unwrap();
    let (picture, _) = full(&source).await;
    picture.assert_true(&sim);
    let stats = sim.stats();
    assert!(stats.throttled > 0);
    assert_eq!(stats.early_returns, 0);
}

#[tokio::test]
async fn what_cannot_be_read_to_the_end_is_no_round() {
    let sim = company(1_500);
    let endless = json!({"path": "/v1.0/users", "kind": "endless"});
    let broken = json!({"path": "/v1.0/groups/*", "after": 1, "kind": "truncate"});
    for fault in [endless, broken] {
        sim.settings(json!({"delta_page_groups": 5})).unwrap();
        sim.clear_faults();
        sim.faults(fault.clone()).unwrap();
        let source = GraphSource::open(options(&sim)).unwrap();
        let result = read(&source, Ask::Full, &mut Picture::default()).await;
        assert!(
            matches!(result, Err(FetchError::Unavailable(_))),
            "{fault}: {result:?}"
        );
    }
}

#[tokio::test]
async fn a_listing_whose_page_went_stale_begins_again() {
    let sim = company(2_500);
    let stale = json!({"path": "/v1.0/users", "nth": 2, "kind": "status", "status": 400,
        "code": "Directory_ExpiredPageToken"});
    sim.faults(stale).unwrap();
    let source = GraphSource::open(options(&sim)).unwrap();
    full(&source).await.0.assert_true(&sim);
}

#[tokio::test]
async fn a_withdrawn_permission_stops_the_round_and_is_named() {
    let sim = company(30);
    let source = GraphSource::open(options(&sim)).unwrap();
    for (left, missing) in [
        (
            json!(["GroupMember.Read.All", "Application.Read.All"]),
            "User.Read.All",
        ),
        (
            json!(["User.Read.All", "Application.Read.All"]),
            "GroupMember.Read.All",
        ),
        (
            json!(["User.Read.All", "GroupMember.Read.All"]),
            "Application.Read.All",
        ),
    ] {
        sim.settings(json!({"graph_permissions": left})).unwrap();
        let result = read(&source, Ask::Full, &mut Picture::default()).await;
        let Err(FetchError::Refused(text)) = result else {
            panic!("{result:?}");
        };
        assert!(text.contains(missing), "{text}");
        let findings = source.check().await;
        let bad: Vec<_> = findings.iter().filter(|finding| !finding.ok).collect();
        assert_eq!(bad.len(), 1, "{findings:?}");
        assert!(bad[0].text.contains(missing));
    }
}

#[tokio::test]
async fn attributes_that_graph_does_not_have_are_warnings() {
    let sim = company(30);
    let mut with = options(&sim);
    for name in ["source.shoeSize", "source.aboutMe", "locale"] {
        with.attributes.insert(name.into());
    }
    let source = GraphSource::open(with).unwrap();
    let (picture, fetched) = full(&source).await;
    picture.assert_true(&sim);
    assert_eq!(fetched.warnings.len(), 3, "{:?}", fetched.warnings);
    since(&source, &mut Picture::default(), fetched.cursor)
        .await
        .unwrap();
}

#[tokio::test]
async fn named_users_and_groups_are_read_at_once() {
    let sim = company(60);
    let source = GraphSource::open(options(&sim)).unwrap();
    let truth = sim.graph_truth();
    let user = &truth["users"][5];
    let group = list(&truth["groups"])
        .find(|group| list(&group["members"]).count() > 25)
        .unwrap();
    let twin = sim
        .create_group(json!({"displayName": group["displayName"]}))
        .unwrap();
    let leaver = some_user(&sim, 7);
    sim.delete_user(&leaver).unwrap();
    let mut picture = Picture::default();
    let ask = Ask::Just {
        users: vec![
            user["userPrincipalName"].as_str().unwrap().to_uppercase(),
            leaver.clone(),
            "nobody@contoso.com".into(),
        ],
        groups: vec![group["displayName"].as_str().unwrap().into()],
    };
    let fetched = read(&source, ask, &mut picture).await.unwrap();
    assert!(fetched.cursor.is_none() && fetched.complete.is_empty());
    assert_eq!(fetched.warnings.len(), 1, "{:?}", fetched.warnings);
    assert!(picture.users.contains_key(user["id"].as_str().unwrap()));
    assert_eq!(picture.gone, [leaver]);
    assert!(picture.assigned.is_some());
    let id = group["id"].as_str().unwrap();
    assert!(picture.closed.contains(id));
    assert!(picture.closed.contains(twin["id"].as_str().unwrap()));
    let people = picture.members[id]
        .iter()
        .filter_map(|member| match member {
            Member::User(id) => Some(id),
            Member::Group(_) => None,
        });
    for person in people {
        assert!(picture.users.contains_key(person.as_str()));
    }
}

#[tokio::test]
async fn the_second_look_finds_who_is_there_and_leaves_out_who_is_not() {
    let sim = company(100);
    let source = GraphSource::open(options(&sim)).unwrap();
    let leaver = some_user(&sim, 0);
    let mut ids: Vec<UserId> = list(&sim.graph_truth()["users"])
        .map(|user| UserId::new(user["id"].as_str().unwrap()))
        .collect();
    sim.delete_user(&leaver).unwrap();
    // Some of a batch are put off or broken on their own.
    sim.faults(json!([
        {"path": "/v1.0/users/*", "nth": 3, "kind": "status", "status": 429, "retry_after": "0.2"},
        {"path": "/v1.0/users/*", "nth": 9, "kind": "status", "status": 503},
    ]))
    .unwrap();
    let found = source.read_users(&ids).await.unwrap();
    ids.retain(|id| id.as_str() != leaver);
    let found: Vec<UserId> = found.into_iter().map(|user| user.id).collect();
    assert_eq!(found, ids);

    let group = some_group(&sim, 0);
    assert!(source.group_exists(&GroupId::new(&group)).await.unwrap());
    let nobody = GroupId::new("00000000-1111-2222-3333-444444444444");
    assert!(!source.group_exists(&nobody).await.unwrap());
    assert!(source.read_members(&nobody).await.unwrap().is_none());
    assert!(
        source
            .read_members(&GroupId::new(&group))
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn a_wrong_credential_says_which_part_is_wrong() {
    let sim = company(20);
    let mut wrong_secret = options(&sim);
    wrong_secret.credential = Credential::Secret(Secret::new("hunter2"));
    let mut wrong_client = options(&sim);
    wrong_client.client_id = "7d1f6c5e-0f7a-4a57-9d1e-3f0b6a9a2c11".into();
    let mut wrong_tenant = options(&sim);
    wrong_tenant.tenant = "fabrikam.com".into();
    for (wrong, part) in [
        (wrong_secret, "client secret"),
        (wrong_client, "`client_id`"),
        (wrong_tenant, "no tenant fabrikam.com"),
    ] {
        let source = GraphSource::open(wrong).unwrap();
        let result = read(&source, Ask::Full, &mut Picture::default()).await;
        let Err(FetchError::Refused(text)) = result else {
            panic!("{result:?}");
        };
        assert!(text.contains(part), "{text}");
        assert!(!text.contains("hunter2"));
        assert!(!source.check().await[0].ok);
    }
}

/// The certificate was made for this test and opens nothing else.
#[tokio::test]
async fn every_kind_of_credential_opens_the_tenant() {
    let sim = company(20);
    let cert = include_str!("graph-test.pem");
    sim.control(
        "POST",
        "/sim/graph/credentials",
        json!({"certificates": [{"pem": cert}], "federated_tokens": ["cluster.token"]}),
    )
    .unwrap();
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "cluster.token\n").unwrap();
    let imds = format!("{}/metadata/identity/oauth2/token", sim.base_url());
    for credential in [
        Credential::Certificate {
            cert_pem: cert.into(),
            key_pem: Secret::new(include_str!("graph-test.key")),
        },
        Credential::Workload {
            token_file: Some(token.path().into()),
        },
        Credential::Managed {
            client_id: None,
            endpoint: Some(imds.parse().unwrap()),
        },
    ] {
        let mut with = options(&sim);
        with.credential = credential;
        let findings = GraphSource::open(with).unwrap().check().await;
        assert!(findings.iter().all(|finding| finding.ok), "{findings:?}");
    }
}

#[tokio::test]
async fn one_token_serves_a_round_and_a_short_one_is_renewed() {
    let sim = company(1_500);
    let source = GraphSource::open(options(&sim)).unwrap();
    let (_, fetched) = full(&source).await;
    assert_eq!(sim.stats().tokens, 1);
    sim.control("POST", "/sim/graph/expire_access_tokens", Value::Null)
        .unwrap();
    since(&source, &mut Picture::default(), fetched.cursor)
        .await
        .unwrap();
    assert_eq!(sim.stats().tokens, 2);
}

#[tokio::test]
async fn a_reader_that_goes_away_stops_the_round() {
    let sim = company(1_500);
    let source = GraphSource::open(options(&sim)).unwrap();
    let (sink, changes) = tokio::sync::mpsc::channel(1);
    drop(changes);
    let result = source.fetch(Ask::Full, sink).await;
    assert!(matches!(result, Err(FetchError::Stopped)), "{result:?}");
}

#[tokio::test]
async fn the_whole_directory_needs_no_application() {
    let sim = company(30);
    let mut all = options(&sim);
    all.scope = Scope::All;
    let source = GraphSource::open(all).unwrap();
    let (picture, fetched) = full(&source).await;
    picture.assert_true(&sim);
    assert!(picture.assigned.is_none());
    assert!(!fetched.complete.contains(&Collection::Assigned));
}
