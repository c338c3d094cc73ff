//! Finds what the names in a filter stand for, and refuses comparisons that make no sense.

use super::{Filter, Literal, Operator};
use crate::directory::fold::fold;
use crate::scim::schema::{Attribute, Form, Resolved, ResourceType};
use crate::scim::{ScimError, same};

/// A filter whose names are found.
#[derive(Clone, Debug)]
pub enum Compiled {
    All(Vec<Compiled>),
    Any(Vec<Compiled>),
    Not(Box<Compiled>),
    Term(Term),
    /// Some value of the attribute passes, each judged as a whole.
    Value(Place, Box<Compiled>),
}

/// Where in a resource, or in a value of it, something is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The URN of the extension that it is in.
    pub extension: Option<String>,
    pub attribute: String,
    pub sub: Option<String>,
}

/// One thing that is asked.
#[derive(Clone, Debug)]
pub struct Term {
    pub place: Place,
    pub test: Test,
}

#[derive(Clone, Debug)]
pub enum Test {
    Present,
    /// Equal or not to nothing.
    Null {
        equal: bool,
    },
    Boolean {
        equal: bool,
        to: bool,
    },
    /// `to` is in the form in which the texts compare.
    Text {
        operator: Operator,
        to: String,
        exact: bool,
        /// As it was written.
        raw: String,
    },
    Moment {
        operator: Operator,
        to: jiff::Timestamp,
    },
}

impl Compiled {
    pub fn new(filter: &Filter, kind: &ResourceType) -> Result<Compiled, ScimError> {
        compile(filter, &|name| {
            let found = kind.resolve(name)?;
            Some((Place::of(&found), shape(&found)?))
        })
    }

    /// A filter over the values of one attribute, as in a path's brackets.
    pub fn of_values(filter: &Filter, attribute: &Attribute) -> Result<Compiled, ScimError> {
        compile(filter, &|name| inside(attribute, name))
    }

    /// The values that the filter says things are equal to, where it asks for nothing else:
    /// `type eq "work" and primary eq true`.
    pub fn equalities(&self) -> Option<Vec<(&str, serde_json::Value)>> {
        let one = |term: &'_ Term| match &term.test {
            Test::Text {
                operator: Operator::Equal,
                ..
            }
            | Test::Boolean { equal: true, .. } => Some(()),
            _ => None,
        };
        match self {
            Compiled::Term(term) => {
                one(term)?;
                Some(vec![(term.place.attribute.as_str(), value_of(&term.test))])
            }
            Compiled::All(all) => {
                let mut found = Vec::new();
                for part in all {
                    found.extend(part.equalities()?);
                }
                Some(found)
            }
            _ => None,
        }
    }

    /// Texts that a resource must have to pass, each under its place: what an index can be
    /// asked for.
    pub fn must_equal(&self) -> Vec<(&Place, &str)> {
        match self {
            Compiled::Term(Term {
                place,
                test:
                    Test::Text {
                        operator: Operator::Equal,
                        to,
                        ..
                    },
            }) => vec![(place, to)],
            Compiled::All(all) => all.iter().flat_map(Compiled::must_equal).collect(),
            _ => Vec::new(),
        }
    }

    /// Likewise, what some value of a multi-valued attribute must have.
    pub fn values_must_equal(&self) -> Vec<(&Place, &Place, &str)> {
        match self {
            Compiled::Value(of, inner) => {
                let inner = inner.must_equal().into_iter();
                inner.map(|(place, to)| (of, place, to)).collect()
            }
            Compiled::All(all) => all.iter().flat_map(Compiled::values_must_equal).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether it looks at an attribute: what it does not look at need not be loaded.
    pub fn looks_at(&self, attribute: &str) -> bool {
        match self {
            Compiled::All(parts) | Compiled::Any(parts) => {
                parts.iter().any(|part| part.looks_at(attribute))
            }
            Compiled::Not(inner) => inner.looks_at(attribute),
            Compiled::Term(term) => term.place.attribute == attribute,
            Compiled::Value(place, _) => place.attribute == attribute,
        }
    }
}

fn value_of(test: &Test) -> serde_json::Value {
    match test {
        Test::Text { raw, .. } => raw.clone().into(),
        Test::Boolean { to, .. } => (*to).into(),
        Test::Present | Test::Null { .. } | Test::Moment { .. } => serde_json::Value::Null,
    }
}

impl Place {
    fn of(found: &Resolved<'_>) -> Place {
        // A complex attribute is compared by its value.
        let value = match found.sub {
            None if found.attribute.form == Form::Complex => found.attribute.sub("value"),
            sub => sub,
        };
        Place {
            extension: found.extension.map(|extension| extension.urn.clone()),
            attribute: found.attribute.name.clone(),
            sub: value.map(|sub| sub.name.clone()),
        }
    }
}

/// How what is compared is compared.
#[derive(Clone, Copy)]
struct Shape<'a> {
    form: Form,
    exact: bool,
    /// The attribute that brackets may stand behind.
    whole: &'a Attribute,
}

