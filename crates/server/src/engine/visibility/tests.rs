//! What filters find and what is said of bad ones. The tables are answers of Temporal's server 1.32.1 to the same
//! queries about the same workflows.

use std::collections::BTreeMap;

use stead_proto::common::v1::{Payload, SearchAttributes, WorkflowExecution};
use stead_proto::enums::v1::WorkflowExecutionStatus;

use super::columns::Columns;
use super::convert::question;
use super::*;
use crate::engine::Time;
use crate::engine::namespaces::Namespace;
use crate::engine::search_attributes::{Registry, Value};

/// The namespace of the tables: an attribute of each type, and two with odd names.
pub(super) fn namespace() -> Namespace {
    let mut namespace = Namespace::default();
    namespace.info.name = "shop".to_owned();
    let aliases = [
        ("Keyword05", "K"),
        ("Int01", "I"),
        ("Double01", "D"),
        ("Bool01", "B"),
        ("Datetime01", "Dt"),
        ("KeywordList01", "KL"),
        ("Text01", "Tx"),
        ("Keyword02", "Status"),
        ("Keyword03", "my-kw"),
    ];
    let aliases = aliases.into_iter().map(|(field, alias)| (field.to_owned(), alias.to_owned()));
    namespace.config.custom_search_attribute_aliases = aliases.collect();
    namespace
}

pub(super) fn attributes(namespace: &Namespace, values: &[(&str, &str)]) -> SearchAttributes {
    let payload = |json: &str| Payload {
        metadata: BTreeMap::from([("encoding".to_owned(), "json/plain".into())]),
        data: json.to_owned().into(),
        ..Payload::default()
    };
    let fields = values.iter().map(|(name, json)| ((*name).to_owned(), payload(json)));
    let attributes = SearchAttributes { indexed_fields: fields.collect() };
    let registry = Registry::of(namespace);
    registry.validate(&attributes).unwrap();
    registry.normalized(attributes)
}

fn running(namespace: &Namespace, id: &str, started: i64, values: &[(&str, &str)]) -> Record {
    let execution = WorkflowExecution { workflow_id: id.to_owned(), run_id: format!("run of {id}") };
    let started = Time::from_unix_nanos(1_767_225_600_000_000_000 + started);
    Record {
        id: id.to_owned(),
        run_id: execution.run_id.clone(),
        type_name: "W".to_owned(),
        task_queue: "q".to_owned(),
        status: WorkflowExecutionStatus::Running.into(),
        start_time: started,
        execution_time: started,
        root: Some(execution),
        search_attributes: attributes(namespace, values),
        ..Record::default()
    }
}

