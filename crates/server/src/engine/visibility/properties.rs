//! Properties of filters: no text makes them panic, and what they find is what a simple reading of SQL finds.

use proptest::prelude::*;

use super::columns::Columns;
use super::convert::question;
use super::index::Row;
use super::tests::{attributes, namespace};
use super::workers::WorkerFilter;
use super::*;
use crate::engine::namespaces::Namespace;
use crate::engine::search_attributes::Registry;

fn ask(namespace: &Namespace, query: &str) -> Result<Filter, Refusal> {
    let columns = Columns { kind: Kind::Workflow, registry: Registry::of(namespace) };
    question(query, columns).map(|question| question.filter)
}

/// A row with two attributes, each of which may be missing.
#[derive(Clone, Copy, Debug)]
struct Sample {
    int: Option<i64>,
    keyword: Option<&'static str>,
}

impl Sample {
    fn row(self, namespace: &Namespace) -> Index {
        let int = self.int.map(|value| value.to_string());
        let keyword = self.keyword.map(|value| format!("\"{value}\""));
        let values = [("I", int.as_deref()), ("K", keyword.as_deref())];
        let values: Vec<_> = values.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let mut index = Index::default();
        index.upsert(Record { search_attributes: attributes(namespace, &values), ..Record::default() });
        index
    }
}

/// A condition with its text and its own meaning.
#[derive(Clone, Debug)]
enum Model {
    Int(&'static str, i64),
    Keyword(&'static str, &'static str),
    Among(bool, Vec<i64>),
    Between(bool, i64, i64),
    Prefix(bool, &'static str),
    Null(&'static str, bool),
    Not(Box<Model>),
    And(Box<Model>, Box<Model>),
    Or(Box<Model>, Box<Model>),
}

impl Model {
    fn text(&self) -> String {
        let not = |negated: &bool| if *negated { "NOT " } else { "" };
        match self {
            Self::Int(operator, value) => format!("I {operator} {value}"),
            Self::Keyword(operator, value) => format!("`K` {operator} \"{value}\""),
            Self::Among(negated, values) => {
                let values: Vec<_> = values.iter().map(i64::to_string).collect();
                format!("I {}in ({})", not(negated), values.join(" , "))
            }
            Self::Between(negated, from, to) => format!("I {}BETWEEN {from} AND {to}", not(negated)),
            Self::Prefix(negated, prefix) => format!("K {}STARTS_WITH '{prefix}'", not(negated)),
            Self::Null(column, negated) => format!("{column} IS {}NULL", not(negated)),
            Self::Not(inner) => format!("NOT ({})", inner.text()),
            Self::And(left, right) => format!("({}) AND ({})", left.text(), right.text()),
            Self::Or(left, right) => format!("({}) OR ({})", left.text(), right.text()),
        }
    }

    fn holds(&self, sample: Sample) -> Option<bool> {
        match self {
            Self::Int(operator, value) => Some(compare(operator, &sample.int?, value)),
            Self::Keyword(operator, value) => Some(compare(operator, &sample.keyword?, value)),
            Self::Among(negated, values) => Some(values.contains(&sample.int?) != *negated),
            Self::Between(negated, from, to) => Some((*from <= sample.int? && sample.int? <= *to) != *negated),
            Self::Prefix(negated, prefix) => Some(sample.keyword?.starts_with(prefix) != *negated),
            Self::Null("I", negated) => Some(sample.int.is_none() != *negated),
            Self::Null(_, negated) => Some(sample.keyword.is_none() != *negated),
            Self::Not(inner) => inner.holds(sample).map(|met| !met),
            Self::And(left, right) => match (left.holds(sample), right.holds(sample)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Self::Or(left, right) => match (left.holds(sample), right.holds(sample)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
        }
    }
}

fn compare<T: Ord>(operator: &str, left: &T, right: &T) -> bool {
    match operator {
        "=" => left == right,
        "!=" => left != right,
        "<" => left < right,
        "<=" => left <= right,
        ">" => left > right,
        _ => left >= right,
    }
}

fn operators() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["=", "!=", "<", "<=", ">", ">="])
}

fn keywords() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "a", "ab", "B", "b c", "é"])
}

