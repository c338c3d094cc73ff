//! The filter language (RFC 7644 §3.4.2.2): read, tied to a schema, and asked of a resource.
//!
//! `parse` knows the grammar and no schema, `compile` finds what the names stand for, `eval`
//! answers. What a client may make us do is bounded by [`MAX_BYTES`], [`MAX_DEPTH`] and
//! [`MAX_TERMS`].

mod compile;
mod eval;
mod parse;

#[cfg(test)]
mod tests;

pub use compile::{Compiled, Place, Term, Test};
pub(super) use parse::{Parser, is_name};

use super::ScimError;

/// The longest filter that is read. A query string is shorter than this anyway.
pub const MAX_BYTES: usize = 32 * 1024;

/// How deep parentheses, `not` and brackets may be nested: each level is a level of the stack.
pub const MAX_DEPTH: usize = 64;

/// How many comparisons a filter may have: each is made for every resource that is looked at.
pub const MAX_TERMS: usize = 1000;

/// How two values are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operator {
    Equal,
    NotEqual,
    Contains,
    StartsWith,
    EndsWith,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// What a value is compared with.
#[derive(Clone, PartialEq, Debug)]
pub enum Literal {
    Null,
    Boolean(bool),
    /// As it was written: it may turn out to stand for a text.
    Number(String),
    Text(String),
}

/// A filter as it was written.
#[derive(Clone, PartialEq, Debug)]
pub enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Present(String),
    Compare(String, Operator, Literal),
    /// One value of a multi-valued attribute that passes a filter of its own.
    Value(String, Box<Filter>),
}

impl Filter {
    pub fn parse(text: &str) -> Result<Filter, ScimError> {
        if text.len() > MAX_BYTES {
            return Err(ScimError::filter(format!(
                "the filter is longer than {MAX_BYTES} bytes"
            )));
        }
        let mut parser = Parser::new(text);
        let filter = parser.filter()?;
        parser.end()?;
        Ok(filter)
    }
}
