// From the source of a chat template to its tree, by Jinja's grammar with the extensions that transformers turns on
// (break, continue, generation). Nesting is bounded: a hostile source gives an error, never a deep stack.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja_ast.h"
#include "text/jinja_lexer.h"

namespace ingle::jinja {

// Throws TemplateError with the line.
Program parse_template(std::string_view source);

class Parser {
 public:
  explicit Parser(std::string_view source) : tokens_(tokenize(source)) {}
  Body parse();

 private:
  // jinja_parser.cpp: statements
  Body subparse(std::initializer_list<std::string_view> end_tags);
  Body statements(std::initializer_list<std::string_view> end_tags, bool drop_end);
  void statement(Body* into);
  StmtPtr parse_for();
  StmtPtr parse_if();
  StmtPtr parse_set();
  StmtPtr parse_macro();
  StmtPtr parse_call_block();
  StmtPtr parse_filter_block();
  StmtPtr parse_with();
  StmtPtr parse_block();
  StmtPtr parse_print();
  StmtPtr parse_generation();
  StmtPtr parse_include(std::string_view tag);
  void parse_import_names(Stmt* node);
  void skip_import_context();
  void signature(Stmt* node);
  ExprPtr assign_target(bool with_namespace);
  ExprPtr name_target();

  // jinja_parser_expressions.cpp
  ExprPtr expression(bool with_condition = true);
  ExprPtr condition();
  ExprPtr parse_or();
  ExprPtr parse_and();
  ExprPtr parse_not();
  ExprPtr comparison();
  ExprPtr sum();
  ExprPtr concat();
  ExprPtr product();
  ExprPtr power();
  ExprPtr unary(bool with_filter);
  ExprPtr primary(bool with_namespace);
  ExprPtr list();
  ExprPtr dict();
  // Expressions separated by commas: a tuple, or the expression itself when there is no comma.
  struct TupleRules {
    bool simplified = false;  // names and literals only
    bool with_condition = true;
    bool in_parentheses = false;
    bool with_namespace = false;
  };
  ExprPtr tuple(const TupleRules& rules);
  bool at_tuple_end() const;
  ExprPtr postfix(ExprPtr node);
  ExprPtr filters_and_tests(ExprPtr node);
  ExprPtr subscript(ExprPtr node);
  ExprPtr subscribed();
  ExprPtr call(ExprPtr node);
  ExprPtr filter(ExprPtr node, bool start_inline = false);
  ExprPtr test(ExprPtr node);
  void arguments(Expr* node);
  std::string dotted_name();

  // tokens
  const Lexeme& current() const { return tokens_[at_]; }
  const Lexeme& ahead() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
  const Lexeme& next() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool is(Token type) const { return current().type == type; }
  bool is_name(std::string_view name) const { return is(Token::kName) && current().text == name; }
  bool skip(Token type);
  bool skip_name(std::string_view name);
  const Lexeme& expect(Token type);
  const Lexeme& expect_name(std::string_view name);
  [[noreturn]] void error(const std::string& message, int line = 0) const;

  // nodes
  ExprPtr make(ExprKind kind, int line) const { return std::make_unique<Expr>(kind, line); }
  ExprPtr binary(Op op, ExprPtr left, ExprPtr right, int line) const;
  ExprPtr constant(Value value, int line) const;
  void adopt(Expr* parent, ExprPtr child) const;

  // Counts nesting for as long as it lives.
  class Nested {
   public:
    explicit Nested(Parser* p) : parser_(p) {
      if (++p->nesting_ > kMaxNesting) p->error("the template nests too deep");
    }
    ~Nested() { --parser_->nesting_; }

   private:
    Parser* parser_;
  };
  static constexpr int kMaxNesting = 250;    // of brackets and blocks in the source
  static constexpr int kMaxExprDepth = 300;  // of the tree of one expression, chains of operators included

  std::vector<Lexeme> tokens_;
  size_t at_ = 0;
  int nesting_ = 0;
  std::vector<std::string> open_tags_;
};

}  // namespace ingle::jinja
