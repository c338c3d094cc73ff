use std::fmt;

use proptest::prelude::*;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::*;

/// What `JSON.parse` makes of a text: every number is a double, keys come as they are written.
impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        struct Parsed;

        impl<'de> Visitor<'de> for Parsed {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Null)
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Node, E> {
                Ok(Node::Bool(flag))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
                Ok(Node::Decimal(number as f64))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
                Ok(Node::Decimal(number as f64))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Node, E> {
                Ok(Node::Decimal(number))
            }

            fn visit_str<E>(self, text: &str) -> Result<Node, E> {
                Ok(Node::text(text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Node::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Node, A::Error> {
                let mut object = Vec::new();
                while let Some(field) = fields.next_entry()? {
                    object.push(field);
                }
                Ok(Node::Object(object))
            }
        }

        deserializer.deserialize_any(Parsed)
    }
}

fn parse(text: &str) -> Node {
    serde_json::from_str(text).expect("it is JSON")
}

#[test]
fn numbers_look_as_javascript_prints_them() {
    // Each expectation was printed by Node.js.
    for (number, text) in [
        (1e21, "1e+21"),
        (1e-7, "1e-7"),
        (123_456_789_012_345_680_000.0, "123456789012345680000"),
        (0.1, "0.1"),
        (-0.0, "0"),
        (1.5e300, "1.5e+300"),
        (5e-324, "5e-324"),
        (123.456, "123.456"),
        (1e20, "100000000000000000000"),
        (0.000001, "0.000001"),
        (1.2e-7, "1.2e-7"),
        (f64::MAX, "1.7976931348623157e+308"),
        (4.35, "4.35"),
        (100.0, "100"),
        (-2.5, "-2.5"),
        (f64::NAN, "null"),
        (f64::INFINITY, "null"),
    ] {
        assert_eq!(Node::Decimal(number).spell(), text);
    }
}

#[test]
fn whole_numbers_that_javascript_cannot_hold_are_texts() {
    assert_eq!(
        Node::Integer(9_007_199_254_740_991).spell(),
        "9007199254740991"
    );
    assert_eq!(
        Node::Integer(9_007_199_254_740_992).spell(),
        "\"9007199254740992\""
    );
    assert_eq!(Node::Integer(i64::MIN).spell(), "\"-9223372036854775808\"");
    assert_eq!(Node::Integer(-7).spell(), "-7");
}

#[test]
fn array_indices_come_first_and_the_last_of_two_equal_keys_stands() {
    let names = [
        "b",
        "10",
        "2",
        "01",
        "4294967294",
        "4294967295",
        "-1",
        "0",
        "1e3",
        "b",
        "__proto__",
        "",
    ];
    let fields = names.iter().zip(1..);
    let object = Node::Object(
        fields
            .map(|(name, number)| ((*name).to_owned(), Node::Integer(number)))
            .collect(),
    );
    // As Node.js orders them.
    assert_eq!(
        object.spell(),
        r#"{"0":8,"2":3,"10":2,"4294967294":5,"b":10,"01":4,"4294967295":6,"-1":7,"1e3":9,"__proto__":11,"":12}"#
    );
}

#[test]
fn only_what_must_be_escaped_is_escaped() {
    let text = "\u{2028}\u{7f}\u{1f}/é\n\u{8}\u{c}\"\\😀";
    assert_eq!(
        Node::text(text).spell(),
        "\"\u{2028}\u{7f}\\u001f/é\\n\\b\\f\\\"\\\\😀\""
    );
}

fn node() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        Just(Node::Null),
        any::<bool>().prop_map(Node::Bool),
        any::<i64>().prop_map(Node::Integer),
        // Few digits: serde_json reads longer numbers a last bit off, as JavaScript does not.
        (any::<i32>(), -12i32..8)
            .prop_map(|(digits, scale)| format!("{digits}e{scale}").parse().expect("a number"))
            .prop_map(Node::Decimal),
        ".{0,8}".prop_map(Node::text),
    ];
    let name = prop_oneof!["[0-9]{1,3}", "[a-c]", ".{0,3}", "42949672[0-9]{2}"];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Node::List),
            proptest::collection::vec((name.clone(), inner), 0..6).prop_map(Node::Object),
        ]
    })
}

/// The keys of every object, in the order in which they are written.
fn orders(node: &Node, found: &mut Vec<Vec<String>>) {
    match node {
        Node::List(items) => items.iter().for_each(|item| orders(item, found)),
        Node::Object(fields) => {
            found.push(fields.iter().map(|(name, _)| name.clone()).collect());
            fields.iter().for_each(|(_, value)| orders(value, found));
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn what_is_parsed_and_spelled_again_is_the_same_bytes(node in node()) {
        let text = node.spell();
        prop_assert_eq!(parse(&text).spell(), text);
    }

    #[test]
    fn no_key_comes_twice_and_indices_come_first_in_order(node in node()) {
        let mut found = Vec::new();
        orders(&parse(&node.spell()), &mut found);
        for names in found {
            let indices: Vec<Option<u32>> = names.iter().map(|name| index(name)).collect();
            let count = indices.iter().take_while(|index| index.is_some()).count();
            prop_assert!(indices[count..].iter().all(Option::is_none));
            prop_assert!(indices[..count].is_sorted());
            let distinct: std::collections::BTreeSet<&String> = names.iter().collect();
            prop_assert_eq!(distinct.len(), names.len());
        }
    }

    #[test]
    fn a_number_reads_back_as_itself(number in any::<f64>()) {
        prop_assume!(number.is_finite());
        let text = Node::Decimal(number).spell();
        prop_assert_eq!(text.parse::<f64>().expect("a number"), number);
    }
}
