//! People and groups, as somebody goes from one to the other.

use serde_json::json;

use crate::driver::Browser;
use crate::served::Served;
use crate::world::text;
use crate::{company, somebody};

#[test]
fn a_person_is_found_and_explained() {
    let world = company();
    let served = Served::start(&world);
    served.sync(json!({ "full": true }));
    let key = somebody(&world);
    let put = json!({ "name": "Mac of a test", "assigned_to": key });
    served
        .call("PUT", "/api/v1/portals/mdm/devices/mac-1", Some(put))
        .is(201);
    let browser = Browser::logged_in(&served);
    browser.follow("People");
    browser.is_at("/people");
    let beginning = key.split('@').next().expect("a first part");
    browser.fill("input[name=q]", &beginning.to_uppercase());
    browser.click("main form button");
    browser.says(&key);
    browser.follow(&key);
    browser.says("Portals");
    let page = browser.text_of("main");
    for part in [
        "has an account",
        "in: ",
        "On leaving",
        "the account is removed, after 24h",
        "devices go under policy “Quarantine”",
        "Groups there",
        "Mac of a test",
        "Groups at the source",
        "create account",
        "done",
    ] {
        assert!(page.contains(part), "'{part}' in {page}");
    }
    browser.click("details summary");
    browser.says("userName");
    browser.is_content();
    browser.go("/people/nobody@nowhere.example");
    browser.says("nobody in the directory has the key or id");
    browser.complains_of_status(404);
}

#[test]
fn a_group_is_looked_at_from_its_source_and_from_its_portal() {
    let world = company();
    let served = Served::start(&world);
    served.sync(json!({ "full": true }));
    let groups = served.get("/api/v1/portals/dashboard/groups").json();
    let groups = groups["items"].as_array().expect("a list");
    let peopled = groups.iter().find(|group| group["members"] != json!([]));
    let group = peopled.expect("a group with members");
    let (name, id) = (text(&group["displayName"]), text(&group["externalId"]));
    let count = group["members"].as_array().expect("a list").len();
    let browser = Browser::logged_in(&served);
    browser.follow("Groups");
    browser.is_at("/groups");
    browser.follow("dashboard");
    browser.is_at("/groups?portal=dashboard");
    browser.fill("input[name=q]", &name.to_uppercase());
    browser.click("main form button");
    browser.wait("for the search", || browser.path().contains("&q="));
    assert!(browser.path().starts_with("/groups?portal=dashboard"));
    // Groups of two companies may share a name.
    let link = format!("a[href$='/{id}']");
    let row = browser.text_of(&format!("tbody tr:has({link})"));
    let counted = row.split_whitespace().any(|word| word == count.to_string());
    assert!(counted && row.contains("dashboard"), "{count} in {row}");
    browser.click(&link);
    browser.says("Direct members");
    assert!(browser.text_of("main dl").contains("dashboard"));
    browser.click("tbody a");
    browser.says("Groups at the source");
    browser.follow(&name);
    browser.says("Direct members");
    browser.go("/groups?source=okta&q=no%20such%20name");
    browser.says("No group of okta has");
    browser.is_content();
    browser.go("/groups?source=nowhere");
    browser.says("there is no source 'nowhere'");
    browser.complains_of_status(404);
}
