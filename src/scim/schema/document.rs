//! The discovery documents (RFC 7643 §5 to §7): what is declared, as it is served.

use serde_json::{Value, json};

use super::{Attribute, Kind, Mutability, ResourceType, Returned, Schema, Types, urn};

impl Attribute {
    fn document(&self) -> Value {
        let mut document = json!({
            "name": self.name,
            "type": self.form.as_str(),
            "multiValued": self.multi,
            "description": self.description,
            "required": self.required,
            "caseExact": self.case_exact,
            "mutability": match self.mutability {
                Mutability::ReadWrite => "readWrite",
                Mutability::ReadOnly => "readOnly",
                Mutability::Immutable => "immutable",
            },
            "returned": match self.returned {
                Returned::Always => "always",
                Returned::Default => "default",
            },
            "uniqueness": if self.unique { "server" } else { "none" },
        });
        if !self.canonical.is_empty() {
            document["canonicalValues"] = json!(self.canonical);
        }
        if !self.references.is_empty() {
            document["referenceTypes"] = json!(self.references);
        }
        if !self.sub.is_empty() {
            document["subAttributes"] = self.sub.iter().map(Attribute::document).collect();
        }
        document
    }
}

impl Schema {
    pub fn document(&self, base: &str) -> Value {
        json!({
            "schemas": [urn::SCHEMA],
            "id": self.urn,
            "name": self.name,
            "description": self.description,
            "attributes": self.attributes.iter().map(Attribute::document).collect::<Value>(),
            "meta": {
                "resourceType": "Schema",
                "location": format!("{base}/Schemas/{}", self.urn),
            },
        })
    }
}

impl ResourceType {
    pub fn document(&self, base: &str) -> Value {
        let extensions: Vec<Value> = self
            .extensions
            .iter()
            .map(|extension| json!({ "schema": extension.urn, "required": false }))
            .collect();
        let name = self.kind.name();
        json!({
            "schemas": [urn::RESOURCE_TYPE],
            "id": name,
            "name": name,
            "endpoint": self.kind.endpoint(),
            "description": self.core.description,
            "schema": self.core.urn,
            "schemaExtensions": extensions,
            "meta": {
                "resourceType": "ResourceType",
                "location": format!("{base}/ResourceTypes/{name}"),
            },
        })
    }
}

impl Types {
    /// Every schema, the core ones first.
    pub fn schemas(&self) -> impl Iterator<Item = &Schema> {
        let core = Kind::ALL.into_iter().map(|kind| &self.of(kind).core);
        let more = Kind::ALL
            .into_iter()
            .flat_map(|kind| &self.of(kind).extensions);
        core.chain(more)
    }
}

/// What the service can do (RFC 7643 §5; `pagination` as RFC 9865 §4 has it).
pub struct Provider {
    pub max_bulk_operations: usize,
    pub max_bulk_bytes: usize,
    pub max_results: usize,
    pub default_page: usize,
}

impl Provider {
    pub fn document(&self, base: &str) -> Value {
        json!({
            "schemas": [urn::PROVIDER_CONFIG],
            "patch": { "supported": true },
            "bulk": {
                "supported": true,
                "maxOperations": self.max_bulk_operations,
                "maxPayloadSize": self.max_bulk_bytes,
            },
            "filter": { "supported": true, "maxResults": self.max_results },
            "changePassword": { "supported": false },
            "sort": { "supported": true },
            "etag": { "supported": true },
            "pagination": {
                "cursor": true,
                "index": true,
                "defaultPaginationMethod": "index",
                "defaultPageSize": self.default_page,
                "maxPageSize": self.max_results,
            },
            "authenticationSchemes": [{
                "type": "oauthbearertoken",
                "name": "Bearer token",
                "description": "A token made by 'rosterd token create'.",
                "specUri": "https://www.rfc-editor.org/info/rfc6750",
                "primary": true,
            }],
            "meta": {
                "resourceType": "ServiceProviderConfig",
                "location": format!("{base}/ServiceProviderConfig"),
            },
        })
    }
}
