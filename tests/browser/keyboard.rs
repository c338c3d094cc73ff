//! The keyboard alone.

use fantoccini::key::Key;
use serde_json::json;

use crate::driver::Browser;
use crate::served::{Served, TOKEN};
use crate::{company, three_leave};

/// What has the focus, in a few words, and whether that can be seen.
const FOCUS: &str = "const focus = document.activeElement; const style = getComputedStyle(focus); \
                     const text = focus.innerText || focus.name || focus.tagName; \
                     return [text.trim(), style.outlineStyle !== 'none' && style.outlineWidth !== '0px']";

/// Presses Tab until something has the focus; what had it on the way.
#[track_caller]
fn tab_to(browser: &Browser, wanted: &str) -> Vec<String> {
    let mut seen = Vec::new();
    for _ in 0..40 {
        browser.press(Key::Tab);
        let focus = browser.script(FOCUS);
        let name = focus[0].as_str().expect("a text").to_owned();
        assert_eq!(focus[1], true, "the focus on '{name}' cannot be seen");
        if name == wanted {
            return seen;
        }
        seen.push(name);
    }
    panic!("Tab does not come to '{wanted}': {seen:?}");
}

/// Waits for the field that has the focus without a key: browsers give it once they have shown
/// the page.
#[track_caller]
fn begins_in(browser: &Browser, field: &str) {
    let focus = "return document.activeElement.name";
    browser.wait(&format!("for the focus on '{field}'"), || {
        browser.script(focus) == field
    });
}

#[test]
fn the_keyboard_alone_logs_in_and_comes_to_every_main_action() {
    let world = company();
    let served = Served::start(&world);
    served.sync(json!({ "full": true }));
    three_leave(&world);
    served.sync(json!({}));
    let browser = Browser::open(&served);
    browser.go("/login");
    begins_in(&browser, "admin_token");
    browser.type_in(TOKEN);
    browser.press(Key::Enter);
    browser.is_at("/");

    let way = tab_to(&browser, "Sync now");
    let order = [
        "To the content",
        "rosterd",
        "Overview",
        "Runs",
        "People",
        "Groups",
        "Clients",
        "Log out",
        "full",
    ];
    assert_eq!(way, order);
    assert_eq!(tab_to(&browser, "Look at the plan"), [""; 0]);
    assert_eq!(tab_to(&browser, "Approve…"), [""; 0]);
    browser.press(Key::Enter);
    browser.says("Why it is held");
    tab_to(&browser, "To the content");
    browser.press(Key::Enter);
    assert_eq!(
        tab_to(&browser, "Approve and apply"),
        [""; 0],
        "the link led past the navigation"
    );
    browser.press(Key::Enter);
    browser.says("applied");

    browser.go("/people");
    begins_in(&browser, "q");
    browser.type_in("a");
    browser.press(Key::Enter);
    browser.wait("for the search", || browser.path() == "/people?q=a");
    browser.is_content();
}
