// Evaluation of expressions.
#include "text/jinja_interpreter.h"

namespace ingle::jinja {

Value Interpreter::eval(const Expr& e, Activation* a) {
  Level guard(this);
  budget.step();
  line_ = e.line;
  switch (e.kind) {
    case ExprKind::kData:
    case ExprKind::kConst:
      return e.value;
    case ExprKind::kName:
      return eval_name(e, a);
    case ExprKind::kTuple:
    case ExprKind::kList:
    case ExprKind::kDict:
      return eval_container(e, a);
    case ExprKind::kCond:
      return eval_cond(e, a);
    case ExprKind::kUnary:
      return eval_unary(e, a);
    case ExprKind::kBinary:
      return eval_binary(e, a);
    case ExprKind::kConcat:
      return eval_concat(e, a);
    case ExprKind::kCompare:
      return eval_compare(e, a);
    case ExprKind::kGetAttr:
      return get_attribute(*this, eval(*e.children[0], a), e.name);
    case ExprKind::kGetItem:
      return eval_get_item(e, a);
    case ExprKind::kCall:
      return eval_call(e, a, nullptr);
    case ExprKind::kFilter:
      return eval_filter(e, a, nullptr);
    case ExprKind::kTest:
      return eval_test(e, a);
    case ExprKind::kNsRef:
    case ExprKind::kSlice:
      break;
  }
  fail("this can't be evaluated");
}

Value Interpreter::eval_name(const Expr& e, Activation* a) {
  const Value& v = at(a, e.slot);
  return v.is_missing() ? undefined("'" + e.name + "' is undefined") : v;
}

Value Interpreter::eval_container(const Expr& e, Activation* a) {
  if (e.kind == ExprKind::kDict) {
    Entries entries;
    entries.reserve(e.children.size() / 2);
    for (size_t i = 0; i < e.children.size(); i += 2) {
      Value key = eval(*e.children[i], a);
      need_hashable(key);
      entries.emplace_back(std::move(key), eval(*e.children[i + 1], a));
    }
    return dict(std::move(entries));
  }
  Items items;
  items.reserve(e.children.size());
  for (const ExprPtr& child : e.children) items.push_back(eval(*child, a));
  return e.kind == ExprKind::kList ? list(std::move(items)) : tuple(std::move(items));
}

Value Interpreter::eval_cond(const Expr& e, Activation* a) {
  if (eval(*e.children[0], a).truthy()) return eval(*e.children[1], a);
  if (e.children[2]) return eval(*e.children[2], a);
  return undefined("the inline if-expression on line " + std::to_string(e.line) +
                   " evaluated to false and no else section was defined.");
}

Value Interpreter::eval_unary(const Expr& e, Activation* a) {
  const Value v = eval(*e.children[0], a);
  if (e.op == Op::kNot) return !v.truthy();
  if (v.is_undefined()) fail_undefined(v);
  if (e.op == Op::kNeg) return negate(v);
  if (v.is_int()) return v.as_int();
  if (!v.is_number() && !v.is(Kind::kBigInt))
    fail(std::string("bad operand type for unary +: '") + v.type_name() + "'");
  return v;
}

Value Interpreter::eval_binary(const Expr& e, Activation* a) {
  Value left = eval(*e.children[0], a);
  if (e.op == Op::kAnd) return left.truthy() ? eval(*e.children[1], a) : left;
  if (e.op == Op::kOr) return left.truthy() ? left : eval(*e.children[1], a);
  return arithmetic(*this, e.op, left, eval(*e.children[1], a));
}

Value Interpreter::eval_concat(const Expr& e, Activation* a) {
  Items parts;
  for (const ExprPtr& child : e.children) parts.push_back(eval(*child, a));
  std::string text;
  size_t bytes = 0;
  for (const Value& part : parts) bytes += part.is_string() ? part.text().size() : 0;
  budget.expect(bytes);
  text.reserve(bytes);
  for (const Value& part : parts) {
    if (part.is_string()) {
      budget.expect(text.size() + part.text().size());
      text += part.text();
    } else {
      text += to_str(part);
    }
  }
  return str(std::move(text));
}

Value Interpreter::eval_compare(const Expr& e, Activation* a) {
  Value left = eval(*e.children[0], a);
  for (size_t i = 0; i < e.ops.size(); ++i) {
    Value right = eval(*e.children[i + 1], a);
    if (!compare(*this, e.ops[i], left, right)) return false;
    left = std::move(right);
  }
  return true;
}

Value Interpreter::eval_get_item(const Expr& e, Activation* a) {
  const Value object = eval(*e.children[0], a);
  const Expr& key = *e.children[1];
  if (key.kind != ExprKind::kSlice) return get_item(*this, object, eval(key, a));
  const auto part = [&](size_t i) { return key.children[i] ? eval(*key.children[i], a) : Value::none(); };
  const Value start = part(0), stop = part(1), step = part(2);
  return get_slice(*this, object, start, stop, step);
}

void Interpreter::eval_arguments(const Expr& e, Activation* a, Args* args) {
  size_t at = 1;
  args->positional.reserve(e.n_positional);
  for (uint32_t i = 0; i < e.n_positional; ++i) args->positional.push_back(eval(*e.children[at++], a));
  for (const std::string& name : e.keywords) args->keyword.emplace_back(name, eval(*e.children[at++], a));
  if (e.has_var_args) {
    for (Value& v : to_items(eval(*e.children[at++], a))) args->positional.push_back(std::move(v));
  }
  if (!e.has_var_keywords) return;
  const Value more = eval(*e.children[at], a);
  if (!more.is_dict()) fail(std::string("argument after ** must be a mapping, not ") + more.type_name());
  for (const auto& [key, value] : more.dict_object().entries) {
    if (!key.is_string()) fail("keywords must be strings");
    for (const auto& [name, given] : args->keyword) {
      if (name == key.text()) fail("got multiple values for keyword argument '" + name + "'");
    }
    budget.step(1 + args->keyword.size());
    args->keyword.emplace_back(key.text(), value);
  }
}

Value Interpreter::eval_call(const Expr& e, Activation* a, const Value* caller) {
  const Value callee = eval(*e.children[0], a);
  Args args;
  eval_arguments(e, a, &args);
  if (caller) {
    for (const auto& [name, value] : args.keyword) {
      if (name == "caller") fail("keyword argument repeated: caller");
    }
    args.keyword.emplace_back("caller", *caller);
  }
  line_ = e.line;
  return call(callee, args);
}

Value Interpreter::eval_filter(const Expr& e, Activation* a, const Value* block_text) {
  Level guard(this);
  if (!e.native) fail("No filter named '" + e.name + "' found.");
  const Expr* inner = e.children[0].get();
  Value subject;
  if (!inner) {
    subject = *block_text;
  } else if (block_text && inner->kind == ExprKind::kFilter) {
    subject = eval_filter(*inner, a, block_text);
  } else {
    subject = eval(*inner, a);
  }
  Args args;
  eval_arguments(e, a, &args);
  line_ = e.line;
  return e.native(*this, subject, args);
}

Value Interpreter::eval_test(const Expr& e, Activation* a) {
  if (!e.native) fail("No test named '" + e.name + "' found.");
  const Value subject = eval(*e.children[0], a);
  Args args;
  eval_arguments(e, a, &args);
  return e.native(*this, subject, args);
}

}  // namespace ingle::jinja