fn shape<'a>(found: &Resolved<'a>) -> Option<Shape<'a>> {
    let compared = found.compared().unwrap_or(found.attribute);
    Some(Shape {
        form: compared.form,
        exact: compared.case_exact,
        whole: found.attribute,
    })
}

/// A name within a value of an attribute. `value` also names a simple value itself.
fn inside<'a>(attribute: &'a Attribute, name: &str) -> Option<(Place, Shape<'a>)> {
    let (form, exact, name) = match attribute.sub(name) {
        Some(sub) => (sub.form, sub.case_exact, sub.name.clone()),
        None if attribute.sub.is_empty() && same(name, "value") => {
            (attribute.form, attribute.case_exact, "value".to_owned())
        }
        None => return None,
    };
    let place = Place {
        extension: None,
        attribute: name,
        sub: None,
    };
    Some((
        place,
        Shape {
            form,
            exact,
            whole: attribute,
        },
    ))
}

fn compile<'a>(
    filter: &Filter,
    find: &dyn Fn(&str) -> Option<(Place, Shape<'a>)>,
) -> Result<Compiled, ScimError> {
    let found = |name: &String| {
        find(name).ok_or_else(|| ScimError::filter(format!("there is no attribute '{name}'")))
    };
    let each = |filters: &Vec<Filter>| {
        let compiled = filters.iter().map(|filter| compile(filter, find));
        compiled.collect::<Result<Vec<_>, _>>()
    };
    Ok(match filter {
        Filter::All(filters) => Compiled::All(each(filters)?),
        Filter::Any(filters) => Compiled::Any(each(filters)?),
        Filter::Not(inner) => Compiled::Not(Box::new(compile(inner, find)?)),
        Filter::Present(name) => Compiled::Term(Term {
            place: found(name)?.0,
            test: Test::Present,
        }),
        Filter::Compare(name, operator, literal) => {
            let (place, shape) = found(name)?;
            let test = test(name, shape, *operator, literal)?;
            Compiled::Term(Term { place, test })
        }
        Filter::Value(name, inner) => {
            let (mut place, shape) = found(name)?;
            place.sub = None;
            let inner = compile(inner, &|name| inside(shape.whole, name))?;
            Compiled::Value(place, Box::new(inner))
        }
    })
}

fn test(
    name: &str,
    shape: Shape<'_>,
    operator: Operator,
    literal: &Literal,
) -> Result<Test, ScimError> {
    let equal = match operator {
        Operator::Equal => Some(true),
        Operator::NotEqual => Some(false),
        _ => None,
    };
    if *literal == Literal::Null {
        return match equal {
            Some(equal) => Ok(Test::Null { equal }),
            None => Err(ScimError::filter("null has no order; use eq or ne")),
        };
    }
    let refused = |what| ScimError::filter(format!("'{name}' {what}"));
    match shape.form {
        Form::Boolean => {
            let to = match literal {
                Literal::Boolean(to) => *to,
                // As Entra writes truth.
                Literal::Text(text) if same(text, "true") => true,
                Literal::Text(text) if same(text, "false") => false,
                _ => return Err(refused("is true or false")),
            };
            let equal = equal.ok_or_else(|| refused("is true or false and has no order"))?;
            Ok(Test::Boolean { equal, to })
        }
        Form::Complex => Err(refused("has parts; name one of them")),
        Form::Binary if equal.is_none() => Err(refused("is binary and has no order")),
        Form::DateTime
            if !matches!(
                operator,
                Operator::Contains | Operator::StartsWith | Operator::EndsWith
            ) =>
        {
            let Literal::Text(text) = literal else {
                return Err(refused("is a date and time in quotes"));
            };
            let to = text
                .parse()
                .map_err(|_| refused("is a date and time, as in \"2026-11-25T10:00:00Z\""))?;
            Ok(Test::Moment { operator, to })
        }
        Form::Text | Form::Reference | Form::Binary | Form::DateTime => {
            let raw = match literal {
                Literal::Text(text) | Literal::Number(text) => text.clone(),
                Literal::Boolean(flag) => flag.to_string(),
                Literal::Null => String::new(),
            };
            let exact = shape.exact;
            let to = if exact { raw.clone() } else { fold(&raw) };
            Ok(Test::Text {
                operator,
                to,
                exact,
                raw,
            })
        }
    }
}
