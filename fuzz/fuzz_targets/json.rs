//! Any bytes are refused or understood, as a resource, a search or a bulk request; and what was
//! understood is understood the same again.

#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rosterd_fuzz::scim::bulk::{self, BulkRequest};
use rosterd_fuzz::scim::{Kind, Query, Types, accept, convert};
use serde_json::Value;

static TYPES: LazyLock<Types> = LazyLock::new(|| Types::new(&BTreeMap::new()));

fuzz_target!(|bytes: &[u8]| {
    let Ok(sent) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    for kind in Kind::ALL {
        let Ok(kept) = accept::resource(&sent, TYPES.of(kind)) else {
            continue;
        };
        let again = accept::resource(&Value::Object(kept.clone()), TYPES.of(kind));
        assert_eq!(again.as_ref(), Ok(&kept));
        convert::user("1", &kept);
    }
    let _ = Query::from_json(&sent);
    if let Ok(request) = BulkRequest::read(&sent) {
        assert_eq!(bulk::order(&request.operations).len(), request.operations.len());
    }
});
