//! From what was written to what is asked: a [`Query`] against the columns of a kind of record becomes a [`Filter`].
//!
//! What cannot be asked is told in the server's words; callers show them to people, and tests compare them.

use stead_proto::enums::v1::{IndexedValueType as Type, WorkflowExecutionStatus};

use super::columns::{Column, Columns, DIVISION, Field};
use super::filter::{Filter, Test, words};
use super::literal::{Constant, duration, quoted};
use super::query::{Expr, Is, Literal, Operator, Query, parse};
use super::record::Kind;
use crate::engine::Refusal;
use crate::engine::search_attributes::{Value, is_reserved, parse_datetime, type_name};

/// What a caller asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Question {
    pub(super) filter: Filter,
    /// Counts are told apart by what is in this column.
    pub(super) group_by: Option<Column>,
}

/// Reads a query about records of a kind.
///
/// # Errors
///
/// When the text is no query, or asks for what there is not.
pub(super) fn question(text: &str, columns: Columns<'_>) -> Result<Question, Refusal> {
    let query = parse(text).map_err(|error| invalid(&format!("malformed SQL query: {error}")))?;
    let mut converter = Converter { columns, named: Vec::new() };
    let question = converter.question(&query).map_err(|error| invalid(&error))?;
    let forbidden = |name: &&String| is_reserved(name) && *name != "TemporalSchedulePaused";
    if columns.kind == Kind::Schedule
        && let Some(name) = converter.named.iter().find(forbidden)
    {
        return Err(Refusal::invalid(format!("invalid query filter for schedules: cannot filter on {}", quoted(name))));
    }
    Ok(question)
}

fn invalid(error: &str) -> Refusal {
    Refusal::invalid(format!("invalid query: {error}"))
}

struct Converter<'a> {
    columns: Columns<'a>,
    /// The columns that the query names.
    named: Vec<String>,
}

/// A value to compare with, or several.
enum Operand {
    One(Value),
    Several(Vec<Operand>),
}

