//! The filter expressions of both vendors.
//!
//! OData (`id in ('a','b')`, `startsWith(mail,'a')`) and SCIM (`profile.login eq "a"`) share one
//! grammar closely enough for one parser. Which operators a given endpoint allows is the
//! endpoint's business: it can walk the tree.

use std::borrow::Cow;

use crate::clock;

/// A parsed condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    Test(Test),
}

/// One comparison of an attribute with a literal.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    pub field: String,
    pub op: Op,
    pub values: Vec<String>,
}

/// What a comparison asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
    StartsWith,
    EndsWith,
    Contains,
    Present,
    In,
}

/// What an object answers when asked for an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer<'a> {
    Missing,
    Text(Cow<'a, str>),
    Bool(bool),
    Time(clock::Millis),
    Many(Vec<String>),
}

/// Whether letter case counts in a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    Matters,
    Ignored,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Open,
    Close,
    Comma,
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut found = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(&next) = chars.peek() {
        match next {
            ' ' | '\t' | '+' => {
                chars.next();
            }
            '(' | ')' | ',' => {
                chars.next();
                found.push(match next {
                    '(' => Token::Open,
                    ')' => Token::Close,
                    _ => Token::Comma,
                });
            }
            '\'' | '"' => {
                chars.next();
                let mut value = String::new();
                loop {
                    let c = chars.next()?;
                    if c == next {
                        // OData doubles a quote inside a literal.
                        if next == '\'' && chars.peek() == Some(&'\'') {
                            chars.next();
                            value.push('\'');
                            continue;
                        }
                        break;
                    }
                    if c == '\\' && next == '"' {
                        value.push(chars.next()?);
                    } else {
                        value.push(c);
                    }
                }
                found.push(Token::Quoted(value));
            }
            _ => {
                let mut word = String::new();
                while let Some(&c) = chars.peek() {
                    if matches!(c, ' ' | '(' | ')' | ',' | '\'' | '"' | '\t') {
                        break;
                    }
                    word.push(c);
                    chars.next();
                }
                found.push(Token::Word(word));
            }
        }
    }
    Some(found)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn word_is(&self, expected: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(expected))
    }

    fn expect(&mut self, token: &Token) -> Option<()> {
        (self.next().as_ref() == Some(token)).then_some(())
    }

    fn either(&mut self) -> Option<Expr> {
        let mut left = self.both()?;
        while self.word_is("or") {
            self.at += 1;
            left = Expr::Or(Box::new(left), Box::new(self.both()?));
        }
        Some(left)
    }

    fn both(&mut self) -> Option<Expr> {
        let mut left = self.single()?;
        while self.word_is("and") {
            self.at += 1;
            left = Expr::And(Box::new(left), Box::new(self.single()?));
        }
        Some(left)
    }

    fn single(&mut self) -> Option<Expr> {
        if self.word_is("not") {
            self.at += 1;
            return Some(Expr::Not(Box::new(self.single()?)));
        }
        if self.peek() == Some(&Token::Open) {
            self.at += 1;
            let inner = self.either()?;
            self.expect(&Token::Close)?;
            return Some(inner);
        }
        let Token::Word(word) = self.next()? else {
            return None;
        };
        if self.peek() == Some(&Token::Open) {
            return self.call(&word);
        }
        let Token::Word(verb) = self.next()? else {
            return None;
        };
        let op = match verb.to_ascii_lowercase().as_str() {
            "eq" => Op::Eq,
            "ne" => Op::Ne,
            "gt" => Op::Gt,
            "ge" => Op::Ge,
            "lt" => Op::Lt,
            "le" => Op::Le,
            "sw" => Op::StartsWith,
            "ew" => Op::EndsWith,
            "co" => Op::Contains,
            "pr" => Op::Present,
            "in" => Op::In,
            _ => return None,
        };
        let values = match op {
            Op::Present => Vec::new(),
            Op::In => {
                self.expect(&Token::Open)?;
                let mut values = Vec::new();
                loop {
                    values.push(self.literal()?);
                    match self.next()? {
                        Token::Comma => {}
                        Token::Close => break,
                        _ => return None,
                    }
                }
                values
            }
            _ => vec![self.literal()?],
        };
        Some(Expr::Test(Test {
            field: word,
            op,
            values,
        }))
    }

    fn call(&mut self, name: &str) -> Option<Expr> {
        let op = match name.to_ascii_lowercase().as_str() {
            "startswith" => Op::StartsWith,
            "endswith" => Op::EndsWith,
            "contains" => Op::Contains,
            _ => return None,
        };
        self.expect(&Token::Open)?;
        let Token::Word(field) = self.next()? else {
            return None;
        };
        self.expect(&Token::Comma)?;
        let values = vec![self.literal()?];
        self.expect(&Token::Close)?;
        Some(Expr::Test(Test { field, op, values }))
    }

    fn literal(&mut self) -> Option<String> {
        match self.next()? {
            Token::Word(text) | Token::Quoted(text) => Some(text),
            _ => None,
        }
    }
}

/// Reads an expression; nothing if it is malformed.
pub fn parse(text: &str) -> Option<Expr> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
    };
    let expr = parser.either()?;
    (parser.at == parser.tokens.len()).then_some(expr)
}

