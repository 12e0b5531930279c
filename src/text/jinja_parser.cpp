#include "text/jinja_parser.h"

#include <algorithm>

#include "text/jinja_scope.h"

namespace ingle::jinja {

Program parse_template(std::string_view source) {
  Program program;
  program.body = Parser(source).parse();
  resolve_names(&program);
  return program;
}

void Parser::error(const std::string& message, int line) const {
  throw TemplateError{message, line ? line : current().line, ErrorCode::kInvalidData};
}

bool Parser::skip(Token type) {
  if (!is(type)) return false;
  next();
  return true;
}

bool Parser::skip_name(std::string_view name) {
  if (!is_name(name)) return false;
  next();
  return true;
}

const Lexeme& Parser::expect(Token type) {
  if (is(type)) return next();
  if (is(Token::kEnd)) error(std::string("unexpected end of template, expected '") + describe(type) + "'");
  error(std::string("expected token '") + describe(type) + "', got '" + describe(current()) + "'");
}

const Lexeme& Parser::expect_name(std::string_view name) {
  if (is_name(name)) return next();
  error("expected token '" + std::string(name) + "', got '" + describe(current()) + "'");
}

Body Parser::parse() { return subparse({}); }

Body Parser::subparse(std::initializer_list<std::string_view> end_tags) {
  Nested guard(this);
  Body body;
  StmtPtr output;
  const auto flush = [&] {
    if (output) body.push_back(std::move(output));
  };
  const auto print = [&](ExprPtr e) {
    if (!output) output = std::make_unique<Stmt>(StmtKind::kOutput, e->line);
    output->exprs.push_back(std::move(e));
  };
  while (!is(Token::kEnd)) {
    if (is(Token::kData)) {
      ExprPtr data = make(ExprKind::kData, current().line);
      data->value = Value::string(next().text);
      print(std::move(data));
    } else if (skip(Token::kVariableBegin)) {
      print(tuple({}));
      expect(Token::kVariableEnd);
    } else {
      expect(Token::kBlockBegin);
      flush();
      if (is(Token::kName) && std::find(end_tags.begin(), end_tags.end(), current().text) != end_tags.end())
        return body;
      statement(&body);
      expect(Token::kBlockEnd);
    }
  }
  flush();
  return body;
}

// The body of a block, up to the tag that ends it, which is left to be read unless it is dropped.
Body Parser::statements(std::initializer_list<std::string_view> end_tags, bool drop_end) {
  skip(Token::kColon);
  expect(Token::kBlockEnd);
  Body body = subparse(end_tags);
  if (is(Token::kEnd)) {
    std::string wanted;
    for (std::string_view tag : end_tags) wanted += (wanted.empty() ? "'" : " or '") + std::string(tag) + "'";
    error("unexpected end of template: looking for " + wanted + ", the innermost open block is '" + open_tags_.back() +
          "'");
  }
  if (drop_end) next();
  return body;
}

void Parser::statement(Body* into) {
  if (!is(Token::kName)) error("tag name expected");
  const std::string tag = current().text;
  const int line = current().line;
  open_tags_.push_back(tag);
  if (tag == "for") {
    into->push_back(parse_for());
  } else if (tag == "if") {
    into->push_back(parse_if());
  } else if (tag == "set") {
    into->push_back(parse_set());
  } else if (tag == "macro") {
    into->push_back(parse_macro());
  } else if (tag == "call") {
    into->push_back(parse_call_block());
  } else if (tag == "filter") {
    into->push_back(parse_filter_block());
  } else if (tag == "with") {
    into->push_back(parse_with());
  } else if (tag == "print") {
    into->push_back(parse_print());
  } else if (tag == "block") {
    into->push_back(parse_block());
  } else if (tag == "generation") {
    into->push_back(parse_generation());
  } else if (tag == "break" || tag == "continue") {
    next();
    into->push_back(std::make_unique<Stmt>(tag == "break" ? StmtKind::kBreak : StmtKind::kContinue, line));
  } else if (tag == "include" || tag == "import" || tag == "from" || tag == "extends") {
    into->push_back(parse_include(tag));
  } else if (tag == "autoescape") {
    error("the tag 'autoescape' is not supported");
  } else {
    open_tags_.pop_back();
    std::string message = "Encountered unknown tag '" + tag + "'";
    if (!open_tags_.empty()) message += "; the innermost open block is '" + open_tags_.back() + "'";
    error(message);
  }
  open_tags_.pop_back();
}

StmtPtr Parser::parse_for() {
  auto node = std::make_unique<Stmt>(StmtKind::kFor, next().line);
  node->exprs.push_back(assign_target(false));
  expect_name("in");
  TupleRules rules;
  rules.with_condition = false;
  node->exprs.push_back(tuple(rules));
  node->exprs.push_back(skip_name("if") ? expression() : nullptr);
  node->recursive = skip_name("recursive");
  node->body = statements({"endfor", "else"}, false);
  if (next().text == "else") node->otherwise = statements({"endfor"}, true);
  return node;
}

StmtPtr Parser::parse_if() {
  auto result = std::make_unique<Stmt>(StmtKind::kIf, current().line);
  Stmt* node = result.get();
  next();
  TupleRules rules;
  rules.with_condition = false;
  while (true) {
    node->exprs.push_back(tuple(rules));
    node->body = statements({"elif", "else", "endif"}, false);
    const Lexeme& end = next();
    if (end.text == "else") {
      result->otherwise = statements({"endif"}, true);
      return result;
    }
    if (end.text == "endif") return result;
    result->elifs.push_back(std::make_unique<Stmt>(StmtKind::kIf, current().line));
    node = result->elifs.back().get();
  }
}

StmtPtr Parser::parse_set() {
  const int line = next().line;
  ExprPtr target = assign_target(true);
  const bool is_block = !skip(Token::kAssign);
  auto node = std::make_unique<Stmt>(is_block ? StmtKind::kSetBlock : StmtKind::kSet, line);
  node->exprs.push_back(std::move(target));
  if (!is_block) {
    node->exprs.push_back(tuple({}));
    return node;
  }
  node->exprs.push_back(is(Token::kPipe) ? filter(nullptr) : nullptr);
  node->body = statements({"endset"}, true);
  return node;
}

void Parser::signature(Stmt* node) {
  expect(Token::kLParen);
  while (!is(Token::kRParen)) {
    if (!node->params.empty()) expect(Token::kComma);
    ExprPtr param = name_target();
    param->access = Access::kParam;
    const bool repeated =
        std::any_of(node->params.begin(), node->params.end(), [&](const ExprPtr& p) { return p->name == param->name; });
    if (repeated) error("duplicate parameter '" + param->name + "'");
    if (skip(Token::kAssign)) {
      node->defaults.push_back(expression());
    } else if (!node->defaults.empty()) {
      error("non-default argument follows default argument");
    }
    node->params.push_back(std::move(param));
  }
  expect(Token::kRParen);
}

StmtPtr Parser::parse_macro() {
  auto node = std::make_unique<Stmt>(StmtKind::kMacro, next().line);
  node->name = name_target()->name;
  signature(node.get());
  node->body = statements({"endmacro"}, true);
  return node;
}

StmtPtr Parser::parse_call_block() {
  auto node = std::make_unique<Stmt>(StmtKind::kCallBlock, next().line);
  if (is(Token::kLParen)) signature(node.get());
  node->exprs.push_back(expression());
  if (node->exprs[0]->kind != ExprKind::kCall) error("expected call", node->line);
  node->body = statements({"endcall"}, true);
  return node;
}

StmtPtr Parser::parse_generation() {
  auto node = std::make_unique<Stmt>(StmtKind::kGeneration, next().line);
  node->body = statements({"endgeneration"}, true);
  return node;
}

StmtPtr Parser::parse_filter_block() {
  auto node = std::make_unique<Stmt>(StmtKind::kFilterBlock, next().line);
  node->exprs.push_back(filter(nullptr, true));
  node->body = statements({"endfilter"}, true);
  return node;
}

namespace {

void make_parameter(Expr* target) {
  target->access = Access::kParam;
  for (const ExprPtr& child : target->children) make_parameter(child.get());
}

}  // namespace

StmtPtr Parser::parse_with() {
  auto node = std::make_unique<Stmt>(StmtKind::kWith, next().line);
  while (!is(Token::kBlockEnd)) {
    if (!node->exprs.empty()) expect(Token::kComma);
    node->exprs.push_back(assign_target(false));
    make_parameter(node->exprs.back().get());
    expect(Token::kAssign);
    node->exprs.push_back(expression());
  }
  node->body = statements({"endwith"}, true);
  return node;
}

StmtPtr Parser::parse_block() {
  auto node = std::make_unique<Stmt>(StmtKind::kBlock, next().line);
  node->name = expect(Token::kName).text;
  if (is_name("scoped") || is_name("required")) error("'" + current().text + "' blocks are not supported");
  if (is(Token::kSub)) error("the name of a block may not contain hyphens");
  node->body = statements({"endblock"}, true);
  skip_name(node->name);
  return node;
}

StmtPtr Parser::parse_print() {
  auto node = std::make_unique<Stmt>(StmtKind::kOutput, next().line);
  while (!is(Token::kBlockEnd)) {
    if (!node->exprs.empty()) expect(Token::kComma);
    node->exprs.push_back(expression());
  }
  return node;
}

void Parser::skip_import_context() {
  if ((is_name("with") || is_name("without")) && ahead().type == Token::kName && ahead().text == "context") {
    next();
    next();
  }
}

void Parser::parse_import_names(Stmt* node) {
  while (true) {
    if ((is_name("with") || is_name("without")) && ahead().text == "context") return skip_import_context();
    std::string name = name_target()->name;
    if (skip_name("as")) name = name_target()->name;
    node->names.push_back(std::move(name));
    if (!skip(Token::kComma)) return skip_import_context();
  }
}

StmtPtr Parser::parse_include(std::string_view tag) {
  auto node = std::make_unique<Stmt>(StmtKind::kInclude, next().line);
  node->name = tag;
  node->exprs.push_back(expression());
  if (tag == "import") {
    expect_name("as");
    node->names.push_back(name_target()->name);
  } else if (tag == "from") {
    expect_name("import");
    parse_import_names(node.get());
  } else if (tag == "include" && is_name("ignore") && ahead().text == "missing") {
    next();
    next();
  }
  if (tag != "extends") skip_import_context();
  return node;
}

namespace {

bool is_literal_name(const std::string& name) {
  return name == "true" || name == "false" || name == "none" || name == "True" || name == "False" || name == "None";
}

// Turns what was parsed as an expression into an assignment target; false when it can't be one.
bool make_target(Expr* e) {
  switch (e->kind) {
    case ExprKind::kName:
      e->access = Access::kStore;
      return true;
    case ExprKind::kNsRef:
      return true;
    case ExprKind::kTuple:
      return std::all_of(e->children.begin(), e->children.end(), [](const ExprPtr& c) { return make_target(c.get()); });
    default:
      return false;
  }
}

}  // namespace

ExprPtr Parser::assign_target(bool with_namespace) {
  TupleRules rules;
  rules.simplified = true;
  rules.with_namespace = with_namespace;
  ExprPtr target = tuple(rules);
  if (!make_target(target.get())) error("can't assign to this expression", target->line);
  return target;
}

ExprPtr Parser::name_target() {
  const Lexeme& token = expect(Token::kName);
  if (is_literal_name(token.text)) error("can't assign to '" + token.text + "'", token.line);
  ExprPtr name = make(ExprKind::kName, token.line);
  name->name = token.text;
  name->access = Access::kStore;
  return name;
}

}  // namespace ingle::jinja
