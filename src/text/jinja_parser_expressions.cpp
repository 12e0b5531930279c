// The expressions of Jinja's grammar, loosest first.
#include <algorithm>

#include "text/jinja_parser.h"

namespace ingle::jinja {

void Parser::adopt(Expr* parent, ExprPtr child) const {
  if (child) parent->depth = std::max(parent->depth, child->depth + 1);
  if (parent->depth > kMaxExprDepth) error("an expression is too long or nests too deep");
  parent->children.push_back(std::move(child));
}

ExprPtr Parser::binary(Op op, ExprPtr left, ExprPtr right, int line) const {
  ExprPtr node = make(ExprKind::kBinary, line);
  node->op = op;
  adopt(node.get(), std::move(left));
  adopt(node.get(), std::move(right));
  return node;
}

ExprPtr Parser::constant(Value value, int line) const {
  ExprPtr node = make(ExprKind::kConst, line);
  node->value = std::move(value);
  return node;
}

ExprPtr Parser::expression(bool with_condition) {
  Nested guard(this);
  return with_condition ? condition() : parse_or();
}

ExprPtr Parser::condition() {
  int line = current().line;
  ExprPtr then = parse_or();
  while (skip_name("if")) {
    ExprPtr node = make(ExprKind::kCond, line);
    adopt(node.get(), parse_or());
    adopt(node.get(), std::move(then));
    ExprPtr otherwise;
    if (skip_name("else")) {
      Nested guard(this);
      otherwise = condition();
    }
    adopt(node.get(), std::move(otherwise));
    then = std::move(node);
    line = current().line;
  }
  return then;
}

ExprPtr Parser::parse_or() {
  int line = current().line;
  ExprPtr left = parse_and();
  while (skip_name("or")) {
    left = binary(Op::kOr, std::move(left), parse_and(), line);
    line = current().line;
  }
  return left;
}

ExprPtr Parser::parse_and() {
  int line = current().line;
  ExprPtr left = parse_not();
  while (skip_name("and")) {
    left = binary(Op::kAnd, std::move(left), parse_not(), line);
    line = current().line;
  }
  return left;
}

ExprPtr Parser::parse_not() {
  if (!is_name("not")) return comparison();
  Nested guard(this);
  ExprPtr node = make(ExprKind::kUnary, next().line);
  node->op = Op::kNot;
  adopt(node.get(), parse_not());
  return node;
}

ExprPtr Parser::comparison() {
  const int line = current().line;
  ExprPtr first = sum();
  ExprPtr node;
  while (true) {
    Op op = Op::kNone;
    switch (current().type) {
      case Token::kEq:
        op = Op::kEq;
        break;
      case Token::kNe:
        op = Op::kNe;
        break;
      case Token::kLt:
        op = Op::kLt;
        break;
      case Token::kLtEq:
        op = Op::kLe;
        break;
      case Token::kGt:
        op = Op::kGt;
        break;
      case Token::kGtEq:
        op = Op::kGe;
        break;
      case Token::kName:
        if (current().text == "in") op = Op::kIn;
        if (current().text == "not" && ahead().type == Token::kName && ahead().text == "in") op = Op::kNotIn;
        break;
      default:
        break;
    }
    if (op == Op::kNone) return node ? std::move(node) : std::move(first);
    next();
    if (op == Op::kNotIn) next();
    if (!node) {
      node = make(ExprKind::kCompare, line);
      adopt(node.get(), std::move(first));
    }
    node->ops.push_back(op);
    adopt(node.get(), sum());
  }
}

ExprPtr Parser::sum() {
  int line = current().line;
  ExprPtr left = concat();
  while (is(Token::kAdd) || is(Token::kSub)) {
    const Op op = next().type == Token::kAdd ? Op::kAdd : Op::kSub;
    left = binary(op, std::move(left), concat(), line);
    line = current().line;
  }
  return left;
}

ExprPtr Parser::concat() {
  const int line = current().line;
  ExprPtr first = product();
  if (!is(Token::kTilde)) return first;
  ExprPtr node = make(ExprKind::kConcat, line);
  adopt(node.get(), std::move(first));
  while (skip(Token::kTilde)) adopt(node.get(), product());
  return node;
}

ExprPtr Parser::product() {
  int line = current().line;
  ExprPtr left = power();
  while (true) {
    Op op = Op::kNone;
    switch (current().type) {
      case Token::kMul:
        op = Op::kMul;
        break;
      case Token::kDiv:
        op = Op::kDiv;
        break;
      case Token::kFloorDiv:
        op = Op::kFloorDiv;
        break;
      case Token::kMod:
        op = Op::kMod;
        break;
      default:
        return left;
    }
    next();
    left = binary(op, std::move(left), power(), line);
    line = current().line;
  }
}

ExprPtr Parser::power() {
  int line = current().line;
  ExprPtr left = unary(true);
  while (skip(Token::kPow)) {
    left = binary(Op::kPow, std::move(left), unary(true), line);
    line = current().line;
  }
  return left;
}

ExprPtr Parser::unary(bool with_filter) {
  Nested guard(this);
  ExprPtr node;
  if (is(Token::kSub) || is(Token::kAdd)) {
    const Lexeme& sign = next();
    node = make(ExprKind::kUnary, sign.line);
    node->op = sign.type == Token::kSub ? Op::kNeg : Op::kPos;
    adopt(node.get(), unary(false));
  } else {
    node = primary(false);
  }
  node = postfix(std::move(node));
  return with_filter ? filters_and_tests(std::move(node)) : std::move(node);
}

ExprPtr Parser::primary(bool with_namespace) {
  const Lexeme& token = current();
  ExprPtr node;
  switch (token.type) {
    case Token::kName:
      next();
      if (token.text == "true" || token.text == "True") return constant(true, token.line);
      if (token.text == "false" || token.text == "False") return constant(false, token.line);
      if (token.text == "none" || token.text == "None") return constant(Value::none(), token.line);
      node = make(ExprKind::kName, token.line);
      node->name = token.text;
      if (with_namespace && skip(Token::kDot)) {
        node->kind = ExprKind::kNsRef;
        node->attribute = expect(Token::kName).text;
      }
      return node;
    case Token::kString: {
      std::string text;
      while (is(Token::kString)) text += next().text;
      return constant(Value::string(std::move(text)), token.line);
    }
    case Token::kInteger:
    case Token::kFloat:
      return constant(next().number, token.line);
    case Token::kLParen: {
      next();
      TupleRules rules;
      rules.in_parentheses = true;
      node = tuple(rules);
      expect(Token::kRParen);
      return node;
    }
    case Token::kLBracket:
      return list();
    case Token::kLBrace:
      return dict();
    default:
      error("unexpected '" + describe(token) + "'");
  }
}

bool Parser::at_tuple_end() const { return is(Token::kVariableEnd) || is(Token::kBlockEnd) || is(Token::kRParen); }

ExprPtr Parser::tuple(const TupleRules& rules) {
  Nested guard(this);
  const int line = current().line;
  std::vector<ExprPtr> items;
  bool is_tuple = false;
  while (true) {
    if (!items.empty()) expect(Token::kComma);
    if (at_tuple_end()) break;
    items.push_back(rules.simplified ? primary(rules.with_namespace) : expression(rules.with_condition));
    if (!is(Token::kComma)) break;
    is_tuple = true;
  }
  if (!is_tuple) {
    if (!items.empty()) return std::move(items[0]);
    if (!rules.in_parentheses) error("Expected an expression, got '" + describe(current()) + "'");
  }
  ExprPtr node = make(ExprKind::kTuple, line);
  for (ExprPtr& item : items) adopt(node.get(), std::move(item));
  return node;
}

ExprPtr Parser::list() {
  ExprPtr node = make(ExprKind::kList, expect(Token::kLBracket).line);
  while (!is(Token::kRBracket)) {
    if (!node->children.empty()) expect(Token::kComma);
    if (is(Token::kRBracket)) break;
    adopt(node.get(), expression());
  }
  expect(Token::kRBracket);
  return node;
}

ExprPtr Parser::dict() {
  ExprPtr node = make(ExprKind::kDict, expect(Token::kLBrace).line);
  while (!is(Token::kRBrace)) {
    if (!node->children.empty()) expect(Token::kComma);
    if (is(Token::kRBrace)) break;
    adopt(node.get(), expression());
    expect(Token::kColon);
    adopt(node.get(), expression());
  }
  expect(Token::kRBrace);
  return node;
}

ExprPtr Parser::postfix(ExprPtr node) {
  while (true) {
    if (is(Token::kDot) || is(Token::kLBracket)) {
      node = subscript(std::move(node));
    } else if (is(Token::kLParen)) {
      node = call(std::move(node));
    } else {
      return node;
    }
  }
}

ExprPtr Parser::filters_and_tests(ExprPtr node) {
  while (true) {
    if (is(Token::kPipe)) {
      node = filter(std::move(node));
    } else if (is_name("is")) {
      node = test(std::move(node));
    } else if (is(Token::kLParen)) {
      node = call(std::move(node));
    } else {
      return node;
    }
  }
}

ExprPtr Parser::subscript(ExprPtr object) {
  const Lexeme& token = next();
  if (token.type == Token::kDot) {
    const Lexeme& attribute = next();
    ExprPtr node = make(attribute.type == Token::kName ? ExprKind::kGetAttr : ExprKind::kGetItem, token.line);
    adopt(node.get(), std::move(object));
    if (attribute.type == Token::kName) {
      node->name = attribute.text;
    } else if (attribute.type == Token::kInteger) {
      adopt(node.get(), constant(attribute.number, attribute.line));
    } else {
      error("expected name or number", attribute.line);
    }
    return node;
  }
  ExprPtr node = make(ExprKind::kGetItem, token.line);
  adopt(node.get(), std::move(object));
  ExprPtr keys = make(ExprKind::kTuple, token.line);
  while (!is(Token::kRBracket)) {
    if (!keys->children.empty()) expect(Token::kComma);
    adopt(keys.get(), subscribed());
  }
  expect(Token::kRBracket);
  const bool one = keys->children.size() == 1;
  if (!one && std::any_of(keys->children.begin(), keys->children.end(),
                          [](const ExprPtr& k) { return k->kind == ExprKind::kSlice; })) {
    error("a slice must be the only subscript", token.line);
  }
  adopt(node.get(), one ? std::move(keys->children[0]) : std::move(keys));
  return node;
}

ExprPtr Parser::subscribed() {
  const int line = current().line;
  ExprPtr start;
  if (!is(Token::kColon)) {
    start = expression();
    if (!is(Token::kColon)) return start;
  }
  next();
  const auto at_end = [&] { return is(Token::kRBracket) || is(Token::kComma); };
  ExprPtr stop, step;
  if (!is(Token::kColon) && !at_end()) stop = expression();
  if (skip(Token::kColon) && !at_end()) step = expression();
  ExprPtr node = make(ExprKind::kSlice, line);
  adopt(node.get(), std::move(start));
  adopt(node.get(), std::move(stop));
  adopt(node.get(), std::move(step));
  return node;
}

ExprPtr Parser::call(ExprPtr callee) {
  ExprPtr node = make(ExprKind::kCall, current().line);
  adopt(node.get(), std::move(callee));
  arguments(node.get());
  return node;
}

void Parser::arguments(Expr* node) {
  const int line = expect(Token::kLParen).line;
  const auto require = [&](bool condition) {
    if (!condition) error("invalid syntax for function call expression", line);
  };
  std::vector<ExprPtr> keyword_values;
  ExprPtr var_args, var_keywords;
  bool first = true;
  while (!is(Token::kRParen)) {
    if (!first) {
      expect(Token::kComma);
      if (is(Token::kRParen)) break;
    }
    first = false;
    if (skip(Token::kMul)) {
      require(!var_args && !var_keywords);
      var_args = expression();
    } else if (skip(Token::kPow)) {
      require(!var_keywords);
      var_keywords = expression();
    } else if (is(Token::kName) && ahead().type == Token::kAssign) {
      require(!var_keywords);
      std::string key = next().text;
      next();
      if (std::find(node->keywords.begin(), node->keywords.end(), key) != node->keywords.end()) {
        error("keyword argument repeated: " + key);
      }
      node->keywords.push_back(std::move(key));
      keyword_values.push_back(expression());
    } else {
      require(!var_args && !var_keywords && node->keywords.empty());
      adopt(node, expression());
      ++node->n_positional;
    }
  }
  expect(Token::kRParen);
  for (ExprPtr& value : keyword_values) adopt(node, std::move(value));
  node->has_var_args = var_args != nullptr;
  node->has_var_keywords = var_keywords != nullptr;
  if (var_args) adopt(node, std::move(var_args));
  if (var_keywords) adopt(node, std::move(var_keywords));
}

std::string Parser::dotted_name() {
  std::string name = expect(Token::kName).text;
  while (skip(Token::kDot)) name += "." + expect(Token::kName).text;
  return name;
}

ExprPtr Parser::filter(ExprPtr subject, bool start_inline) {
  while (start_inline || is(Token::kPipe)) {
    if (!start_inline) next();
    start_inline = false;
    ExprPtr node = make(ExprKind::kFilter, current().line);
    node->name = dotted_name();
    node->native = find_filter(node->name);
    adopt(node.get(), std::move(subject));
    if (is(Token::kLParen)) arguments(node.get());
    subject = std::move(node);
  }
  return subject;
}

ExprPtr Parser::test(ExprPtr subject) {
  const int line = next().line;
  const bool negated = skip_name("not");
  ExprPtr node = make(ExprKind::kTest, line);
  node->name = dotted_name();
  node->native = find_test(node->name);
  adopt(node.get(), std::move(subject));
  if (is(Token::kLParen)) {
    arguments(node.get());
  } else if (is(Token::kName) || is(Token::kString) || is(Token::kInteger) || is(Token::kFloat) ||
             is(Token::kLBracket) || is(Token::kLBrace)) {
    if (is_name("is")) error("You cannot chain multiple tests with is");
    if (!is_name("else") && !is_name("or") && !is_name("and")) {
      adopt(node.get(), postfix(primary(false)));
      node->n_positional = 1;
    }
  }
  if (!negated) return node;
  ExprPtr result = make(ExprKind::kUnary, line);
  result->op = Op::kNot;
  adopt(result.get(), std::move(node));
  return result;
}

}  // namespace ingle::jinja