impl Expr {
    /// Whether an object that answers `ask` meets the condition.
    pub fn holds<'a>(&self, case: Case, ask: &dyn Fn(&str) -> Answer<'a>) -> bool {
        match self {
            Self::And(left, right) => left.holds(case, ask) && right.holds(case, ask),
            Self::Or(left, right) => left.holds(case, ask) || right.holds(case, ask),
            Self::Not(inner) => !inner.holds(case, ask),
            Self::Test(test) => test.holds(case, &ask(&test.field)),
        }
    }

    /// Every comparison in the expression.
    pub fn tests(&self) -> Vec<&Test> {
        match self {
            Self::And(left, right) | Self::Or(left, right) => {
                let mut all = left.tests();
                all.extend(right.tests());
                all
            }
            Self::Not(inner) => inner.tests(),
            Self::Test(test) => vec![test],
        }
    }

    /// Whether a negation occurs anywhere.
    pub fn negates(&self) -> bool {
        match self {
            Self::And(left, right) | Self::Or(left, right) => left.negates() || right.negates(),
            Self::Not(_) => true,
            Self::Test(test) => test.op == Op::Ne,
        }
    }

    /// A moment before which no object can meet the condition, as far as `field` tells.
    pub fn not_before(&self, field: &str) -> Option<clock::Millis> {
        match self {
            Self::And(left, right) => left.not_before(field).max(right.not_before(field)),
            Self::Or(left, right) => Some(left.not_before(field)?.min(right.not_before(field)?)),
            Self::Not(_) => None,
            Self::Test(test) => (test.field == field
                && matches!(test.op, Op::Gt | Op::Ge | Op::Eq))
            .then(|| clock::parse(test.values.first()?))?,
        }
    }

    /// The ids named, when the expression is nothing but a choice of ids.
    pub fn only_ids(&self) -> Option<Vec<String>> {
        match self {
            Self::Or(left, right) => {
                let mut ids = left.only_ids()?;
                ids.extend(right.only_ids()?);
                Some(ids)
            }
            Self::Test(test) if test.field == "id" && matches!(test.op, Op::Eq | Op::In) => {
                Some(test.values.clone())
            }
            _ => None,
        }
    }
}

impl Test {
    fn holds(&self, case: Case, answer: &Answer<'_>) -> bool {
        match answer {
            Answer::Missing => match self.op {
                Op::Ne => self.values.iter().all(|value| value != "null"),
                Op::Eq => self.values.iter().any(|value| value == "null"),
                _ => false,
            },
            _ if self.op == Op::Present => true,
            Answer::Many(items) => items
                .iter()
                .any(|item| self.holds(case, &Answer::Text(Cow::Borrowed(item)))),
            Answer::Bool(value) => {
                let equal = self.values.iter().any(|text| text == &value.to_string());
                match self.op {
                    Op::Eq | Op::In => equal,
                    Op::Ne => !equal,
                    _ => false,
                }
            }
            Answer::Time(at) => {
                let Some(other) = self.values.first().and_then(|text| clock::parse(text)) else {
                    return false;
                };
                match self.op {
                    Op::Eq => *at == other,
                    Op::Ne => *at != other,
                    Op::Gt => *at > other,
                    Op::Ge => *at >= other,
                    Op::Lt => *at < other,
                    Op::Le => *at <= other,
                    _ => false,
                }
            }
            Answer::Text(text) => self.values.iter().any(|value| match case {
                Case::Matters => compare(self.op, text, value),
                Case::Ignored => compare(self.op, &text.to_lowercase(), &value.to_lowercase()),
            }),
        }
    }
}

fn compare(op: Op, text: &str, value: &str) -> bool {
    match op {
        Op::Eq | Op::In => text == value,
        Op::Ne => text != value,
        Op::Gt => text > value,
        Op::Ge => text >= value,
        Op::Lt => text < value,
        Op::Le => text <= value,
        Op::StartsWith => text.starts_with(value),
        Op::EndsWith => text.ends_with(value),
        Op::Contains => text.contains(value),
        Op::Present => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(field: &str) -> Answer<'static> {
        match field {
            "status" => Answer::Text("ACTIVE".into()),
            "lastUpdated" => Answer::Time(clock::SEEDED),
            "accountEnabled" => Answer::Bool(true),
            _ => Answer::Missing,
        }
    }

    fn holds(text: &str) -> bool {
        parse(text).expect("readable").holds(Case::Ignored, &ask)
    }

    #[test]
    fn both_dialects_are_read() {
        assert!(holds(
            r#"status eq "active" and lastUpdated ge "2024-01-01T00:00:00.000Z""#
        ));
        assert!(!holds(r#"lastUpdated gt "2024-01-01T00:00:00.000Z""#));
        assert!(holds("status in ('X','ACTIVE') and accountEnabled eq true"));
        assert!(holds("startsWith(status,'ac') and not (status eq 'x')"));
        assert!(holds("mail eq null"));
        assert_eq!(parse("status eq"), None);
        assert_eq!(parse(r#"status eq "a" nonsense"#), None);
    }

    #[test]
    fn the_earliest_moment_is_taken_from_both_sides_of_or() {
        let expr = parse(
            r#"(lastUpdated gt "2024-01-02" and status eq "A") or lastUpdated gt "2024-01-01""#,
        )
        .expect("readable");
        assert_eq!(expr.not_before("lastUpdated"), Some(clock::SEEDED));
        let open = parse(r#"status eq "A" or lastUpdated gt "2024-01-01""#).expect("readable");
        assert_eq!(open.not_before("lastUpdated"), None);
    }
}