fn ints() -> impl Strategy<Value = i64> {
    -3..4_i64
}

fn samples() -> impl Strategy<Value = Sample> {
    (prop::option::of(ints()), prop::option::of(keywords())).prop_map(|(int, keyword)| Sample { int, keyword })
}

fn models() -> impl Strategy<Value = Model> {
    let leaf = prop_oneof![
        (operators(), ints()).prop_map(|(operator, value)| Model::Int(operator, value)),
        (operators(), keywords()).prop_map(|(operator, value)| Model::Keyword(operator, value)),
        (any::<bool>(), prop::collection::vec(ints(), 1..4)).prop_map(|(not, values)| Model::Among(not, values)),
        (any::<bool>(), ints(), ints()).prop_map(|(not, from, to)| Model::Between(not, from, to)),
        (any::<bool>(), keywords()).prop_map(|(not, prefix)| Model::Prefix(not, prefix)),
        (prop::sample::select(vec!["I", "K"]), any::<bool>()).prop_map(|(column, not)| Model::Null(column, not)),
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Model::Not(Box::new(inner))),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| Model::And(Box::new(left), Box::new(right))),
            (inner.clone(), inner).prop_map(|(left, right)| Model::Or(Box::new(left), Box::new(right))),
        ]
    })
}

/// Pieces of queries in any order, which come further than any text does.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "I",
        "K",
        "KL",
        "Tx",
        "Dt",
        "ExecutionStatus",
        "ExecutionDuration",
        "`my-kw`",
        "=",
        "!=",
        "<=>",
        ">",
        "(",
        ")",
        ",",
        "in",
        "not",
        "and",
        "or",
        "is",
        "null",
        "between",
        "starts_with",
        "like",
        "'a'",
        "\"é\"",
        "5",
        "-",
        "1.5",
        "'2024-01-01T00:00:00Z'",
        "true",
        "group by",
        "order by",
        "limit",
        ";",
        "--",
        "/*",
        "`",
        "'",
        ".",
        "x'4'",
        "::a",
        "select",
        "count",
        "*",
        "\\",
        "0x",
        "1e",
    ]);
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.join(" "))
}

proptest! {
    #[test]
    fn no_text_makes_a_filter_panic(text in any::<String>()) {
        let _ = ask(&namespace(), &text);
        let _ = WorkerFilter::parse(&text);
    }

    #[test]
    fn no_order_of_pieces_makes_a_filter_panic(text in pieces()) {
        let namespace = namespace();
        let index = Sample { int: Some(5), keyword: Some("a") }.row(&namespace);
        if let Ok(filter) = ask(&namespace, &text) {
            index.after(None).for_each(|(_, row): (_, &Row)| { filter.matches(row, Kind::Workflow); });
        }
        let _ = WorkerFilter::parse(&text).map(|filter| filter.matches(&Default::default()));
    }

    #[test]
    fn filters_mean_what_sql_means(model in models(), sample in samples()) {
        let namespace = namespace();
        let filter = ask(&namespace, &model.text()).map_err(|refusal| TestCaseError::fail(refusal.message))?;
        let index = sample.row(&namespace);
        let met = index.after(None).any(|(_, row)| filter.matches(row, Kind::Workflow));
        prop_assert_eq!(met, model.holds(sample) == Some(true), "{}", model.text());
    }
}

/// Depth costs stack, so it is bounded, as on the real server.
#[test]
fn queries_without_end_are_refused() {
    let namespace = namespace();
    let message = |query: String| ask(&namespace, &query).unwrap_err().message;
    let deep = message(format!("{}I = 1{}", "(".repeat(100_000), ")".repeat(100_000)));
    assert!(deep.contains("max nesting level reached at position"), "{deep}");
    let long = message(vec!["I = 1"; 100_000].join(" AND "));
    assert_eq!(long, "invalid query: malformed SQL query: max ast depth reached");
    let nots = message(format!("{}I = 1", "NOT ".repeat(100_000)));
    assert!(nots.contains("max nesting level reached"), "{nots}");
    let tests = message(format!("I = 1{}", " IS NULL".repeat(100_000)));
    assert!(tests.contains("must be a column name but was *sqlparser.IsExpr"), "{tests}");
}
