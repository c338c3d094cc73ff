//! The form of a token request, filled in by the SDK's credentials.

use std::collections::HashMap;

use graph_rs_sdk::error::IdentityResult;
use graph_rs_sdk::identity::{ConfidentialClientApplication, TokenCredentialExecutor};

use super::super::options::Secret;
use super::App;

/// The SDK would send the secret as basic authentication, and not encoded: a `+` in it
/// arrives as a space. In the form it arrives as it is.
pub fn form(app: &App, secret: &Secret) -> IdentityResult<HashMap<String, String>> {
    let mut form = ConfidentialClientApplication::builder(sdk_id(app))
        .with_tenant(&app.tenant)
        .with_client_secret(secret.expose())
        .with_scope([&app.scope])
        .build()
        .form_urlencode()?;
    form.insert("client_id".into(), app.client_id.clone());
    form.insert("client_secret".into(), secret.expose().to_owned());
    Ok(form)
}

/// The form for an assertion, signed by us or by the platform.
pub fn assertion_form(app: &App, assertion: &str) -> IdentityResult<HashMap<String, String>> {
    let mut form = ConfidentialClientApplication::builder(sdk_id(app))
        .with_tenant(&app.tenant)
        .with_client_assertion(assertion)
        .with_scope([&app.scope])
        .build()
        .form_urlencode()?;
    form.insert("client_id".into(), app.client_id.clone());
    Ok(form)
}

/// The SDK takes ids of the usual form only. Whether an id is one is for Entra to say, so
/// any other is put into the form by us, and the SDK is given a stand-in.
fn sdk_id(app: &App) -> &str {
    match is_guid(&app.client_id) {
        true => &app.client_id,
        false => "00000000-0000-0000-0000-000000000001",
    }
}

fn is_guid(text: &str) -> bool {
    super::super::wire::is_guid(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> App {
        App {
            tenant: "contoso.onmicrosoft.com".into(),
            client_id: "7d1f6c5e-0f7a-4a57-9d1e-3f0b6a9a2c11".into(),
            scope: "https://graph.microsoft.us/.default".into(),
            token_url: "https://login.test/".parse().unwrap(),
        }
    }

    #[test]
    fn the_secret_stands_in_the_form_as_it_is() {
        let app = app();
        let form = form(&app, &Secret::new("s3cr~t+%/&x")).unwrap();
        assert_eq!(form["client_secret"], "s3cr~t+%/&x");
        assert_eq!(form["client_id"], app.client_id);
        assert_eq!(form["grant_type"], "client_credentials");
        assert_eq!(form["scope"], app.scope);
    }

    #[test]
    fn an_assertion_form_names_its_kind() {
        let form = assertion_form(&app(), "a.b.c").unwrap();
        assert_eq!(form["client_assertion"], "a.b.c");
        assert_eq!(
            form["client_assertion_type"],
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        );
        assert!(!form.contains_key("client_secret"));
    }
}
