//! The parser: one function per level of precedence, loosest first.
//!
//! A mistake is found at the first token with which the text cannot go on, as the server finds it.

use super::token::{Lexer, Spanned, Token};
use super::{Expr, Is, Literal, Operator, Query, shown_name};

/// Reads a query. What goes wrong is told as the server tells it.
pub(in super::super) fn parse(text: &str) -> Result<Query, String> {
    let text = text.trim();
    let start = text.get(..8).unwrap_or_default().to_ascii_lowercase();
    let bare = text.is_empty() || start == "order by" || start == "group by";
    let before = if bare { "select * from table1 " } else { "select * from table1 where " };
    let mut parser = Parser::new(text, before.len());
    let condition = if bare { None } else { Some(parser.disjunction()?) };
    parser.query(condition)
}

/// Reads a query that begins with a condition.
pub(in super::super) fn parse_condition(text: &str) -> Result<Query, String> {
    let mut parser = Parser::new(text.trim(), "select * from table1 where ".len());
    let condition = parser.disjunction()?;
    parser.query(Some(condition))
}

/// How deep parentheses, `NOT` and signs may nest.
const MAX_NESTING: usize = 200;

/// How many conditions one `AND` or `OR` may join: the server bounds the depth of the tree, which they deepen.
const MAX_CHAIN: usize = 997;