impl Converter<'_> {
    fn question(&mut self, query: &Query) -> Result<Question, String> {
        if query.limited {
            return Err(format!("{NOT_SUPPORTED}: 'LIMIT' clause"));
        }
        let filter =
            query.condition.as_ref().map_or(Ok(Filter::everything()), |condition| self.condition(condition))?;
        if query.group_by.len() > 1 {
            return Err(format!("{NOT_SUPPORTED}: 'GROUP BY' clause supports only a single field"));
        }
        let group_by = query.group_by.first().map(|by| self.group(by)).transpose()?;
        for by in &query.order_by {
            if self.column(by)?.kind == Type::Text {
                return Err(format!("{NOT_SUPPORTED}: unable to sort by search attribute type Text"));
            }
        }
        if !query.order_by.is_empty() {
            return Err(format!("{NOT_SUPPORTED}: 'ORDER BY' clause"));
        }
        Ok(Question { filter: self.in_division(filter), group_by })
    }

    /// Workflows of other divisions than the default one are only seen by who asks for divisions.
    fn in_division(&self, filter: Filter) -> Filter {
        if self.columns.kind != Kind::Workflow || self.named.iter().any(|name| is_division(name)) {
            return filter;
        }
        let undivided = Filter::Field(Field::Attribute(DIVISION.to_owned()), Test::IsNull);
        Filter::All(vec![filter, undivided])
    }

    fn group(&mut self, by: &Expr) -> Result<Column, String> {
        let column = self.column(by)?;
        let division = Field::Attribute(DIVISION.to_owned());
        if matches!(column.field, Field::Status | Field::StatusName) || column.field == division {
            return Ok(column);
        }
        let name = column.name;
        Err(format!("{NOT_SUPPORTED}: 'GROUP BY' clause is not supported for search attribute {name}"))
    }

    fn condition(&mut self, expr: &Expr) -> Result<Filter, String> {
        match expr {
            Expr::Paren(inner) => self.condition(inner),
            Expr::Not(inner) => self.condition(inner).map(Filter::not),
            Expr::And(parts) => self.conditions(parts).map(Filter::All),
            Expr::Or(parts) => self.conditions(parts).map(Filter::Any),
            Expr::Compare { left, operator, right } => self.comparison(left, *operator, right),
            Expr::Between { left, negated, from, to } => self.between(left, *negated, from, to),
            Expr::Is { left, test } => self.is(left, *test),
            Expr::Function => Err(format!("{NOT_SUPPORTED}: function expression")),
            Expr::Column(_) => Err(format!("{INVALID}: incomplete expression")),
            other => Err(format!("{NOT_SUPPORTED}: expression of type {}", other.kind())),
        }
    }

    fn conditions(&mut self, parts: &[Expr]) -> Result<Vec<Filter>, String> {
        parts.iter().map(|part| self.condition(part)).collect()
    }

    fn comparison(&mut self, left: &Expr, operator: Operator, right: &Expr) -> Result<Filter, String> {
        let column = self.column(left)?;
        let operand = operand(right, &column)?;
        if !supports(column.kind, operator) {
            return Err(format!(
                "{NOT_SUPPORTED}: operator '{}' not supported for {} type search attribute '{}'",
                operator.name().to_uppercase(),
                type_name(column.kind),
                column.name
            ));
        }
        let negated = matches!(operator, Operator::NotEqual | Operator::NotIn | Operator::NotStartsWith);
        let test = match operator {
            Operator::LessOrEqual => {
                return Ok(Filter::Field(column.field, Test::Greater(one(operand, column.kind, right)?)).not());
            }
            Operator::GreaterOrEqual => {
                return Ok(Filter::Field(column.field, Test::Less(one(operand, column.kind, right)?)).not());
            }
            Operator::Less => Test::Less(one(operand, column.kind, right)?),
            Operator::Greater => Test::Greater(one(operand, column.kind, right)?),
            Operator::StartsWith | Operator::NotStartsWith => starts_with(operand, operator, right)?,
            Operator::In | Operator::NotIn => among(operand, column.kind, right)?,
            _ => equal(one(operand, column.kind, right)?),
        };
        let filter = Filter::Field(column.field, test);
        Ok(if negated { filter.not() } else { filter })
    }

    fn between(&mut self, left: &Expr, negated: bool, from: &Expr, to: &Expr) -> Result<Filter, String> {
        let column = self.column(left)?;
        if !matches!(column.kind, Type::Datetime | Type::Double | Type::Int | Type::Keyword) {
            return Err(format!(
                "{INVALID}: cannot do range condition on search attribute '{}' of type {}",
                column.name,
                type_name(column.kind)
            ));
        }
        let (from, to) =
            (one(operand(from, &column)?, column.kind, from)?, one(operand(to, &column)?, column.kind, to)?);
        let filter = Filter::Field(column.field, Test::Between(from, to));
        Ok(if negated { filter.not() } else { filter })
    }

    fn is(&mut self, left: &Expr, test: Is) -> Result<Filter, String> {
        let column = self.column(left)?;
        let null = Filter::Field(column.field, Test::IsNull);
        match test {
            Is::Null => Ok(null),
            Is::NotNull => Ok(null.not()),
            Is::Truth => Err(format!("{INVALID}: 'IS' operator can only be used as 'IS NULL' or 'IS NOT NULL'")),
        }
    }

    fn column(&mut self, expr: &Expr) -> Result<Column, String> {
        let Expr::Column(name) = expr else {
            return Err(format!("{INVALID}: must be a column name but was {}", expr.kind()));
        };
        let name = name.replace('`', "");
        let column = self.columns.find(&name).ok_or_else(|| format!("invalid search attribute: {name}"))?;
        self.named.push(name);
        Ok(column)
    }
}

