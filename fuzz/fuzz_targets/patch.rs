//! Any JSON is a patch or is refused, and what a patch leaves is what a client may send.

#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rosterd_fuzz::scim::schema::urn;
use rosterd_fuzz::scim::{Kind, Object, Types, accept, patch};
use serde_json::{Value, json};

static TYPES: LazyLock<Types> = LazyLock::new(|| Types::new(&BTreeMap::new()));

static RESOURCES: LazyLock<[(Kind, Object); 2]> = LazyLock::new(|| {
    let user = json!({
        "schemas": [urn::USER, urn::ENTERPRISE],
        "userName": "jane",
        "name": { "givenName": "Jane", "familyName": "Doe" },
        "active": true,
        "emails": [
            { "type": "work", "value": "jane@work", "primary": true },
            { "type": "home", "value": "jane@home" }
        ],
        (urn::ENTERPRISE): { "department": "Sales" }
    });
    let group = json!({ "schemas": [urn::GROUP], "displayName": "G" });
    [(Kind::User, user), (Kind::Group, group)].map(|(kind, sent)| {
        let resource = accept::resource(&sent, TYPES.of(kind)).expect("it is in order");
        (kind, resource)
    })
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(sent) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    let Ok(operations) = patch::read(&sent) else {
        return;
    };
    for (kind, resource) in &*RESOURCES {
        if let Ok(patched) = patch::apply(resource, &operations, TYPES.of(*kind)) {
            accept::resource(&Value::Object(patched.resource), TYPES.of(*kind))
                .expect("what a patch leaves can be sent");
        }
    }
});
