//! Change notifications: a ping makes the daemon look, and nothing else does in these tests.

mod graph;
mod okta;

use crate::served::Served;

fn runs(served: &Served) -> usize {
    served.pages("/api/v1/runs", 1000, "before").len()
}

fn metrics(served: &Served) -> String {
    served.send(served.request("GET", "/metrics")).text
}

/// Waits until an account of the store has a text.
#[track_caller]
fn arrives(served: &Served, text: &str) {
    served.wait_for(text, |served| {
        let accounts = served.get("/api/v1/portals/store/accounts?limit=1000");
        accounts.text.contains(text).then_some(())
    });
}
