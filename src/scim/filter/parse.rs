//! Reads a filter, by descent, `and` before `or`.
//!
//! Two things are taken that the grammar does not have, since Entra writes them: a value
//! without quotes (`externalId eq jyoung`), and a comparison behind a value path
//! (`emails[type eq "work"].value eq "a@b.c"`).

use super::{Filter, Literal, MAX_DEPTH, MAX_TERMS, Operator};
use crate::scim::{ScimError, same};

#[derive(Clone, PartialEq, Debug)]
enum Token {
    /// A name, a keyword, an operator, a number or a value without quotes.
    Word(String),
    Text(String),
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    End,
}

pub(in crate::scim) struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    terms: usize,
}

impl<'t> Parser<'t> {
    pub fn new(text: &'t str) -> Parser<'t> {
        Parser {
            text,
            at: 0,
            depth: 0,
            terms: 0,
        }
    }

    /// What is not read yet.
    pub fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn wrong(&self, what: &str) -> ScimError {
        ScimError::filter(format!("{what} at byte {} of the filter", self.at))
    }

    fn peek(&self) -> Result<Token, ScimError> {
        self.read().map(|(token, _)| token)
    }

    fn next(&mut self) -> Result<Token, ScimError> {
        let (token, at) = self.read()?;
        self.at = at;
        Ok(token)
    }

    /// The next token, and where the one behind it begins.
    fn read(&self) -> Result<(Token, usize), ScimError> {
        let rest = self.rest();
        let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let start = self.at + rest.len() - trimmed.len();
        let Some(first) = trimmed.chars().next() else {
            return Ok((Token::End, start));
        };
        let single = match first {
            '(' => Some(Token::Open),
            ')' => Some(Token::Close),
            '[' => Some(Token::OpenBracket),
            ']' => Some(Token::CloseBracket),
            _ => None,
        };
        if let Some(token) = single {
            return Ok((token, start + 1));
        }
        if first == '"' {
            let length = quoted(trimmed).ok_or_else(|| self.wrong("a text without an end"))?;
            let text = serde_json::from_str(&trimmed[..length])
                .map_err(|_| self.wrong("a text that is no JSON string"))?;
            return Ok((Token::Text(text), start + length));
        }
        let ends = |c: char| c.is_whitespace() || "()[]\"".contains(c);
        let length = trimmed.find(ends).unwrap_or(trimmed.len());
        if length == 0 {
            return Err(self.wrong("something that is no name"));
        }
        Ok((Token::Word(trimmed[..length].to_owned()), start + length))
    }

    pub fn filter(&mut self) -> Result<Filter, ScimError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ScimError::filter(format!(
                "the filter is nested more than {MAX_DEPTH} deep"
            )));
        }
        let mut any = vec![self.all()?];
        while self.takes("or")? {
            any.push(self.all()?);
        }
        self.depth -= 1;
        Ok(one_or(any, Filter::Any))
    }

    fn all(&mut self) -> Result<Filter, ScimError> {
        let mut all = vec![self.term()?];
        while self.takes("and")? {
            all.push(self.term()?);
        }
        Ok(one_or(all, Filter::All))
    }

    fn takes(&mut self, keyword: &str) -> Result<bool, ScimError> {
        let taken = matches!(self.peek()?, Token::Word(word) if same(&word, keyword));
        if taken {
            self.next()?;
        }
        Ok(taken)
    }

    fn term(&mut self) -> Result<Filter, ScimError> {
        match self.next()? {
            Token::Open => self.closed(),
            Token::Word(word) if same(&word, "not") && self.peek()? == Token::Open => {
                self.next()?;
                Ok(Filter::Not(Box::new(self.closed()?)))
            }
            Token::Word(name) => self.about(name),
            Token::End => Err(self.wrong("the filter ends too early")),
            _ => Err(self.wrong("a name is expected")),
        }
    }

    /// The rest of a filter in parentheses.
    fn closed(&mut self) -> Result<Filter, ScimError> {
        let inner = self.filter()?;
        match self.next()? {
            Token::Close => Ok(inner),
            _ => Err(self.wrong("')' is expected")),
        }
    }

    /// The rest of a filter in brackets.
    pub fn bracketed(&mut self) -> Result<Filter, ScimError> {
        let inner = self.filter()?;
        match self.next()? {
            Token::CloseBracket => Ok(inner),
            _ => Err(self.wrong("']' is expected")),
        }
    }

    fn about(&mut self, name: String) -> Result<Filter, ScimError> {
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return Err(ScimError::filter(format!(
                "the filter has more than {MAX_TERMS} comparisons"
            )));
        }
        self.named(&name)?;
        if self.peek()? != Token::OpenBracket {
            return self.comparison(name);
        }
        self.next()?;
        let inner = self.bracketed()?;
        let Some(sub) = self.rest().strip_prefix('.') else {
            return Ok(Filter::Value(name, Box::new(inner)));
        };
        self.at = self.text.len() - sub.len();
        let Token::Word(sub) = self.next()? else {
            return Err(self.wrong("the name of a sub-attribute is expected"));
        };
        self.named(&sub)?;
        let about = self.comparison(sub)?;
        let both = Filter::All(vec![inner, about]);
        Ok(Filter::Value(name, Box::new(both)))
    }

    fn comparison(&mut self, name: String) -> Result<Filter, ScimError> {
        let Token::Word(operator) = self.next()? else {
            return Err(self.wrong("an operator is expected"));
        };
        if same(&operator, "pr") {
            return Ok(Filter::Present(name));
        }
        let operator = match operator.to_ascii_lowercase().as_str() {
            "eq" => Operator::Equal,
            "ne" => Operator::NotEqual,
            "co" => Operator::Contains,
            "sw" => Operator::StartsWith,
            "ew" => Operator::EndsWith,
            "gt" => Operator::Greater,
            "ge" => Operator::GreaterOrEqual,
            "lt" => Operator::Less,
            "le" => Operator::LessOrEqual,
            _ => return Err(self.wrong("an operator that does not exist")),
        };
        let literal = match self.next()? {
            Token::Text(text) => Literal::Text(text),
            Token::Word(word) => literal(word),
            _ => return Err(self.wrong("a value is expected")),
        };
        Ok(Filter::Compare(name, operator, literal))
    }

    /// Refuses what cannot be the name of an attribute.
    fn named(&self, name: &str) -> Result<(), ScimError> {
        match is_name(name) {
            true => Ok(()),
            false => Err(self.wrong("something that is no attribute's name")),
        }
    }

    pub fn end(&mut self) -> Result<(), ScimError> {
        match self.next()? {
            Token::End => Ok(()),
            _ => Err(self.wrong("something behind the filter")),
        }
    }
}

/// Whether a word can name an attribute: with its URN and its sub-attribute, as `$ref` too.
pub(in crate::scim) fn is_name(word: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-.:$".contains(c);
    let begins = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$');
    begins && word.chars().all(fits)
}

fn one_or(mut filters: Vec<Filter>, many: fn(Vec<Filter>) -> Filter) -> Filter {
    match filters.len() {
        1 => filters.remove(0),
        _ => many(filters),
    }
}

fn literal(word: String) -> Literal {
    match word.to_ascii_lowercase().as_str() {
        "true" => Literal::Boolean(true),
        "false" => Literal::Boolean(false),
        "null" => Literal::Null,
        _ if word.parse::<f64>().is_ok_and(f64::is_finite) => Literal::Number(word),
        _ => Literal::Text(word),
    }
}

/// How many bytes of `text` the JSON string takes that it begins with.
fn quoted(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}