/// The workflows of the tables.
fn workflows(namespace: &Namespace) -> Visibility {
    let one = [
        ("K", r#""Alpha""#),
        ("I", "[5]"),
        ("D", "1.5"),
        ("B", "true"),
        ("Dt", r#""2024-01-01T00:00:00.123456+01:00""#),
        ("KL", r#"["a","Bee"]"#),
        ("Tx", r#""Hello wide-World, h\u00e9llo""#),
        ("Status", r#""st""#),
        ("my-kw", r#""m""#),
    ];
    let three = [
        ("TemporalChangeVersion", r#"["v1"]"#),
        ("K", r#"["alpha"]"#),
        ("Dt", r#""2024-01-01T00:00:00Z""#),
        ("D", "5"),
    ];
    let mut visibility = Visibility::default();
    for record in [
        running(namespace, "w-One", 1, &one),
        running(namespace, "w-three", 2, &three),
        running(namespace, "x'y", 3, &[("TemporalNamespaceDivision", r#""div""#)]),
        running(namespace, r#"x"y"#, 4, &[]),
        running(namespace, r"x\y", 5, &[]),
    ] {
        visibility.upsert(NamespaceKey(0), Kind::Workflow, record);
    }
    visibility
}

fn find(visibility: &Visibility, namespace: &Namespace, kind: Kind, query: &str) -> Result<Vec<String>, String> {
    let columns = Columns { kind, registry: Registry::of(namespace) };
    let question = question(query, columns).map_err(|refusal| refusal.message)?;
    let page = visibility.page(NamespaceKey(0), kind, &question.filter, Asked { size: 0, token: &[] });
    let page = page.map_err(|refusal| refusal.message)?;
    Ok(page.rows.iter().map(|row| row.record.id.clone()).collect())
}

#[test]
fn filters_find_what_the_real_server_finds() {
    let namespace = namespace();
    let visibility = workflows(&namespace);
    for (query, ids) in FOUND {
        let found = find(&visibility, &namespace, Kind::Workflow, query);
        assert_eq!(found, Ok(ids.iter().map(|id| (*id).to_owned()).collect()), "{query}");
    }
}

/// SQLite, on which the real server's answers above were had, compares prefixes and keyword lists without regard to
/// case, instants to the millisecond if at all, and does not find quotes and backslashes. Other databases do.
#[test]
fn filters_are_exact_where_sqlite_is_not() {
    let namespace = namespace();
    let visibility = workflows(&namespace);
    for (query, ids) in [
        ("K STARTS_WITH 'al'", &["w-three"][..]),
        ("K NOT STARTS_WITH 'Al'", &["w-three"]),
        ("WorkflowId STARTS_WITH 'W-'", &[]),
        ("KL = 'bee'", &[]),
        ("Dt = '2023-12-31T23:00:00.123456Z'", &["w-One"]),
        ("Dt = '2024-01-01T00:00:00Z'", &["w-three"]),
        ("Dt = 1704067200000000000", &["w-three"]),
        ("Dt BETWEEN '2023-12-31T00:00:00Z' AND '2024-01-01T00:00:00Z'", &["w-three", "w-One"]),
        (r#"WorkflowId = 'x"y'"#, &[r#"x"y"#]),
        (r"WorkflowId = 'x\\y'", &[r"x\y"]),
        ("Keyword05 = 'Alpha'", &["w-One"]),
        ("Keyword01 IS NULL AND I = 5", &["w-One"]),
    ] {
        let found = find(&visibility, &namespace, Kind::Workflow, query);
        assert_eq!(found, Ok(ids.iter().map(|id| (*id).to_owned()).collect()), "{query}");
    }
}

#[test]
fn bad_queries_are_told_in_the_real_servers_words() {
    let namespace = namespace();
    let visibility = workflows(&namespace);
    for (query, message) in REFUSED {
        let found = find(&visibility, &namespace, Kind::Workflow, query);
        assert_eq!(found, Err(format!("invalid query: {message}")), "{query}");
    }
}

#[test]
fn every_kind_has_its_own_columns() {
    let namespace = namespace();
    let mut visibility = Visibility::default();
    let record = |id: &str, status| Record { id: id.to_owned(), run_id: id.to_owned(), status, ..Record::default() };
    let own = vec![("Endpoint", Value::Keyword("e".to_owned())), ("Operation", Value::Keyword("o".to_owned()))];
    visibility.upsert(NamespaceKey(0), Kind::Activity, Record { type_name: "A".to_owned(), ..record("act", 6) });
    visibility.upsert(NamespaceKey(0), Kind::NexusOperation, Record { own, ..record("op", 1) });
    visibility.upsert(NamespaceKey(0), Kind::Schedule, record("sched", 1));
    let found = |kind, query: &str| find(&visibility, &namespace, kind, query);
    let ids = |id: &str| Ok(vec![id.to_owned()]);
    assert_eq!(
        found(Kind::Activity, "ActivityType = 'A' AND ActivityId = 'act' AND ExecutionStatus = 'TimedOut'"),
        ids("act")
    );
    assert_eq!(
        found(Kind::NexusOperation, "Endpoint = 'e' AND Operation STARTS_WITH 'o' AND OperationId = 'op'"),
        ids("op")
    );
    assert_eq!(found(Kind::NexusOperation, "RequestId IS NOT NULL"), Ok(Vec::new()));
    assert_eq!(found(Kind::Schedule, "ScheduleId = 'sched' AND K IS NULL"), ids("sched"));
    assert_eq!(found(Kind::Workflow, ""), Ok(Vec::new()));
    let unknown = |name: &str| Err(format!("invalid query: invalid search attribute: {name}"));
    assert_eq!(found(Kind::Workflow, "ActivityType = 'A'"), unknown("ActivityType"));
    assert_eq!(found(Kind::Activity, "Endpoint = 'e'"), unknown("Endpoint"));
    assert_eq!(
        found(Kind::Schedule, "WorkflowId = 'x'"),
        Err("invalid query filter for schedules: cannot filter on \"WorkflowId\"".to_owned())
    );
}

#[test]
fn ended_workflows_have_the_columns_of_their_end() {
    let namespace = namespace();
    let mut visibility = workflows(&namespace);
    let open = running(&namespace, "ended", 6, &[]);
    visibility.upsert(NamespaceKey(0), Kind::Workflow, open.clone());
    let closed = Record {
        status: WorkflowExecutionStatus::TimedOut.into(),
        close_time: Some(open.start_time + std::time::Duration::from_millis(1_500)),
        history_length: 7,
        history_size: 700,
        state_transitions: 3,
        parent: Some(WorkflowExecution { workflow_id: "mother".to_owned(), run_id: "r".to_owned() }),
        ..open
    };
    visibility.upsert(NamespaceKey(0), Kind::Workflow, closed);
    for query in [
        "ExecutionStatus = 'TimedOut'",
        "ExecutionStatus != 'Running'",
        "ExecutionDuration = '1.5s'",
        "ExecutionDuration BETWEEN '00:00:01' AND 2000000000",
        "CloseTime >= '2026-01-01T00:00:01.5Z'",
        "HistoryLength = 7 AND HistorySizeBytes > 699 AND StateTransitionCount IN (1, 2, 3)",
        "ParentWorkflowId = 'mother' AND ParentRunId IS NOT NULL",
        "NOT CloseTime IS NULL",
    ] {
        assert_eq!(find(&visibility, &namespace, Kind::Workflow, query), Ok(vec!["ended".to_owned()]), "{query}");
    }
}

#[test]
fn counts_are_told_apart_by_what_they_share() {
    let namespace = namespace();
    let mut visibility = workflows(&namespace);
    let closed = Record {
        status: WorkflowExecutionStatus::Completed.into(),
        close_time: Some(Time::from_unix_nanos(i64::MAX / 2)),
        ..running(&namespace, "done", 9, &[])
    };
    visibility.upsert(NamespaceKey(0), Kind::Workflow, closed);
    let count = |query: &str| {
        let columns = Columns { kind: Kind::Workflow, registry: Registry::of(&namespace) };
        let question = question(query, columns).unwrap();
        let counted = visibility.count(NamespaceKey(0), Kind::Workflow, &question.filter, question.group_by.as_ref());
        let data = |payload: &Payload| String::from_utf8(payload.data.to_vec()).unwrap();
        let groups: Vec<_> = counted.groups.iter().map(|(value, count)| (data(value), *count)).collect();
        (counted.count, groups)
    };
    let group = |value: &str, count: i64| (value.to_owned(), count);
    assert_eq!(count(""), (5, vec![]));
    assert_eq!(count("GROUP BY ExecutionStatus"), (5, vec![group("\"Running\"", 4), group("\"Completed\"", 1)]));
    assert_eq!(count("GROUP BY TemporalNamespaceDivision"), (6, vec![group("\"\"", 5), group("\"div\"", 1)]));
    assert_eq!(count("WorkflowId = 'nope' GROUP BY ExecutionStatus"), (0, vec![]));
}

#[test]
fn rows_show_the_attributes_that_the_namespace_has_still() {
    let mut namespace = namespace();
    let visibility = workflows(&namespace);
    let shown = |namespace: &Namespace| {
        let filter = Filter::Field(Field::Id, filter::Test::Equal(Value::Keyword("w-three".to_owned())));
        let page = visibility.page(NamespaceKey(0), Kind::Workflow, &filter, Asked { size: 1, token: &[] }).unwrap();
        let fields = page.rows[0].search_attributes(Registry::of(namespace)).indexed_fields;
        fields
            .into_iter()
            .map(|(name, value)| (name, String::from_utf8(value.data.to_vec()).unwrap()))
            .collect::<Vec<_>>()
    };
    let pair = |name: &str, json: &str| (name.to_owned(), json.to_owned());
    let (d, dt, k) = (pair("D", "5"), pair("Dt", r#""2024-01-01T00:00:00Z""#), pair("K", r#""alpha""#));
    let version = pair("TemporalChangeVersion", r#"["v1"]"#);
    assert_eq!(shown(&namespace), [d.clone(), dt, k, version.clone()]);
    let aliases = [("Double01".to_owned(), "D".to_owned()), ("Int01".to_owned(), "K".to_owned())];
    namespace.config.custom_search_attribute_aliases = aliases.into();
    assert_eq!(shown(&namespace), [d, version]);
}

#[test]
fn pages_follow_each_other_while_workflows_come_and_go() {
    let namespace = namespace();
    let mut visibility = Visibility::default();
    let key = NamespaceKey(0);
    for number in 0..5 {
        visibility.upsert(key, Kind::Workflow, running(&namespace, &format!("w{number}"), number, &[]));
    }
    let everything = Filter::everything();
    let ids = |page: &Page<'_>| page.rows.iter().map(|row| row.record.id.clone()).collect::<Vec<_>>();
    let first = visibility.page(key, Kind::Workflow, &everything, Asked { size: 2, token: &[] }).unwrap();
    assert_eq!(ids(&first), ["w4", "w3"]);
    let token = first.next_page_token;
    visibility.remove(key, Kind::Workflow, "run of w3");
    visibility.upsert(key, Kind::Workflow, running(&namespace, "w9", 9, &[]));
    let second = visibility.page(key, Kind::Workflow, &everything, Asked { size: 3, token: &token }).unwrap();
    assert_eq!(ids(&second), ["w2", "w1", "w0"]);
    let token = second.next_page_token;
    let last = visibility.page(key, Kind::Workflow, &everything, Asked { size: 3, token: &token }).unwrap();
    assert_eq!((ids(&last), last.next_page_token), (vec![], vec![]));
    let bad = visibility.page(key, Kind::Workflow, &everything, Asked { size: 3, token: b"junk" }).unwrap_err();
    assert_eq!(bad.message, "Invalid NextPageToken.");
}

#[test]
fn pages_are_bounded() {
    let namespace = namespace();
    let mut visibility = Visibility::default();
    for number in 0..1_001 {
        visibility.upsert(NamespaceKey(0), Kind::Workflow, running(&namespace, &format!("w{number}"), number, &[]));
    }
    for size in [i32::MIN, 0, 1_000, 1_001, i32::MAX] {
        let asked = Asked { size, token: &[] };
        let page = visibility.page(NamespaceKey(0), Kind::Workflow, &Filter::everything(), asked).unwrap();
        assert_eq!(page.rows.len(), 1_000, "{size}");
    }
}

#[test]
fn ids_are_found_without_looking_at_the_others() {
    let namespace = namespace();
    let mut visibility = Visibility::default();
    for number in 0..100 {
        visibility.upsert(NamespaceKey(0), Kind::Workflow, running(&namespace, &format!("w{number}"), number, &[]));
    }
    let index = &visibility.indexes[&(NamespaceKey(0), Kind::Workflow)];
    for (query, looked_at) in [
        ("WorkflowId = 'w7'", 1),
        ("WorkflowType = 'W' AND (I = 5 OR I = 6) AND WorkflowId IN ('w7', 'w8', 'nope')", 2),
        ("RunId = 'run of w7' AND WorkflowId = 'w8'", 1),
        ("WorkflowId = 'w7' OR I = 5", 100),
        ("NOT WorkflowId = 'w7'", 100),
        ("WorkflowId != 'w7'", 100),
    ] {
        let columns = Columns { kind: Kind::Workflow, registry: Registry::of(&namespace) };
        let filter = question(query, columns).unwrap().filter;
        assert_eq!(candidates(index, &filter, None).count(), looked_at, "{query}");
    }
}

#[rustfmt::skip]
const FOUND: &[(&str, &[&str])] = &[
    ("K = 'Alpha'", &["w-One"]),
    ("K = 'alpha'", &["w-three"]),
    (r#"K = "Alpha""#, &["w-One"]),
    ("`K` = 'Alpha'", &["w-One"]),
    ("K != 'Alpha'", &["w-three"]),
    ("NOT K = 'Alpha'", &["w-three"]),
    ("K = 'a'", &[]),
    ("WorkflowId starts_with 'w-'", &["w-three", "w-One"]),
    ("K > 'B'", &["w-three"]),
    ("K < 'B'", &["w-One"]),
    ("K between 'A' and 'B'", &["w-One"]),
    ("K not between 'A' and 'B'", &["w-three"]),
    ("K in ('Alpha', 'x')", &["w-One"]),
    ("K not in ('Alpha', 'x')", &["w-three"]),
    ("K is null", &[r#"x\y"#, r#"x"y"#]),
    ("K is not null", &["w-three", "w-One"]),
    ("K = 'Alpha' or K = 'alpha' and I = 5", &["w-One"]),
    ("I = 5", &["w-One"]),
    ("I = 5.0", &["w-One"]),
    ("I > 4.5", &["w-One"]),
    ("I in (1, 5)", &["w-One"]),
    ("I between 1 and 5", &["w-One"]),
    ("I = -5", &[]),
    ("I != 7", &["w-One"]),
    ("D = 1.5", &["w-One"]),
    ("D >= 1.5", &["w-three", "w-One"]),
    ("D = 5", &["w-three"]),
    ("B = true", &["w-One"]),
    ("B = false", &[]),
    ("B > false", &["w-One"]),
    ("B != true", &[]),
    ("Dt >= '2024-01-01T00:00:00Z'", &["w-three"]),
    ("Dt > '2020-01-01T00:00:00Z'", &["w-three", "w-One"]),
    ("KL = 'a'", &["w-One"]),
    ("KL = 'Bee'", &["w-One"]),
    ("KL != 'a'", &[r#"x\y"#, r#"x"y"#, "w-three"]),
    ("KL in ('a','zz')", &["w-One"]),
    ("KL not in ('a','zz')", &[r#"x\y"#, r#"x"y"#, "w-three"]),
    ("KL is null", &[r#"x\y"#, r#"x"y"#, "w-three"]),
    ("KL is not null", &["w-One"]),
    ("Tx = 'hello'", &["w-One"]),
    ("Tx = 'wide'", &["w-One"]),
    ("Tx = 'wide-world'", &["w-One"]),
    ("Tx = 'world-wide'", &[]),
    ("Tx = 'hel'", &[]),
    ("Tx = 'nope world'", &["w-One"]),
    ("Tx = 'hello wide'", &["w-One"]),
    ("Tx != 'hello'", &[r#"x\y"#, r#"x"y"#, "w-three"]),
    ("Tx = ','", &[]),
    ("Tx is null", &[r#"x\y"#, r#"x"y"#, "w-three"]),
    ("`Status` = 'st'", &["w-One"]),
    ("`my-kw` = 'm'", &["w-One"]),
    ("Keyword10 = 'x'", &[]),
    ("ExecutionStatus = 'Running'", &[r#"x\y"#, r#"x"y"#, "w-three", "w-One"]),
    ("ExecutionStatus = 1", &[r#"x\y"#, r#"x"y"#, "w-three", "w-One"]),
    ("ExecutionStatus != 'Running'", &[]),
    ("ExecutionStatus > 'Running'", &[]),
    ("ExecutionStatus in ('Running', 'WORKFLOW_EXECUTION_STATUS_FAILED')", &[r#"x\y"#, r#"x"y"#, "w-three", "w-One"]),
    ("ExecutionDuration > '1s'", &[]),
    ("ExecutionDuration is null", &[r#"x\y"#, r#"x"y"#, "w-three", "w-One"]),
    ("CloseTime is null", &[r#"x\y"#, r#"x"y"#, "w-three", "w-One"]),
    ("HistoryLength is null", &[r#"x\y"#, r#"x"y"#, "w-three", "w-One"]),
    ("HistoryLength > 1", &[]),
    ("ParentWorkflowId is null", &[r#"x\y"#, r#"x"y"#, "w-three", "w-One"]),
    ("RootWorkflowId is null", &[]),
    ("RootWorkflowId = 'w-One'", &["w-One"]),
    ("ScheduleId = 'x'", &[]),
    ("TemporalScheduleId = 'x'", &[]),
    ("ScheduledById = 'x'", &[]),
    ("TemporalWorkflowType = 'W'", &[r#"x\y"#, r#"x"y"#, "w-three", "w-One"]),
    ("ChangeVersion = 'v1'", &["w-three"]),
    ("TemporalChangeVersion = 'v1'", &["w-three"]),
    ("BuildIds is null", &[r#"x\y"#, r#"x"y"#, "w-three", "w-One"]),
    ("TemporalNamespaceDivision = 'div'", &["x'y"]),
    ("TemporalNamespaceDivision is null", &[r#"x\y"#, r#"x"y"#, "w-three", "w-One"]),
    ("TemporalNamespaceDivision is not null", &["x'y"]),
    ("NamespaceDivision = 'div'", &["x'y"]),
    (r#"WorkflowId = "x'y" and TemporalNamespaceDivision = 'div'"#, &["x'y"]),
    ("WorkflowId = 'x''y' and TemporalNamespaceDivision = 'div'", &["x'y"]),
    (r#"WorkflowId = 'x\y'"#, &[]),
    ("WorkflowId = ''", &[]),
    ("WorkflowId = 'w-One';", &["w-One"]),
    ("WorkflowId = 'w-One' -- comment", &["w-One"]),
    ("WorkflowId = /* hm */ 'w-One'", &["w-One"]),
    ("group by ExecutionStatus", &[r#"x\y"#, r#"x"y"#, "w-three", "w-One"]),
    ("WorkflowId <> 'w-One'", &[r#"x\y"#, r#"x"y"#, "w-three"]),
    ("I = x'41'", &[]),
    ("I = 99999999999999999999", &[]),
    ("I = 1e3", &[]),
    ("I = .5", &[]),
    ("I = - -5", &["w-One"]),
    ("(I = 5)", &["w-One"]),
    ("((I = 5))", &["w-One"]),
    ("not not I = 5", &["w-One"]),
    ("I = 5 && K = 'Alpha'", &["w-One"]),
    ("I = 5 || K = 'alpha'", &["w-three", "w-One"]),
    ("StartTime > '2020-01-01T00:00:00Z' and StartTime < '2999-01-01T00:00:00Z'", &[r#"x\y"#, r#"x"y"#, "w-three", "w-One"]),
    ("StartTime = -5", &[]),
    ("TaskQueue = 'q' and WorkflowType = 'W'", &[r#"x\y"#, r#"x"y"#, "w-three", "w-One"]),
];

#[rustfmt::skip]
const REFUSED: &[(&str, &str)] = &[
    ("K = ('a')", "invalid expression: unexpected value type *sqlparser.ParenExpr"),
    ("B = 1", "invalid expression: invalid value type for search attribute B of type Bool: 1 (type: int64)"),
    ("Dt > '2024-01-01'", "invalid expression: unable to parse datetime '2024-01-01'"),
    ("KL = ('a','b')", "invalid expression: unexpected value type (expected string, got ('a', 'b'))"),
    ("Tx = ('a','b')", "invalid expression: unexpected value type (expected string, got ('a', 'b'))"),
    ("Status = 'st'", "invalid search attribute: status"),
    ("status = 'st'", "invalid search attribute: status"),
    ("my-kw = 'm'", "invalid expression: must be a column name but was *sqlparser.BinaryExpr"),
    ("Keyword11 = 'x'", "invalid search attribute: Keyword11"),
    ("ExecutionStatus STARTS_WITH 'Run'", "invalid expression: invalid ExecutionStatus value 'Run'"),
    ("ExecutionStatus = 'running'", "invalid expression: invalid ExecutionStatus value 'running'"),
    ("ExecutionStatus = ('Running')", "invalid expression: unexpected value type *sqlparser.ParenExpr"),
    ("ExecutionStatus = null", "invalid expression: unexpected value type *sqlparser.NullVal"),
    ("ExecutionDuration > 1.5", "invalid expression: unexpected value type float64 for search attribute ExecutionDuration"),
    ("WorkflowId = 'w-One'; foo", "malformed SQL query: syntax error at position 53 near 'foo'"),
    ("WorkflowId = 'w-One' limit 1", "operation is not supported: 'LIMIT' clause"),
    ("WorkflowId = 'w-One' order by StartTime", "operation is not supported: 'ORDER BY' clause"),
    ("order by StartTime", "operation is not supported: 'ORDER BY' clause"),
    ("order by Foo", "invalid search attribute: Foo"),
    ("limit 5", "malformed SQL query: syntax error at position 33 near 'limit'"),
    ("WorkflowId = 'w-One' AND", "malformed SQL query: syntax error at position 52"),
    ("WorkflowId", "invalid expression: incomplete expression"),
    ("WorkflowId = x", r#"operation is not supported: column name on the right side of comparison expression (did you forget to quote "x"?)"#),
    ("WorkflowId = my-kw", "invalid expression: unexpected value type *sqlparser.BinaryExpr"),
    ("WorkflowId = `my-kw`", r#"operation is not supported: column name on the right side of comparison expression (did you forget to quote "`my-kw`"?)"#),
    ("WorkflowId = w.x", r#"operation is not supported: column name on the right side of comparison expression (did you forget to quote "w.x"?)"#),
    ("WorkflowId == 'x'", "malformed SQL query: syntax error at position 41"),
    ("WorkflowId <=> 'w-One'", "operation is not supported: operator '<=>' not supported for Keyword type search attribute 'WorkflowId'"),
    ("WorkflowId like 'w%'", "operation is not supported: operator 'LIKE' not supported for Keyword type search attribute 'WorkflowId'"),
    ("WorkflowId regexp 'w'", "operation is not supported: operator 'REGEXP' not supported for Keyword type search attribute 'WorkflowId'"),
    ("WorkflowId = 0x1F", r#"invalid expression: unable to parse value "0x1F""#),
    ("WorkflowId = x'41'", "invalid expression: invalid value type for search attribute WorkflowId of type Keyword: 41 (type: int64)"),
    ("I = 5a", "malformed SQL query: syntax error at position 33 near '5'"),
    ("I = ?", r#"invalid expression: unable to parse value ":v1""#),
    ("I = :foo", r#"invalid expression: unable to parse value ":foo""#),
    ("I = ::foo", "malformed SQL query: syntax error at position 37 near '::foo'"),
    ("I in ::foo", "invalid expression: unexpected value type sqlparser.ListArg"),
    ("I = 1 + 1", "invalid expression: unexpected value type *sqlparser.BinaryExpr"),
    ("I + 1 = 6", "invalid expression: must be a column name but was *sqlparser.BinaryExpr"),
    ("-I = 5", "invalid expression: must be a column name but was *sqlparser.UnaryExpr"),
    ("I = - -5.0", r#"invalid expression: unary operator not supported in "- -5.0""#),
    ("I = -(5)", r#"invalid expression: unary operator not supported in "-(5)""#),
    ("I = ~5", r#"operation is not supported: unary operator "~""#),
    ("I = !5", r#"operation is not supported: unary operator "!""#),
    ("5 = I", "invalid expression: must be a column name but was *sqlparser.SQLVal"),
    ("(I) = 5", "invalid expression: must be a column name but was *sqlparser.ParenExpr"),
    ("(I = 5) = 5", "invalid expression: must be a column name but was *sqlparser.ParenExpr"),
    ("I = 5 is null", "invalid expression: must be a column name but was *sqlparser.ComparisonExpr"),
    ("I is true", "invalid expression: 'IS' operator can only be used as 'IS NULL' or 'IS NOT NULL'"),
    ("!I = 5", "invalid expression: must be a column name but was *sqlparser.UnaryExpr"),
    ("true", "operation is not supported: expression of type sqlparser.BoolVal"),
    ("'x'", "operation is not supported: expression of type *sqlparser.SQLVal"),
    ("null", "operation is not supported: expression of type *sqlparser.NullVal"),
    ("5", "operation is not supported: expression of type *sqlparser.SQLVal"),
    ("(1,2)", "operation is not supported: expression of type sqlparser.ValTuple"),
    ("count(*)", "operation is not supported: function expression"),
    ("count(*) = 1", "invalid expression: must be a column name but was *sqlparser.FuncExpr"),
    ("I = now()", "operation is not supported: nested func"),
    ("I = current_timestamp", "operation is not supported: nested func"),
    ("I = current_timestamp()", "operation is not supported: nested func"),
    ("if(1,2,3)", "operation is not supported: function expression"),
    ("left('a',1) = 1", "invalid expression: must be a column name but was *sqlparser.FuncExpr"),
    ("group_concat(I) = 1", "invalid expression: must be a column name but was *sqlparser.GroupConcatExpr"),
    ("I = group_concat(I)", "operation is not supported: 'group_concat'"),
    ("I = (select 1)", "invalid expression: unexpected value type *sqlparser.Subquery"),
    ("I in (select 1)", "invalid expression: unexpected value type *sqlparser.Subquery"),
    ("I = 'x", "malformed SQL query: syntax error at position 34 near 'x'"),
    (r#"I = "x"#, "malformed SQL query: syntax error at position 34 near 'x'"),
    ("I = `x", "malformed SQL query: syntax error at position 34 near 'x'"),
    ("``= 5", "malformed SQL query: syntax error at position 30"),
    ("key = 5", "malformed SQL query: syntax error at position 31 near 'key'"),
    ("select = 5", "malformed SQL query: syntax error at position 34 near 'select'"),
    ("date = 5", "invalid search attribute: date"),
    ("a.b = 5", "invalid search attribute: a.b"),
    ("a.b.c = 5", "invalid search attribute: a.b.c"),
    ("a.b.c.d = 5", "malformed SQL query: syntax error at position 34"),
    ("I = 5 and and", "malformed SQL query: syntax error at position 41 near 'and'"),
    ("I between 1", "malformed SQL query: syntax error at position 39"),
    ("I between 1 or 2", "malformed SQL query: syntax error at position 42 near 'or'"),
    ("I not = 5", "malformed SQL query: syntax error at position 35"),
    ("I in 5", "malformed SQL query: syntax error at position 34 near '5'"),
    ("I in ()", "malformed SQL query: syntax error at position 35"),
    ("I is 5", "malformed SQL query: syntax error at position 34 near '5'"),
    (")", "malformed SQL query: syntax error at position 29"),
    ("I = 5)", "malformed SQL query: syntax error at position 34"),
    ("Foo = 'x' and Bar = 'y'", "invalid search attribute: Foo"),
    ("default", "operation is not supported: expression of type *sqlparser.Default"),
    ("binary K = 'x'", "invalid expression: must be a column name but was *sqlparser.UnaryExpr"),
    ("K = binary 'x'", r#"operation is not supported: unary operator "binary ""#),
    ("StartTime > '2020-01-01T00:00:00'", "invalid expression: unable to parse datetime '2020-01-01T00:00:00'"),
    ("StartTime > 1.5", "invalid expression: invalid value type for search attribute StartTime of type Datetime: 1.5 (type: float64)"),
    ("StartTime = -1.5", "invalid expression: invalid value type for search attribute StartTime of type Datetime: 1.5 (type: float64)"),
    ("WorkflowType in ('W', 5)", "invalid expression: invalid value type for search attribute WorkflowType of type Keyword: 5 (type: int64)"),
];