const NOT_SUPPORTED: &str = "operation is not supported";
const INVALID: &str = "invalid expression";

fn is_division(name: &str) -> bool {
    name == DIVISION || name == "NamespaceDivision"
}

fn supports(kind: Type, operator: Operator) -> bool {
    match operator {
        Operator::Equal | Operator::NotEqual => true,
        Operator::In | Operator::NotIn => kind != Type::Text,
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
            !matches!(kind, Type::Text | Type::KeywordList)
        }
        Operator::StartsWith | Operator::NotStartsWith => kind == Type::Keyword,
        Operator::NullSafeEqual | Operator::Like | Operator::NotLike | Operator::Regexp | Operator::NotRegexp => false,
    }
}

fn equal(value: Value) -> Test {
    match value {
        Value::Text(text) => Test::Phrases(text.split(' ').filter(|token| !token.is_empty()).map(words).collect()),
        Value::KeywordList(items) => Test::Contains(items),
        value => Test::Equal(value),
    }
}

fn among(operand: Operand, kind: Type, written: &Expr) -> Result<Test, String> {
    let items = match operand {
        Operand::Several(items) => items,
        one @ Operand::One(_) => vec![one],
    };
    let values = items.into_iter().map(|item| one(item, kind, written)).collect::<Result<Vec<_>, _>>()?;
    if kind != Type::KeywordList {
        return Ok(Test::In(values));
    }
    let keywords = values.into_iter().filter_map(|value| match value {
        Value::KeywordList(items) => Some(items),
        _ => None,
    });
    Ok(Test::Contains(keywords.flatten().collect()))
}

fn starts_with(operand: Operand, operator: Operator, written: &Expr) -> Result<Test, String> {
    match operand {
        Operand::One(Value::Keyword(prefix)) => Ok(Test::StartsWith(prefix)),
        _ => Err(format!(
            "{INVALID}: right-hand side of {} operator must be a literal string (got: {})",
            quoted(operator.name()),
            unquoted(written)
        )),
    }
}

/// Values as they are shown without their quotes.
fn unquoted(expr: &Expr) -> String {
    match expr {
        Expr::Literal(Literal::String(text)) => text.clone(),
        Expr::Tuple(items) => format!("[{}]", items.iter().map(unquoted).collect::<Vec<_>>().join(" ")),
        other => other.to_string(),
    }
}

fn one(operand: Operand, kind: Type, written: &Expr) -> Result<Value, String> {
    match (operand, kind) {
        (Operand::One(value), _) => Ok(value),
        (Operand::Several(_), Type::Text | Type::KeywordList) => {
            Err(format!("{INVALID}: unexpected value type (expected string, got {written})"))
        }
        (Operand::Several(_), _) => Err(format!("{INVALID}: a list of values is only allowed with IN (got {written})")),
    }
}

/// The right side of a comparison with a column.
fn operand(expr: &Expr, column: &Column) -> Result<Operand, String> {
    match expr {
        Expr::Literal(literal) => value_of(literal, expr, column).map(Operand::One),
        Expr::Bool(value) => typed(Constant::Bool(*value), column).map(Operand::One),
        Expr::Tuple(items) => {
            items.iter().map(|item| operand(item, column)).collect::<Result<_, _>>().map(Operand::Several)
        }
        Expr::Unary { operator, operand } => signed(operator, operand, expr, column).map(Operand::One),
        Expr::GroupConcat => Err(format!("{NOT_SUPPORTED}: 'group_concat'")),
        Expr::Function => Err(format!("{NOT_SUPPORTED}: nested func")),
        Expr::Column(_) => Err(format!(
            "{NOT_SUPPORTED}: column name on the right side of comparison expression (did you forget to quote {}?)",
            quoted(&expr.to_string())
        )),
        other => Err(format!("{INVALID}: unexpected value type {}", other.kind())),
    }
}

