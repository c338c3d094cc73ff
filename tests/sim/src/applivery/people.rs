//! The three kinds of people, and what the API lets a client do with them.

use serde_json::{Map, Value, json};

use super::org::Org;
use super::{error, not_found, ok, only};
use crate::reply::Reply;

#[derive(Debug, Clone, Default)]
pub struct User {
    pub id: String,
    pub email: String,
    pub name: Option<String>,
    pub tags: Vec<String>,
    pub language: Option<String>,
    pub managed_apple_id: Option<String>,
    pub metadata: Map<String, Value>,
}

#[derive(Debug, Clone)]
pub struct Collaborator {
    pub id: String,
    pub email: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub role: String,
    pub tags: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct Employee {
    pub id: String,
    pub email: String,
    pub tags: Vec<String>,
}

const ROLES: [&str; 4] = ["admin", "editor", "viewer", "unassigned"];

fn text(body: &Map<String, Value>, name: &str) -> Option<String> {
    body.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn texts(body: &Map<String, Value>, name: &str) -> Option<Vec<String>> {
    let list = body.get(name)?.as_array()?.iter();
    Some(list.filter_map(Value::as_str).map(str::to_owned).collect())
}

fn email_of(body: &Map<String, Value>) -> Result<String, Reply> {
    text(body, "email")
        .filter(|email| email.contains('@'))
        .ok_or_else(|| error(400, 5000, "An email is required"))
}

fn same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

impl User {
    pub fn show(&self) -> Value {
        json!({
            "id": self.id, "email": self.email, "name": self.name, "tags": self.tags,
            "language": self.language, "managedAppleId": self.managed_apple_id,
            "metadata": self.metadata, "inferredSegmentIds": [0],
        })
    }

    /// Takes over what a body names.
    pub fn write(&mut self, body: &Map<String, Value>) {
        if body.contains_key("name") {
            self.name = text(body, "name");
        }
        if body.contains_key("language") {
            self.language = text(body, "language");
        }
        if body.contains_key("managedAppleId") {
            self.managed_apple_id = text(body, "managedAppleId");
        }
        if let Some(tags) = texts(body, "tags") {
            self.tags = tags;
        }
        if let Some(Value::Object(metadata)) = body.get("metadata") {
            self.metadata = metadata.clone();
            self.metadata.retain(|_, value| !value.is_null());
        }
    }
}

impl Collaborator {
    pub fn show(&self) -> Value {
        json!({
            "id": self.id, "role": self.role, "tags": self.tags, "detected": {},
            "user": {"id": self.id, "email": self.email, "firstName": self.first_name,
                     "lastName": self.last_name, "role": "user", "ssoUser": false},
        })
    }
}

impl Employee {
    pub fn show(&self) -> Value {
        json!({
            "id": self.id, "tags": self.tags, "type": "traditional", "from": "integrationApi",
            "employee": {"id": self.id, "email": self.email},
        })
    }
}

impl Org {
    pub fn create_user(&mut self, body: Map<String, Value>) -> Result<Reply, Reply> {
        only(
            &body,
            &[
                "email",
                "name",
                "managedAppleId",
                "tags",
                "language",
                "metadata",
            ],
        )?;
        let email = email_of(&body)?;
        if self.users.iter().any(|user| same(&user.email, &email)) {
            return Err(error(400, 5048, "Entity already exists"));
        }
        let mut user = User {
            id: self.new_id(),
            email,
            ..User::default()
        };
        user.write(&body);
        let shown = self.show_user(&user);
        self.users.push(user);
        if std::mem::take(&mut self.rules.lose_next_answer) {
            return Err(Reply::empty(504));
        }
        Ok(ok(shown))
    }

    pub fn update_user(&mut self, id: &str, body: Map<String, Value>) -> Result<Reply, Reply> {
        only(
            &body,
            &["name", "managedAppleId", "tags", "language", "metadata"],
        )?;
        let place = self.users.iter().position(|user| user.id == id);
        let place = place.ok_or_else(not_found)?;
        self.users[place].write(&body);
        Ok(ok(self.show_user(&self.users[place])))
    }

    pub fn collaborators(&self) -> Vec<Value> {
        self.collaborators.iter().map(Collaborator::show).collect()
    }

    /// A new one may look around, until somebody says otherwise.
    pub fn create_collaborator(&mut self, body: Map<String, Value>) -> Result<Reply, Reply> {
        only(&body, &["email", "firstName", "lastName", "tags"])?;
        let email = email_of(&body)?;
        if self
            .collaborators
            .iter()
            .any(|one| same(&one.email, &email))
        {
            return Err(error(400, 5048, "Entity already exists"));
        }
        let collaborator = Collaborator {
            id: self.new_id(),
            email,
            first_name: text(&body, "firstName"),
            last_name: text(&body, "lastName"),
            role: "viewer".to_owned(),
            tags: texts(&body, "tags").unwrap_or_default(),
        };
        let shown = collaborator.show();
        self.collaborators.push(collaborator);
        Ok(ok(json!({ "collaborator": shown })))
    }

    pub fn update_collaborator(
        &mut self,
        id: &str,
        body: Map<String, Value>,
    ) -> Result<Reply, Reply> {
        only(&body, &["role", "tags"])?;
        let found = self.collaborators.iter_mut().find(|one| one.id == id);
        let one = found.ok_or_else(not_found)?;
        if let Some(role) = text(&body, "role") {
            if one.role == "owner" || !ROLES.contains(&role.as_str()) {
                return Err(error(400, 5120, "Error updating entity"));
            }
            one.role = role;
        }
        if let Some(tags) = texts(&body, "tags") {
            one.tags = tags;
        }
        Ok(ok(one.show()))
    }

    pub fn delete_collaborator(&mut self, id: &str) -> Result<Reply, Reply> {
        let place = self.collaborators.iter().position(|one| one.id == id);
        let place = place.ok_or_else(not_found)?;
        if self.collaborators[place].role == "owner" {
            return Err(error(400, 5120, "The owner stays"));
        }
        self.collaborators.remove(place);
        Ok(ok(json!({})))
    }

    pub fn employees(&self) -> Vec<Value> {
        self.employees.iter().map(Employee::show).collect()
    }

    pub fn create_employees(&mut self, body: Map<String, Value>) -> Result<Reply, Reply> {
        only(&body, &["email", "tags"])?;
        let emails = texts(&body, "email")
            .ok_or_else(|| error(400, 5000, "A list of emails is required"))?;
        let room = self.rules.employee_limit.unwrap_or(usize::MAX);
        if self.employees.len() + emails.len() > room {
            return Err(error(400, 5017, "Limit Exceeded"));
        }
        let mut made = Vec::new();
        for email in emails {
            if self.employees.iter().any(|one| same(&one.email, &email)) {
                return Err(error(400, 5048, "Entity already exists"));
            }
            let employee = Employee {
                id: self.new_id(),
                email,
                tags: texts(&body, "tags").unwrap_or_default(),
            };
            made.push(employee.show());
            self.employees.push(employee);
        }
        Ok(ok(made.into()))
    }

    pub fn update_employee(&mut self, id: &str, body: Map<String, Value>) -> Result<Reply, Reply> {
        only(&body, &["tags"])?;
        let found = self.employees.iter_mut().find(|one| one.id == id);
        let one = found.ok_or_else(not_found)?;
        if let Some(tags) = texts(&body, "tags") {
            one.tags = tags;
        }
        Ok(ok(one.show()))
    }

    pub fn delete_employee(&mut self, id: &str) -> Result<Reply, Reply> {
        let place = self.employees.iter().position(|one| one.id == id);
        self.employees.remove(place.ok_or_else(not_found)?);
        Ok(ok(json!({})))
    }
}
