//! What may be ordered with what.
//!
//! # Why
//! The library orders values of different kinds by their kind, so that `none < 5` would be true: no data would pass a gate.
//! Its tests such as `is lt` are put in place anew; its operators cannot be, so the operands of those that an expression comes
//! to are worked out by themselves and looked at.

use minijinja::machinery::ast::{BinOpKind, CallArg, CompareOpKind, Expr};
use minijinja::machinery::{CodeGenerator, eval, make_string_output, parse_expr};
use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Value};

/// The tests that order, by their names.
type Test = (&'static [&'static str], fn(&Value, &Value) -> bool);
const TESTS: [Test; 4] = [
    (&["lt", "lessthan", "<"], |left, right| left < right),
    (&["le", "<="], |left, right| left <= right),
    (&["gt", "greaterthan", ">"], |left, right| left > right),
    (&["ge", ">="], |left, right| left >= right),
];

/// Puts the tests that order in place.
pub(super) fn add_tests(env: &mut Environment<'_>) {
    for (names, test) in TESTS {
        for name in names {
            env.add_test(*name, move |left: Value, right: Value| match refused(&left, &right) {
                Some(why) => Err(Error::new(ErrorKind::InvalidOperation, why)),
                None => Ok(test(&left, &right)),
            });
        }
    }
}

/// Holds that nothing is ordered in the expression `text` that has no order.
///
/// # Errors
/// What is ordered with what.
pub(super) fn check(env: &Environment<'_>, text: &str, root: &Value) -> Result<(), String> {
    let expression = parse_expr(text).map_err(|error| super::explain(&error))?;
    Walk { env, text, root }.walk(&expression)
}

struct Walk<'a> {
    env: &'a Environment<'a>,
    text: &'a str,
    root: &'a Value,
}

impl<'a> Walk<'a> {
    fn value(&self, expression: &Expr<'a>) -> Result<Value, String> {
        value(self.env, self.text, self.root, expression)
    }

    fn ordered(&self, left: &Expr<'a>, right: &Expr<'a>) -> Result<(), String> {
        refused(&self.value(left)?, &self.value(right)?).map_or(Ok(()), Err)
    }

    fn walk(&self, expression: &Expr<'a>) -> Result<(), String> {
        match expression {
            Expr::Var(_) | Expr::Const(_) => Ok(()),
            Expr::BinOp(it) => {
                self.walk(&it.left)?;
                let settled = match it.op {
                    BinOpKind::ScAnd => !self.value(&it.left)?.is_true(),
                    BinOpKind::ScOr => self.value(&it.left)?.is_true(),
                    _ => false,
                };
                if settled {
                    return Ok(());
                }
                self.walk(&it.right)?;
                let orders = matches!(it.op, BinOpKind::Lt | BinOpKind::Lte | BinOpKind::Gt | BinOpKind::Gte);
                if orders { self.ordered(&it.left, &it.right) } else { Ok(()) }
            }
            Expr::Compare(it) => {
                let mut left = &it.expr;
                self.walk(left)?;
                for link in &it.ops {
                    self.walk(&link.expr)?;
                    if matches!(
                        link.op,
                        CompareOpKind::Lt | CompareOpKind::Lte | CompareOpKind::Gt | CompareOpKind::Gte
                    ) {
                        self.ordered(left, &link.expr)?;
                    }
                    left = &link.expr;
                }
                Ok(())
            }
            Expr::IfExpr(it) => {
                self.walk(&it.test_expr)?;
                let holds = self.value(&it.test_expr)?.is_true();
                let taken = if holds { Some(&it.true_expr) } else { it.false_expr.as_ref() };
                self.all(taken)
            }
            Expr::UnaryOp(it) => self.walk(&it.expr),
            Expr::Slice(it) => {
                self.walk(&it.expr)?;
                self.all([&it.start, &it.stop, &it.step].into_iter().flatten())
            }
            Expr::Filter(it) => {
                self.all(&it.expr)?;
                self.all(it.args.iter().map(given))
            }
            Expr::Test(it) => {
                self.walk(&it.expr)?;
                self.all(it.args.iter().map(given))
            }
            Expr::GetAttr(it) => self.walk(&it.expr),
            Expr::GetItem(it) => {
                self.walk(&it.expr)?;
                self.walk(&it.subscript_expr)
            }
            Expr::Call(it) => {
                self.walk(&it.expr)?;
                self.all(it.args.iter().map(given))
            }
            Expr::List(it) => self.all(&it.items),
            Expr::Tuple(it) => self.all(&it.items),
            Expr::Map(it) => self.all(it.keys.iter().chain(&it.values)),
        }
    }

    fn all<'e>(&self, expressions: impl IntoIterator<Item = &'e Expr<'a>>) -> Result<(), String>
    where
        'a: 'e,
    {
        expressions.into_iter().try_for_each(|expression| self.walk(expression))
    }
}

/// What `expression`, a part of `text`, comes to over the names in `root`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn value(env: &Environment<'_>, text: &str, root: &Value, expression: &Expr<'_>) -> Result<Value, String> {
    let mut code = CodeGenerator::new("", text);
    code.compile_expr(expression);
    let (code, blocks) = code.finish();
    let mut nowhere = String::new();
    let mut out = make_string_output(&mut nowhere);
    let value = eval(env, &code, root.clone(), &blocks, &mut out, AutoEscape::None);
    let (value, _) = value.map_err(|error| super::explain(&error))?;
    Ok(value.unwrap_or_default())
}

fn given<'e, 'a>(argument: &'e CallArg<'a>) -> &'e Expr<'a> {
    match argument {
        CallArg::Pos(it) | CallArg::Kwarg(_, it) | CallArg::PosSplat(it) | CallArg::KwargSplat(it) => it,
    }
}

/// Why the two have no order, where they have none: only numbers have one, and texts.
fn refused(left: &Value, right: &Value) -> Option<String> {
    let (one, other) = (left.kind(), right.kind());
    if [left, right].into_iter().any(is_nan) {
        return Some("it compares what is not a number (NaN)".to_owned());
    }
    let ordered = one == other && matches!(one, ValueKind::Number | ValueKind::String);
    (!ordered).then(|| format!("it compares {} with {}", name(one), name(other)))
}

fn is_nan(value: &Value) -> bool {
    value.kind() == ValueKind::Number && f64::try_from(value.clone()).is_ok_and(f64::is_nan)
}

fn name(kind: ValueKind) -> String {
    match kind {
        ValueKind::Undefined | ValueKind::None => "nothing (none)".to_owned(),
        ValueKind::Bool => "a truth value".to_owned(),
        ValueKind::Number => "a number".to_owned(),
        ValueKind::String => "a text".to_owned(),
        ValueKind::Seq => "a list".to_owned(),
        ValueKind::Map => "a mapping".to_owned(),
        other => format!("a value of the kind {other}"),
    }
}