fn signed(operator: &str, operand: &Expr, whole: &Expr, column: &Column) -> Result<Value, String> {
    if !matches!(operator, "+" | "-") {
        return Err(format!("{NOT_SUPPORTED}: unary operator {}", quoted(operator)));
    }
    let Expr::Literal(literal @ (Literal::Integer(_) | Literal::Float(_) | Literal::Odd(_))) = operand else {
        return Err(format!("{INVALID}: unary operator not supported in {}", quoted(&whole.to_string())));
    };
    match (value_of(literal, operand, column)?, operator) {
        (Value::Int(value), "-") => Ok(Value::Int(value.wrapping_neg())),
        (Value::Double(value), "-") => Ok(Value::Double(-value)),
        (value @ (Value::Int(_) | Value::Double(_)), _) => Ok(value),
        _ => Err(format!("{INVALID}: unary expression {}", quoted(&whole.to_string()))),
    }
}

fn value_of(literal: &Literal, written: &Expr, column: &Column) -> Result<Value, String> {
    let constant = Constant::read(literal)
        .ok_or_else(|| format!("{INVALID}: unable to parse value {}", quoted(&written.to_string())))?;
    match column.field {
        Field::Status => status(&constant).map(|status| Value::Int(status as i64)),
        Field::ExecutionDuration => execution_duration(&constant).map(Value::Int),
        _ => typed(constant, column),
    }
}

/// A constant as a value of the column's type.
fn typed(constant: Constant, column: &Column) -> Result<Value, String> {
    match (column.kind, constant) {
        (Type::Int | Type::Double, Constant::Int(value)) => Ok(Value::Int(value)),
        (Type::Int | Type::Double, Constant::Double(value)) => Ok(Value::Double(value)),
        (Type::Bool, Constant::Bool(value)) => Ok(Value::Bool(value)),
        (Type::Datetime, Constant::Int(nanos)) => Ok(Value::Datetime(nanos.div_euclid(1_000))),
        (Type::Datetime, Constant::String(text)) => parse_datetime(&text)
            .map(Value::Datetime)
            .ok_or_else(|| format!("{INVALID}: unable to parse datetime '{text}'")),
        (Type::Keyword, Constant::String(text)) => Ok(Value::Keyword(text)),
        (Type::KeywordList, Constant::String(text)) => Ok(Value::KeywordList(vec![text])),
        (Type::Text, Constant::String(text)) if text.trim().is_empty() => {
            Err(format!("{INVALID}: no tokens found filtering on Text type search attribute {}", column.name))
        }
        (Type::Text, Constant::String(text)) => Ok(Value::Text(text)),
        (kind, constant) => Err(format!(
            "{INVALID}: invalid value type for search attribute {} of type {}: {} (type: {})",
            column.name,
            type_name(kind),
            constant.shown(),
            constant.type_name()
        )),
    }
}

fn status(constant: &Constant) -> Result<WorkflowExecutionStatus, String> {
    let (found, shown) = match constant {
        Constant::Int(number) => {
            (i32::try_from(*number).ok().and_then(|number| number.try_into().ok()), number.to_string())
        }
        Constant::String(name) => (Kind::workflow_status(name), format!("'{name}'")),
        other => return Err(unexpected_type(other, "ExecutionStatus")),
    };
    found.ok_or_else(|| format!("{INVALID}: invalid ExecutionStatus value {shown}"))
}

fn execution_duration(constant: &Constant) -> Result<i64, String> {
    match constant {
        Constant::Int(nanos) => Ok(*nanos),
        Constant::String(text) => duration(text)
            .ok_or_else(|| format!("{INVALID}: invalid duration value for search attribute ExecutionDuration: {text}")),
        other => Err(unexpected_type(other, "ExecutionDuration")),
    }
}

fn unexpected_type(constant: &Constant, name: &str) -> String {
    format!("{INVALID}: unexpected value type {} for search attribute {name}", constant.type_name())
}
