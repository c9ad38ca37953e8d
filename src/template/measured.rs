//! Which number a condition is about.

use minijinja::machinery::ast::{BinOpKind, Expr};
use minijinja::machinery::parse_expr;
use minijinja::value::ValueKind;
use minijinja::{Environment, Value};

use super::order::value;

/// The first number that the condition `text` compares with anything and that follows from `facts` alone.
pub(super) fn measured(env: &Environment<'_>, text: &str, facts: &Value) -> Option<Value> {
    find(&parse_expr(text).ok()?, &mut |side| {
        let found = value(env, text, facts, side).ok()?;
        (!matches!(side, Expr::Const(_)) && found.kind() == ValueKind::Number).then_some(found)
    })
}

/// What `of` makes of the first side of a comparison that it makes anything of, in the order in which they are written.
fn find<'a>(expression: &Expr<'a>, of: &mut impl FnMut(&Expr<'a>) -> Option<Value>) -> Option<Value> {
    match expression {
        Expr::Compare(it) => of(&it.expr).or_else(|| it.ops.iter().find_map(|link| of(&link.expr))),
        Expr::BinOp(it) => match it.op {
            BinOpKind::ScAnd | BinOpKind::ScOr => find(&it.left, of).or_else(|| find(&it.right, of)),
            BinOpKind::Eq | BinOpKind::Ne | BinOpKind::Lt | BinOpKind::Lte | BinOpKind::Gt | BinOpKind::Gte => {
                of(&it.left).or_else(|| of(&it.right))
            }
            _ => None,
        },
        Expr::UnaryOp(it) => find(&it.expr, of),
        Expr::IfExpr(it) => find(&it.test_expr, of),
        _ => None,
    }
}