struct Parser<'a> {
    lexer: Lexer<'a>,
    next: Spanned,
    nesting: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, before: usize) -> Self {
        let mut lexer = Lexer::new(text, before);
        let next = lexer.next();
        Self { lexer, next, nesting: 0 }
    }

    fn query(mut self, condition: Option<Expr>) -> Result<Query, String> {
        let mut query = Query { condition, ..Query::default() };
        if self.take_keyword("group") {
            self.expect_keyword("by")?;
            query.group_by = self.list(Self::disjunction)?;
        }
        if self.take_keyword("order") {
            self.expect_keyword("by")?;
            query.order_by = self.list(Self::ordering)?;
        }
        if self.take_keyword("limit") {
            query.limited = true;
            self.disjunction()?;
            if self.take_symbol(",") || self.take_name("offset") {
                self.disjunction()?;
            }
        }
        self.take_symbol(";");
        if self.next.token == Token::End { Ok(query) } else { Err(self.unexpected()) }
    }

    fn ordering(&mut self) -> Result<Expr, String> {
        let by = self.disjunction()?;
        if !self.take_keyword("asc") {
            self.take_keyword("desc");
        }
        Ok(by)
    }

    fn disjunction(&mut self) -> Result<Expr, String> {
        self.chain(&[Token::Keyword("or"), Token::Symbol("||")], Self::conjunction, Expr::Or)
    }

    fn conjunction(&mut self) -> Result<Expr, String> {
        self.chain(&[Token::Keyword("and"), Token::Symbol("&&")], Self::negation, Expr::And)
    }

    fn chain(
        &mut self,
        joints: &[Token],
        part: fn(&mut Self) -> Result<Expr, String>,
        join: fn(Vec<Expr>) -> Expr,
    ) -> Result<Expr, String> {
        let first = part(self)?;
        if !joints.contains(&self.next.token) {
            return Ok(first);
        }
        let mut parts = vec![first];
        while joints.contains(&self.next.token) {
            self.advance();
            parts.push(part(self)?);
            if parts.len() > MAX_CHAIN {
                return Err("max ast depth reached".to_owned());
            }
        }
        Ok(join(parts))
    }

    fn negation(&mut self) -> Result<Expr, String> {
        if self.next.token != Token::Keyword("not") {
            return self.truth_test();
        }
        let operand = self.nested(|parser| {
            parser.advance();
            parser.negation()
        })?;
        Ok(Expr::Not(Box::new(operand)))
    }

    fn truth_test(&mut self) -> Result<Expr, String> {
        let mut tested = self.comparison()?;
        while self.take_keyword("is") {
            let negated = self.take_keyword("not");
            let test = match self.next.token {
                Token::Keyword("null") if negated => Is::NotNull,
                Token::Keyword("null") => Is::Null,
                Token::Keyword("true" | "false") => Is::Truth,
                _ => return Err(self.unexpected()),
            };
            self.advance();
            tested = Expr::Is { left: Box::new(column_or_kind(tested)), test };
        }
        Ok(tested)
    }

    fn comparison(&mut self) -> Result<Expr, String> {
        let left = self.value()?;
        if let Some(operator) = self.operator() {
            self.advance();
            return self.compare(left, operator, Self::value);
        }
        match self.next.token {
            Token::Keyword("not") => {
                self.advance();
                self.set_comparison(left, true)
            }
            Token::Keyword("in" | "like" | "regexp" | "rlike" | "starts_with" | "between") => {
                self.set_comparison(left, false)
            }
            _ => Ok(left),
        }
    }

    /// The comparisons that `NOT` may precede.
    fn set_comparison(&mut self, left: Expr, negated: bool) -> Result<Expr, String> {
        let Token::Keyword(word) = self.next.token else { return Err(self.unexpected()) };
        let operator = match (word, negated) {
            ("in", false) => Operator::In,
            ("in", true) => Operator::NotIn,
            ("like", false) => Operator::Like,
            ("like", true) => Operator::NotLike,
            ("regexp" | "rlike", false) => Operator::Regexp,
            ("regexp" | "rlike", true) => Operator::NotRegexp,
            ("starts_with", false) => Operator::StartsWith,
            ("starts_with", true) => Operator::NotStartsWith,
            ("between", _) => return self.between(left, negated),
            _ => return Err(self.unexpected()),
        };
        self.advance();
        match operator {
            Operator::In | Operator::NotIn => self.compare(left, operator, Self::set),
            Operator::Like | Operator::NotLike => {
                let compared = self.compare(left, operator, Self::value)?;
                if self.take_keyword("escape") {
                    self.value()?;
                }
                Ok(compared)
            }
            _ => self.compare(left, operator, Self::value),
        }
    }

    fn compare(
        &mut self,
        left: Expr,
        operator: Operator,
        right: fn(&mut Self) -> Result<Expr, String>,
    ) -> Result<Expr, String> {
        let right = Box::new(right(self)?);
        Ok(Expr::Compare { left: Box::new(column_or_kind(left)), operator, right })
    }

    fn between(&mut self, left: Expr, negated: bool) -> Result<Expr, String> {
        self.advance();
        let from = Box::new(self.value()?);
        self.expect_keyword("and")?;
        let to = Box::new(self.value()?);
        Ok(Expr::Between { left: Box::new(column_or_kind(left)), negated, from, to })
    }

    /// What `IN` looks into.
    fn set(&mut self) -> Result<Expr, String> {
        if let Token::Odd(name) = &self.next.token
            && name.starts_with("::")
        {
            self.advance();
            return Ok(Expr::Other("sqlparser.ListArg"));
        }
        match self.parenthesized()? {
            Expr::Paren(only) => Ok(Expr::Tuple(vec![*only])),
            several => Ok(several),
        }
    }

    /// A value, or several with signs of arithmetic between them, which no filter can use.
    fn value(&mut self) -> Result<Expr, String> {
        let first = self.signed()?;
        let mut arithmetic = false;
        while self.take_arithmetic() {
            self.signed()?;
            arithmetic = true;
        }
        Ok(if arithmetic { Expr::Other("*sqlparser.BinaryExpr") } else { first })
    }

    fn take_arithmetic(&mut self) -> bool {
        let sign = matches!(
            self.next.token,
            Token::Symbol("&" | "|" | "^" | "+" | "-" | "*" | "/" | "%" | "<<" | ">>") | Token::Keyword("div" | "mod")
        );
        if sign {
            self.advance();
        }
        sign
    }

    fn signed(&mut self) -> Result<Expr, String> {
        let operator = match self.next.token {
            Token::Symbol(sign @ ("+" | "-" | "~" | "!")) => sign,
            Token::Keyword("binary") => "binary ",
            Token::Keyword("_binary") => "_binary ",
            _ => return self.primary(),
        };
        let operand = self.nested(|parser| {
            parser.advance();
            parser.signed()
        })?;
        Ok(match (operator, operand) {
            ("+", integer @ Expr::Literal(Literal::Integer(_))) => integer,
            ("-", Expr::Literal(Literal::Integer(text))) => {
                let negative = text.strip_prefix('-').map_or_else(|| format!("-{text}"), str::to_owned);
                Expr::Literal(Literal::Integer(negative))
            }
            (operator, operand) => Expr::Unary { operator, operand: Box::new(operand) },
        })
    }

    fn primary(&mut self) -> Result<Expr, String> {
        let literal = match &self.next.token {
            Token::Symbol("(") => return self.parenthesized(),
            Token::Name(_) => return self.named(),
            Token::Keyword(word) => return self.keyword(word),
            Token::String(text) => Literal::String(text.clone()),
            Token::Integer(text) => Literal::Integer(text.clone()),
            Token::Float(text) => Literal::Float(text.clone()),
            Token::Odd(text) if !text.starts_with("::") => Literal::Odd(text.clone()),
            _ => return Err(self.unexpected()),
        };
        self.advance();
        Ok(Expr::Literal(literal))
    }

    fn parenthesized(&mut self) -> Result<Expr, String> {
        if self.next.token != Token::Symbol("(") {
            return Err(self.unexpected());
        }
        self.nested(|parser| {
            parser.advance();
            if parser.next.token == Token::Keyword("select") {
                return parser.subquery();
            }
            let mut items = parser.list(Self::disjunction)?;
            parser.expect_symbol(")")?;
            Ok(match items.pop() {
                Some(only) if items.is_empty() => Expr::Paren(Box::new(only)),
                last => Expr::Tuple(items.into_iter().chain(last).collect()),
            })
        })
    }

    /// Whatever it asks, no filter can use it.
    fn subquery(&mut self) -> Result<Expr, String> {
        let mut open = 1_usize;
        while open > 0 {
            match self.next.token {
                Token::Symbol("(") => open += 1,
                Token::Symbol(")") => open -= 1,
                Token::End | Token::Bad(_) => return Err(self.unexpected()),
                _ => {}
            }
            self.advance();
        }
        Ok(Expr::Other("*sqlparser.Subquery"))
    }

    /// A column, or the call of a function.
    fn named(&mut self) -> Result<Expr, String> {
        let mut name = self.name_part()?;
        for _ in 0..2 {
            if !self.take_symbol(".") {
                break;
            }
            name = format!("{name}.{}", self.name_part()?);
        }
        if self.next.token == Token::Symbol("(") {
            return self.arguments(Expr::Function);
        }
        Ok(Expr::Column(name))
    }

    fn name_part(&mut self) -> Result<String, String> {
        let name = match &self.next.token {
            Token::Name(name) => shown_name(name),
            Token::Keyword(word) => shown_name(word),
            _ => return Err(self.unexpected()),
        };
        self.advance();
        Ok(name)
    }

    fn keyword(&mut self, word: &'static str) -> Result<Expr, String> {
        let value = match word {
            "true" => Expr::Bool(true),
            "false" => Expr::Bool(false),
            "null" => Expr::Null,
            "default" => Expr::Other("*sqlparser.Default"),
            "left" | "right" | "if" | "database" | "mod" | "replace" => return self.call(Expr::Function),
            "group_concat" => return self.call(Expr::GroupConcat),
            "current_timestamp" | "current_date" | "current_time" | "utc_timestamp" | "utc_date" | "utc_time"
            | "localtime" | "localtimestamp" => {
                self.advance();
                return if self.next.token == Token::Symbol("(") {
                    self.arguments(Expr::Function)
                } else {
                    Ok(Expr::Function)
                };
            }
            _ => return Err(self.unexpected()),
        };
        self.advance();
        Ok(value)
    }

    fn call(&mut self, function: Expr) -> Result<Expr, String> {
        self.advance();
        if self.next.token == Token::Symbol("(") { self.arguments(function) } else { Err(self.unexpected()) }
    }

    fn arguments(&mut self, function: Expr) -> Result<Expr, String> {
        self.nested(|parser| {
            parser.advance();
            parser.take_keyword("distinct");
            if !parser.take_symbol(")") {
                parser.list(Self::argument)?;
                parser.expect_symbol(")")?;
            }
            Ok(function)
        })
    }

    fn argument(&mut self) -> Result<Expr, String> {
        if self.take_symbol("*") {
            return Ok(Expr::Other("*sqlparser.StarExpr"));
        }
        self.disjunction()
    }

    fn list(&mut self, item: fn(&mut Self) -> Result<Expr, String>) -> Result<Vec<Expr>, String> {
        let mut items = vec![item(self)?];
        while self.take_symbol(",") {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// Reads what is nested one level deeper, which begins with the next token.
    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Result<Expr, String>) -> Result<Expr, String> {
        self.nesting += 1;
        if self.nesting == MAX_NESTING {
            return Err(self.next.complain("max nesting level reached"));
        }
        let nested = read(self)?;
        self.nesting -= 1;
        Ok(nested)
    }

    fn operator(&self) -> Option<Operator> {
        Some(match self.next.token {
            Token::Symbol("=") => Operator::Equal,
            Token::Symbol("!=") => Operator::NotEqual,
            Token::Symbol("<") => Operator::Less,
            Token::Symbol("<=") => Operator::LessOrEqual,
            Token::Symbol(">") => Operator::Greater,
            Token::Symbol(">=") => Operator::GreaterOrEqual,
            Token::Symbol("<=>") => Operator::NullSafeEqual,
            _ => return None,
        })
    }

    fn advance(&mut self) {
        self.next = self.lexer.next();
    }

    fn take_keyword(&mut self, word: &'static str) -> bool {
        self.take(&Token::Keyword(word))
    }

    fn take_symbol(&mut self, symbol: &'static str) -> bool {
        self.take(&Token::Symbol(symbol))
    }

    fn take_name(&mut self, name: &str) -> bool {
        self.take(&Token::Name(name.to_owned()))
    }

    fn take(&mut self, token: &Token) -> bool {
        let found = self.next.token == *token;
        if found {
            self.advance();
        }
        found
    }

    fn expect_keyword(&mut self, word: &'static str) -> Result<(), String> {
        if self.take_keyword(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn expect_symbol(&mut self, symbol: &'static str) -> Result<(), String> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn unexpected(&self) -> String {
        self.next.complain("syntax error")
    }
}

/// The left side of a comparison is a column or a mistake, of which the kind is enough.
fn column_or_kind(expr: Expr) -> Expr {
    match expr {
        Expr::Column(name) => Expr::Column(name),
        other => Expr::Other(other.kind()),
    }
}
