//! A held plan, and what an operator may say to it.

use serde_json::json;

use crate::driver::Browser;
use crate::served::Served;
use crate::{company, three_leave};

#[test]
fn a_held_plan_is_approved_with_its_numbers_in_view() {
    let world = company();
    let served = Served::start(&world);
    served.sync(json!({ "full": true }));
    three_leave(&world);
    let browser = Browser::logged_in(&served);
    browser.click(".head form button");
    browser.says("Held by the guard");
    let run = browser.path();
    browser.says("store would deactivate 3 of");
    assert!(browser.text_of(".facts").contains("held"));
    browser.follow("Approve…");
    browser.is_at(&format!("{run}/approve"));
    browser.says("Why it is held");
    let numbers = browser.text_of("main table");
    assert!(numbers.contains("store remove account 3"), "{numbers}");
    browser.is_content();
    browser.click("main form button");
    browser.is_at(&run);
    browser.says("applied");
    assert!(!browser.has(".banner"), "nothing is held any more");
    browser.follow("Overview");
    browser.is_at("/");
    assert!(!browser.has(".banner"));
    browser.is_content();
    browser.go(&format!("{run}/approve"));
    browser.says("is not held: it is applied");
    browser.complains_of_status(409);
}

#[test]
fn a_discarded_plan_is_gone_and_the_same_one_is_held_anew() {
    let world = company();
    let served = Served::start(&world);
    served.sync(json!({ "full": true }));
    three_leave(&world);
    let held = served.sync(json!({}))["run"].clone();
    let run = format!("/runs/{}", held.as_str().expect("an id"));
    let accounts = world.accounts("store");
    let browser = Browser::logged_in(&served);
    browser.says("A plan waits for approval");
    browser.follow("Discard…");
    browser.is_at(&format!("{run}/discard"));
    let numbers = browser.text_of("main table");
    assert!(numbers.contains("store remove account 3"), "{numbers}");
    browser.click("main form button");
    browser.is_at(&run);
    browser.says("in the console. None of it was done");
    assert!(browser.text_of(".facts").contains("discarded"));
    browser.is_content();
    for way in ["approve", "discard"] {
        browser.go(&format!("{run}/{way}"));
        browser.says("is not held: it is discarded");
        browser.complains_of_status(409);
    }
    assert_eq!(world.accounts("store"), accounts, "nothing was done");
    browser.go("/");
    assert!(!browser.has(".banner"));
    browser.click(".head form button");
    browser.says("Held by the guard");
    assert_ne!(browser.path(), run, "it is a new run");
    browser.is_content();
}
